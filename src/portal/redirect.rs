//! Where a sign-in leads: the `rd` that a page was asked with, if it is a place we know, else `portal.landing`.
//!
//! Everything here holds against open redirects (CWE-601): one decode has happened, what remains is parsed as a browser
//! parses it (WHATWG URL), and what is sent on is the re-serialised address, never the text that came.

use super::Visit;
use super::submission::Fields;
use crate::config::Settings;
use crate::host::{Host, HostPattern};
use url::Url;

/// Where to go on to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Onward {
    /// For `Location`: a path on this host, or an absolute address.
    pub(super) location: String,
    /// Whether it was asked for, rather than `portal.landing`.
    pub(super) asked: bool,
    /// Whether it is at another origin.
    pub(super) leaves: bool,
    /// The host to show to the user.
    pub(super) host: String,
}

/// Longer ones are not worth keeping.
const MAX_LENGTH: usize = 8 * 1024;

impl Onward {
    /// Reads `rd`, or its alias `redirect_uri`. More than one of them is as good as none.
    pub(super) fn of(fields: &Fields, settings: &Settings, visit: &Visit) -> Self {
        let mut asked = fields.all("rd").chain(fields.all("redirect_uri"));
        let known = match (asked.next(), asked.next()) {
            (Some(text), None) => Here::of(visit).and_then(|here| here.resolve(text, settings)),
            _ => None,
        };
        known.unwrap_or_else(|| Self::landing(settings, visit))
    }

    fn landing(settings: &Settings, visit: &Visit) -> Self {
        let location = settings.portal.landing.clone();
        let leaves = !location.starts_with('/');
        Self { location, asked: false, leaves, host: visit.host.to_string() }
    }

    /// The address for a hidden field or the next page, where one was asked for.
    pub(super) fn asked_for(&self) -> Option<&str> {
        self.asked.then_some(self.location.as_str())
    }

    /// The host to show, where something was asked for.
    pub(super) fn shown_host(&self) -> Option<&str> {
        self.asked.then_some(self.host.as_str())
    }
}

/// The origin that the request went to.
struct Here {
    url: Url,
    host: Host,
}

impl Here {
    fn of(visit: &Visit) -> Option<Self> {
        let scheme = if visit.https { "https" } else { "http" };
        let url = Url::parse(&format!("{scheme}://{}/", visit.authority)).ok()?;
        Some(Self { url, host: visit.host.clone() })
    }

    fn resolve(&self, text: &str, settings: &Settings) -> Option<Onward> {
        if text.len() > MAX_LENGTH || text.contains(is_dangerous) {
            return None;
        }
        if text.starts_with('/') { self.resolve_path(text) } else { self.resolve_absolute(text, settings) }
    }

    fn resolve_path(&self, text: &str) -> Option<Onward> {
        if text.starts_with("//") {
            return None;
        }
        let url = self.url.join(text).ok().filter(|url| url.origin() == self.url.origin())?;
        is_plain_path(url.path()).then(|| Onward {
            location: url[url::Position::BeforePath..].to_owned(),
            asked: true,
            leaves: false,
            host: self.host.to_string(),
        })
    }

