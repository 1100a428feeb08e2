//! Why a browser goes round in a circle, as far as it can be told from here. Pure.

use crate::host::Host;
use crate::session::SessionCookies;

/// What is known of a circle.
#[derive(Clone, Debug)]
pub(in crate::portal) struct Circle<'a> {
    /// Where the login is.
    pub(in crate::portal) here: &'a Host,
    /// Whether the browser came over HTTPS, as far as can be told.
    pub(in crate::portal) came_by_https: bool,
    /// Where it was sent on to.
    pub(in crate::portal) to: &'a Host,
    /// Whether that is an `https` address.
    pub(in crate::portal) to_https: bool,
    /// Whether a proxy in front asks about requests to there.
    pub(in crate::portal) forward_auth: bool,
    /// What the session cookie that it brought is worth here.
    pub(in crate::portal) brought: Brought,
    /// Which cookies are in force.
    pub(in crate::portal) cookies: &'a SessionCookies,
}

/// What a browser brought back to the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::portal) enum Brought {
    /// A session that goes on.
    Session,
    /// A cookie of ours without a session.
    Ended,
    /// A cookie with our name that is not ours.
    Foreign,
    /// No cookie.
    Nothing,
}

/// A likely cause: what it is called, and what to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::portal) struct Cause {
    pub(in crate::portal) name: &'static str,
    pub(in crate::portal) text: String,
}

impl Circle<'_> {
    /// What probably keeps the browser in the circle, the likeliest first; at least one.
    pub(in crate::portal) fn causes(&self) -> Vec<Cause> {
        let certain: Vec<Cause> = [self.plain_http(), self.cookie_domain()].into_iter().flatten().collect();
        if !certain.is_empty() {
            return certain;
        }
        match self.brought {
            Brought::Foreign => vec![second_gateway()],
            Brought::Ended => vec![other_store(), clock()],
            Brought::Nothing => vec![cookies_blocked(), second_gateway()],
            Brought::Session if self.forward_auth => vec![front_proxy(), second_gateway(), other_store(), clock()],
            Brought::Session => vec![second_gateway(), other_store(), clock()],
        }
    }

    fn plain_http(&self) -> Option<Cause> {
        let cause = |text| Some(Cause { name: "HTTPS", text });
        if self.cookies.secure && !self.came_by_https {
            return cause(format!(
                "The session cookie is for HTTPS only (cookies.secure, or an https portal.url), but requests to {} seem to come over \
                 plain HTTP. Open it with https://; if a proxy ends TLS, let it send X-Forwarded-Proto and name it in server.trusted_proxies.",
                self.here
            ));
        }
        if self.cookies.secure && !self.to_https {
            return cause(format!(
                "The session cookie is for HTTPS only, but the page asked for is http://{}. Use its https:// address.",
                self.to
            ));
        }
        (!self.cookies.secure && self.to_https).then(|| Cause {
            name: "HTTPS",
            text: format!(
                "The page asked for is https://{}, but the login was made over plain HTTP, as far as the gateway can tell. Let the proxy \
                 in front send X-Forwarded-Proto, and name it in server.trusted_proxies.",
                self.to
            ),
        })
    }

    fn cookie_domain(&self) -> Option<Cause> {
        let outside = |host: &Host, domain: &str| !host.is_under(domain);
        let text = match &self.cookies.domain {
            None if self.to == self.here => return None,
            None => format!(
                "The login is at {}, the page asked for at {}, and cookies.domain is not set, so the session cookie stays with {0}. Set \
                 cookies.domain to a domain that both are under.",
                self.here, self.to
            ),
            Some(domain) if outside(self.to, domain) || outside(self.here, domain) => {
                let host = if outside(self.to, domain) { self.to } else { self.here };
                format!("cookies.domain is {domain}, and {host} is not under it, so browsers do not send the session cookie there.")
            }
            Some(_) => return None,
        };
        Some(Cause { name: "Cookie domain", text })
    }
}

fn second_gateway() -> Cause {
    let text = "Another gateway answers under the same name, with another secret: each takes the other's cookie for a forgery. All \
                gateways of a site need the same secret.";
    Cause { name: "A second gateway with another secret", text: text.to_owned() }
}

fn other_store() -> Cause {
    let text = "Another gateway answers with sessions of its own. All gateways of a site need the same stores.sessions, and in-memory \
                sessions are known to one of them only.";
    Cause { name: "A second session store", text: text.to_owned() }
}

fn clock() -> Cause {
    let text = "The clocks of the gateways differ, so that a new session has ended already for one of them. Let all of them follow NTP.";
    Cause { name: "Clock", text: text.to_owned() }
}

fn cookies_blocked() -> Cause {
    let text = "The browser did not keep the session cookie. It may block cookies, or a proxy in front may drop or rewrite Set-Cookie.";
    Cause { name: "Cookies", text: text.to_owned() }
}

fn front_proxy() -> Cause {
    let text = "The proxy in front asks the gateway about the page without the browser's Cookie header, or with another scheme than the \
                browser uses. Compare its configuration with what portcullis snippet prints.";
    Cause { name: "Proxy in front", text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing;

    fn causes(here: &str, to: &str, domain: Option<&str>, brought: Brought) -> Vec<&'static str> {
        let (here, to) = (testing::visit(here), testing::visit(to));
        let cookies = SessionCookies { secure: true, domain: domain.map(str::to_owned) };
        let forward_auth = to.host.as_str().starts_with("wiki");
        let came_by_https = here.arrival.is_https();
        let circle = Circle { here: &here.host, came_by_https, to: &to.host, to_https: to.https, forward_auth, brought, cookies: &cookies };
        circle.causes().iter().map(|cause| cause.name).collect()
    }

    #[test]
    fn the_likely_cause_is_named() {
        let (auth, wiki) = ("https://auth.example.com", "https://wiki.example.com");
        assert_eq!(causes(auth, wiki, None, Brought::Session), ["Cookie domain"]);
        assert_eq!(causes(auth, "https://wiki.test", Some("example.com"), Brought::Session), ["Cookie domain"]);
        assert_eq!(causes("https://wiki.test", "https://wiki.test", Some("example.com"), Brought::Nothing), ["Cookie domain"]);
        assert_eq!(causes("http://auth.example.com", wiki, Some("example.com"), Brought::Nothing), ["HTTPS"]);
        assert_eq!(causes(auth, "http://wiki.example.com", Some("example.com"), Brought::Session), ["HTTPS"]);
        let second = "A second gateway with another secret";
        assert_eq!(causes(wiki, wiki, None, Brought::Foreign), [second]);
        assert_eq!(causes(wiki, wiki, None, Brought::Ended), ["A second session store", "Clock"]);
        assert_eq!(causes(wiki, wiki, None, Brought::Nothing), ["Cookies", second]);
        assert_eq!(
            causes(auth, wiki, Some("example.com"), Brought::Session),
            ["Proxy in front", second, "A second session store", "Clock"]
        );
    }
}
