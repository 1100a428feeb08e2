//! Personal tokens, in MongoDB: within the document of their account, so that one read tells of both, none outlives its account,
//! and how many there are is checked in the act of adding one.

use super::MongoDatabase;
use super::accounts::COLLECTION;
use super::record::{DELETED_FLAG, NAMES, RESETS, Record, TOKEN_HASHES, TOKENS, date, from_hex, hex, id_of, signed, timestamp};
use crate::account::{Account, AccountId};
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{PersonalToken, PersonalTokenStore, Scope};
use async_trait::async_trait;
use mongodb::Collection;
use mongodb::bson::{self, Bson, DateTime, Document, doc};
use mongodb::error::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Personal tokens in a database of a MongoDB.
pub struct MongoPersonalTokens(Arc<MongoDatabase>);

/// How a token is written, under its id.
#[derive(Serialize, Deserialize)]
struct TokenRecord {
    resets: i64,
    hash: String,
    name: String,
    host: Option<String>,
    path: Option<String>,
    methods: Vec<String>,
    created_at: DateTime,
    expires_at: Option<DateTime>,
    last_used: Option<DateTime>,
}

/// What of an account's document is about tokens.
#[derive(Deserialize)]
struct Tokens {
    #[serde(rename = "_id")]
    account: bson::Uuid,
    #[serde(default)]
    resets: i64,
    #[serde(default, rename = "personal_tokens")]
    tokens: BTreeMap<String, TokenRecord>,
}

impl MongoPersonalTokens {
    /// Keeps them in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }

    fn documents(&self) -> Collection<Document> {
        self.0.database().collection(COLLECTION)
    }

    async fn find_one(&self, filter: Document) -> Result<Option<Document>, StoreError> {
        let documents = self.documents();
        self.0.call(async move { documents.find_one(filter).projection(doc! { NAMES: 0 }).await }).await
    }
}

#[async_trait]
impl PersonalTokenStore for MongoPersonalTokens {
    async fn create(&self, token: &PersonalToken, most: usize) -> Result<bool, StoreError> {
        let Some(last) = most.checked_sub(1) else { return Ok(false) };
        let (documents, account, resets) = (self.documents(), token.account, token.resets);
        let mut filter =
            doc! { "_id": id_of(account), DELETED_FLAG: { "$ne": true }, format!("{TOKEN_HASHES}.{last}"): { "$exists": false } };
        filter.insert("$or", made_at(resets));
        let record = bson::serialize_to_document(&TokenRecord::of(token)).map_err(|error| unwritable(&error))?;
        let change = doc! { "$push": { TOKEN_HASHES: hex(&token.hash) }, "$set": { place(token.id): record } };
        let create = async move {
            remove_outdated(&documents, account, resets).await?;
            documents.update_one(filter, change).await
        };
        Ok(self.0.call(create).await?.matched_count > 0)
    }

    async fn find(&self, hashes: &[[u8; 32]]) -> Result<Option<(PersonalToken, Account)>, StoreError> {
        let hashes: Vec<String> = hashes.iter().map(hex).collect();
        let Some(document) = self.find_one(doc! { TOKEN_HASHES: { "$in": &hashes } }).await? else { return Ok(None) };
        let account: Record = bson::deserialize_from_document(document.clone()).map_err(|error| unreadable(&error))?;
        let found = Tokens::read(document)?.into_iter().find(|token| hashes.contains(&hex(&token.hash)));
        found.map(|token| Ok((token, account.into_account()?))).transpose()
    }

    fn touch(&self, token: &PersonalToken, hash: &[u8; 32], used: Timestamp) {
        let (documents, place, hash, former) = (self.documents(), place(token.id), hex(hash), hex(&token.hash));
        let account = id_of(token.account);
        let there = doc! { "_id": account, &place: { "$exists": true } };
        let mut change = doc! { "$max": { format!("{place}.last_used"): date(used) } };
        let is_moved = hash != former;
        if is_moved {
            change.insert("$set", doc! { format!("{place}.hash"): &hash });
            change.insert("$addToSet", doc! { TOKEN_HASHES: &hash });
        }
        self.0.call_later(async move {
            let touched = documents.update_one(there, change).await?;
            if is_moved && touched.matched_count > 0 {
                documents.update_one(doc! { "_id": account }, doc! { "$pull": { TOKEN_HASHES: former } }).await?;
            }
            Ok(())
        });
    }

