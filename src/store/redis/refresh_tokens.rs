//! Refresh tokens, in Redis.

use super::link::Link;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{RefreshToken, RefreshTokenStore, Rotation};
use async_trait::async_trait;
use std::sync::Arc;
use uuid::Uuid;

/// Refresh tokens, in Redis.
pub struct RedisRefreshTokens {
    _link: Arc<Link>,
    _prefix: String,
}

impl RedisRefreshTokens {
    /// Keeps tokens behind this link, in keys whose names begin with `prefix`.
    #[must_use]
    pub fn new(link: Arc<Link>, prefix: &str) -> Self {
        Self { _link: link, _prefix: prefix.to_owned() }
    }
}

#[async_trait]
impl RefreshTokenStore for RedisRefreshTokens {
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
