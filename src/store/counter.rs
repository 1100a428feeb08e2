//! The port for limits: so many in so long.

use super::StoreError;
use crate::clock::Timestamp;
use async_trait::async_trait;
use std::time::Duration;

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Most that are allowed.
    pub most: u32,
    /// How long a window is; it opens with the first that is counted.
    pub per: Duration,
}

/// What became of a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether it is within the limit. One that is not is not counted, so that asking on does not prolong the wait.
    pub allowed: bool,
    /// How many more are after it.
    pub left: u32,
    /// When the window closes.
    pub resets_at: Timestamp,
}

/// Something that is counted once, and the limit that it is counted against.
#[derive(Clone, Debug)]
pub struct Charge {
    /// Name of the counter, such as `rate_limit:auth:{hmac}`.
    pub key: String,
    /// The limit.
    pub limit: Limit,
}

/// Counts in windows. Every method is atomic: of many who ask at once, no more than the limit are allowed.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// Counts one under each key, all different, if every limit allows it; else nothing is counted under any, so that what one
    /// limit refuses uses up no other. What became of each, in their order.
    async fn count_all(&self, charges: &[Charge], now: Timestamp) -> Result<Vec<Counted>, StoreError>;

    /// Counts one, if that is within the limit.
    async fn count(&self, key: &str, limit: Limit, now: Timestamp) -> Result<Counted, StoreError> {
        let counted = self.count_all(&[Charge { key: key.to_owned(), limit }], now).await?;
        counted.into_iter().next().ok_or_else(|| StoreError("a counter gave no answer".to_owned()))
    }

    /// Gives back one that was counted under each key, where the window is still open.
    async fn give_back(&self, keys: &[String], now: Timestamp) -> Result<(), StoreError>;

    /// How many are counted in the window that is open, and when it closes; `None` where none is open. Counts nothing.
    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError>;

    /// Closes the windows.
    async fn clear(&self, keys: &[String]) -> Result<(), StoreError>;

    /// Removes windows that have closed.
    async fn purge(&self, now: Timestamp) -> Result<(), StoreError>;
}

impl Counted {
    /// What a window with so many in it says to one more.
    pub(super) fn judge(limit: Limit, count: u32, resets_at: Timestamp) -> Self {
        Self { allowed: count < limit.most, left: limit.most.saturating_sub(count.saturating_add(1)), resets_at }
    }
}
