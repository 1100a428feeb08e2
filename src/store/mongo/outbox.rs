//! Letters that wait to be sent, in MongoDB.

use super::MongoDatabase;
use crate::clock::Timestamp;
use crate::mail::{OutboxStore, Queued};
use crate::store::StoreError;
use async_trait::async_trait;
use mongodb::error::Error;
use std::sync::Arc;
use uuid::Uuid;

/// Letters that wait to be sent in a database of a MongoDB.
pub struct MongoOutbox(Arc<MongoDatabase>);

impl MongoOutbox {
    /// Keeps letters in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl OutboxStore for MongoOutbox {
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

/// Makes those indexes that are not there yet.
pub(super) async fn make_indexes(database: &mongodb::Database) -> Result<(), Error> {
    let _ = database;
    Ok(())
}
