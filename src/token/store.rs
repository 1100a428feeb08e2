//! The ports to wherever keys and tokens are kept: signing keys and personal tokens beside the accounts, refresh tokens
//! beside the sessions.

use crate::account::{Account, AccountId};
use crate::clock::Timestamp;
use crate::config::TokenAlgorithm;
use crate::store::StoreError;
use crate::token::Scope;
use async_trait::async_trait;
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// A signing key as it is kept: the private half encrypted with `secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// Its `kid`.
    pub id: String,
    /// What it signs with; a key is never used with another algorithm.
    pub algorithm: TokenAlgorithm,
    /// Counts the keys of an algorithm: of several gateways that make the next key at once, one does.
    pub number: u64,
    /// The private key or shared secret, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs; it is published before.
    pub signs_from: Timestamp,
}

/// Where signing keys are kept.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// All keys, oldest first.
    async fn list(&self) -> Result<Vec<SealedKey>, StoreError>;

    /// Adds a key, unless there is one of this algorithm and number; whether it was added.
    async fn add(&self, key: &SealedKey) -> Result<bool, StoreError>;

    /// Replaces what is sealed, where it still is `from`: to encrypt it with another secret.
    async fn reseal(&self, id: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError>;

    /// Removes a key that verifies nothing any longer.
    async fn remove(&self, id: &str) -> Result<(), StoreError>;
}

/// What is kept of a family of refresh tokens: its present token, and which one that replaced. All earlier ones are told by their
/// claims, so that a family takes no more room however long it is used. What is presented is a signed JWT: this opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Its `jti`.
    pub id: Uuid,
    /// Whose it is.
    pub account: AccountId,
    /// What it and all its predecessors and successors have in common: one sign-in of one program.
    pub family: Uuid,
    /// The token that it replaced, if it is not the first.
    pub predecessor: Option<Uuid>,
    /// The account's generation at sign-in; a later one ends the family.
    pub generation: u64,
    /// When the program signed in.
    pub began_at: Timestamp,
    /// When this token was made.
    pub issued_at: Timestamp,
    /// When the family ends whatever happens.
    pub expires_at: Timestamp,
    /// Address that it was issued to.
    pub client: Option<IpAddr>,
    /// `User-Agent` that it was issued to, at most 256 characters.
    pub user_agent: String,
}

/// A refresh token that is presented, and what is to take its place.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// Whose it is.
    pub account: AccountId,
    /// Its family.
    pub family: Uuid,
    /// The token presented.
    pub presented: Uuid,
    /// The next one.
    pub successor: Uuid,
    /// Address that asks.
    pub client: Option<IpAddr>,
    /// `User-Agent` that asks, at most 256 characters.
    pub user_agent: String,
}

/// What became of a refresh token that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Its successor has taken its place.
    Rotated,
    /// It was replaced a moment ago, by this one, which is still unused: a client repeats itself.
    Repeated(RefreshToken),
    /// It was replaced before: somebody has a copy. The family has been ended by this call.
    Reused,
    /// Its family has expired or was ended.
    Unknown,
}

impl RefreshToken {
    /// What becomes of `presented`, a token of this family that we signed, while this one is the present one.
    #[must_use]
    pub fn judge(&self, presented: Uuid, grace: Duration, now: Timestamp) -> Rotation {
        if now >= self.expires_at {
            Rotation::Unknown
        } else if presented == self.id {
            Rotation::Rotated
        } else if self.predecessor == Some(presented) && now < self.issued_at.plus(grace) {
            Rotation::Repeated(self.clone())
        } else {
            Rotation::Reused
        }
    }

    /// The family with the renewal's successor as its present token.
    #[must_use]
    pub fn renewed(self, renewal: Renewal, now: Timestamp) -> Self {
        let Renewal { presented, successor, client, user_agent, .. } = renewal;
        Self { id: successor, predecessor: Some(presented), issued_at: now, client, user_agent, ..self }
    }
}

/// Where refresh tokens are kept. Every method is atomic; whatever returns has been stored durably.
#[async_trait]
pub trait RefreshTokenStore: Send + Sync {
    /// Begins a family, and ends the account's oldest ones beyond `max_families`, never the new one.
    async fn create(&self, token: &RefreshToken, max_families: usize, now: Timestamp) -> Result<(), StoreError>;

    /// Replaces the token presented by its successor, as [`RefreshToken::judge`] says. Done twice it leads to the same.
    async fn rotate(&self, renewal: &Renewal, grace: Duration, now: Timestamp) -> Result<Rotation, StoreError>;

    /// Ends a family; whether there was one.
    async fn end(&self, account: AccountId, family: Uuid) -> Result<bool, StoreError>;

    /// Ends all families of the account; how many there were.
    async fn end_all(&self, account: AccountId) -> Result<u64, StoreError>;

    /// Ends the families that were begun at a generation of the account before `generation`; how many there were.
    async fn end_outdated(&self, account: AccountId, generation: u64) -> Result<u64, StoreError>;

    /// The account's families that have not expired, the one that began last first.
    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<RefreshToken>, StoreError>;

    /// Removes what has expired.
    async fn purge(&self, now: Timestamp) -> Result<(), StoreError>;
}

/// What is kept of a personal token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalToken {
    /// To name it by.
    pub id: Uuid,
    /// Whose it is.
    pub account: AccountId,
    /// The account's `resets` when it was made; at any other number it opens nothing.
    pub resets: u64,
    /// Keyed hash (HMAC-SHA-256 under a key derived from `secret`) of the text.
    pub hash: [u8; 32],
    /// What its owner calls it.
    pub name: String,
    /// Where it may be used.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, about.
    pub last_used: Option<Timestamp>,
}

/// Where personal tokens are kept: beside the accounts, so that a check is one read. A token that was made at another number of
/// the account's `resets` than the present one is as good as gone, from the write on that raised it; and none outlives its account.
#[async_trait]
pub trait PersonalTokenStore: Send + Sync {
    /// Adds a token, unless the account has `most` already, is gone, or was reset since; whether it was added.
    async fn create(&self, token: &PersonalToken, most: usize) -> Result<bool, StoreError>;

    /// The token with one of these hashes and its owner as stored now, in one read, expired or not, locked or not.
    async fn find(&self, hashes: &[[u8; 32]]) -> Result<Option<(PersonalToken, Account)>, StoreError>;

    /// Notes a use, and keeps the token under this hash from now on: off the caller's path and best effort. It never moves time
    /// back and never creates a token.
    fn touch(&self, token: &PersonalToken, hash: &[u8; 32], used: Timestamp);

    /// The account's tokens, newest first, those that have expired included.
    async fn list(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreError>;

    /// Removes one; whether it was there.
    async fn remove(&self, account: AccountId, id: Uuid) -> Result<bool, StoreError>;
}
