//! Records that are taken once, in Redis.

use super::link::Link;
use super::scripts::{PUT, TAKE};
use crate::clock::Timestamp;
use crate::store::{OneTimeStore, StoreError};
use async_trait::async_trait;
use std::sync::Arc;

/// Records in a Redis.
pub struct RedisOneTime {
    link: Arc<Link>,
    prefix: String,
}

impl RedisOneTime {
    /// Keeps records behind this link, in keys whose names begin with `prefix`.
    #[must_use]
    pub fn new(link: Arc<Link>, prefix: &str) -> Self {
        Self { link, prefix: prefix.to_owned() }
    }
}

#[async_trait]
impl OneTimeStore for RedisOneTime {
    async fn put(&self, key: &str, record: &[u8], now: Timestamp, expires_at: Timestamp) -> Result<(), StoreError> {
        let mut put = PUT.key(format!("{}{key}", self.prefix));
        put.arg(record).arg(expires_at.0).arg(super::record::left(expires_at.since(now)));
        self.link.run(&put).await
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let mut take = TAKE.key(format!("{}{key}", self.prefix));
        take.arg(now.0);
        self.link.run(&take).await
    }

    async fn read(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let mut read = redis::cmd("HMGET");
        read.arg(format!("{}{key}", self.prefix)).arg("record").arg("expires");
        let (record, expires_at) = self.link.read::<(Option<Vec<u8>>, Option<i64>)>(&read).await?;
        Ok(record.filter(|_| expires_at.is_some_and(|at| now < Timestamp(at))))
    }

    /// Redis removes them itself.
    async fn purge(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}