    fn resolve_absolute(&self, text: &str, settings: &Settings) -> Option<Onward> {
        let begins = |prefix: &str| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        // A browser also takes `https:/x` and `https:x` for absolute; nobody honest writes them.
        if !begins("https://") && !begins("http://") {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let host = Host::parse(url.host_str()?)?;
        let plain = url.username().is_empty() && url.password().is_none() && is_plain_path(url.path());
        if !plain || !self.knows_port(&url, settings) || !self.knows_host(&host, settings) {
            return None;
        }
        let leaves = url.origin() != self.url.origin();
        Some(Onward { location: url.to_string(), asked: true, leaves, host: host.to_string() })
    }

    /// Whether scheme and port are those of the request or of `portal.url`.
    fn knows_port(&self, url: &Url, settings: &Settings) -> bool {
        let end = |url: &Url| (url.scheme() == "https", url.port_or_known_default());
        let portal = settings.portal.url.as_ref().map(|portal| (portal.https, Some(portal.port)));
        end(url) == end(&self.url) || portal == Some(end(url))
    }

    /// Whether it is the host asked for, the portal's, a route's, or under `cookies.domain` by a wildcard route.
    fn knows_host(&self, host: &Host, settings: &Settings) -> bool {
        let by_route = |pattern: &HostPattern| match pattern {
            HostPattern::Exact(exact) => exact == host,
            HostPattern::Under(_) => {
                pattern.matches(host) && settings.cookies.domain.as_deref().is_some_and(|domain| host.is_under(domain))
            }
        };
        *host == self.host
            || settings.portal.url.as_ref().is_some_and(|portal| portal.host == *host)
            || settings.routes.iter().filter_map(|route| route.host.as_ref()).any(by_route)
    }
}

/// Characters that browsers drop, fold or read as `/`.
fn is_dangerous(c: char) -> bool {
    c.is_control() || c.is_whitespace() || c == '\\'
}

/// Whether a serialised path begins with one slash and holds nothing that the gateway refuses: an encoded control
/// character or backslash. What begins like `//` would be another host to a browser.
fn is_plain_path(path: &str) -> bool {
    let escapes = path.match_indices('%').map(|(at, _)| path.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()));
    let refused = |escape: Option<u8>| escape.is_none_or(|byte| byte.is_ascii_control() || byte == b'\\');
    let second = path.get(1..).unwrap_or_default();
    let slash_follows = second.starts_with('/') || second.get(..3).is_some_and(|escape| escape.eq_ignore_ascii_case("%2f"));
    path.starts_with('/') && !slash_follows && !escapes.into_iter().any(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing;

    /// `https://auth.example.com`, with routes for `app.test`, `wiki.example.com` and `*.apps.example.com`.
    fn settings() -> Settings {
        let mut settings = testing::settings();
        settings.portal.url = Some(testing::portal_url("auth.example.com"));
        settings.cookies.domain = Some("example.com".into());
        settings.routes =
            ["app.test", "wiki.example.com", "*.apps.example.com", "*.foreign.test"].into_iter().map(testing::route).collect();
        settings
    }

    fn onward(query: &str) -> Onward {
        let visit = testing::visit("https://auth.example.com");
        Onward::of(&Fields::parse(query.as_bytes()), &settings(), &visit)
    }

    fn location(rd: &str) -> String {
        let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("rd", rd).finish();
        onward(&query).location
    }

    /// threats.md R01 to R43, and their kin
    #[test]
    fn whatever_leads_elsewhere_leads_to_the_landing_page() {
        let hostile = [
            "https://evil.test",
            "//evil.test",
            "///evil.test",
            "////evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "/\n\\evil.test",
            "\t//evil.test",
            "http:evil.test",
            "https:evil.test",
            "https:/evil.test",
            "https:///evil.test",
            "https:\\\\evil.test",
            "/%09/evil.test",
            "/%0a/evil.test",
            "/%5cevil.test",
            "/%2fevil.test",
            "https://auth.example.com@evil.test",
            "https://auth.example.com:x@evil.test/",
            "https://user@auth.example.com/",
            "https://:p@auth.example.com/",
            "https://evil.test#auth.example.com",
            "https://evil.test?auth.example.com",
            "https://evil.test/auth.example.com",
            "https://evil.test\\auth.example.com",
            "https://notexample.com",
            "https://example.com.evil.test",
            "https://auth.example.com.evil.test",
            "https://auth.example.com%2eevil.test/",
            "https://auth.example.com%00.evil.test/",
            "https://auth.example.com%2fevil.test/",
            "https://evil.test\u{ad}/",
            "https://evil\u{3002}test/",
            "https://\u{ff45}vil.test/",
            "https://x.foreign.test/",
            "https://other.example.com/",
            "https://example.com/",
            "http://app.test/",
            "https://app.test:8443/",
            "https://app.test:80/",
            "https://app.test//evil.test",
            "ftp://app.test/",
            "ws://app.test/",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\nscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "/.//evil.test",
            "/..//evil.test",
            "/a/..//evil.test",
            "/%2e//evil.test",
            "/x\r\nSet-Cookie: a=b",
            "/x\0",
            "/x\u{7f}",
            "/x\u{85}",
            " //evil.test",
            " /x",
            "\u{3000}//evil.test",
            "\u{a0}//evil.test",
            "\u{feff}//evil.test",
            "evil.test",
            "?x",
            "#x",
            "",
            "https://",
            "https://[::1",
            "https://app.test:99999/",
        ];
        for rd in hostile {
            assert_eq!(location(rd), "/landing", "{rd:?}");
        }
    }

    /// threats.md R40
    #[test]
    fn two_destinations_are_as_good_as_none() {
        for query in ["rd=/ok&rd=//evil.test", "rd=//evil.test&rd=/ok", "rd=/ok&rd=/ok", "rd=/ok&redirect_uri=/ok", "", "x=/ok"] {
            assert_eq!(onward(query).location, "/landing", "{query}");
        }
        assert_eq!(onward("redirect_uri=%2Fok").location, "/ok");
    }

    /// threats.md, the rows "ok"
    #[test]
    fn places_that_we_serve_stay_and_are_written_canonically() {
        let kept = [
            ("/app?x=%2F%2Fevil#f", "/app?x=%2F%2Fevil#f"),
            ("/", "/"),
            ("/a//b/?q=//x", "/a//b/?q=//x"),
            ("/a%2fb?x=%0a", "/a%2fb?x=%0a"),
            ("/café", "/caf%C3%A9"),
            ("/a/./b/../c", "/a/c"),
            ("/x?rd=https://evil.test", "/x?rd=https://evil.test"),
            ("https://app.test/p", "https://app.test/p"),
            ("https://APP.test:443/p", "https://app.test/p"),
            ("HTTPS://app.test", "https://app.test/"),
            ("https://wiki.example.com/a?b#c", "https://wiki.example.com/a?b#c"),
            ("https://x.apps.example.com/", "https://x.apps.example.com/"),
            ("https://auth.example.com/here", "https://auth.example.com/here"),
        ];
        for (rd, expected) in kept {
            assert_eq!(location(rd), expected, "{rd:?}");
        }
    }

    #[test]
    fn the_port_is_that_of_the_request_or_of_the_portal() {
        let settings = settings();
        let visit = testing::visit("http://app.test:8080");
        let location = |rd: &str| Onward::of(&Fields::parse(format!("rd={rd}").as_bytes()), &settings, &visit).location;
        assert_eq!(location("http://app.test:8080/x"), "http://app.test:8080/x");
        assert_eq!(location("https://wiki.example.com/x"), "https://wiki.example.com/x");
        assert_eq!(location("http://wiki.example.com/x"), "/landing");
        assert_eq!(location("https://app.test:8080/x"), "/landing");
    }

    #[test]
    fn a_host_asked_for_is_known_even_without_a_route_that_names_it() {
        let settings = testing::settings();
        let visit = testing::visit("http://localhost:8080");
        let location = |rd: &str| Onward::of(&Fields::parse(format!("rd={rd}").as_bytes()), &settings, &visit).location;
        assert_eq!(location("http://localhost:8080/x"), "http://localhost:8080/x");
        assert_eq!(location("http://127.0.0.1:8080/x"), "/landing");
    }

    #[test]
    fn an_address_at_another_origin_is_told_from_one_here() {
        let leaves = |rd: &str| onward(&format!("rd={rd}")).leaves;
        assert!(leaves("https://app.test/") && !leaves("https://auth.example.com/x") && !leaves("/x"));
        assert_eq!(onward("rd=https://app.test/").shown_host(), Some("app.test"));
        assert_eq!(onward("rd=//evil.test").shown_host(), None);
    }
}
