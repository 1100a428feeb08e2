//! Counters in Redis.

use super::link::Link;
use super::scripts::{CLEAR, COUNT, GIVE_BACK};
use crate::clock::Timestamp;
use crate::store::{Counted, CounterStore, Limit, StoreError};
use async_trait::async_trait;
use std::sync::Arc;

/// Counters in a Redis.
pub struct RedisCounters {
    link: Arc<Link>,
    prefix: String,
}

impl RedisCounters {
    /// Keeps counters behind this link, in keys whose names begin with `prefix`.
    #[must_use]
    pub fn new(link: Arc<Link>, prefix: &str) -> Self {
        Self { link, prefix: prefix.to_owned() }
    }
}

#[async_trait]
impl CounterStore for RedisCounters {
    async fn count(&self, key: &str, limit: Limit, now: Timestamp) -> Result<Counted, StoreError> {
        let mut count = COUNT.key(format!("{}{key}", self.prefix));
        count.arg(limit.most).arg(super::record::left(limit.per)).arg(now.0);
        let (allowed, count, resets_at) = self.link.run::<(bool, u32, i64)>(&count).await?;
        let resets_at = Timestamp(resets_at);
        Ok(if allowed { Counted::allowed(limit, count, resets_at) } else { Counted::refused(resets_at) })
    }

    async fn give_back(&self, key: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut give_back = GIVE_BACK.key(format!("{}{key}", self.prefix));
        give_back.arg(now.0);
        self.link.run(&give_back).await
    }

    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError> {
        let mut peek = redis::cmd("HMGET");
        peek.arg(format!("{}{key}", self.prefix)).arg("count").arg("resets");
        let (count, resets_at) = self.link.read::<(Option<u32>, Option<i64>)>(&peek).await?;
        Ok(count.zip(resets_at.map(Timestamp)).filter(|(_, resets_at)| now < *resets_at))
    }

    async fn clear(&self, key: &str) -> Result<(), StoreError> {
        self.link.run(&CLEAR.key(format!("{}{key}", self.prefix))).await
    }

    /// Redis removes them itself.
    async fn purge(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}
