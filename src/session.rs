//! Sessions: a login that lasts. Lifetimes are decided here; adapters implement [`SessionStore`].

mod cookie;
mod id;
mod store;

pub use cookie::{CookieKey, SessionCookies};
pub use id::{SessionId, SessionKey};
pub use store::SessionStore;

use crate::account::{Account, AccountId};
use crate::clock::Timestamp;
use std::net::IpAddr;
use std::time::Duration;

/// What is stored of a session, under its [`SessionKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who signed in, as the applications are told.
    pub user: SessionUser,
    /// When it began.
    pub created_at: Timestamp,
    /// Last activity known; written seldom, so up to a minute old.
    pub last_seen: Timestamp,
    /// How long it may stay unused.
    pub idle_timeout: Duration,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// Whether the browser was asked to keep the cookie.
    pub remember: bool,
    /// Address that signed in.
    pub client: Option<IpAddr>,
    /// `User-Agent` at sign-in, at most 256 characters.
    pub user_agent: String,
}

/// The part of an account that a session carries, so that a check asks the session store alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionUser {
    /// The account.
    pub id: AccountId,
    /// Its sign-in name.
    pub username: String,
    /// Its display name.
    pub name: String,
    /// Its address; empty until verified.
    pub email: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// The account's version that this was copied from: an older copy never replaces a newer one.
    pub version: u64,
}

impl Session {
    /// Whether it has ended by age or disuse at `now`.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }

    /// When it ends if nothing happens: the nearer of idle and absolute expiry.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.last_seen.plus(self.idle_timeout).min(self.expires_at)
    }

    /// How far activity must have moved on before it is written: min(60 s, idle timeout / 20).
    #[must_use]
    pub fn touch_interval(&self) -> Duration {
        (self.idle_timeout / 20).min(Duration::from_secs(60))
    }
}

impl From<&Account> for SessionUser {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id,
            username: account.username.as_str().to_owned(),
            name: account.name.clone(),
            email: if account.email_verified { account.email.as_str().to_owned() } else { String::new() },
            groups: account.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            version: account.version,
        }
    }
}
