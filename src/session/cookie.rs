//! The session cookie's text: names, flags and the MAC that keeps made-up cookies away from the store.

use super::SessionId;
use crate::config::{CookieSettings, Secret};
use crate::device::KNOWN_FOR;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::time::Duration;

/// Bytes of the id.
const ID: usize = 32;

/// Bytes of the MAC: HMAC-SHA256 cut to 128 bits.
const TAG: usize = 16;

/// Characters of a cookie's value: id and MAC in base64url.
const VALUE: usize = 64;

/// The key that session cookies are authenticated with; derived from `secret`.
#[derive(Clone)]
pub struct CookieKey {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl CookieKey {
    /// Derives the key (and one that only verifies, from the former secret).
    #[must_use]
    pub fn derive(secret: &Secret, previous: Option<&Secret>) -> Self {
        Self { current: derive(secret), previous: previous.map(derive) }
    }

    /// The cookie's value for this id.
    #[must_use]
    pub fn seal(&self, id: &SessionId) -> String {
        let mut sealed = [0_u8; ID + TAG];
        sealed[..ID].copy_from_slice(&id.0);
        let tag = self.current.clone().chain_update(id.0).finalize().into_bytes();
        sealed[ID..].copy_from_slice(&tag[..TAG]);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The id in a cookie's value, if we made it. Constant time in the MAC; no allocation.
    #[must_use]
    pub fn open(&self, value: &[u8]) -> Option<SessionId> {
        if value.len() != VALUE {
            return None;
        }
        let mut sealed = [0_u8; ID + TAG];
        URL_SAFE_NO_PAD.decode_slice(value, &mut sealed).ok()?;
        let (id, tag) = sealed.split_first_chunk::<ID>()?;
        let made_with = |key: &Hmac<Sha256>| key.clone().chain_update(id).verify_truncated_left(tag).is_ok();
        let ours = made_with(&self.current) || self.previous.as_ref().is_some_and(made_with);
        ours.then_some(SessionId(*id))
    }
}

impl std::fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieKey(…)")
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn derive(secret: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(&secret.derive("session cookie")).expect("any length is a key")
}

/// Which cookie names and attributes are in force for a request, by its scheme and `cookies`.
#[derive(Clone, Debug)]
pub struct SessionCookies {
    /// Whether the effective scheme is `https`.
    pub secure: bool,
    /// `cookies.domain`.
    pub domain: Option<String>,
}

impl SessionCookies {
    /// The cookies for a request that arrived over `https`, or not. The caller passes the effective scheme: where
    /// `cookies.secure` or `portal.url` fixes it, that one.
    #[must_use]
    pub fn for_scheme(https: bool, settings: &CookieSettings) -> Self {
        Self { secure: settings.secure.unwrap_or(https), domain: settings.domain.clone() }
    }

    /// Name of the session cookie: `__Host-portcullis`, `__Secure-portcullis` or `portcullis`.
    #[must_use]
    pub fn session_name(&self) -> &'static str {
        match (self.secure, &self.domain) {
            (true, None) => "__Host-portcullis",
            (true, Some(_)) => "__Secure-portcullis",
            (false, _) => "portcullis",
        }
    }

    /// Name of the CSRF cookie, always host-only: `__Host-portcullis-csrf` or `portcullis-csrf`.
    #[must_use]
    pub fn csrf_name(&self) -> &'static str {
        if self.secure { "__Host-portcullis-csrf" } else { "portcullis-csrf" }
    }

    /// Name of the cookie by which a browser is known that has signed in before, always host-only: `__Host-portcullis-device` or
    /// `portcullis-device`.
    #[must_use]
    pub fn device_name(&self) -> &'static str {
        if self.secure { "__Host-portcullis-device" } else { "portcullis-device" }
    }

    /// `Set-Cookie` for a browser that has signed in.
    #[must_use]
    pub fn set_device(&self, value: &str) -> String {
        self.host_only(self.device_name(), value, KNOWN_FOR)
    }

    /// Name of the cookie that opens a form that waits for a sign-in, always host-only: `__Host-portcullis-form` or `portcullis-form`.
    #[must_use]
    pub fn form_name(&self) -> &'static str {
        if self.secure { "__Host-portcullis-form" } else { "portcullis-form" }
    }

    /// `Set-Cookie` for a browser whose form waits for `age`; none removes it.
    #[must_use]
    pub fn set_form(&self, value: &str, age: Duration) -> String {
        self.host_only(self.form_name(), value, age)
    }

    fn host_only(&self, name: &str, value: &str, age: Duration) -> String {
        let cookie = Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax);
        cookie.secure(self.secure).max_age(whole_seconds(age)).build().to_string()
    }

    /// Name of the cookie that holds a reset link's token, always host-only: `__Host-portcullis-reset` or `portcullis-reset`.
    #[must_use]
    pub fn reset_name(&self) -> &'static str {
        if self.secure { "__Host-portcullis-reset" } else { "portcullis-reset" }
    }

    /// `Set-Cookie` for a session; `keep` is its `Max-Age` when it outlives the browser.
    #[must_use]
    pub fn set_session(&self, value: &str, keep: Option<Duration>) -> String {
        let mut cookie = self.session(value);
        cookie.set_max_age(keep.map(whole_seconds));
        cookie.to_string()
    }

    /// `Set-Cookie` that removes the session cookie.
    #[must_use]
    pub fn expire_session(&self) -> String {
        let mut cookie = self.session("");
        cookie.set_max_age(cookie::time::Duration::ZERO);
        cookie.to_string()
    }

    fn session<'a>(&'a self, value: &'a str) -> Cookie<'a> {
        let mut cookie = Cookie::new(self.session_name(), value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_same_site(SameSite::Lax);
        cookie.set_secure(self.secure);
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain);
        }
        cookie
    }
}

