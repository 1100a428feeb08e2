//! Accounts in MongoDB.
//!
//! An account is one document, and with it all names that it ever had (`names`): the unique index over that list is what
//! keeps a name with its account for ever, and as every write is of one document there is no half-made account, whatever
//! fails in between. A deleted account leaves a document that holds its names and nothing else.

use super::connection::Connection;
use super::record::{DELETED, EMAIL_KEY, MARK, NAMES, Record, USERNAME_KEY, deletion, id_of, mark_names, signed};
use super::url::MongoUrl;
use crate::account::{Account, AccountId, AccountStore, CreateError, Email, Field, UpdateError, Username};
use crate::store::StoreError;
use crate::store::runtime::StoreRuntime;
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use std::time::Duration;

const COLLECTION: &str = "accounts";

/// Duplicate key.
const DUPLICATE: i32 = 11_000;

/// Accounts in a database of a MongoDB.
pub struct MongoAccounts(Connection);

/// What became of a write.
enum Outcome {
    Done,
    Taken(Field),
    Conflict,
}

impl MongoAccounts {
    /// Connects, trying for as long as `patience` where no server answers, and makes the indexes. It blocks the thread.
    ///
    /// # Errors
    /// One sentence that says what is wrong, without the password.
    pub fn open(url: &MongoUrl, patience: Duration) -> Result<Self, StoreError> {
        let runtime = StoreRuntime::start("mongodb")?;
        Connection::open(url, runtime, patience, make_indexes).map(Self)
    }

    fn documents(&self) -> Collection<Document> {
        documents(self.0.database())
    }

    fn records(&self) -> Collection<Record> {
        self.0.database().collection(COLLECTION)
    }

    async fn find_where(&self, filter: Document) -> Result<Option<Account>, StoreError> {
        let records = self.records();
        let found = self.0.call(async move { records.find_one(filter).projection(doc! { NAMES: 0 }).await }).await?;
        found.map(Record::into_account).transpose()
    }

    async fn find_many(&self, filter: Document, order: Document, limit: usize) -> Result<Vec<Account>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let records = self.records();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = async move { records.find(filter).projection(doc! { NAMES: 0 }).sort(order).limit(limit).await?.try_collect().await };
        let found: Vec<Record> = self.0.call(find).await?;
        found.into_iter().map(Record::into_account).collect()
    }
}

#[async_trait]
impl AccountStore for MongoAccounts {
    async fn create(&self, account: &Account) -> Result<(), CreateError> {
        let (documents, id, name) = (self.documents(), id_of(account.id), account.username.canonical());
        let mut document = doc! { "_id": id };
        document.extend(Record::fields(account, 1)?);
        document.insert(NAMES, vec![name.clone()]);
        let create = async move {
            match documents.insert_one(document).await {
                Ok(_) => Ok(Outcome::Done),
                Err(error) => what_was_taken(&documents, error, doc! { NAMES: name }).await,
            }
        };
        match self.0.call(create).await? {
            Outcome::Taken(field) => Err(CreateError::Taken(field)),
            Outcome::Done | Outcome::Conflict => Ok(()),
        }
    }

    async fn find(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.find_where(doc! { "_id": id_of(id), "deleted": { "$ne": true } }).await
    }

    async fn find_by_username(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        self.find_where(doc! { USERNAME_KEY: username.canonical() }).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        self.find_where(doc! { EMAIL_KEY: email.canonical() }).await
    }

    async fn update(&self, account: &Account) -> Result<(), UpdateError> {
        let (documents, id, name) = (self.documents(), id_of(account.id), account.username.canonical());
        let filter = doc! { "_id": id, "version": signed(account.version) };
        let change = doc! { "$set": Record::fields(account, account.version + 1)?, "$addToSet": { NAMES: &name } };
        let update = async move {
            match documents.update_one(filter, change).await {
                Ok(result) if result.matched_count == 0 => Ok(Outcome::Conflict),
                Ok(_) => Ok(Outcome::Done),
                Err(error) => what_was_taken(&documents, error, doc! { NAMES: name, "_id": { "$ne": id } }).await,
            }
        };
        match self.0.call(update).await? {
            Outcome::Done => Ok(()),
            Outcome::Taken(field) => Err(UpdateError::Taken(field)),
            Outcome::Conflict => Err(UpdateError::Conflict),
        }
    }

    async fn delete(&self, id: AccountId) -> Result<bool, StoreError> {
        let documents = self.documents();
        let filter = doc! { "_id": id_of(id), "deleted": { "$ne": true } };
        let delete = async move { documents.update_one(filter, deletion(id)).await };
        Ok(self.0.call(delete).await?.matched_count > 0)
    }

    async fn list(&self, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let after = after.map(Username::canonical).unwrap_or_default();
        self.find_many(doc! { USERNAME_KEY: { "$gt": after, "$lt": DELETED } }, doc! { USERNAME_KEY: 1 }, limit).await
    }

    async fn marked(&self, limit: usize) -> Result<Vec<Account>, StoreError> {
        self.find_many(doc! { MARK: { "$in": mark_names().to_vec() } }, doc! {}, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let database = self.0.database().clone();
        self.0.call(async move { database.run_command(doc! { "ping": 1 }).await.map(|_| ()) }).await
    }
}

fn documents(database: &Database) -> Collection<Document> {
    database.collection(COLLECTION)
}

/// Makes those indexes that are not there yet.
async fn make_indexes(database: Database) -> Result<(), Error> {
    let index = |field: &str, unique: bool| {
        let options = IndexOptions::builder().name(field.to_owned()).unique(unique).build();
        IndexModel::builder().keys(doc! { field: 1 }).options(options).build()
    };
    let indexes = [index(NAMES, true), index(USERNAME_KEY, true), index(EMAIL_KEY, true), index(MARK, false)];
    documents(&database).create_indexes(indexes).await.map(|_| ())
}

/// Reads from a refused write which value belongs to another account. Servers differ in which index they look at first;
/// where both are taken, it is the name.
async fn what_was_taken(documents: &Collection<Document>, error: Error, same_name: Document) -> Result<Outcome, Error> {
    let Some(index) = violated_index(&error) else { return Err(error) };
    match index {
        NAMES | USERNAME_KEY => Ok(Outcome::Taken(Field::Username)),
        EMAIL_KEY => {
            let name_too = documents.find_one(same_name).projection(doc! { "_id": 1 }).await?.is_some();
            Ok(Outcome::Taken(if name_too { Field::Username } else { Field::Email }))
        }
        _ => Err(error),
    }
}

/// The name of the unique index that a write would have violated: `E11000 duplicate key error … index: NAME dup key: …`.
/// What follows holds values of the user's choice.
fn violated_index(error: &Error) -> Option<&str> {
    let message = match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE => &error.message,
        ErrorKind::Command(error) if error.code == DUPLICATE => &error.message,
        _ => return None,
    };
    message.split_once("index: ")?.1.split_ascii_whitespace().next()
}
