//! Signing keys, in MongoDB.

use super::MongoDatabase;
use crate::store::StoreError;
use crate::token::{SealedKey, SigningKeyStore};
use async_trait::async_trait;
use std::sync::Arc;

/// Signing keys, in MongoDB.
pub struct MongoSigningKeys(#[expect(dead_code, reason = "not built yet")] Arc<MongoDatabase>);

impl MongoSigningKeys {
    /// Keeps them in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl SigningKeyStore for MongoSigningKeys {
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
