//! Against forged requests (OWASP Cross-Site Request Forgery Prevention Cheat Sheet): what browsers say of where a
//! request comes from, and a token that is an HMAC of a cookie which lasts as long as the browser keeps it, so that every
//! tab's form stays valid.

use crate::config::Secret;
use crate::host::Host;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::{COOKIE, ORIGIN};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;

/// What tokens are made with.
pub struct CsrfKey {
    current: [u8; 32],
    previous: Option<[u8; 32]>,
}

const LABEL: &str = "portal csrf token v1";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Browsers keep no cookie longer than 400 days (RFC 6265bis section 5.5).
const COOKIE_AGE: cookie::time::Duration = cookie::time::Duration::days(400);

impl CsrfKey {
    /// Derives the key, and one that only verifies, from the former secret.
    #[must_use]
    pub fn derive(secret: &Secret, previous: Option<&Secret>) -> Self {
        Self { current: secret.derive(LABEL), previous: previous.map(|secret| secret.derive(LABEL)) }
    }

    /// The token for a browser's forms.
    pub(super) fn token(&self, browser: &Browser) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(mac(&self.current, browser).finalize().into_bytes())
    }

    /// Whether we gave `token` to this browser. Constant time in the token.
    pub(super) fn verify(&self, browser: &Browser, token: &str) -> bool {
        let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(token) else { return false };
        let keys = std::iter::once(&self.current).chain(&self.previous);
        !browser.fresh && keys.into_iter().any(|key| mac(key, browser).verify_slice(&bytes).is_ok())
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn mac(key: &[u8; 32], browser: &Browser) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(browser.id.as_bytes());
    mac
}

/// A browser, known by its CSRF cookie; nothing is stored of it.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    id: String,
    /// The cookie has still to be set.
    pub(super) fresh: bool,
}

impl Browser {
    /// The browser that sent the cookie `name`, or a new one. Two different values count as none.
    pub(super) fn of(headers: &HeaderMap, name: &str) -> Self {
        let mut ids = cookies(headers, name).filter(|value| is_id(value));
        let first = ids.next();
        match first.and_then(|id| std::str::from_utf8(id).ok()) {
            Some(id) if ids.all(|other| other == id.as_bytes()) => Self { id: id.to_owned(), fresh: false },
            _ => Self { id: BASE64_URL_SAFE_NO_PAD.encode(crate::entropy::random_bytes::<32>()), fresh: true },
        }
    }

    /// `Set-Cookie` for it: host-only, and kept as long as browsers keep cookies.
    pub(super) fn set_cookie(&self, name: &'static str, secure: bool) -> String {
        let cookie = cookie::Cookie::build((name, self.id.as_str()))
            .path("/")
            .http_only(true)
            .same_site(cookie::SameSite::Lax)
            .secure(secure)
            .max_age(COOKIE_AGE);
        cookie.build().to_string()
    }
}

/// The values of every cookie called exactly `name`, read as the gate reads the session's (RFC 6265 section 5.4, without
/// decoding or unquoting).
pub(super) fn cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| crate::gate::cookies(line.as_bytes()));
    pairs.filter(move |(cookie, _)| *cookie == name.as_bytes()).map(|(_, value)| value)
}

fn is_id(value: &[u8]) -> bool {
    value.len() == 43 && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether browsers vouch that no other site made this request. `authority` is the host (and port) asked for.
///
/// `Sec-Fetch-Site` decides where it is sent. Else `Origin`, if sent, must have the same host and port; the scheme is not
/// compared, since a proxy in front may end TLS without saying so. A program sends neither and passes.
pub(super) fn from_here(headers: &HeaderMap, authority: &str) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
    if sites.peek().is_some() {
        return sites.all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    }
    headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(|origin| is_at(origin, authority)))
}

fn is_at(origin: &str, authority: &str) -> bool {
    let Some((scheme, rest)) = origin.split_once("://") else { return false };
    let known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    match (Host::parse_authority(rest), Host::parse_authority(authority)) {
        (Some(a), Some(b)) => known && a.0 == b.0 && port_of(a.1) == port_of(b.1),
        _ => false,
    }
}

