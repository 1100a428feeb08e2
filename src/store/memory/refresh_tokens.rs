//! Refresh tokens, in memory.

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{RefreshToken, RefreshTokenStore, Rotation};
use async_trait::async_trait;
use uuid::Uuid;

/// Refresh tokens, in memory.
#[derive(Default)]
pub struct MemoryRefreshTokens;

#[async_trait]
impl RefreshTokenStore for MemoryRefreshTokens {
    async fn create(&self, _token: &RefreshToken, _max_families: usize, _now: Timestamp) -> Result<(), StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }

    async fn find(&self, _account: AccountId, _id: Uuid, _now: Timestamp) -> Result<Option<RefreshToken>, StoreError> {
        Ok(None)
    }

    async fn rotate(
        &self,
        _id: Uuid,
        _successor: &RefreshToken,
        _grace: std::time::Duration,
        _now: Timestamp,
    ) -> Result<Rotation, StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }

    async fn end(&self, _account: AccountId, _family: Uuid) -> Result<bool, StoreError> {
        Err(StoreError("not kept yet".to_owned()))
    }

    async fn end_all(&self, _account: AccountId) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn end_outdated(&self, _account: AccountId, _generation: u64) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn list(&self, _account: AccountId, _now: Timestamp) -> Result<Vec<RefreshToken>, StoreError> {
        Ok(Vec::new())
    }

    async fn purge(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}
