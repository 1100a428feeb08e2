//! Audit records, in MongoDB: one document a record.

use super::MongoDatabase;
use super::accounts::is_duplicate_key;
use super::record::{date, id_of, timestamp};
use crate::account::AccountId;
use crate::audit::{Action, AuditStore, Filter, Outcome, Party, Record};
use crate::clock::Timestamp;
use crate::store::StoreError;
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{DateTime, Uuid, doc};
use mongodb::error::{Error, ErrorKind};
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const COLLECTION: &str = "audit";

/// Audit records in a database of a MongoDB.
pub struct MongoAudit(Arc<MongoDatabase>);

impl MongoAudit {
    /// Keeps audit records in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }

    fn documents(&self) -> Collection<AuditDocument> {
        self.0.database().collection(COLLECTION)
    }
}

#[async_trait]
impl AuditStore for MongoAudit {
    async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let (collection, documents) = (self.documents(), records.iter().map(AuditDocument::from).collect::<Vec<_>>());
        // Unordered, so that one that is there already keeps none of the others out.
        let insert = async move {
            match collection.insert_many(documents).ordered(false).await {
                Err(error) if !are_there_already(&error) => Err(error),
                _ => Ok(()),
            }
        };
        self.0.call(insert).await
    }

    async fn list(&self, filter: Filter, limit: usize) -> Result<Vec<Record>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut wanted = doc! {};
        if let Some(account) = filter.account.map(id_of) {
            wanted.insert("$or", vec![doc! { "actor.account": account }, doc! { "subject.account": account }]);
        }
        if let Some(before) = filter.before {
            wanted.insert("_id", doc! { "$lt": Uuid::from_bytes(before.into_bytes()) });
        }
        let (collection, limit) = (self.documents(), i64::try_from(limit).unwrap_or(i64::MAX));
        let find = async move { collection.find(wanted).sort(doc! { "_id": -1 }).limit(limit).await?.try_collect::<Vec<_>>().await };
        Ok(self.0.call(find).await?.into_iter().map(Record::from).collect())
    }

    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        let collection = self.documents();
        self.0.call(async move { collection.delete_many(doc! { "at": { "$lt": date(oldest) } }).await.map(|_| ()) }).await
    }
}

/// Makes those indexes that are not there yet.
pub(super) async fn make_indexes(database: &mongodb::Database) -> Result<(), Error> {
    let index = |name: &str, keys| IndexModel::builder().keys(keys).options(IndexOptions::builder().name(name.to_owned()).build()).build();
    let indexes = [
        index("at", doc! { "at": 1 }),
        index("actor", doc! { "actor.account": 1, "_id": 1 }),
        index("subject", doc! { "subject.account": 1, "_id": 1 }),
    ];
    database.collection::<AuditDocument>(COLLECTION).create_indexes(indexes).await.map(|_| ())
}

/// How a record is written.
#[derive(Serialize, Deserialize)]
struct AuditDocument {
    #[serde(rename = "_id")]
    id: Uuid,
    at: DateTime,
    action: Action,
    outcome: Outcome,
    reason: Option<String>,
    actor: PartyDocument,
    subject: Option<PartyDocument>,
    /// As text: what serde makes of an address in BSON is no address to a reader.
    client: Option<String>,
    user_agent: String,
    request_id: String,
}

#[derive(Serialize, Deserialize)]
struct PartyDocument {
    account: Option<Uuid>,
    name: String,
}

impl From<&Record> for AuditDocument {
    fn from(record: &Record) -> Self {
        Self {
            id: Uuid::from_bytes(record.id.into_bytes()),
            at: date(record.at),
            action: record.action,
            outcome: record.outcome,
            reason: record.reason.clone(),
            actor: PartyDocument::from(&record.actor),
            subject: record.subject.as_ref().map(PartyDocument::from),
            client: record.client.map(|address| address.to_string()),
            user_agent: record.user_agent.clone(),
            request_id: record.request_id.clone(),
        }
    }
}

impl From<AuditDocument> for Record {
    fn from(document: AuditDocument) -> Self {
        Self {
            id: uuid::Uuid::from_bytes(document.id.bytes()),
            at: timestamp(document.at),
            action: document.action,
            outcome: document.outcome,
            reason: document.reason,
            actor: Party::from(document.actor),
            subject: document.subject.map(Party::from),
            client: document.client.and_then(|address| address.parse().ok()),
            user_agent: document.user_agent,
            request_id: document.request_id,
        }
    }
}

impl From<&Party> for PartyDocument {
    fn from(party: &Party) -> Self {
        Self { account: party.account.map(id_of), name: party.name.clone() }
    }
}

impl From<PartyDocument> for Party {
    fn from(document: PartyDocument) -> Self {
        Self { account: document.account.map(|id| AccountId(uuid::Uuid::from_bytes(id.bytes()))), name: document.name }
    }
}

/// Whether nothing is wrong but that some of the documents are there from an earlier attempt.
fn are_there_already(error: &Error) -> bool {
    let ErrorKind::InsertMany(failed) = error.kind.as_ref() else { return false };
    let Some(refused) = failed.write_errors.as_ref().filter(|_| failed.write_concern_error.is_none()) else { return false };
    refused.iter().all(|refused| is_duplicate_key(refused.code, &refused.message))
}
