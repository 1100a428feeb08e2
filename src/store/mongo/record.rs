//! How an account is written in MongoDB. Fields that a newer version adds are left alone by updates.

use crate::account::{Account, AccountId, Email, Group, PasswordHash, SessionMark, Username};
use crate::clock::Timestamp;
use crate::store::StoreError;
use mongodb::bson::{self, DateTime, Document, Uuid, doc};
use serde::{Deserialize, Serialize};

/// Holds the canonical name that an account has now.
pub(super) const USERNAME_KEY: &str = "username_key";
/// Holds the canonical address.
pub(super) const EMAIL_KEY: &str = "email_key";
/// Holds all canonical names that the account has or ever had. Its unique index is over the elements of all documents.
pub(super) const NAMES: &str = "names";
/// Holds the session mark, or null.
pub(super) const MARK: &str = "mark";

/// Holds the personal tokens by their ids.
pub(super) const TOKENS: &str = "personal_tokens";
/// Holds the hashes of all of them, for the index.
pub(super) const TOKEN_HASHES: &str = "personal_token_hashes";

/// Holds how often the password was set by somebody who did not know it.
pub(super) const RESETS: &str = "resets";
/// Says that the account is deleted.
pub(super) const DELETED_FLAG: &str = "deleted";

/// In place of the canonical name and address of a deleted account, before its id; sorts behind every name.
pub(super) const DELETED: &str = "~";

/// The document of an account, `names` apart.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(rename = "_id")]
    id: Uuid,
    username: String,
    username_key: String,
    email: String,
    email_key: String,
    email_verified: bool,
    name: String,
    avatar_url: Option<String>,
    groups: Vec<String>,
    password: String,
    locked: bool,
    #[serde(default)]
    locked_until: Option<DateTime>,
    #[serde(default)]
    reset_requested_at: Option<DateTime>,
    #[serde(default)]
    reset_requests: i64,
    #[serde(default)]
    resets: i64,
    generation: i64,
    mark: Option<String>,
    created_at: DateTime,
    version: i64,
}

impl Record {
    /// The document for an account at this version, without what never changes or is written otherwise: id and names.
    pub(super) fn fields(account: &Account, version: u64) -> Result<Document, StoreError> {
        let record = Self {
            id: id_of(account.id),
            username: account.username.as_str().to_owned(),
            username_key: account.username.canonical(),
            email: account.email.as_str().to_owned(),
            email_key: account.email.canonical().to_owned(),
            email_verified: account.email_verified,
            name: account.name.clone(),
            avatar_url: account.avatar_url.clone(),
            groups: account.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            password: account.password.0.clone(),
            locked: account.locked,
            locked_until: account.locked_until.map(date),
            reset_requested_at: account.reset_requested_at.map(date),
            reset_requests: i64::from(account.reset_requests),
            resets: signed(account.resets),
            generation: signed(account.generation),
            mark: account.mark.map(|mark| mark_name(mark).to_owned()),
            created_at: date(account.created_at),
            version: signed(version),
        };
        let unwritable = |error| StoreError(format!("an account cannot be written for MongoDB: {error}"));
        let mut fields = bson::serialize_to_document(&record).map_err(unwritable)?;
        fields.remove("_id");
        Ok(fields)
    }

    /// The account that the document holds.
    pub(super) fn into_account(self) -> Result<Account, StoreError> {
        let id = self.id;
        self.read().map_err(|what| StoreError(format!("the account {id} in MongoDB has an unreadable {what}")))
    }

    fn read(self) -> Result<Account, &'static str> {
        let groups: Result<_, _> = self.groups.iter().map(|group| Group::parse(group)).collect();
        Ok(Account {
            id: AccountId(uuid::Uuid::from_bytes(self.id.bytes())),
            username: Username::parse(&self.username).map_err(|_| "username")?,
            email: Email::parse(&self.email).map_err(|_| "email")?,
            email_verified: self.email_verified,
            name: self.name,
            avatar_url: self.avatar_url,
            groups: groups.map_err(|_| "group")?,
            password: PasswordHash(self.password),
            locked: self.locked,
            locked_until: self.locked_until.map(timestamp),
            reset_requested_at: self.reset_requested_at.map(timestamp),
            reset_requests: u32::try_from(self.reset_requests).map_err(|_| "number of reset requests")?,
            resets: u64::try_from(self.resets).map_err(|_| "number of resets")?,
            generation: u64::try_from(self.generation).map_err(|_| "generation")?,
            mark: self.mark.as_deref().map(|name| mark_of(name).ok_or("mark")).transpose()?,
            created_at: timestamp(self.created_at),
            version: u64::try_from(self.version).map_err(|_| "version")?,
        })
    }
}

/// What leaves of an account nothing but its id and its names.
pub(super) fn deletion(id: AccountId) -> Document {
    let nobody = format!("{DELETED}{id}");
    doc! {
        "$set": { "deleted": true, USERNAME_KEY: &nobody, EMAIL_KEY: &nobody },
        "$unset": {
            "username": "", "email": "", "email_verified": "", "name": "", "avatar_url": "", "groups": "", "password": "",
            "locked": "", "locked_until": "", "reset_requested_at": "", "reset_requests": "", "resets": "",
            "generation": "", MARK: "", "created_at": "", "version": "", TOKENS: "", TOKEN_HASHES: "",
        },
    }
}

pub(super) fn id_of(id: AccountId) -> Uuid {
    Uuid::from_bytes(id.0.into_bytes())
}

pub(super) const fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.0)
}

pub(super) const fn timestamp(date: DateTime) -> Timestamp {
    Timestamp(date.timestamp_millis())
}

/// A hash as text, which people who look into a database can compare.
pub(super) fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    bytes?.try_into().ok()
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// All names of marks, for a query that an index answers.
pub(super) fn mark_names() -> [&'static str; 3] {
    [SessionMark::Rewrite, SessionMark::End, SessionMark::Remove].map(mark_name)
}

const fn mark_name(mark: SessionMark) -> &'static str {
    match mark {
        SessionMark::Rewrite => "rewrite",
        SessionMark::End => "end",
        SessionMark::Remove => "remove",
    }
}

fn mark_of(name: &str) -> Option<SessionMark> {
    [SessionMark::Rewrite, SessionMark::End, SessionMark::Remove].into_iter().find(|mark| mark_name(*mark) == name)
}
