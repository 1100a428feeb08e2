//! What users change about their own accounts. No HTTP here.

use crate::account::{Account, AccountId, AccountStore, Hasher, Password};
use crate::clock::SharedClock;
use crate::config::{AccountSettings, SessionSettings};
use crate::login::SignedIn;
use crate::registration::FieldProblem;
use crate::session::{SessionKey, SessionStore};
use crate::store::StoreError;
use std::sync::Arc;

/// The use case: reading and changing one's own account.
pub struct Profile {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) accounts_settings: AccountSettings,
    pub(crate) session_settings: SessionSettings,
}

/// New values, as typed; `None` leaves a value as it is.
#[derive(Default)]
pub struct Change {
    /// Sign-in name.
    pub username: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Picture; empty removes it.
    pub avatar_url: Option<String>,
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum ProfileError {
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// Another account has the name.
    UsernameTaken,
    /// The current password is wrong.
    WrongPassword,
    /// The account is gone, or changed under our hands again and again.
    Conflict,
    /// Too many passwords are being hashed.
    Busy,
    /// A store failed.
    Unavailable(StoreError),
}

impl Profile {
    /// The account.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn read(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.accounts.find(id).await
    }

    /// Changes profile values; the account's sessions carry them before this returns.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn change(&self, _id: AccountId, _change: Change) -> Result<Account, ProfileError> {
        unimplemented!()
    }

    /// Changes the password, gives the browser's session a new id and ends all others.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn change_password(
        &self,
        _id: AccountId,
        _session: &SessionKey,
        _current: Password,
        _new: Password,
    ) -> Result<SignedIn, ProfileError> {
        unimplemented!()
    }
}
