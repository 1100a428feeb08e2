//! Personal tokens, in SQLite.

use super::Database;
use crate::account::{Account, AccountId};
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{PersonalToken, PersonalTokenStore};
use async_trait::async_trait;
use std::sync::Arc;
use uuid::Uuid;

/// Personal tokens, in SQLite.
pub struct SqlitePersonalTokens(#[expect(dead_code, reason = "not built yet")] Arc<Database>);

impl SqlitePersonalTokens {
    /// Keeps them in this database.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl PersonalTokenStore for SqlitePersonalTokens {
    async fn create(&self, _token: &PersonalToken, _most: usize) -> Result<bool, StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }

    async fn find(&self, _hash: &[u8; 32]) -> Result<Option<(PersonalToken, Account)>, StoreError> {
        Ok(None)
    }

    fn touch(&self, _token: &PersonalToken, _used: Timestamp) {}

    async fn list(&self, _account: AccountId) -> Result<Vec<PersonalToken>, StoreError> {
        Ok(Vec::new())
    }

    async fn remove(&self, _account: AccountId, _id: Uuid) -> Result<bool, StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }

    async fn remove_all(&self, _account: AccountId) -> Result<u64, StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }
}
