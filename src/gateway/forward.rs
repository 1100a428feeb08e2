//! What is sent on and what is sent back: the headers of a forwarded request and of its answer.
//! Everything that a client could use to pose as somebody is dropped here, and what we vouch for is written.

use super::exchange::Facts;
use super::identities::Introduction;
use super::upstream::Server;
use crate::config::{HeaderChanges, Route};
use crate::gate::cookies;
use crate::identity::folded;
use crate::trace_context::TraceContext;
use bytes::BytesMut;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use std::collections::HashSet;

/// Cookies of ours, under any scheme and domain setting: their names begin with one of these.
const OWN_COOKIES: [&str; 3] = ["__Host-portcullis", "__Secure-portcullis", "portcullis"];
/// Folded names, beside the identity headers, that no client may send.
const NEVER: [&str; 4] = ["x-rewrite-url", "x-original-", "x-auth-request-", "x-forwarded-access-token"];
/// Folded names that only a trusted proxy may send, and only spelt like this: another spelling is its client's.
const FROM_PROXIES_ONLY: [&str; 5] = ["x-forwarded-", "forwarded", "x-real-ip", "traceparent", "tracestate"];
/// Folded names by which a request asks to be taken for one of another method.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Which request headers are dropped; one for all routes.
pub struct Strip {
    reserved: HashSet<Vec<u8>>,
    first_letters: [bool; 256],
}

impl Strip {
    /// Drops these folded identity headers, and all else that is never passed on.
    #[must_use]
    pub fn new(reserved: HashSet<Vec<u8>>) -> Self {
        let mut first_letters = [false; 256];
        let fixed = NEVER.iter().chain(&FROM_PROXIES_ONLY).chain(&METHOD_OVERRIDES).map(|name| name.as_bytes());
        for name in reserved.iter().map(Vec::as_slice).chain(fixed) {
            let first = name.first().copied().unwrap_or_default();
            first_letters[usize::from(first)] = true;
            // A name that begins with a separator folds to one that begins with `-`.
            if first == b'-' {
                b"!#$%&'*+.^_`|~".iter().for_each(|separator| first_letters[usize::from(*separator)] = true);
            }
        }
        Self { reserved, first_letters }
    }

    /// Whether a header of this name is dropped.
    #[must_use]
    pub fn drops(&self, name: &HeaderName, behind_proxy: bool, names_methods: bool) -> bool {
        let name = name.as_str().as_bytes();
        if !self.first_letters[usize::from(name.first().copied().unwrap_or_default())] {
            return false;
        }
        let folded = folded(name);
        let is =
            |pattern: &&str| if pattern.ends_with('-') { folded.starts_with(pattern.as_bytes()) } else { folded == pattern.as_bytes() };
        let believed = behind_proxy && folded == name;
        self.reserved.contains(&folded)
            || NEVER.iter().any(is)
            || (!believed && FROM_PROXIES_ONLY.iter().any(is))
            || (names_methods && METHOD_OVERRIDES.iter().any(is))
    }
}

/// What is needed to rewrite a request for its upstream.
pub struct Forward<'a> {
    /// What the request is.
    pub facts: &'a Facts,
    /// Where it goes.
    pub route: &'a Route,
    /// Whom to name, if anybody is signed in.
    pub identity: Option<&'a Introduction>,
    /// Whether the deciding rule names methods.
    pub names_methods: bool,
    /// Whether `Authorization` was for us, and so is not for the application.
    pub takes_authorization: bool,
    /// The request's id.
    pub request_id: &'a str,
    /// What the upstream is told of the trace.
    pub traceparent: TraceContext,
    /// Whether a proxy in front told of the trace, so that its `tracestate` belongs to it.
    pub trace_was_told: bool,
    /// The server that takes the request.
    pub server: &'a Server,
}

