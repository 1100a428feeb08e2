//! What becomes of a request for an application, decided alike for proxied requests and for those that a front proxy
//! asks about. How the decision is written down is left to the two.

use super::Gateway;
use super::exchange::{self, Facts};
use super::identities::Introduction;
use crate::clock::Stopwatch;
use crate::gate::{Activity, Gate, Hold, Judgement};
use crate::metrics;
use crate::policy::{Destination, Verdict};
use crate::portal::Presence;
use crate::portal::error_page::Fault;
use crate::token;
use http::{HeaderMap, Method};
use std::time::Duration;

/// Longest address of the login page; what would lead back is left out where it would be longer.
const LONGEST_LOGIN_URL: usize = 2048;
/// Longest address in a page that a front proxy passes on, so that the page with all its headers stays below 4 KiB.
const LONGEST_LINK: usize = 1024;

/// A request for an application.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// What it is.
    pub facts: &'a Facts,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The route that takes it.
    pub route: usize,
    /// How it came.
    pub mode: Mode,
}

/// How a request comes to be decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It goes through us.
    Proxy,
    /// A front proxy asks about it.
    ForwardAuth,
}

/// A decision.
pub struct Decision {
    /// What was decided, and how.
    pub judged: Judged,
    /// Whether headers that override the method must be removed.
    pub names_methods: bool,
    /// What to do.
    pub outcome: Outcome,
}

/// What was decided, by what, and how long that took.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Index of the deciding rule; `None` for the default.
    pub rule: Option<usize>,
    /// Number of the route in the configuration, from 1.
    pub route: usize,
    /// How long it took to find out who asks.
    pub store: Duration,
    /// How long it took in all.
    pub taken: Duration,
}

/// What to do with a request.
pub enum Outcome {
    /// It goes on.
    Pass(Pass),
    /// A browser is sent to the login page.
    SignIn(SignIn),
    /// It is refused.
    Refuse(Fault),
}

/// With what a request goes on.
pub struct Pass {
    /// Whom to name, if anybody is signed in.
    pub identity: Option<Introduction>,
    /// The activity to note while it lasts.
    pub activity: Option<Activity>,
    /// What it must not outlive.
    pub hold: Option<Hold>,
    /// Whether `Authorization` was for us, and so is not for the application.
    pub takes_authorization: bool,
    /// Whether a rule decided that is not public.
    pub private: bool,
}

/// How a browser is sent to the login page.
pub struct SignIn {
    /// 302, or 303 where the browser must not repeat its method.
    pub status: u16,
    /// Address of the login page, and from there back.
    pub location: String,
    /// Address of the login page alone.
    pub login_url: String,
}

/// What a login address is to do beside signing in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plain,
    /// For someone else than who is signed in.
    Switch,
}

impl Decision {
    /// As which it is counted where it is answered as it stands.
    #[must_use]
    pub fn counted(&self) -> metrics::Decision {
        match &self.outcome {
            Outcome::Pass(_) if self.judged.verdict == Verdict::Public => metrics::Decision::Public,
            Outcome::Pass(_) => metrics::Decision::Allow,
            Outcome::SignIn(_) => metrics::Decision::Redirect,
            Outcome::Refuse(fault) => metrics::Decision::refused_with(fault.status()),
        }
    }
}

impl Gateway {
    /// Who the request's credentials speak for. The one place where they are read. A token comes before the cookie: it was put
    /// into the request on purpose.
    pub(super) async fn presence(&self, headers: &HeaderMap, facts: &Facts) -> Presence {
        let destination = token::Destination { host: facts.host.as_str(), path: facts.target.path(), method: facts.method.as_str() };
        match self.0.gate.program(headers, destination).await {
            Some(presence) => presence,
            None => self.visitor(headers, facts).await,
        }
    }

    /// Who the request's session cookie speaks for, whatever else it presents.
    pub(super) async fn visitor(&self, headers: &HeaderMap, facts: &Facts) -> Presence {
        let cookie = crate::session::SessionCookies::for_scheme(facts.https, &self.0.settings.cookies).session_name();
        self.0.gate.presence(headers, cookie).await
    }

    /// Decides on a request for an application.
    pub(super) async fn judge(&self, asked: Asked<'_>) -> Decision {
        let watch = Stopwatch::start();
        let presence = self.presence(asked.headers, asked.facts).await;
        let store = watch.elapsed();
        let route = self.0.routes.written_at(asked.route) + 1;
        if let Presence::Refused(fault) = presence {
            let judged = Judged { verdict: refused_as(&fault), rule: None, route, store, taken: watch.elapsed() };
            return Decision { judged, names_methods: false, outcome: Outcome::Refuse(fault) };
        }
        let facts = asked.facts;
        let destination =
            Destination { host: &facts.host, path: facts.target.path(), method: &facts.method, client: facts.client_for_rules() };
        let Judgement { verdict, rule, names_methods } = Gate::judge(&self.0.settings.policy, &destination, &presence);
        let outcome = match verdict {
            Verdict::Public | Verdict::Allow => self.pass(asked, verdict, &presence).await,
            Verdict::Login => self.ask_to_sign_in(asked),
            Verdict::Forbidden => Outcome::Refuse(Fault::Forbidden { switch_url: self.switch_url(asked) }),
            Verdict::SecondFactor => Outcome::Refuse(Fault::SecondFactorMissing),
            Verdict::Unavailable => Outcome::Refuse(Fault::Unavailable { retry_after: 2 }),
        };
        let judged = Judged { verdict, rule, route, store, taken: watch.elapsed() };
        Decision { judged, names_methods, outcome }
    }

