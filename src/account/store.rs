//! The port to wherever accounts are kept. To support another store, implement [`AccountStore`] in `store/`
//! and name it in `app.rs`; the contract suite in the tests says what must hold.

use super::{Account, AccountId, Email, Username};
use crate::store::StoreError;
use async_trait::async_trait;

/// Where accounts are kept. Every method is atomic: a unique name or address is checked in the act of writing.
#[async_trait]
pub trait AccountStore: Send + Sync {
    /// Adds an account with `version` 1, whatever the value says.
    ///
    /// # Errors
    /// [`CreateError::Taken`] when the name or address belongs, or ever belonged (names), to another account.
    async fn create(&self, account: &Account) -> Result<(), CreateError>;

    /// The account with this id.
    async fn find(&self, id: AccountId) -> Result<Option<Account>, StoreError>;

    /// The account that has this name now.
    async fn find_by_username(&self, username: &Username) -> Result<Option<Account>, StoreError>;

    /// The account that has this address now.
    async fn find_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError>;

    /// Writes the account if it is still at `account.version`, and raises the version by one. A former name stays
    /// reserved for the account that had it.
    ///
    /// # Errors
    /// [`UpdateError::Conflict`] when someone else wrote first or the account is gone.
    async fn update(&self, account: &Account) -> Result<(), UpdateError>;

    /// Removes the account; its names are never given away. `false` when there was none.
    async fn delete(&self, id: AccountId) -> Result<bool, StoreError>;

    /// Up to `limit` accounts in the order of their canonical names, from the first after `after`.
    async fn list(&self, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError>;

    /// Up to `limit` accounts whose canonical name or address begins with `text`, in the order of their canonical names, from
    /// the first after `after`. Only beginnings are looked for, which indexes answer however many accounts there are.
    async fn search(&self, text: &str, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError>;

    /// Up to `limit` accounts that carry a session mark.
    async fn marked(&self, limit: usize) -> Result<Vec<Account>, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Which unique value was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The sign-in name.
    Username,
    /// The address.
    Email,
}

/// Why an account was not added.
#[derive(Debug)]
pub enum CreateError {
    /// Another account has, or had, the value.
    Taken(Field),
    /// The store failed.
    Store(StoreError),
}

/// Why an account was not written.
#[derive(Debug)]
pub enum UpdateError {
    /// The account was written by someone else since it was read, or is gone.
    Conflict,
    /// Another account has, or had, the value.
    Taken(Field),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for CreateError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<StoreError> for UpdateError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
