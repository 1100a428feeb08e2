//! Signing keys, in MongoDB: one document a key.

use super::MongoDatabase;
use super::accounts::is_duplicate;
use super::record::{date, timestamp};
use crate::config::TokenAlgorithm;
use crate::store::StoreError;
use crate::token::{SealedKey, SigningKeyStore};
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, DateTime, doc};
use mongodb::error::Error;
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const COLLECTION: &str = "signing_keys";

/// Signing keys in a database of a MongoDB.
pub struct MongoSigningKeys(Arc<MongoDatabase>);

/// The document of a key.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    algorithm: String,
    number: i64,
    sealed: Binary,
    created_at: DateTime,
    signs_from: DateTime,
}

impl MongoSigningKeys {
    /// Keeps them in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }

    fn records(&self) -> Collection<Record> {
        self.0.database().collection(COLLECTION)
    }
}

#[async_trait]
impl SigningKeyStore for MongoSigningKeys {
    async fn list(&self) -> Result<Vec<SealedKey>, StoreError> {
        let records = self.records();
        let order = doc! { "created_at": 1, "number": 1 };
        let found: Vec<Record> = self.0.call(async move { records.find(doc! {}).sort(order).await?.try_collect().await }).await?;
        Ok(found.into_iter().filter_map(Record::into_key).collect())
    }

    async fn add(&self, key: &SealedKey) -> Result<bool, StoreError> {
        let (records, record) = (self.records(), Record::of(key));
        // The unique index over algorithm and number lets one of many in.
        let add = async move {
            match records.insert_one(record).await {
                Ok(_) => Ok(true),
                Err(error) if is_duplicate(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        self.0.call(add).await
    }

    async fn reseal(&self, id: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError> {
        let (records, filter) = (self.records(), doc! { "_id": id, "sealed": binary(from) });
        let change = doc! { "$set": { "sealed": binary(to) } };
        let changed = self.0.call(async move { records.update_one(filter, change).await }).await?;
        Ok(changed.matched_count > 0)
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        let (records, filter) = (self.records(), doc! { "_id": id });
        self.0.call(async move { records.delete_one(filter).await }).await.map(|_| ())
    }
}

/// Makes those indexes that are not there yet.
pub(super) async fn make_indexes(database: &Database) -> Result<(), Error> {
    let options = IndexOptions::builder().name("algorithm_number".to_owned()).unique(true).build();
    let index = IndexModel::builder().keys(doc! { "algorithm": 1, "number": 1 }).options(options).build();
    database.collection::<Record>(COLLECTION).create_indexes([index]).await.map(|_| ())
}

impl Record {
    fn of(key: &SealedKey) -> Self {
        Self {
            id: key.id.clone(),
            algorithm: key.algorithm.name().to_owned(),
            number: i64::try_from(key.number).unwrap_or(i64::MAX),
            sealed: binary(&key.sealed),
            created_at: date(key.created_at),
            signs_from: date(key.signs_from),
        }
    }

    /// `None` for a key of a newer version, with an algorithm that this one does not know.
    fn into_key(self) -> Option<SealedKey> {
        Some(SealedKey {
            algorithm: TokenAlgorithm::named(&self.algorithm)?,
            id: self.id,
            number: self.number.unsigned_abs(),
            sealed: self.sealed.bytes,
            created_at: timestamp(self.created_at),
            signs_from: timestamp(self.signs_from),
        })
    }
}

fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_owned() }
}
