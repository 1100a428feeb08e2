//! Accounts in MongoDB.
//!
//! An account is one document, and with it all names that it ever had (`names`): the unique index over that list is what
//! keeps a name with its account for ever, and as every write is of one document there is no half-made account, whatever
//! fails in between. A deleted account leaves a document that holds its names and nothing else.

use super::connection::MongoDatabase;
use super::personal_tokens::remove_outdated;
use super::record::{DELETED, EMAIL_KEY, MARK, NAMES, Record, TOKEN_HASHES, TOKENS, USERNAME_KEY, deletion, id_of, mark_names, signed};
use crate::account::{Account, AccountId, AccountStore, CreateError, Email, Field, UpdateError, Username};
use crate::store::{StoreError, beginnings};
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, Uuid, doc};
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use std::sync::Arc;

pub(super) const COLLECTION: &str = "accounts";

/// The code of `DuplicateKey`.
const DUPLICATE: i32 = 11_000;

/// The code of `InternalError`.
const INTERNAL: i32 = 1;

/// Accounts in a database of a MongoDB.
pub struct MongoAccounts(Arc<MongoDatabase>);

/// What became of a write that a unique index or a version may refuse.
enum Outcome {
    Done,
    Taken(Field),
    Conflict,
}

impl MongoAccounts {
    /// Keeps accounts in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }

    fn documents(&self) -> Collection<Document> {
        documents(self.0.database())
    }

    fn records(&self) -> Collection<Record> {
        self.0.database().collection(COLLECTION)
    }

    async fn find_where(&self, filter: Document) -> Result<Option<Account>, StoreError> {
        let records = self.records();
        let found = self.0.call(async move { records.find_one(filter).projection(without_lists()).await }).await?;
        found.map(Record::into_account).transpose()
    }

    async fn find_many(&self, filter: Document, order: Document, limit: usize) -> Result<Vec<Account>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let records = self.records();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = async move { records.find(filter).projection(without_lists()).sort(order).limit(limit).await?.try_collect().await };
        let found: Vec<Record> = self.0.call(find).await?;
        found.into_iter().map(Record::into_account).collect()
    }
}

#[async_trait]
impl AccountStore for MongoAccounts {
    async fn create(&self, account: &Account) -> Result<(), CreateError> {
        let (documents, values) = (self.documents(), UniqueValues::of(account));
        let mut document = doc! { "_id": values.id };
        document.extend(Record::fields(account, 1)?);
        document.insert(NAMES, vec![&values.name]);
        let create = async move {
            if values.name_is_taken(&documents).await? {
                return Ok(Outcome::Taken(Field::Username));
            }
            match documents.insert_one(document).await {
                Ok(_) => Ok(Outcome::Done),
                Err(error) => values.what_was_taken(&documents, error).await,
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
        let (documents, values) = (self.documents(), UniqueValues::of(account));
        let filter = doc! { "_id": values.id, "version": signed(account.version) };
        let change = doc! { "$set": Record::fields(account, account.version + 1)?, "$addToSet": { NAMES: &values.name } };
        let (id, resets) = (account.id, account.resets);
        let update = async move {
            if values.name_is_taken(&documents).await? {
                return Ok(Outcome::Taken(Field::Username));
            }
            match documents.update_one(filter, change).await {
                Ok(result) if result.matched_count == 0 => Ok(Outcome::Conflict),
                Ok(_) => {
                    // The account is written. What is left undone here opens nothing, and is done with the next write.
                    let _ = remove_outdated(&documents, id, resets).await;
                    Ok(Outcome::Done)
                }
                Err(error) => values.what_was_taken(&documents, error).await,
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

    async fn search(&self, text: &str, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let (first, last) = beginnings(text);
        let after = after.map(Username::canonical).unwrap_or_default();
        let begins = |field: &str| doc! { field: { "$gte": &first, "$lte": &last } };
        // Each branch has its index; a deleted account's document has neither name nor address.
        let filter =
            doc! { "$or": [begins(USERNAME_KEY), begins(EMAIL_KEY)], "$and": [{ USERNAME_KEY: { "$gt": after, "$lt": DELETED } }] };
        self.find_many(filter, doc! { USERNAME_KEY: 1 }, limit).await
    }

    async fn marked(&self, limit: usize) -> Result<Vec<Account>, StoreError> {
        self.find_many(doc! { MARK: { "$in": mark_names().to_vec() } }, doc! {}, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let database = self.0.database().clone();
        self.0.call(async move { database.run_command(doc! { "ping": 1 }).await.map(|_| ()) }).await
    }
}

/// What is read with an account is read at every sign-in: what else its document holds is not.
fn without_lists() -> Document {
    doc! { NAMES: 0, TOKENS: 0, TOKEN_HASHES: 0 }
}

fn documents(database: &Database) -> Collection<Document> {
    database.collection(COLLECTION)
}

/// Makes those indexes that are not there yet.
pub(super) async fn make_indexes(database: &Database) -> Result<(), Error> {
    let index = |field: &str, unique: bool| {
        let options = IndexOptions::builder().name(field.to_owned()).unique(unique).build();
        IndexModel::builder().keys(doc! { field: 1 }).options(options).build()
    };
    let indexes = [index(NAMES, true), index(USERNAME_KEY, true), index(EMAIL_KEY, true), index(MARK, false), index(TOKEN_HASHES, false)];
    documents(database).create_indexes(indexes).await.map(|_| ())
}

/// What no other account may have.
struct UniqueValues {
    id: Uuid,
    name: String,
    email: String,
}

impl UniqueValues {
    fn of(account: &Account) -> Self {
        Self { id: id_of(account.id), name: account.username.canonical(), email: account.email.canonical().to_owned() }
    }

    /// Whether another account has or had the name. The unique index refuses that in the act of writing; asked before, the
    /// answer is the same where both values are taken, whichever index a server looks at first, and former names stay
    /// with their account on servers whose unique indexes do not look into lists (`FerretDB`).
    async fn name_is_taken(&self, documents: &Collection<Document>) -> Result<bool, Error> {
        self.is_taken(documents, NAMES, &self.name).await
    }

    /// Finds out which value refused a write.
    async fn what_was_taken(&self, documents: &Collection<Document>, error: Error) -> Result<Outcome, Error> {
        if !is_duplicate(&error) {
            return Err(error);
        }
        if self.name_is_taken(documents).await? {
            return Ok(Outcome::Taken(Field::Username));
        }
        if self.is_taken(documents, EMAIL_KEY, &self.email).await? {
            return Ok(Outcome::Taken(Field::Email));
        }
        Err(error)
    }

    async fn is_taken(&self, documents: &Collection<Document>, field: &str, value: &str) -> Result<bool, Error> {
        let another = doc! { field: value, "_id": { "$ne": self.id } };
        Ok(documents.find_one(another).projection(doc! { "_id": 1 }).await?.is_some())
    }
}

/// Whether a unique index refused a write.
pub(super) fn is_duplicate(error: &Error) -> bool {
    let (code, message) = match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(error)) => (error.code, &error.message),
        ErrorKind::Command(error) => (error.code, &error.message),
        _ => return false,
    };
    is_duplicate_key(code, message)
}

/// Whether a server says by this that a unique index refused a write; `FerretDB` on SQLite says so in its own words.
pub(super) fn is_duplicate_key(code: i32, message: &str) -> bool {
    code == DUPLICATE || (code == INTERNAL && message.contains("UNIQUE constraint failed"))
}
