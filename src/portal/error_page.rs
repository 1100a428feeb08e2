//! Refusals in HTML or `application/problem+json`, by what the client takes. The gateway uses this for its own refusals,
//! so it needs nothing of a router. Every word is fixed: nothing of the request is repeated but addresses made by us and
//! the request's id.

use super::Visit;
use super::accept;
use super::assets::Look;
use super::headers;
use super::problem::Problem;
use askama::Template as _;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;

/// Makes error pages.
#[derive(Clone)]
pub struct ErrorPages {
    look: Arc<Look>,
    policy: Option<HeaderValue>,
}

/// Why a request is not answered as it was meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request itself is wrong; says how, in a sentence for the client.
    BadRequest(&'static str),
    /// No route is for this host.
    UnknownHost,
    /// No route is for this path, or the page does not exist.
    NotFound,
    /// The method is not let through, or the page does not take it.
    MethodNotAllowed,
    /// The body is too large.
    PayloadTooLarge,
    /// The request line is too long.
    UriTooLong,
    /// The headers are too large.
    HeadersTooLarge,
    /// Something other than `100-continue` is expected.
    ExpectationFailed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// A WebSocket was asked for by a page of another site.
    ForeignOrigin,
    /// Nobody is signed in.
    Unauthorized {
        /// Where to sign in.
        login_url: String,
        /// Shown in a frame: the link must leave it, since the login is shown in none.
        in_frame: bool,
    },
    /// A token of ours does not open anything.
    InvalidToken,
    /// A personal token is not for this.
    InsufficientScope,
    /// Somebody is signed in, but may not see this.
    Forbidden {
        /// Where to sign in as someone else.
        switch_url: String,
    },
    /// A front proxy asks that is not trusted.
    UntrustedProxy,
    /// A front proxy asks about what is not served here; says how, in a sentence for who set it up.
    NotServed(&'static str),
    /// A front proxy asks about the login page itself, which it should hand to us.
    LoginGuarded,
    /// A second factor is asked for, and there is none.
    SecondFactorMissing,
    /// The upstream cannot be reached or does not speak HTTP.
    BadGateway,
    /// The upstream is too slow.
    GatewayTimeout,
    /// A store cannot be reached.
    Unavailable {
        /// Seconds until it is worth trying again.
        retry_after: u32,
    },
    /// A mistake of ours.
    Internal,
}

/// What a fault says.
struct Words {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: &'static str,
}

/// The way out that a page offers.
struct Link<'a> {
    href: &'a str,
    text: &'static str,
    leaves_frame: bool,
}

#[derive(askama::Template)]
#[template(path = "error.html")]
struct Page<'a> {
    look: &'a Look,
    title: &'a str,
    detail: &'a str,
    status: u16,
    request_id: &'a str,
    link: Option<Link<'a>>,
}

impl ErrorPages {
    /// Error pages that look like all others.
    #[must_use]
    pub fn new(look: Arc<Look>) -> Self {
        Self { look, policy: None }
    }

    /// The same for answers that are shown at origins whose pages are not ours: style and logo are at `origin`.
    #[must_use]
    pub fn at(&self, origin: &str) -> Self {
        Self { look: Arc::new(self.look.at(origin)), policy: headers::policy_with_looks_from(origin) }
    }

