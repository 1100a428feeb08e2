//! Signing keys, in SQLite.

use super::Database;
use crate::store::StoreError;
use crate::token::{SealedKey, SigningKeyStore};
use async_trait::async_trait;
use std::sync::Arc;

/// Signing keys, in SQLite.
pub struct SqliteSigningKeys(#[expect(dead_code, reason = "not built yet")] Arc<Database>);

impl SqliteSigningKeys {
    /// Keeps them in this database.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl SigningKeyStore for SqliteSigningKeys {
    async fn list(&self) -> Result<Vec<SealedKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn add(&self, _key: &SealedKey) -> Result<bool, StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }

    async fn reseal(&self, _id: &str, _from: &[u8], _to: &[u8]) -> Result<bool, StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }

    async fn remove(&self, _id: &str) -> Result<(), StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }
}
