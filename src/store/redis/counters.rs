//! Counters in Redis.

use super::link::Link;
use super::scripts::{CLEAR, COUNT, GIVE_BACK};
use crate::clock::Timestamp;
use crate::store::{Charge, Counted, CounterStore, StoreError};
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

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

#[async_trait]
impl CounterStore for RedisCounters {
    async fn count_all(&self, charges: &[Charge], now: Timestamp) -> Result<Vec<Counted>, StoreError> {
        let mut count = COUNT.prepare_invoke();
        count.arg(now.0);
        for Charge { key, limit } in charges {
            count.key(self.name(key)).arg(limit.most).arg(super::record::left(limit.per));
        }
        let found: Vec<(u32, i64)> = self.link.run(&count).await?;
        let judged = charges.iter().zip(found);
        Ok(judged.map(|(charge, (count, resets_at))| Counted::judge(charge.limit, count, Timestamp(resets_at))).collect())
    }

    async fn give_back(&self, keys: &[String], now: Timestamp) -> Result<(), StoreError> {
        let mut give_back = GIVE_BACK.prepare_invoke();
        give_back.arg(now.0);
        for key in keys {
            give_back.key(self.name(key));
        }
        self.link.run(&give_back).await
    }

    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError> {
        let mut peek = redis::cmd("HMGET");
        peek.arg(self.name(key)).arg("count").arg("resets");
        let (count, resets_at) = self.link.read::<(Option<u32>, Option<i64>)>(&peek).await?;
        Ok(count.zip(resets_at.map(Timestamp)).filter(|(_, resets_at)| now < *resets_at))
    }

    async fn clear(&self, keys: &[String]) -> Result<(), StoreError> {
        let mut clear = CLEAR.prepare_invoke();
        for key in keys {
            clear.key(self.name(key));
        }
        self.link.run(&clear).await
    }

    /// Redis removes them itself.
    async fn purge(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}
