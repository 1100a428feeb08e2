//! One request to one of our pages: what handlers need of it, and how they answer.

use super::csrf::{self, Browser};
use super::error_page::Fault;
use super::failure::{CROSS_SITE, UNAVAILABLE};
use super::limited;
use super::redirect::Onward;
use super::rounds::Rounds;
use super::submission::Fields;
use super::{Portal, Presence, Visit, links, reset_cookie};
use crate::account::Account;
use crate::client::Client;
use crate::device::Device;
use crate::link_token::LinkToken;
use crate::login::SignedIn;
use crate::session::{Session, SessionCookies, SessionKey};
use crate::store::StoreError;
use crate::throttle::TooMany;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse as _, Response};
use http::header::{LOCATION, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode, request::Parts};
use std::sync::Arc;

/// A request to a page.
pub(super) struct Call {
    pub(super) portal: Arc<Portal>,
    pub(super) visit: Visit,
    pub(super) query: Fields,
    pub(super) cookies: SessionCookies,
    browser: Browser,
    parts: Parts,
}

/// Seconds after which a busy or failing part is worth another try.
const RETRY_AFTER: u32 = 5;

/// As much of `User-Agent` as is kept.
const USER_AGENT_LENGTH: usize = 256;

impl FromRequestParts<Arc<Portal>> for Call {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let Some(visit) = parts.extensions.get::<Visit>().cloned() else {
            tracing::error!(
                event = "page_failed",
                "a request reached the portal without its visit; the gateway must put one into its extensions"
            );
            return Err(portal.errors.response(&Fault::Internal, parts));
        };
        let cookies = SessionCookies::for_scheme(visit.https, &portal.settings.cookies);
        let browser = Browser::of(&parts.headers, cookies.csrf_name());
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let mut own = http::Request::new(()).into_parts().0;
        own.method = parts.method.clone();
        own.headers = parts.headers.clone();
        own.extensions.insert(visit.clone());
        Ok(Self { portal: portal.clone(), visit, query, cookies, browser, parts: own })
    }
}

impl Call {
    /// Who is signed in. A store that does not answer is an outage, never "please log in".
    pub(super) fn somebody(&self) -> Result<Option<(&SessionKey, &Session)>, Box<Response>> {
        match &self.visit.session {
            Presence::Somebody { key, session } => Ok(Some((key, session))),
            Presence::Nobody | Presence::Program(_) | Presence::Refused(_) => Ok(None),
            Presence::Unknown => Err(Box::new(self.fault(&Self::outage()))),
        }
    }

    /// Who asks.
    pub(super) fn client(&self) -> Client {
        Client { device: self.device(), ..client(&self.visit, &self.parts.headers) }
    }

    /// What the browser's cookie proves of earlier sign-ins. Two different cookies prove nothing.
    fn device(&self) -> Device {
        let mut values = csrf::cookies(&self.parts.headers, self.cookies.device_name());
        let first = values.next().filter(|first| values.all(|other| other == *first));
        first.and_then(|value| self.portal.device_key.open(value, self.portal.app.clock.now())).unwrap_or_default()
    }

    /// Where a sign-in leads, by the fields of a query or form.
    pub(super) fn onward(&self, fields: &Fields) -> Onward {
        Onward::of(fields, &self.portal.settings, &self.visit)
    }

    /// What the request's headers say.
    pub(super) fn headers(&self) -> &http::HeaderMap {
        &self.parts.headers
    }

    /// The origin that links in mails begin with, if the request went to an address that they may lead to.
    pub(super) fn link_base(&self) -> Option<String> {
        links::base(&self.portal.settings, &self.visit)
    }

    /// The token of the reset link that was opened in this browser.
    pub(super) fn reset_token(&self) -> Option<LinkToken> {
        reset_cookie::token(&self.parts.headers, &self.cookies)
    }

    /// Keeps the token of a reset link in this browser.
    pub(super) fn keep_reset_token(&self, response: &mut Response, token: &LinkToken) {
        set_cookie(response, &reset_cookie::set(&self.cookies, token));
    }

    /// What opens the form that waits for this browser.
    pub(super) fn form_token(&self) -> Option<LinkToken> {
        reset_cookie::token_named(&self.parts.headers, self.cookies.form_name())
    }

    /// Takes the token of a reset link from this browser.
    pub(super) fn drop_reset_token(&self, response: &mut Response) {
        set_cookie(response, &reset_cookie::expire(&self.cookies));
    }

    /// The token for this browser's forms.
    pub(super) fn csrf_token(&self) -> String {
        self.portal.csrf.token(&self.browser)
    }

    /// Whether a form comes from one of our own pages, in this browser.
    pub(super) fn is_genuine(&self, form: &Fields) -> bool {
        self.is_from_here() && self.portal.csrf.verify(&self.browser, form.text("csrf"))
    }

    /// Whether no other site made this request, as far as browsers say.
    pub(super) fn is_from_here(&self) -> bool {
        csrf::from_here(&self.parts.headers, &self.visit.authority)
    }

    /// Whether somebody is to see the answer, for what only one look is given to: neither `HEAD`, nor a prefetch, nor an image or
    /// a link on a page of another site, as far as browsers say (Fetch Metadata Request Headers).
    pub(super) fn is_looked_at(&self) -> bool {
        let told = |name: &str| self.parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let is_one_of = |name: &str, allowed: &[&str]| told(name).is_none_or(|value| allowed.contains(&&*value));
        self.parts.method == http::Method::GET
            && told("sec-purpose").is_none()
            && is_one_of("sec-fetch-dest", &["document"])
            && is_one_of("sec-fetch-site", &["same-origin", "none"])
    }