impl Forward<'_> {
    /// Rewrites the request.
    ///
    /// # Errors
    /// When a value could not be written: nothing may be forwarded then.
    pub fn apply(&self, request: &mut RequestHeader, strip: &Strip) -> Result<()> {
        let dropped: Vec<HeaderName> =
            request.headers.keys().filter(|name| strip.drops(name, self.facts.behind_proxy, self.names_methods)).cloned().collect();
        let forwarded_for = forwarded_for(&request.headers, self.facts);
        for name in &dropped {
            request.remove_header(name);
        }
        strip_own_cookies(request)?;
        if self.takes_authorization {
            request.remove_header(&AUTHORIZATION);
        }
        apply_changes_to_request(request, &self.route.request_headers)?;
        self.write_target(request)?;
        self.write_host(request)?;
        if let Some(credentials) = &self.route.basic_auth {
            request.insert_header(AUTHORIZATION, credentials.clone())?;
        }
        if let Some(identity) = self.identity {
            for (name, value) in identity.headers() {
                request.insert_header(name.clone(), value.clone())?;
            }
        }
        if let Some(forwarded_for) = forwarded_for {
            request.insert_header("X-Forwarded-For", forwarded_for)?;
        }
        request.insert_header("X-Forwarded-Proto", self.facts.scheme())?;
        request.insert_header("X-Forwarded-Host", self.facts.authority.as_str())?;
        request.insert_header("X-Request-Id", self.request_id)?;
        if !self.trace_was_told {
            request.remove_header("tracestate");
        }
        request.insert_header("traceparent", self.traceparent.to_string())
    }

    fn write_target(&self, request: &mut RequestHeader) -> Result<()> {
        if !self.route.strip_prefix || self.route.path == "/" {
            return Ok(());
        }
        let Some(target) = self.facts.target.without_prefix(&self.route.path) else {
            return pingora::Error::e_explain(pingora::ErrorType::HTTPStatus(400), "the prefix to strip is hidden by an encoded slash");
        };
        request.set_raw_path(target.as_bytes())?;
        request.insert_header("X-Forwarded-Prefix", self.route.path.as_str())
    }

    fn write_host(&self, request: &mut RequestHeader) -> Result<()> {
        let host = if self.route.preserve_host { self.facts.authority.clone() } else { self.server.authority() };
        request.insert_header(HOST, host)
    }
}

/// The peer, behind what a trusted proxy wrote before it.
fn forwarded_for(headers: &HeaderMap, facts: &Facts) -> Option<HeaderValue> {
    let mut list = BytesMut::new();
    if facts.behind_proxy {
        for line in headers.get_all("x-forwarded-for") {
            push_item(&mut list, line.as_bytes());
        }
    }
    if let super::client::Peer::Address(peer) = facts.peer {
        push_item(&mut list, peer.to_string().as_bytes());
    }
    if list.is_empty() { None } else { HeaderValue::from_maybe_shared(list.freeze()).ok() }
}

fn push_item(list: &mut BytesMut, item: &[u8]) {
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(item);
}

/// Removes our cookies; all others stay as they are, byte for byte.
fn strip_own_cookies(request: &mut RequestHeader) -> Result<()> {
    let Some(kept) = without_own_cookies(&request.headers) else { return Ok(()) };
    request.remove_header(&COOKIE);
    if kept.is_empty() { Ok(()) } else { request.insert_header(COOKIE, kept) }
}

/// The `Cookie` line without our cookies, empty where no other is left; `None` where nothing has to be changed. The crumbs
/// of HTTP/2 become one line (RFC 9113 section 8.2.3).
#[must_use]
pub fn without_own_cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines: Vec<&HeaderValue> = headers.get_all(COOKIE).iter().collect();
    if lines.is_empty() || (lines.len() == 1 && !cookies(lines[0].as_bytes()).any(|(name, _)| is_own_cookie(name))) {
        return None;
    }
    let mut kept = BytesMut::new();
    for line in lines {
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let own = cookies(pair).next().is_some_and(|(name, _)| is_own_cookie(name));
            let pair = pair.strip_prefix(b" ").unwrap_or(pair);
            if own || pair.is_empty() {
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    Some(HeaderValue::from_maybe_shared(kept.freeze()).unwrap_or_else(|_| HeaderValue::from_static("")))
}

fn is_own_cookie(name: &[u8]) -> bool {
    OWN_COOKIES.iter().any(|own| {
        let rest = name.strip_prefix(own.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"-"))
    })
}

