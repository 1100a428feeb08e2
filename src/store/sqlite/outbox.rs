//! Letters that wait to be sent, in SQLite.

use super::Database;
use crate::clock::Timestamp;
use crate::mail::{OutboxStore, Queued};
use crate::store::StoreError;
use async_trait::async_trait;
use std::sync::Arc;
use uuid::Uuid;

/// Letters that wait to be sent in a database file.
pub struct SqliteOutbox(Arc<Database>);

impl SqliteOutbox {
    /// Keeps letters in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl OutboxStore for SqliteOutbox {
    async fn post(&self, letter: &Queued) -> Result<(), StoreError> {
        unimplemented!("{letter:?}")
    }

    async fn claim(&self, now: Timestamp, lease: Timestamp) -> Result<Option<Queued>, StoreError> {
        unimplemented!("{now:?} {lease:?}")
    }

    async fn postpone(&self, id: Uuid, attempts: u32, due: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{id:?} {attempts} {due:?}")
    }

    async fn remove(&self, id: Uuid) -> Result<(), StoreError> {
        unimplemented!("{id:?}")
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        unimplemented!("{:p}", self.0)
    }
}
