//! The session cookie's text: names, flags and the MAC that keeps made-up cookies away from the store.

use super::SessionId;
use crate::config::{CookieSettings, Secret};
use std::time::Duration;

/// The key that session cookies are authenticated with; derived from `secret`.
#[derive(Clone)]
pub struct CookieKey;

impl CookieKey {
    /// Derives the key (and one that only verifies, from the former secret).
    #[must_use]
    pub fn derive(_secret: &Secret, _previous: Option<&Secret>) -> Self {
        unimplemented!()
    }

    /// The cookie's value for this id.
    #[must_use]
    pub fn seal(&self, _id: &SessionId) -> String {
        unimplemented!()
    }

    /// The id in a cookie's value, if we made it. Constant time in the MAC; no allocation.
    #[must_use]
    pub fn open(&self, _value: &[u8]) -> Option<SessionId> {
        unimplemented!()
    }
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
    /// The cookies for a request that arrived over `https`, or not.
    #[must_use]
    pub fn for_scheme(_https: bool, _settings: &CookieSettings) -> Self {
        unimplemented!()
    }

    /// Name of the session cookie: `__Host-portcullis`, `__Secure-portcullis` or `portcullis`.
    #[must_use]
    pub fn session_name(&self) -> &'static str {
        unimplemented!()
    }

    /// Name of the CSRF cookie, always host-only: `__Host-portcullis-csrf` or `portcullis-csrf`.
    #[must_use]
    pub fn csrf_name(&self) -> &'static str {
        unimplemented!()
    }

    /// `Set-Cookie` for a session; `keep` is its `Max-Age` when it outlives the browser.
    #[must_use]
    pub fn set_session(&self, _value: &str, _keep: Option<Duration>) -> String {
        unimplemented!()
    }

    /// `Set-Cookie` that removes the session cookie.
    #[must_use]
    pub fn expire_session(&self) -> String {
        unimplemented!()
    }
}