fn apply_changes_to_request(request: &mut RequestHeader, changes: &HeaderChanges) -> Result<()> {
    for name in &changes.remove {
        request.remove_header(name);
    }
    for (name, value) in &changes.set {
        request.insert_header(name, value.clone())?;
    }
    Ok(())
}

/// Rewrites an upstream's answer. `private` when a rule that is not public decided on the request.
///
/// # Errors
/// When a value could not be written.
pub fn rewrite_response(response: &mut ResponseHeader, route: &Route, private: bool, hsts: Option<&HeaderValue>) -> Result<()> {
    strip_own_set_cookies(response)?;
    if private {
        keep_out_of_shared_caches(response)?;
    }
    if let Some(hsts) = hsts {
        response.insert_header("Strict-Transport-Security", hsts.clone())?;
    }
    for name in &route.response_headers.remove {
        response.remove_header(name);
    }
    for (name, value) in &route.response_headers.set {
        response.insert_header(name, value.clone())?;
    }
    Ok(())
}

/// An upstream cannot set the gateway's cookies.
fn strip_own_set_cookies(response: &mut ResponseHeader) -> Result<()> {
    let own = |value: &HeaderValue| {
        // A cookie without a name comes back as its value alone: `=portcullis=x` as `portcullis=x`.
        let mut parts = value.as_bytes().split(|byte| matches!(byte, b'=' | b';')).map(<[u8]>::trim_ascii);
        parts.find(|part| !part.is_empty()).is_some_and(is_own_cookie)
    };
    let all: Vec<HeaderValue> = response.headers.get_all(SET_COOKIE).iter().cloned().collect();
    if !all.iter().any(own) {
        return Ok(());
    }
    response.remove_header(&SET_COOKIE);
    for value in all.into_iter().filter(|value| !own(value)) {
        response.append_header(SET_COOKIE, value)?;
    }
    Ok(())
}

