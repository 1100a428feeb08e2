//! Signing in and out. No HTTP here.

use crate::account::{Account, AccountStore, Email, HashError, Hasher, Password, Username};
use crate::clock::SharedClock;
use crate::config::SessionSettings;
use crate::session::{Session, SessionId, SessionKey, SessionStore, SessionUser};
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
    pub async fn sign_in(&self, attempt: Attempt) -> Result<SignedIn, LoginError> {
        let found = self.find(&attempt.identifier).await?;
        let hash = found.as_ref().map(|account| &account.password);
        let matches = self.hasher.verify(&attempt.password, hash).await?;
        let Some(account) = found.filter(|account| matches && !account.locked) else { return Err(LoginError::Invalid) };
        let account = self.rehash(account, &attempt.password).await;
        let signed_in = self.begin(account, attempt.remember, &attempt.client).await?;
        if let Some(replaced) = attempt.replaces {
            self.replace(&replaced, &signed_in).await?;
        }
        Ok(signed_in)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the store failed: the session may still live.
    pub async fn sign_out(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.sessions.end(key).await.map(|_| ())
    }

    /// The account with this name or address.
    async fn find(&self, identifier: &str) -> Result<Option<Account>, StoreError> {
        let identifier = identifier.trim();
        if let Ok(username) = Username::parse(identifier) {
            return self.accounts.find_by_username(&username).await;
        }
        match Email::parse(identifier) {
            Ok(email) => self.accounts.find_by_email(&email).await,
            Err(_) => Ok(None),
        }
    }

    /// Stores a hash of today's kind where the account has another. Best effort: the next login tries again.
    async fn rehash(&self, account: Account, password: &Password) -> Account {
        if !account.password.needs_rehash(self.hasher.algorithm()) {
            return account;
        }
        let Ok(hash) = self.hasher.hash(password).await else { return account };
        let rehashed = Account { password: hash, ..account.clone() };
        match self.accounts.update(&rehashed).await {
            Ok(()) => Account { version: rehashed.version + 1, ..rehashed },
            Err(_) => account,
        }
    }

    async fn begin(&self, account: Account, remember: bool, client: &Client) -> Result<SignedIn, LoginError> {
        let id = SessionId::random();
        let session = Session::begin(&account, self.clock.now(), remember, client, &self.settings);
        self.sessions.create(id.key(), &session, self.settings.max_per_user).await?;
        let standing = self.standing();
        match standing.confirm(&account, &id.key()).await {
            Ok(true) => Ok(SignedIn { account, id, session }),
            Ok(false) => Err(LoginError::Invalid),
            Err(error) => Err(LoginError::Unavailable(error)),
        }
    }

    async fn replace(&self, replaced: &SessionKey, by: &SignedIn) -> Result<(), LoginError> {
        if let Err(error) = self.sessions.end(replaced).await {
            let _ = self.sessions.end(&by.id.key()).await;
            return Err(LoginError::Unavailable(error));
        }
        Ok(())
    }

    fn standing(&self) -> Standing<'_> {
        Standing { accounts: &*self.accounts, sessions: &*self.sessions }
    }
}

/// Looks again at an account after a session of it was stored. A lock or a password change that came in between has
/// ended the sessions that it saw, and may not have seen this one.
pub(crate) struct Standing<'a> {
    pub(crate) accounts: &'a dyn AccountStore,
    pub(crate) sessions: &'a dyn SessionStore,
}

impl Standing<'_> {
    /// Whether the session may live. If not, or if that cannot be found out, it is ended.
    pub(crate) async fn confirm(&self, account: &Account, key: &SessionKey) -> Result<bool, StoreError> {
        let confirmed = self.look_again(account).await;
        if !matches!(confirmed, Ok(true)) {
            let ended = self.sessions.end(key).await;
            return confirmed.and_then(|_| ended.map(|_| false));
        }
        confirmed
    }

    async fn look_again(&self, account: &Account) -> Result<bool, StoreError> {
        let Some(current) = self.accounts.find(account.id).await? else { return Ok(false) };
        if current.locked || current.generation != account.generation {
            return Ok(false);
        }
        if current.version != account.version {
            self.sessions.rewrite(&SessionUser::from(&current)).await?;
        }
        Ok(true)
    }
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<HashError> for LoginError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}
