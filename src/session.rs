//! Sessions: a login that lasts. Lifetimes are decided here; adapters implement [`SessionStore`].

mod cookie;
mod id;
mod store;

pub use cookie::{CookieKey, SessionCookies};
pub use id::{SessionId, SessionKey};
pub use store::SessionStore;

use crate::account::{Account, AccountId};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::config::SessionSettings;
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
    /// When the password was last given; unknown for sessions that an older version stored.
    pub confirmed_at: Option<Timestamp>,
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

/// How long after the password was given dangerous things may be done without giving it again (ASVS V7.5.1, V7.5.3).
const FRESH_FOR: Duration = Duration::from_mins(15);

impl Session {
    /// A session that begins at `now`.
    #[must_use]
    pub fn begin(account: &Account, now: Timestamp, remember: bool, client: &Client, settings: &SessionSettings) -> Self {
        let (idle_timeout, lifetime) =
            if remember { (settings.remember_for, settings.remember_for) } else { (settings.idle_timeout, settings.lifetime) };
        Self {
            user: SessionUser::from(account),
            created_at: now,
            last_seen: now,
            idle_timeout,
            expires_at: now.plus(lifetime),
            remember,
            client: client.address,
            user_agent: client.kept_user_agent(),
            confirmed_at: Some(now),
        }
    }

    /// Whether it has ended by age or disuse at `now`.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }

    /// Whether it has ended by age or disuse at `now`, and less than `span` before.
    #[must_use]
    pub fn expired_within(&self, span: Duration, now: Timestamp) -> bool {
        self.expired(now) && now < self.ends_at().plus(span)
    }

    /// When it ends if nothing happens: the nearer of idle and absolute expiry.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.last_seen.plus(self.idle_timeout).min(self.expires_at)
    }

    /// Whether the password was given a short while ago, so that a browser left alone cannot be used for dangerous things.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.confirmed_at.is_some_and(|confirmed| now < confirmed.plus(FRESH_FOR))
    }

    /// How far activity must have moved on before it is written: min(60 s, idle timeout / 20).
    #[must_use]
    pub fn touch_interval(&self) -> Duration {
        (self.idle_timeout / 20).min(Duration::from_mins(1))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Email, PasswordHash, Username};

    fn settings() -> SessionSettings {
        SessionSettings {
            idle_timeout: Duration::from_mins(30),
            lifetime: Duration::from_hours(12),
            remember_for: Duration::from_hours(720),
            max_per_user: 50,
            cache: Duration::from_secs(5),
        }
    }

    fn session(remember: bool) -> Session {
        let account = Account {
            id: AccountId::new(Timestamp(0)),
            username: Username::parse("alice").unwrap(),
            email: Email::parse("alice@example.com").unwrap(),
            email_verified: false,
            name: String::new(),
            avatar_url: None,
            groups: vec![],
            password: PasswordHash(String::new()),
            locked: false,
            locked_until: None,
            reset_requested_at: None,
            reset_requests: 0,
            resets: 0,
            generation: 0,
            mark: None,
            created_at: Timestamp(0),
            version: 1,
        };
        let client = Client { address: None, user_agent: format!("a\u{1b}[31m{}", "b".repeat(300)), ..Client::default() };
        Session::begin(&account, Timestamp(1_000), remember, &client, &settings())
    }

    /// S0.4, threats.md S10
    #[test]
    fn a_session_ends_when_it_is_not_used_and_at_its_absolute_end_whatever_happens() {
        let mut session = session(false);
        assert!(!session.expired(Timestamp(1_000 + 1_799_999)));
        assert!(session.expired(Timestamp(1_000 + 1_800_000)));
        session.last_seen = Timestamp(43_200_000);
        assert_eq!(session.ends_at(), Timestamp(43_201_000));
        assert!(session.expired(Timestamp(43_201_000)));
    }

    #[test]
    fn a_remembered_session_has_one_limit_for_disuse_and_age() {
        let session = session(true);
        assert_eq!((session.idle_timeout, session.expires_at), (settings().remember_for, Timestamp(1_000).plus(settings().remember_for)));
    }

    #[test]
    fn activity_is_written_at_most_every_minute_or_twentieth_of_the_idle_timeout() {
        let mut session = session(false);
        assert_eq!(session.touch_interval(), Duration::from_mins(1));
        session.idle_timeout = Duration::from_secs(100);
        assert_eq!(session.touch_interval(), Duration::from_secs(5));
    }

    /// ASVS V7.5.1
    #[test]
    fn a_session_is_fresh_for_a_quarter_of_an_hour_after_the_password_was_given() {
        let mut session = session(false);
        assert!(session.is_fresh(Timestamp(1_000)) && session.is_fresh(Timestamp(1_000 + 899_999)));
        assert!(!session.is_fresh(Timestamp(1_000 + 900_000)));
        session.confirmed_at = None;
        assert!(!session.is_fresh(Timestamp(1_000)));
    }

    /// threats.md A10, I08: an address that is not verified is not told to applications
    #[test]
    fn a_session_carries_no_unverified_address_and_no_control_characters() {
        let session = session(false);
        assert_eq!(session.user.email, "");
        assert_eq!(session.user_agent.chars().count(), 256);
        assert!(session.user_agent.starts_with("a[31mb"));
    }
}
