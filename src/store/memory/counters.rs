//! Counters in this process only.

use crate::clock::Timestamp;
use crate::store::{Charge, Counted, CounterStore, StoreError};
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
    async fn count_all(&self, charges: &[Charge], now: Timestamp) -> Result<Vec<Counted>, StoreError> {
        let mut windows = self.windows();
        let open = |charge: &Charge| {
            let open = windows.get(&charge.key).copied().filter(|(_, resets_at)| now < *resets_at);
            open.unwrap_or((0, now.plus(charge.limit.per)))
        };
        let found: Vec<_> = charges.iter().map(open).collect();
        let judged = charges.iter().zip(&found).map(|(charge, (count, resets_at))| Counted::judge(charge.limit, *count, *resets_at));
        let judged: Vec<_> = judged.collect();
        if judged.iter().all(|counted| counted.allowed) {
            let counted = found.into_iter().map(|(count, resets_at)| (count + 1, resets_at));
            windows.extend(charges.iter().map(|charge| charge.key.clone()).zip(counted));
        }
        Ok(judged)
    }

    async fn give_back(&self, keys: &[String], now: Timestamp) -> Result<(), StoreError> {
        let mut windows = self.windows();
        for key in keys {
            if let Some((count, resets_at)) = windows.get_mut(key)
                && now < *resets_at
            {
                *count = count.saturating_sub(1);
            }
        }
        Ok(())
    }

    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError> {
        Ok(self.windows().get(key).copied().filter(|(_, resets_at)| now < *resets_at))
    }

    async fn clear(&self, keys: &[String]) -> Result<(), StoreError> {
        let mut windows = self.windows();
        for key in keys {
            windows.remove(key);
        }
        Ok(())
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        self.windows().retain(|_, (_, resets_at)| now < *resets_at);
        Ok(())
    }
}