/// What was made for one user must not be served to the next (contract: RFC 9111 section 5.2.2).
fn keep_out_of_shared_caches(response: &mut ResponseHeader) -> Result<()> {
    let given: Vec<String> =
        response.headers.get_all(CACHE_CONTROL).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    if given.is_empty() {
        let html = response.headers.get(CONTENT_TYPE).is_some_and(|kind| {
            let kind = kind.as_bytes();
            kind.len() >= 9 && kind[..9].eq_ignore_ascii_case(b"text/html")
        });
        let value = if html { "private, no-store" } else { "private, no-cache" };
        return response.insert_header(CACHE_CONTROL, value);
    }
    let shared = |directive: &str| {
        let name = directive.split('=').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("public") || name.eq_ignore_ascii_case("s-maxage")
    };
    let joined = given.join(", ");
    if !joined.split(',').any(shared) {
        return Ok(());
    }
    let is_private = |directive: &&str| directive.eq_ignore_ascii_case("private");
    let kept: Vec<&str> = joined
        .split(',')
        .filter(|directive| !shared(directive))
        .map(str::trim)
        .filter(|text| !text.is_empty() && !is_private(text))
        .collect();
    let value = ["private"].into_iter().chain(kept).collect::<Vec<_>>().join(", ");
    response.insert_header(CACHE_CONTROL, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityHeaders;

    fn strip() -> Strip {
        Strip::new(IdentityHeaders::default().reserved())
    }

    fn drops(name: &str, behind_proxy: bool, names_methods: bool) -> bool {
        strip().drops(&HeaderName::from_bytes(name.as_bytes()).unwrap(), behind_proxy, names_methods)
    }

    /// threats.md A01–A05, B17; contract 3.2
    #[test]
    fn what_poses_as_somebody_is_dropped_in_every_spelling() {
        for separator in "!#$%&'*+-.^_`|~".chars() {
            for name in [
                "X-User",
                "x-USER-id",
                "X-User-Groups",
                "X-User-Assertion",
                "Remote-User",
                "X-Auth-Request-Email",
                "X-Auth-Request-Access-Token",
                "X-Forwarded-Access-Token",
                "X-Original-URL",
                "X-Rewrite-Url",
            ] {
                let name = name.replace('-', &separator.to_string());
                assert!(drops(&name, true, false), "{name}");
            }
            let name = "X-Forwarded-Uri".replace('-', &separator.to_string());
            assert!(drops(&name, false, false), "{name}");
            assert_eq!(drops(&name, true, false), separator != '-', "{name}");
        }
        for name in ["x-username", "user", "accept", "authorization", "x-request-id"] {
            assert!(!drops(name, false, false), "{name}");
        }
        assert!(drops("X_HTTP_Method_Override", true, true) && !drops("X-HTTP-Method-Override", true, false));
    }

    fn cookie_after(lines: &[&str]) -> Option<String> {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for line in lines {
            request.append_header("Cookie", *line).unwrap();
        }
        strip_own_cookies(&mut request).unwrap();
        let all: Vec<_> = request.headers.get_all(COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect();
        assert!(all.len() <= 1, "{all:?}");
        all.into_iter().next()
    }

    /// contract 3.2
    #[test]
    fn our_cookies_stay_with_us_and_others_stay_as_they_are() {
        assert_eq!(cookie_after(&["a=\"b c\"; portcullis=x;d==e"]).as_deref(), Some("a=\"b c\"; d==e"));
        assert_eq!(cookie_after(&["__Host-portcullis=x; portcullis-csrf=y"]), None);
        assert_eq!(cookie_after(&["a=b ;c"]).as_deref(), Some("a=b ;c"));
        assert_eq!(cookie_after(&["a=b", "__Secure-portcullis=x", "c=d"]).as_deref(), Some("a=b; c=d"));
        assert_eq!(cookie_after(&["portcullisx=y; Portcullis=z"]).as_deref(), Some("portcullisx=y; Portcullis=z"));
    }

    fn cache_control(given: Option<&'static str>, kind: &'static str) -> String {
        let mut response = ResponseHeader::build(200, None).unwrap();
        response.insert_header(CONTENT_TYPE, kind).unwrap();
        if let Some(given) = given {
            response.insert_header(CACHE_CONTROL, given).unwrap();
        }
        keep_out_of_shared_caches(&mut response).unwrap();
        response.headers[CACHE_CONTROL].to_str().unwrap().to_owned()
    }

    /// contract 3.11
    #[test]
    fn protected_answers_stay_out_of_shared_caches() {
        assert_eq!(cache_control(None, "text/html; charset=utf-8"), "private, no-store");
        assert_eq!(cache_control(None, "image/png"), "private, no-cache");
        assert_eq!(cache_control(Some("public, max-age=60"), "text/css"), "private, max-age=60");
        assert_eq!(cache_control(Some("s-maxage=60, max-age=5"), "text/css"), "private, max-age=5");
        assert_eq!(cache_control(Some("max-age=60"), "text/html"), "max-age=60");
        assert_eq!(cache_control(Some("no-store"), "text/html"), "no-store");
    }

    /// threats.md A11
    #[test]
    fn an_upstream_cannot_set_our_cookies() {
        let mut response = ResponseHeader::build(200, None).unwrap();
        // A browser keeps a cookie without a name, and sends its value alone (RFC 6265bis section 5.8.3).
        let nameless = ["=portcullis=evil", " = portcullis=evil; Path=/", "==portcullis=evil"];
        for value in ["a=b; Path=/", "portcullis=evil", " __Host-portcullis-csrf =evil; Secure"].into_iter().chain(nameless) {
            response.append_header(SET_COOKIE, value).unwrap();
        }
        strip_own_set_cookies(&mut response).unwrap();
        let left: Vec<_> = response.headers.get_all(SET_COOKIE).iter().collect();
        assert_eq!(left, ["a=b; Path=/"]);
    }
}
