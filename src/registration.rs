//! Making one's own account. No HTTP here.

use crate::account::{Account, AccountStore, Hasher, Password};
use crate::clock::SharedClock;
use crate::config::AccountSettings;
use crate::store::StoreError;
use std::sync::Arc;

/// The use case: turns what somebody typed into an account.
pub struct Registration {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) settings: AccountSettings,
}

/// What somebody who wants an account gives, as typed.
pub struct NewAccount {
    /// Made from the address when absent (JSON only).
    pub username: Option<String>,
    /// Address.
    pub email: String,
    /// Password.
    pub password: Password,
}

/// A value that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Name of the form or JSON field.
    pub field: &'static str,
    /// Stable code, for example `too_short`.
    pub code: &'static str,
    /// Sentence for the user.
    pub message: String,
}

/// Why no account was made.
#[derive(Debug)]
pub enum RegistrationError {
    /// Registration is not open.
    Closed,
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// Another account has the name.
    UsernameTaken,
    /// Another account has the address.
    EmailTaken,
    /// Too many passwords are being hashed.
    Busy,
    /// A store failed.
    Unavailable(StoreError),
}

impl Registration {
    /// Whether anyone may register.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.settings.registration == crate::config::Registration::Open
    }

    /// Makes an account.
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn register(&self, _new: NewAccount) -> Result<Account, RegistrationError> {
        unimplemented!()
    }
}
