//! The headers that every response of our own carries (ASVS V3.4).

use super::{Portal, Visit};
use crate::config::Settings;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::sync::Arc;
use std::time::Duration;

/// Nothing but our own style sheet, script and images; forms go to this origin only.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; \
     base-uri 'none'",
);

/// The same without `form-action`, which browsers apply to the redirect that follows a form, too.
const POLICY_FOR_FORMS_THAT_LEAVE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
);

/// For the one page that pages of the same origin may show in a frame: it holds nothing but a link out of the frame.
const POLICY_IN_A_FRAME: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'self'; \
     base-uri 'none'",
);

/// Asks for a bearer, never for `Basic`: browsers would open their own password box.
pub(super) const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"portcullis\"");

/// Says that the token presented opens nothing (RFC 6750 section 3.1).
pub(super) const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer realm=\"portcullis\", error=\"invalid_token\"");

/// Says that the token presented is for something else.
pub(super) const INSUFFICIENT_SCOPE: HeaderValue = HeaderValue::from_static("Bearer realm=\"portcullis\", error=\"insufficient_scope\"");

/// Where `https` is fixed by the configuration but TLS ends in front of us, what `server.tls.hsts` would be by default.
const DEFAULT_HSTS: Duration = Duration::from_hours(365 * 24);

/// Adds what is not there yet.
pub fn protect(headers: &mut HeaderMap) {
    let defaults = [
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(value);
    }
}

/// For a page without forms or scripts whose style and images are at `origin`.
#[must_use]
pub(super) fn policy_with_looks_from(origin: &str) -> Option<HeaderValue> {
    let policy = format!(
        "default-src 'none'; style-src {origin}; img-src {origin} data:; form-action 'none'; frame-ancestors 'self'; base-uri 'none'"
    );
    HeaderValue::from_str(&policy).ok()
}

/// Lets the page's forms end at another origin.
pub(super) fn let_forms_leave(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY_FOR_FORMS_THAT_LEAVE);
}

/// Lets pages of the same origin show this one in a frame.
pub(super) fn let_be_framed_here(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY_IN_A_FRAME);
}

/// `Strict-Transport-Security` for responses over `https`, where it is wanted.
#[must_use]
pub fn hsts(settings: &Settings) -> Option<HeaderValue> {
    let fixed = settings.cookies.secure == Some(true) || settings.portal.url.as_ref().is_some_and(|url| url.https);
    let age = match &settings.server.tls {
        Some(tls) => tls.hsts,
        None if fixed => DEFAULT_HSTS,
        None => Duration::ZERO,
    };
    if age.is_zero() { None } else { HeaderValue::from_str(&format!("max-age={}", age.as_secs())).ok() }
}

/// The outermost layer of the portal's router.
pub(super) async fn layer(State(portal): State<Arc<Portal>>, request: Request, next: Next) -> Response {
    let https = request.extensions().get::<Visit>().is_some_and(|visit| visit.https);
    let mut response = next.run(request).await;
    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    protect(headers);
    if let Some(value) = portal.hsts.clone().filter(|_| https) {
        headers.insert(STRICT_TRANSPORT_SECURITY, value);
    }
    if unauthorized {
        headers.entry(WWW_AUTHENTICATE).or_insert(CHALLENGE);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// threats.md F07
    #[test]
    fn no_other_site_may_frame_us_and_nothing_runs_that_is_not_ours() {
        assert!(POLICY_IN_A_FRAME.to_str().unwrap().replace("frame-ancestors 'self'", "frame-ancestors 'none'") == POLICY);
        for policy in [POLICY, POLICY_FOR_FORMS_THAT_LEAVE] {
            let policy = policy.to_str().unwrap();
            assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
            assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"));
        }
    }

    #[test]
    fn what_a_response_says_of_caching_stays() {
        let mut headers = HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_static("public"))]);
        protect(&mut headers);
        assert_eq!(headers[CACHE_CONTROL], "public");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
