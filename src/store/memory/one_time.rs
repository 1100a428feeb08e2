//! Records that are taken once, in this process only.

use crate::clock::Timestamp;
use crate::store::{OneTimeStore, StoreError};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records in memory.
#[derive(Default)]
pub struct MemoryOneTime(Mutex<HashMap<String, (Vec<u8>, Timestamp)>>);

impl MemoryOneTime {
    fn records(&self) -> MutexGuard<'_, HashMap<String, (Vec<u8>, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl OneTimeStore for MemoryOneTime {
    async fn put(&self, key: &str, record: &[u8], _now: Timestamp, expires_at: Timestamp) -> Result<(), StoreError> {
        self.records().insert(key.to_owned(), (record.to_owned(), expires_at));
        Ok(())
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.records().remove(key).filter(|(_, expires_at)| now < *expires_at).map(|(record, _)| record))
    }

    async fn read(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.records().get(key).filter(|(_, expires_at)| now < *expires_at).map(|(record, _)| record.clone()))
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        self.records().retain(|_, (_, expires_at)| now < *expires_at);
        Ok(())
    }
}