    async fn pass(&self, asked: Asked<'_>, verdict: Verdict, presence: &Presence) -> Outcome {
        let parts = &self.0;
        if asked.facts.websocket
            && let Err(fault) = parts.routes.check_websocket_origin(asked.route, asked.headers, asked.facts)
        {
            return Outcome::Refuse(fault);
        }
        let is_program = matches!(presence, Presence::Program(_));
        let identity = match presence.user() {
            Some(user) => match parts.identities.introduce(user, &asked.facts.host).await {
                Ok(introduction) => Some(introduction),
                // What is public is for nobody as well; who presents a token is never taken for nobody.
                Err(error) if verdict == Verdict::Public && !is_program => {
                    tracing::warn!(event = "assertion_failed", %error, "a request goes on without its user, whom no key is there to vouch for");
                    None
                }
                Err(error) => {
                    tracing::error!(event = "assertion_failed", %error, "no key is there to vouch for the user of a request");
                    return Outcome::Refuse(Fault::Unavailable { retry_after: 2 });
                }
            },
            None => None,
        };
        let private = verdict != Verdict::Public;
        Outcome::Pass(Pass {
            identity,
            activity: parts.gate.note_activity(presence),
            // What is public goes on without a credential, so it outlives one, too.
            hold: Hold::of(presence).filter(|_| private),
            takes_authorization: is_program,
            private,
        })
    }

    /// A navigation is sent to the login; all else is told that it has no credential.
    fn ask_to_sign_in(&self, asked: Asked<'_>) -> Outcome {
        let Asked { facts, headers, .. } = asked;
        let navigation = exchange::is_navigation(headers) && !facts.websocket;
        let status = match facts.method {
            Method::GET | Method::HEAD if navigation => 302,
            Method::POST if navigation && is_form(asked) => 303,
            _ => {
                let in_frame = !navigation && headers.get("sec-fetch-dest").is_some_and(|value| value.as_bytes().ends_with(b"frame"));
                return Outcome::Refuse(Fault::Unauthorized { login_url: self.login_url(asked, None, Manner::Plain), in_frame });
            }
        };
        if asked.mode == Mode::ForwardAuth && self.is_login_itself(facts) {
            return Outcome::Refuse(Fault::LoginGuarded);
        }
        let back = if status == 303 { exchange::same_origin_referer(headers, facts) } else { Some(facts.target.as_str().to_owned()) };
        let location = self.login_url(asked, back.as_deref(), Manner::Plain);
        Outcome::SignIn(SignIn { status, location, login_url: self.login_url(asked, None, Manner::Plain) })
    }

    /// Whether the request is for a page of ours on the host where the login is: a front proxy that asks about it, rather
    /// than handing it to us, would send the browser round in a circle.
    fn is_login_itself(&self, facts: &Facts) -> bool {
        let portal = self.0.settings.portal.url.as_ref();
        self.0.routes.is_own_page(facts) && portal.is_none_or(|portal| portal.host == facts.host)
    }

    /// Address of the login page, and from there to another of our pages.
    pub(super) fn login_to(&self, asked: Asked<'_>, page: &str) -> String {
        self.login_url(asked, Some(page), Manner::Plain)
    }

    /// Back to where a browser can go: to the page that a form stands on, not to where the form was sent.
    fn switch_url(&self, asked: Asked<'_>) -> String {
        let Asked { facts, headers, .. } = asked;
        let back = match facts.method {
            Method::GET | Method::HEAD => Some(facts.target.as_str().to_owned()),
            _ => exchange::same_origin_referer(headers, facts),
        };
        self.login_url(asked, back.as_deref(), Manner::Switch)
    }

    /// Address of the login page, and from there `back`, a path and query on the request's own host: both as a path where
    /// the request goes through us, and absolute where the answer is read at another address.
    fn login_url(&self, asked: Asked<'_>, back: Option<&str>, manner: Manner) -> String {
        let settings = &self.0.settings;
        let (login_origin, own_origin) = match (asked.mode, &settings.portal.url) {
            (Mode::Proxy, _) => (String::new(), String::new()),
            (Mode::ForwardAuth, Some(portal)) => (portal.origin(), asked.facts.origin()),
            (Mode::ForwardAuth, None) => (asked.facts.origin(), asked.facts.origin()),
        };
        let login = format!("{login_origin}{}/login", settings.server.prefix);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        if manner == Manner::Switch {
            query.append_key_only("switch");
        }
        if let Some(back) = back {
            query.append_pair("rd", &format!("{own_origin}{back}"));
        }
        let query = query.finish();
        let longest = match (asked.mode, manner) {
            (Mode::ForwardAuth, Manner::Switch) => LONGEST_LINK,
            _ => LONGEST_LOGIN_URL,
        };
        match (query.is_empty(), login.len() + query.len() < longest) {
            (false, true) => format!("{login}?{query}"),
            (false, false) if manner == Manner::Switch => format!("{login}?switch"),
            _ => login,
        }
    }
}

/// As what the refusal of a token of ours is told: whatever the rules say, and never a redirect to the login, which no program
/// follows.
fn refused_as(fault: &Fault) -> Verdict {
    match fault.status() {
        http::StatusCode::UNAUTHORIZED => Verdict::Login,
        http::StatusCode::SERVICE_UNAVAILABLE => Verdict::Unavailable,
        _ => Verdict::Forbidden,
    }
}

/// Whether the body is a form's; a front proxy may not tell of a body at all.
fn is_form(asked: Asked<'_>) -> bool {
    let untold = asked.mode == Mode::ForwardAuth && !asked.headers.contains_key(http::header::CONTENT_TYPE);
    untold || exchange::is_form(asked.headers)
}