    /// The response: HTML where `Accept` names `text/html`, else problem+json. The body stands for `HEAD` too; whoever
    /// writes the response leaves it out.
    #[must_use]
    pub fn render(&self, fault: &Fault, request_headers: &HeaderMap, request_id: &str) -> http::Response<Bytes> {
        let words = fault.words();
        let mut response = if accept::names_html(request_headers) {
            self.html(fault, &words, request_id).unwrap_or_else(|| problem(fault, request_id))
        } else {
            problem(fault, request_id)
        };
        let headers = response.headers_mut();
        if matches!(fault, Fault::Unauthorized { in_frame: true, .. }) {
            headers::let_be_framed_here(headers);
        }
        headers::protect(headers);
        if let Some(policy) = &self.policy {
            headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
        }
        if let Some(seconds) = fault.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = fault.challenge() {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// The same for a page of the portal.
    pub(super) fn response(&self, fault: &Fault, request: &http::request::Parts) -> Response {
        let id = request.extensions.get::<Visit>().map_or("", |visit| visit.request_id.as_str());
        self.render(fault, &request.headers, id).map(Body::from)
    }

    fn html(&self, fault: &Fault, words: &Words, request_id: &str) -> Option<http::Response<Bytes>> {
        let Words { status, title, detail, .. } = *words;
        let page = Page { look: &self.look, title, detail, status: status.as_u16(), request_id, link: fault.link() };
        let html = page.render().ok()?;
        let mut response = http::Response::new(Bytes::from(html));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        Some(response)
    }
}

impl Problem {
    /// What a fault says to programs.
    pub(super) fn of(fault: &Fault) -> Self {
        let words = fault.words();
        let problem = Self::new(words.status, words.code, words.title, words.detail);
        let problem = match fault.retry_after() {
            Some(seconds) => problem.with_retry_after(seconds),
            None => problem,
        };
        match fault.challenge() {
            Some(challenge) => problem.with_challenge(challenge),
            None => problem,
        }
    }
}

fn problem(fault: &Fault, request_id: &str) -> http::Response<Bytes> {
    let problem = Problem::of(fault).with_request_id(request_id);
    match fault {
        Fault::Unauthorized { login_url, .. } => problem.with_login_url(login_url.clone()).response(),
        _ => problem.response(),
    }
}

impl Fault {
    /// Status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.words().status
    }

    /// Whether the application gave no answer.
    #[must_use]
    pub fn is_upstreams(&self) -> bool {
        matches!(self, Self::BadGateway | Self::GatewayTimeout)
    }

    /// What a client is told of how to present a credential (RFC 6750 section 3).
    pub(super) fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::InvalidToken => Some(headers::INVALID_TOKEN),
            Self::InsufficientScope => Some(headers::INSUFFICIENT_SCOPE),
            _ => (self.status() == StatusCode::UNAUTHORIZED).then_some(headers::CHALLENGE),
        }
    }

    /// Whether the request itself was refused, rather than what it asked for: the connection is not to be used again.
    #[must_use]
    pub fn is_malformed_request(&self) -> bool {
        matches!(self.status().as_u16(), 400 | 405 | 408 | 413 | 414 | 417 | 431) || *self == Self::UnknownHost
    }

    fn words(&self) -> Words {
        let words = |status, code, title, detail| Words { status, code, title, detail };
        match self {
            Self::BadRequest(detail) => words(StatusCode::BAD_REQUEST, "bad_request", "Bad request", detail),
            Self::UnknownHost => {
                words(StatusCode::NOT_FOUND, "unknown_host", "Unknown site", "There is no site of this name here. Check the address.")
            }
            Self::NotFound => words(StatusCode::NOT_FOUND, "not_found", "Page not found", "There is nothing at this address."),
            Self::MethodNotAllowed => {
                words(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed", "This address does not take that method.")
            }
            Self::ExpectationFailed => words(
                StatusCode::EXPECTATION_FAILED,
                "expectation_failed",
                "Expectation failed",
                "Only 100-continue can be expected of this site.",
            ),
            Self::RequestTimeout => {
                words(StatusCode::REQUEST_TIMEOUT, "request_timeout", "Too slow", "The request took too long to arrive. Try again.")
            }
            Self::ForeignOrigin => {
                words(StatusCode::FORBIDDEN, "foreign_origin", "No access", "A page of another site may not open a WebSocket here.")
            }
            Self::PayloadTooLarge => {
                words(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "Too large", "What you sent is larger than this site takes.")
            }
            Self::UriTooLong => {
                words(StatusCode::URI_TOO_LONG, "uri_too_long", "Address too long", "This address is longer than this site takes.")
            }
            Self::HeadersTooLarge => words(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "Headers too large",
                "Your browser sent more headers than this site takes. Deleting this site's cookies may help.",
            ),
            Self::Unauthorized { .. } => {
                words(StatusCode::UNAUTHORIZED, "unauthorized", "Sign in to continue", "This page is for people who are signed in.")
            }
            Self::InvalidToken => words(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "The token is not valid",
                "The token in this request is unknown, has expired or was revoked. Use a new one.",
            ),
            Self::InsufficientScope => words(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "The token is not for this",
                "The token in this request is for other hosts, paths or methods.",
            ),
            Self::Forbidden { .. } => words(
                StatusCode::FORBIDDEN,
                "forbidden",
                "No access",
                "Your account may not see this page. If you need it, ask the site's administrator.",
            ),
            Self::UntrustedProxy => words(
                StatusCode::FORBIDDEN,
                "untrusted_proxy",
                "Not a trusted proxy",
                "Only proxies whose addresses are in server.trusted_proxies are answered here.",
            ),
            Self::NotServed(detail) => words(StatusCode::FORBIDDEN, "not_served", "No access", detail),
            Self::LoginGuarded => words(
                StatusCode::FORBIDDEN,
                "login_guarded",
                "The login page is behind itself",
                "The proxy in front asks for a login before it shows the login page. It must hand the login's own pages to the gateway \
                 without asking first.",
            ),
            Self::SecondFactorMissing => words(
                StatusCode::FORBIDDEN,
                "second_factor_missing",
                "Second factor needed",
                "This page asks for a second factor, which accounts on this site cannot have yet. Ask the site's administrator.",
            ),
            Self::BadGateway => words(
                StatusCode::BAD_GATEWAY,
                "bad_gateway",
                "Application not available",
                "The application behind this address does not answer. Try again in a moment.",
            ),
            Self::GatewayTimeout => words(
                StatusCode::GATEWAY_TIMEOUT,
                "gateway_timeout",
                "Application too slow",
                "The application behind this address took too long to answer. Try again in a moment.",
            ),
            Self::Unavailable { .. } => words(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Not available at the moment",
                "Signing in does not work right now. Try again in a moment.",
            ),
            Self::Internal => words(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something went wrong",
                "This is our mistake and has been noted. Try again in a moment.",
            ),
        }
    }

    fn link(&self) -> Option<Link<'_>> {
        match self {
            Self::Unauthorized { login_url, in_frame } => Some(Link { href: login_url, text: "Sign in", leaves_frame: *in_frame }),
            Self::Forbidden { switch_url } => Some(Link { href: switch_url, text: "Sign in as someone else", leaves_frame: false }),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Unavailable { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::assets::{Assets, tests::plain_ui};
    use http::header::{ACCEPT, CACHE_CONTROL};

    fn faults() -> Vec<Fault> {
        let hostile = || "/auth/login?rd=\"><svg onload=alert(1)>".to_owned();
        vec![
            Fault::BadRequest("The Host header is missing."),
            Fault::UnknownHost,
            Fault::NotFound,
            Fault::MethodNotAllowed,
            Fault::PayloadTooLarge,
            Fault::UriTooLong,
            Fault::HeadersTooLarge,
            Fault::Unauthorized { login_url: hostile(), in_frame: true },
            Fault::InvalidToken,
            Fault::InsufficientScope,
            Fault::Forbidden { switch_url: hostile() },
            Fault::UntrustedProxy,
            Fault::NotServed("No route of the gateway is for this host."),
            Fault::LoginGuarded,
            Fault::SecondFactorMissing,
            Fault::BadGateway,
            Fault::GatewayTimeout,
            Fault::Unavailable { retry_after: 7 },
            Fault::Internal,
        ]
    }

    fn render(fault: &Fault, accept: &'static str) -> (http::response::Parts, String) {
        let pages = ErrorPages::new(Assets::load(&plain_ui(), "/auth").unwrap().look());
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        let (parts, body) = pages.render(fault, &headers, "request<1>").into_parts();
        (parts, String::from_utf8(body.to_vec()).unwrap())
    }

    /// threats.md F07
    #[test]
    fn every_fault_has_a_page_with_safe_headers_and_nothing_unescaped() {
        for fault in faults() {
            let (parts, html) = render(&fault, "text/html,*/*;q=0.8");
            assert_eq!(parts.headers[CONTENT_TYPE], "text/html; charset=utf-8");
            assert_eq!(parts.headers[CACHE_CONTROL], "no-store");
            assert!(parts.headers.contains_key(CONTENT_SECURITY_POLICY));
            assert!(html.contains("request&#60;1&#62;") && !html.contains("<svg onload") && !html.contains("<script"), "{html}");
            assert_eq!(html.matches("<h1>").count(), 1, "{html}");
        }
    }

    /// S4.9
    #[test]
    fn a_program_gets_problem_json() {
        for fault in faults() {
            let (parts, body) = render(&fault, "*/*");
            assert_eq!(parts.headers[CONTENT_TYPE], "application/problem+json");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["status"], parts.status.as_u16());
            assert!(body["type"].as_str().unwrap().starts_with("urn:portcullis:"));
        }
    }

    #[test]
    fn who_is_not_signed_in_is_told_where_to() {
        let fault = Fault::Unauthorized { login_url: "/auth/login?rd=%2Fx".into(), in_frame: true };
        let (parts, body) = render(&fault, "application/json");
        assert_eq!(parts.headers[WWW_AUTHENTICATE], "Bearer realm=\"portcullis\"");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["loginUrl"], "/auth/login?rd=%2Fx");
        let (_, html) = render(&fault, "text/html");
        assert!(html.contains(r#"href="/auth/login?rd=%2Fx" target="_top""#), "{html}");
    }

    #[test]
    fn an_outage_says_when_to_try_again() {
        let (parts, _) = render(&Fault::Unavailable { retry_after: 7 }, "text/html");
        assert_eq!((parts.status.as_u16(), parts.headers[RETRY_AFTER].to_str().unwrap()), (503, "7"));
    }
}
