//! Letters that wait to be sent, in MongoDB: one document a letter.

use super::MongoDatabase;
use super::record::{date, timestamp};
use crate::clock::Timestamp;
use crate::mail::{MOST_LETTERS, OutboxStore, Queued, full};
use crate::store::StoreError;
use async_trait::async_trait;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, DateTime, doc};
use mongodb::error::Error;
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel, bson};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

const COLLECTION: &str = "outbox";

/// Letters that wait to be sent in a database of a MongoDB.
pub struct MongoOutbox(Arc<MongoDatabase>);

/// The document of a letter.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: bson::Uuid,
    sealed: Binary,
    attempts: i64,
    posted_at: DateTime,
    due_at: DateTime,
}

impl MongoOutbox {
    /// Keeps letters in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }

    fn records(&self) -> Collection<Record> {
        self.0.database().collection(COLLECTION)
    }
}

#[async_trait]
impl OutboxStore for MongoOutbox {
    async fn post(&self, letter: &Queued) -> Result<(), StoreError> {
        let (records, record) = (self.records(), Record::of(letter));
        // Counted beside the insertion: those who post at the same moment may go beyond by their number.
        let post = async move {
            if records.estimated_document_count().await? >= u64::from(MOST_LETTERS) {
                return Ok(false);
            }
            records.insert_one(record).await.map(|_| true)
        };
        if self.0.call(post).await? { Ok(()) } else { Err(full()) }
    }

    async fn claim(&self, now: Timestamp, lease: Timestamp) -> Result<Option<Queued>, StoreError> {
        let records = self.records();
        let due = doc! { "due_at": { "$lte": date(now) } };
        let claim = doc! { "$set": { "due_at": date(lease) } };
        let claim = async move { records.find_one_and_update(due, claim).sort(doc! { "due_at": 1, "_id": 1 }).await };
        Ok(self.0.call(claim).await?.map(Record::into_queued))
    }

    async fn postpone(&self, id: Uuid, attempts: u32, due: Timestamp) -> Result<(), StoreError> {
        let records = self.records();
        let change = doc! { "$set": { "attempts": i64::from(attempts), "due_at": date(due) } };
        self.0.call(async move { records.update_one(doc! { "_id": id_of(id) }, change).await }).await.map(|_| ())
    }

    async fn remove(&self, id: Uuid) -> Result<(), StoreError> {
        let records = self.records();
        self.0.call(async move { records.delete_one(doc! { "_id": id_of(id) }).await }).await.map(|_| ())
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        let records = self.records();
        self.0.call(async move { records.estimated_document_count().await }).await
    }
}

/// Makes those indexes that are not there yet.
pub(super) async fn make_indexes(database: &Database) -> Result<(), Error> {
    let options = IndexOptions::builder().name("due_at".to_owned()).build();
    let index = IndexModel::builder().keys(doc! { "due_at": 1 }).options(options).build();
    database.collection::<Record>(COLLECTION).create_indexes([index]).await.map(|_| ())
}

impl Record {
    fn of(letter: &Queued) -> Self {
        Self {
            id: id_of(letter.id),
            sealed: Binary { subtype: BinarySubtype::Generic, bytes: letter.sealed.clone() },
            attempts: i64::from(letter.attempts),
            posted_at: date(letter.posted_at),
            due_at: date(letter.posted_at),
        }
    }

    fn into_queued(self) -> Queued {
        Queued {
            id: Uuid::from_bytes(self.id.bytes()),
            sealed: self.sealed.bytes,
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            posted_at: timestamp(self.posted_at),
        }
    }
}

fn id_of(id: Uuid) -> bson::Uuid {
    bson::Uuid::from_bytes(id.into_bytes())
}
