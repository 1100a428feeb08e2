//! The outbox: letters are kept here, encrypted, from the moment somebody posts them until they are sent or given up.

use super::{Letter, OutboxStore, Queued};
use crate::clock::{SharedClock, Timestamp};
use crate::sealing::Sealer;
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use uuid::Uuid;

/// Takes letters, and hands them to the delivery.
pub struct Outbox {
    store: Arc<dyn OutboxStore>,
    clock: SharedClock,
    sealer: Sealer,
    has_mail: bool,
    posted: Notify,
}

/// A letter that nobody else sends until the lease ends.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) id: Uuid,
    /// How often it was tried before.
    pub(super) attempts: u32,
    pub(super) posted_at: Timestamp,
    /// `None` where it cannot be decrypted.
    pub(super) letter: Option<Letter>,
}

/// How long a claimed letter is nobody else's; longer than any attempt to send it takes.
pub(super) const LEASE: Duration = Duration::from_secs(45);

impl Outbox {
    /// An outbox whose letters are sent.
    #[must_use]
    pub fn new(store: Arc<dyn OutboxStore>, clock: SharedClock, sealer: Sealer) -> Self {
        Self { store, clock, sealer, has_mail: true, posted: Notify::new() }
    }

    /// One for a site without mail: it takes only letters that also change something.
    #[must_use]
    pub fn without_mail(self) -> Self {
        Self { has_mail: false, ..self }
    }

    /// Whether mails are sent at all. Where they are not, posting a letter is of no use and does no harm.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.has_mail
    }

    /// Keeps the letter, encrypted, until it is sent or given up. It returns when that is durable.
    ///
    /// # Errors
    /// When the store failed, or too many letters wait.
    pub async fn post(&self, letter: &Letter) -> Result<(), StoreError> {
        if !self.has_mail && !matches!(letter, Letter::AccountLocked { .. }) {
            return Ok(());
        }
        let posted_at = self.clock.now();
        let id = new_id(posted_at);
        let plain = serde_json::to_vec(letter).map_err(|error| StoreError(format!("a letter cannot be written down: {error}")))?;
        let sealed = self.sealer.seal(&context(id), &plain);
        self.store.post(&Queued { id, sealed, attempts: 0, posted_at }).await?;
        self.posted.notify_one();
        Ok(())
    }

    /// How many letters wait.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn depth(&self) -> Result<u64, StoreError> {
        self.store.depth().await
    }

    /// The present moment, by the clock that tells when letters are due.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until a letter is posted in this process; one posted meanwhile counts.
    pub(super) async fn posted(&self) {
        self.posted.notified().await;
    }

    /// Takes a letter that is due.
    pub(super) async fn claim(&self) -> Result<Option<Claimed>, StoreError> {
        let now = self.clock.now();
        let queued = self.store.claim(now, now.plus(LEASE)).await?;
        Ok(queued.map(|Queued { id, sealed, attempts, posted_at }| {
            let plain = self.sealer.open(&context(id), &sealed);
            Claimed { id, attempts, posted_at, letter: plain.and_then(|plain| serde_json::from_slice(&plain).ok()) }
        }))
    }

    /// Has a letter tried again after `pause`.
    pub(super) async fn postpone(&self, claimed: &Claimed, pause: Duration) -> Result<(), StoreError> {
        self.store.postpone(claimed.id, claimed.attempts.saturating_add(1), self.clock.now().plus(pause)).await
    }

    /// Erases a letter.
    pub(super) async fn remove(&self, claimed: &Claimed) -> Result<(), StoreError> {
        self.store.remove(claimed.id).await
    }

    /// What was posted and not looked at before.
    #[cfg(test)]
    pub(crate) async fn letters(&self) -> Vec<Letter> {
        let mut letters = Vec::new();
        while let Some(claimed) = self.claim().await.unwrap() {
            self.remove(&claimed).await.unwrap();
            letters.push(claimed.letter.unwrap());
        }
        letters
    }
}

fn new_id(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &crate::entropy::random_bytes()).into_uuid()
}

/// Binds what is sealed to its place, so that letters cannot be exchanged in the store.
fn context(id: Uuid) -> String {
    format!("letter {id}")
}
