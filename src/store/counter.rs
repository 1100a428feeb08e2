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
    /// Whether it was within the limit. One that was not is not counted, so that asking on does not prolong the wait.
    pub allowed: bool,
    /// How many more are.
    pub left: u32,
    /// When the window closes.
    pub resets_at: Timestamp,
}

/// Counts in windows. Keys are names such as `rate_limit:auth:{hmac}`. Every method is atomic: of many who ask at once,
/// no more than the limit are allowed.
#[async_trait]
pub trait CounterStore: Send + Sync {
    /// Counts one, if that is within the limit.
    async fn count(&self, key: &str, limit: Limit, now: Timestamp) -> Result<Counted, StoreError>;

    /// Gives back one that was counted, if the window is still open.
    async fn give_back(&self, key: &str, now: Timestamp) -> Result<(), StoreError>;

    /// How many are counted in the window that is open, and when it closes; `None` where none is open. Counts nothing.
    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError>;

    /// Closes the window.
    async fn clear(&self, key: &str) -> Result<(), StoreError>;

    /// Removes windows that have closed.
    async fn purge(&self, now: Timestamp) -> Result<(), StoreError>;
}

impl Counted {
    /// One that is counted as number `count`.
    pub(super) fn allowed(limit: Limit, count: u32, resets_at: Timestamp) -> Self {
        Self { allowed: true, left: limit.most.saturating_sub(count), resets_at }
    }

    /// One beyond the limit.
    pub(super) fn refused(resets_at: Timestamp) -> Self {
        Self { allowed: false, left: 0, resets_at }
    }
}
