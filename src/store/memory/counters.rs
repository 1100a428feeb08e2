//! Counters in this process only.

use crate::clock::Timestamp;
use crate::store::{Counted, CounterStore, Limit, StoreError};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters in memory: how many, and when the window closes.
#[derive(Default)]
pub struct MemoryCounters(Mutex<HashMap<String, (u32, Timestamp)>>);

impl MemoryCounters {
    fn windows(&self) -> MutexGuard<'_, HashMap<String, (u32, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CounterStore for MemoryCounters {
    async fn count(&self, key: &str, limit: Limit, now: Timestamp) -> Result<Counted, StoreError> {
        let mut windows = self.windows();
        let (count, resets_at) = windows.entry(key.to_owned()).or_insert((0, now.plus(limit.per)));
        if now >= *resets_at {
            (*count, *resets_at) = (0, now.plus(limit.per));
        }
        if *count >= limit.most {
            return Ok(Counted::refused(*resets_at));
        }
        *count += 1;
        Ok(Counted::allowed(limit, *count, *resets_at))
    }

    async fn give_back(&self, key: &str, now: Timestamp) -> Result<(), StoreError> {
        if let Some((count, resets_at)) = self.windows().get_mut(key)
            && now < *resets_at
        {
            *count = count.saturating_sub(1);
        }
        Ok(())
    }

    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError> {
        Ok(self.windows().get(key).copied().filter(|(_, resets_at)| now < *resets_at))
    }

    async fn clear(&self, key: &str) -> Result<(), StoreError> {
        self.windows().remove(key);
        Ok(())
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        self.windows().retain(|_, (_, resets_at)| now < *resets_at);
        Ok(())
    }
}
