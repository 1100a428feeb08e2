//! The port to wherever letters wait to be sent.

use crate::clock::Timestamp;
use crate::store::StoreError;
use async_trait::async_trait;
use uuid::Uuid;

/// A letter that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Identity; ordered by time (UUID version 7).
    pub id: Uuid,
    /// The letter, encrypted.
    pub sealed: Vec<u8>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was posted.
    pub posted_at: Timestamp,
}

/// Where letters wait. Every method is atomic; whatever returns has been stored durably.
#[async_trait]
pub trait OutboxStore: Send + Sync {
    /// Keeps a letter that is due at once.
    ///
    /// # Errors
    /// When the store failed, or holds [`MOST_LETTERS`] letters already (on some stores a few more, when many are
    /// posted at once).
    async fn post(&self, letter: &Queued) -> Result<(), StoreError>;

    /// Takes the letter that has been due longest: nobody else gets it until `lease`, so that of many gateways one sends it.
    async fn claim(&self, now: Timestamp, lease: Timestamp) -> Result<Option<Queued>, StoreError>;

    /// Notes that it was tried `attempts` times, and is due again at `due`. One that is gone stays gone.
    async fn postpone(&self, id: Uuid, attempts: u32, due: Timestamp) -> Result<(), StoreError>;

    /// Erases a letter that was delivered or given up.
    async fn remove(&self, id: Uuid) -> Result<(), StoreError>;

    /// How many letters wait.
    async fn depth(&self) -> Result<u64, StoreError>;
}

/// Most letters that wait: whoever floods a page that posts letters fills no disk.
pub const MOST_LETTERS: u32 = 10_000;

/// Why a letter was not kept.
pub(crate) fn full() -> StoreError {
    StoreError(format!("{MOST_LETTERS} letters wait to be sent, see why the mail server takes none"))
}