fn whole_seconds(duration: Duration) -> cookie::time::Duration {
    cookie::time::Duration::seconds(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str, previous: Option<&str>) -> CookieKey {
        let secret_of = |text: &str| Secret::new(text.to_owned());
        CookieKey::derive(&secret_of(secret), previous.map(secret_of).as_ref())
    }

    fn cookies(https: bool, domain: Option<&str>) -> SessionCookies {
        SessionCookies::for_scheme(https, &CookieSettings { domain: domain.map(str::to_owned), secure: None })
    }

    #[test]
    fn a_sealed_id_of_64_characters_opens_to_the_same_id() {
        let (key, id) = (key("a", None), SessionId::random());
        let value = key.seal(&id);
        assert_eq!(value.len(), 64);
        assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        assert_eq!(key.open(value.as_bytes()).unwrap().key(), id.key());
    }

    /// threats.md S02, S11
    #[test]
    fn a_made_up_or_changed_value_does_not_open() {
        let key = key("a", None);
        let value = key.seal(&SessionId::random());
        for index in 0..value.len() {
            let mut changed = value.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert!(key.open(&changed).is_none(), "{index}");
        }
        let long = "A".repeat(1 << 20);
        let padded = format!("{value}=");
        for made_up in ["", "*", "x\r\nFLUSHALL", &"A".repeat(64), &"=".repeat(64), &value[1..], &padded, &long] {
            assert!(key.open(made_up.as_bytes()).is_none());
        }
        assert!(key.open(&[0xff; 64]).is_none());
    }

    #[test]
    fn the_previous_secret_still_opens_and_no_longer_seals() {
        let id = SessionId::random();
        let old = key("old", None).seal(&id);
        let both = key("new", Some("old"));
        assert!(both.open(old.as_bytes()).is_some());
        assert!(key("new", None).open(old.as_bytes()).is_none());
        assert!(key("old", None).open(both.seal(&id).as_bytes()).is_none());
    }

    /// threats.md S08
    #[test]
    fn names_and_flags_follow_scheme_and_domain() {
        let flags = "; HttpOnly; SameSite=Lax";
        assert_eq!(cookies(true, None).set_session("v", None), format!("__Host-portcullis=v{flags}; Secure; Path=/"));
        assert_eq!(
            cookies(true, Some("example.com")).set_session("v", None),
            format!("__Secure-portcullis=v{flags}; Secure; Path=/; Domain=example.com")
        );
        assert_eq!(cookies(false, None).set_session("v", None), format!("portcullis=v{flags}; Path=/"));
        assert_eq!(cookies(true, Some("example.com")).csrf_name(), "__Host-portcullis-csrf");
        assert_eq!(cookies(false, None).csrf_name(), "portcullis-csrf");
        let device = format!("__Host-portcullis-device=v{flags}; Secure; Path=/; Max-Age=15552000");
        assert_eq!(cookies(true, Some("example.com")).set_device("v"), device);
        assert_eq!(cookies(false, None).device_name(), "portcullis-device");
    }

    #[test]
    fn a_remembered_session_has_an_age_and_an_ended_one_has_none_left() {
        assert!(cookies(false, None).set_session("v", Some(Duration::from_secs(90))).contains("; Max-Age=90"));
        let expired = cookies(true, Some("example.com")).expire_session();
        assert!(expired.starts_with("__Secure-portcullis=;") && expired.contains("Max-Age=0") && expired.contains("Domain=example.com"));
    }

    #[test]
    fn a_fixed_scheme_holds_whatever_the_request_came_by() {
        let fixed = CookieSettings { domain: None, secure: Some(true) };
        assert_eq!(SessionCookies::for_scheme(false, &fixed).session_name(), "__Host-portcullis");
    }
}