    async fn list(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreError> {
        let Some(document) = self.find_one(doc! { "_id": id_of(account) }).await? else { return Ok(Vec::new()) };
        let mut tokens = Tokens::read(document)?;
        tokens.sort_by_key(|token| std::cmp::Reverse(token.id));
        Ok(tokens)
    }

    async fn remove(&self, account: AccountId, id: Uuid) -> Result<bool, StoreError> {
        let Some(token) = self.list(account).await?.into_iter().find(|token| token.id == id) else { return Ok(false) };
        let documents = self.documents();
        let there = doc! { "_id": id_of(account), place(id): { "$exists": true } };
        let change = doc! { "$unset": { place(id): "" }, "$pull": { TOKEN_HASHES: hex(&token.hash) } };
        let removed = self.0.call(async move { documents.update_one(there, change).await }).await?;
        Ok(removed.matched_count > 0)
    }
}

/// Removes what the account was reset since: none of it is found any more, but there is room for others.
pub(super) async fn remove_outdated(documents: &Collection<Document>, account: AccountId, resets: u64) -> Result<(), Error> {
    let outdated = doc! { "_id": id_of(account), RESETS: signed(resets), TOKENS: { "$exists": true } };
    let Some(document) = documents.find_one(outdated).projection(doc! { TOKENS: 1 }).await? else { return Ok(()) };
    let Ok(tokens) = document.get_document(TOKENS) else { return Ok(()) };
    let is_outdated = |token: &Bson| token.as_document().is_some_and(|token| token.get_i64(RESETS).ok() != Some(signed(resets)));
    let outdated: Vec<_> = tokens.iter().filter(|(_, token)| is_outdated(token)).collect();
    if outdated.is_empty() {
        return Ok(());
    }
    let places: Document = outdated.iter().map(|(id, _)| (format!("{TOKENS}.{id}"), Bson::from(""))).collect();
    let hashes: Vec<_> = outdated.iter().filter_map(|(_, token)| token.as_document()?.get_str("hash").ok()).collect();
    let change = doc! { "$unset": places, "$pull": { TOKEN_HASHES: { "$in": hashes } } };
    documents.update_one(doc! { "_id": id_of(account) }, change).await.map(|_| ())
}

/// Documents of accounts at this number of resets; those that an older version wrote do not have it.
fn made_at(resets: u64) -> Vec<Document> {
    let written = doc! { RESETS: signed(resets) };
    if resets == 0 { vec![written, doc! { RESETS: { "$exists": false } }] } else { vec![written] }
}

impl Tokens {
    /// The tokens that an account's document holds, but for those that it was reset since.
    fn read(document: Document) -> Result<Vec<PersonalToken>, StoreError> {
        let Self { account, resets, tokens } = bson::deserialize_from_document(document).map_err(|error| unreadable(&error))?;
        let of_now = tokens.into_iter().filter(|(_, token)| token.resets == resets);
        let read = |(id, token): (String, TokenRecord)| {
            token.read(&id, account).ok_or_else(|| StoreError(format!("the personal token {id} in MongoDB is unreadable")))
        };
        of_now.map(read).collect()
    }
}

impl TokenRecord {
    fn of(token: &PersonalToken) -> Self {
        Self {
            resets: signed(token.resets),
            hash: hex(&token.hash),
            name: token.name.clone(),
            host: token.scope.host.clone(),
            path: token.scope.path.clone(),
            methods: token.scope.methods.clone(),
            created_at: date(token.created_at),
            expires_at: token.expires_at.map(date),
            last_used: token.last_used.map(date),
        }
    }

    fn read(self, id: &str, account: bson::Uuid) -> Option<PersonalToken> {
        Some(PersonalToken {
            id: Uuid::try_parse(id).ok()?,
            account: AccountId(Uuid::from_bytes(account.bytes())),
            resets: u64::try_from(self.resets).ok()?,
            hash: from_hex(&self.hash)?,
            name: self.name,
            scope: Scope { host: self.host, path: self.path, methods: self.methods },
            created_at: timestamp(self.created_at),
            expires_at: self.expires_at.map(timestamp),
            last_used: self.last_used.map(timestamp),
        })
    }
}

/// Where the token is in its account's document.
fn place(id: Uuid) -> String {
    format!("{TOKENS}.{}", id.simple())
}

fn unwritable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError(format!("a personal token cannot be written for MongoDB: {error}"))
}

fn unreadable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError(format!("an account with personal tokens in MongoDB is unreadable: {error}"))
}