/// A port that some scheme has by default says as much as none.
fn port_of(port: Option<u16>) -> Option<u16> {
    port.filter(|port| !matches!(port, 80 | 443))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn key(secret: &str) -> CsrfKey {
        CsrfKey::derive(&Secret::new(secret.into()), None)
    }

    fn cookie_of(browser: &Browser) -> String {
        format!("csrf={}", browser.id)
    }

    /// threats.md F01, F05
    #[test]
    fn a_request_from_another_site_is_told_by_what_browsers_send() {
        let check = |pairs: &[(HeaderName, &str)]| from_here(&headers(pairs), "app.test:8080");
        assert!(check(&[]));
        assert!(check(&[(SEC_FETCH_SITE, "same-origin"), (ORIGIN, "https://evil.test")]));
        assert!(check(&[(SEC_FETCH_SITE, "none")]));
        for site in ["cross-site", "same-site", "Same-Origin", "", "same-origin, none"] {
            assert!(!check(&[(SEC_FETCH_SITE, site), (ORIGIN, "http://app.test:8080")]), "{site:?}");
        }
        assert!(!check(&[(SEC_FETCH_SITE, "same-origin"), (SEC_FETCH_SITE, "cross-site")]));
        assert!(check(&[(ORIGIN, "http://app.test:8080")]) && check(&[(ORIGIN, "https://APP.test:8080")]));
        for origin in ["null", "https://evil.test", "http://app.test", "http://app.test:81", "http://app.test:8080.evil.test", "", "app"] {
            assert!(!check(&[(ORIGIN, origin)]), "{origin:?}");
        }
        assert!(!check(&[(ORIGIN, "http://app.test:8080"), (ORIGIN, "https://evil.test")]));
    }

    #[test]
    fn an_origin_without_port_is_here_when_tls_ends_in_front() {
        assert!(from_here(&headers(&[(ORIGIN, "https://app.test")]), "app.test"));
        assert!(from_here(&headers(&[(ORIGIN, "https://app.test")]), "app.test:443"));
    }

    /// threats.md F02
    #[test]
    fn a_token_is_good_in_every_tab_of_its_browser_and_in_no_other() {
        let key = key("a secret of some length, long enough");
        let browser = Browser::of(&headers(&[]), "csrf");
        let token = key.token(&browser);
        assert!(!key.verify(&browser, &token), "the cookie must have come back");
        let back = Browser::of(&headers(&[(COOKIE, &cookie_of(&browser))]), "csrf");
        assert!(!back.fresh && key.verify(&back, &token) && key.verify(&back, &token));
        for wrong in ["", "x", &token[1..], &token.to_lowercase()] {
            assert!(!key.verify(&back, wrong), "{wrong:?}");
        }
        let other = Browser { id: "A".repeat(43), fresh: false };
        assert!(!key.verify(&other, &token));
    }

    #[test]
    fn tokens_of_the_former_secret_are_still_good() {
        let (old, new) = (Secret::new("old".repeat(12)), Secret::new("new".repeat(12)));
        let browser = Browser { id: "A".repeat(43), fresh: false };
        let token = CsrfKey::derive(&old, None).token(&browser);
        assert!(CsrfKey::derive(&new, Some(&old)).verify(&browser, &token));
        assert!(!CsrfKey::derive(&new, None).verify(&browser, &token));
    }

    /// threats.md S05, S07
    #[test]
    fn cookies_that_disagree_or_are_not_ours_make_a_new_browser() {
        let (a, b) = ("A".repeat(43), "B".repeat(43));
        let fresh = |cookie: &str| Browser::of(&headers(&[(COOKIE, cookie)]), "csrf").fresh;
        assert!(!fresh(&format!("x=1;  csrf={a} ; y=2")) && !fresh(&format!("csrf={a}; csrf={a}")));
        for cookie in [
            format!("csrf={a}; csrf={b}"),
            format!("Csrf={a}"),
            format!("csrf=\"{a}\""),
            format!("xcsrf={a}"),
            "csrf=short".into(),
            "csrf".into(),
        ] {
            assert!(fresh(&cookie), "{cookie}");
        }
        let two_lines = headers(&[(COOKIE, &format!("csrf={a}")), (COOKIE, &format!("csrf={b}"))]);
        assert!(Browser::of(&two_lines, "csrf").fresh);
    }

    /// threats.md S08
    #[test]
    fn the_cookie_is_host_only_and_hidden_from_scripts() {
        let browser = Browser { id: "A".repeat(43), fresh: true };
        let cookie = browser.set_cookie("__Host-portcullis-csrf", true);
        assert!(cookie.starts_with(&format!("__Host-portcullis-csrf={}; ", "A".repeat(43))), "{cookie}");
        for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=34560000"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain") && !browser.set_cookie("portcullis-csrf", false).contains("Secure"));
    }
}
