//! Invitations, in MongoDB.

use super::MongoDatabase;
use super::record::{date, from_hex, hex, id_of, timestamp};
use crate::account::{AccountId, Email, Group};
use crate::clock::Timestamp;
use crate::invitation::{Invitation, InvitationStore};
use crate::store::StoreError;
use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{DateTime, Document, Uuid as BsonUuid, doc};
use mongodb::error::Error;
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use uuid::Uuid;

const COLLECTION: &str = "invitations";

/// Invitations in a database of a MongoDB.
pub struct MongoInvitations(Arc<MongoDatabase>);

/// The document of an invitation. `state` says what else would take comparisons with null, which indexes dislike.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: BsonUuid,
    token: String,
    email: Option<String>,
    groups: Vec<String>,
    invited_by: String,
    created_at: DateTime,
    expires_at: DateTime,
    state: String,
    account: Option<BsonUuid>,
    claimed_until: Option<DateTime>,
    used_at: Option<DateTime>,
}

const OPEN: &str = "open";
const HELD: &str = "held";
const USED: &str = "used";

impl MongoInvitations {
    /// Keeps invitations in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }

    fn records(&self) -> Collection<Record> {
        self.0.database().collection(COLLECTION)
    }

    /// Changes the one document that matches; whether there was one.
    async fn change(&self, filter: Document, change: Document) -> Result<bool, StoreError> {
        let records = self.records();
        let changed = self.0.call(async move { records.update_one(filter, change).await }).await?;
        Ok(changed.matched_count > 0)
    }

    async fn find_many(&self, filter: Document, order: Document, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let records = self.records();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let find = async move { records.find(filter).sort(order).limit(limit).await?.try_collect().await };
        let found: Vec<Record> = self.0.call(find).await?;
        found.into_iter().map(Record::into_invitation).collect()
    }
}

#[async_trait]
impl InvitationStore for MongoInvitations {
    async fn create(&self, invitation: &Invitation) -> Result<(), StoreError> {
        let (records, record) = (self.records(), Record::of(invitation));
        self.0.call(async move { records.insert_one(record).await.map(|_| ()) }).await
    }

    async fn find(&self, token: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>, StoreError> {
        let (records, filter) = (self.records(), doc! { "token": hex(token), "expires_at": { "$gt": date(now) } });
        let found = self.0.call(async move { records.find_one(filter).await }).await?;
        found.map(Record::into_invitation).transpose()
    }

    async fn claim(&self, id: Uuid, account: AccountId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let filter = doc! { "_id": bson_id(id), "state": OPEN, "expires_at": { "$gt": date(now) } };
        self.change(filter, doc! { "$set": { "state": HELD, "account": id_of(account), "claimed_until": date(until) } }).await
    }

    async fn redeem(&self, id: Uuid, account: AccountId, now: Timestamp) -> Result<bool, StoreError> {
        let held = doc! { "_id": bson_id(id), "state": HELD, "account": id_of(account) };
        if self.change(held, doc! { "$set": { "state": USED, "claimed_until": null, "used_at": date(now) } }).await? {
            return Ok(true);
        }
        let (records, used) = (self.records(), doc! { "_id": bson_id(id), "state": USED, "account": id_of(account) });
        Ok(self.0.call(async move { records.find_one(used).await }).await?.is_some())
    }

    async fn release(&self, id: Uuid, account: AccountId) -> Result<(), StoreError> {
        let filter = doc! { "_id": bson_id(id), "state": HELD, "account": id_of(account) };
        self.change(filter, doc! { "$set": { "state": OPEN, "account": null, "claimed_until": null } }).await.map(|_| ())
    }

    async fn lapsed(&self, now: Timestamp, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        self.find_many(doc! { "state": HELD, "claimed_until": { "$lte": date(now) } }, doc! {}, limit).await
    }

    async fn list(&self, before: Option<Uuid>, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        let filter = before.map_or_else(Document::new, |before| doc! { "_id": { "$lt": bson_id(before) } });
        self.find_many(filter, doc! { "_id": -1 }, limit).await
    }

    async fn remove(&self, id: Uuid) -> Result<bool, StoreError> {
        let records = self.records();
        let removed = self.0.call(async move { records.delete_one(doc! { "_id": bson_id(id) }).await }).await?;
        Ok(removed.deleted_count > 0)
    }

    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        let (records, filter) = (self.records(), doc! { "expires_at": { "$lt": date(oldest) } });
        self.0.call(async move { records.delete_many(filter).await.map(|_| ()) }).await
    }
}

impl Record {
    fn of(invitation: &Invitation) -> Self {
        let state = match (invitation.used, invitation.claimed) {
            (Some(_), _) => USED,
            (None, Some(_)) => HELD,
            (None, None) => OPEN,
        };
        Self {
            id: bson_id(invitation.id),
            token: hex(&invitation.token),
            email: invitation.email.as_ref().map(|email| email.as_str().to_owned()),
            groups: invitation.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            invited_by: invitation.invited_by.clone(),
            created_at: date(invitation.created_at),
            expires_at: date(invitation.expires_at),
            state: state.to_owned(),
            account: invitation.used.or(invitation.claimed).map(|(account, _)| id_of(account)),
            claimed_until: invitation.claimed.map(|(_, until)| date(until)),
            used_at: invitation.used.map(|(_, at)| date(at)),
        }
    }

    fn into_invitation(self) -> Result<Invitation, StoreError> {
        let id = self.id;
        self.read().map_err(|what| StoreError(format!("the invitation {id} in MongoDB has an unreadable {what}")))
    }

    fn read(self) -> Result<Invitation, &'static str> {
        let groups: Result<_, _> = self.groups.iter().map(|group| Group::parse(group)).collect();
        let account = self.account.map(|account| AccountId(Uuid::from_bytes(account.bytes())));
        let of_account = |at: Option<DateTime>| account.zip(at.map(timestamp));
        Ok(Invitation {
            id: Uuid::from_bytes(self.id.bytes()),
            token: from_hex(&self.token).ok_or("token")?,
            email: self.email.as_deref().map(Email::parse).transpose().map_err(|_| "email")?,
            groups: groups.map_err(|_| "group")?,
            invited_by: self.invited_by,
            created_at: timestamp(self.created_at),
            expires_at: timestamp(self.expires_at),
            claimed: of_account(self.claimed_until),
            used: of_account(self.used_at),
        })
    }
}

/// Makes those indexes that are not there yet.
pub(super) async fn make_indexes(database: &mongodb::Database) -> Result<(), Error> {
    let index = |field: &str, unique: bool| {
        let options = IndexOptions::builder().name(field.to_owned()).unique(unique).build();
        IndexModel::builder().keys(doc! { field: 1 }).options(options).build()
    };
    let indexes = [index("token", true), index("expires_at", false), index("state", false)];
    database.collection::<Document>(COLLECTION).create_indexes(indexes).await.map(|_| ())
}

fn bson_id(id: Uuid) -> BsonUuid {
    BsonUuid::from_bytes(id.into_bytes())
}