    /// Whether a browser shows the answer as a page.
    pub(super) fn wants_html(&self) -> bool {
        super::accept::names_html(&self.parts.headers)
    }

    /// A page; a browser that is new gets its CSRF cookie with it.
    pub(super) fn page(&self, status: StatusCode, page: &impl askama::Template) -> Response {
        let html = match page.render() {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(event = "page_failed", %error, "a page could not be rendered");
                return self.fault(&Fault::Internal);
            }
        };
        let mut response = (status, axum::response::Html(html)).into_response();
        if self.browser.fresh {
            let cookie = self.browser.set_cookie(self.cookies.csrf_name(), self.cookies.secure);
            set_cookie(&mut response, &cookie);
        }
        response
    }

    /// A page that says when to try again.
    pub(super) fn outage_page(&self, page: &impl askama::Template) -> Response {
        Self::later(self.page(StatusCode::SERVICE_UNAVAILABLE, page))
    }

    /// With when to try again.
    pub(super) fn later(mut response: Response) -> Response {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
        response
    }

    /// A page that says how long to wait after too many attempts.
    pub(super) fn too_many_page(&self, limit: TooMany, page: &impl askama::Template) -> Response {
        let mut response = self.page(StatusCode::TOO_MANY_REQUESTS, page);
        limited::tell(response.headers_mut(), &limit);
        response
    }

    /// An error page, or problem+json.
    pub(super) fn fault(&self, fault: &Fault) -> Response {
        self.portal.errors.response(fault, &self.parts)
    }

    /// An outage, as a fault.
    pub(super) fn outage() -> Fault {
        Fault::Unavailable { retry_after: RETRY_AFTER }
    }

    /// Notes that a store failed.
    pub(super) fn note(&self, error: &StoreError) {
        tracing::error!(event = "store_failed", %error, request_id = %self.visit.request_id, "a store failed");
    }

    /// Sends the browser to one of our pages, given without the prefix.
    pub(super) fn to_page(&self, status: StatusCode, page: &str) -> Response {
        redirect(status, &format!("{}{page}", self.portal.look.prefix))
    }

    /// Sends the browser to the login page, asked in the manner `how`, and from there back to one of our pages, given
    /// without the prefix.
    pub(super) fn to_login(&self, status: StatusCode, how: &str, back: &str) -> Response {
        let back = format!("{}{back}", self.portal.look.prefix);
        let separator = if how.is_empty() { "" } else { "&" };
        self.to_page(status, &format!("/login?{how}{separator}{}", rd_pair(&back)))
    }

    /// Whether the password was given a short while ago.
    pub(super) fn is_fresh(&self) -> bool {
        matches!(&self.visit.session, Presence::Somebody { session, .. } if session.is_fresh(self.portal.app.clock.now()))
    }

    /// Sends the browser to where the password is asked for, and from there back to one of our pages, given without the
    /// prefix.
    pub(super) fn to_confirm(&self, back: &str) -> Response {
        let back = format!("{}{back}", self.portal.look.prefix);
        self.to_page(StatusCode::SEE_OTHER, &format!("/account/confirm?{}", rd_pair(&back)))
    }

    /// Gives the browser the cookie of a new session, and one by which it is known the next time.
    pub(super) fn give_session(&self, response: &mut Response, signed_in: &SignedIn) {
        let keep = signed_in.session.remember.then_some(self.portal.settings.sessions.remember_for);
        let value = self.portal.app.cookie_key.seal(&signed_in.id);
        // First, for clients and front proxies that look at one cookie of an answer only (nginx: `$upstream_http_set_cookie`).
        set_cookie(response, &self.cookies.set_session(&value, keep));
        self.remember_browser(response, &signed_in.account);
    }

    /// Lets the browser be known the next time as one that has signed in to this account, or has made it.
    pub(super) fn remember_browser(&self, response: &mut Response, account: &Account) {
        let device = self.device().after_sign_in(account, self.portal.app.clock.now());
        set_cookie(response, &self.cookies.set_device(&self.portal.device_key.seal(&device)));
    }

    /// Takes the session cookie away.
    pub(super) fn take_session(&self, response: &mut Response) {
        set_cookie(response, &self.cookies.expire_session());
        if let Some(forgotten) = Rounds::forget(self.headers(), &self.cookies) {
            set_cookie(response, &forgotten);
        }
    }
}

/// Who makes a request, but for what cookies say of the browser.
pub(super) fn client(visit: &Visit, headers: &HeaderMap) -> Client {
    let agent = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Client {
        address: visit.client,
        user_agent: agent.unwrap_or_default().chars().take(USER_AGENT_LENGTH).collect(),
        request_id: visit.request_id.clone(),
        ..Client::default()
    }
}

/// `rd` as part of a query, after `?` or `&`; nothing where there is none.
pub(super) fn rd_query(separator: char, rd: Option<&str>) -> String {
    rd.map(|rd| format!("{separator}{}", rd_pair(rd))).unwrap_or_default()
}

fn rd_pair(rd: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new()).append_pair("rd", rd).finish()
}

/// A redirect. An address that is no header value (they are all made or re-serialised by us) leads to `/`.
pub(super) fn redirect(status: StatusCode, location: &str) -> Response {
    let location = HeaderValue::from_str(location).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (status, [(LOCATION, location)]).into_response()
}

/// The refusal of a JSON request that another site made.
pub(super) fn cross_site() -> Response {
    CROSS_SITE.response()
}

/// What a program is told when a part is busy or fails.
pub(super) fn unavailable() -> Response {
    UNAVAILABLE.problem().with_retry_after(RETRY_AFTER).into_response()
}

/// Adds a cookie to a response.
pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
