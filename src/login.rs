//! Signing in and out. No HTTP here.

use crate::account::{Account, AccountStore, Hasher, Password};
use crate::clock::SharedClock;
use crate::config::SessionSettings;
use crate::session::{Session, SessionId, SessionKey, SessionStore};
use crate::store::StoreError;
use std::net::IpAddr;
use std::sync::Arc;

/// The use case: turns a name and a password into a session.
pub struct Login {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) settings: SessionSettings,
}

/// What somebody who wants to sign in gives.
pub struct Attempt {
    /// Name or email, as typed.
    pub identifier: String,
    /// Password, as typed.
    pub password: Password,
    /// Whether the session should outlive the browser.
    pub remember: bool,
    /// Where it comes from.
    pub client: Client,
    /// The browser's present session, which the new one replaces.
    pub replaces: Option<SessionKey>,
}

/// Who asks, as far as the network tells.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Right-most untrusted address; unknown on a Unix socket without a trusted header.
    pub address: Option<IpAddr>,
    /// `User-Agent`.
    pub user_agent: String,
}

/// A new session and the only copy of its id.
pub struct SignedIn {
    /// Whose it is.
    pub account: Account,
    /// What the cookie carries.
    pub id: SessionId,
    /// What was stored.
    pub session: Session,
}

/// Why nobody was signed in.
#[derive(Debug)]
pub enum LoginError {
    /// Unknown name, wrong password, or locked by an operator: never told apart.
    Invalid,
    /// Too many passwords are being hashed; nothing was decided.
    Busy,
    /// A store failed; nothing was decided.
    Unavailable(StoreError),
}

impl Login {
    /// Checks the credentials and begins a session.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn sign_in(&self, _attempt: Attempt) -> Result<SignedIn, LoginError> {
        unimplemented!()
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the store failed: the session may still live.
    pub async fn sign_out(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.sessions.end(key).await.map(|_| ())
    }
}
