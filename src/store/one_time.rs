//! The port for what may be used once: tokens of links, codes that were seen.

use super::StoreError;
use crate::clock::Timestamp;
use async_trait::async_trait;

/// Keeps records, each of which is taken at most once. Keys are names such as `password_reset:{sha256}`; whatever is
/// secret is hashed in them. Every method is atomic; whatever returns has been stored durably.
#[async_trait]
pub trait OneTimeStore: Send + Sync {
    /// Keeps the record until `expires_at`, in place of what is under the key.
    async fn put(&self, key: &str, record: &[u8], now: Timestamp, expires_at: Timestamp) -> Result<(), StoreError>;

    /// Takes the record away, if there is one that has not expired at `now`: of many who ask at once, one gets it.
    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError>;

    /// The record, if there is one that has not expired at `now`. It stays.
    async fn read(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes what has expired.
    async fn purge(&self, now: Timestamp) -> Result<(), StoreError>;
}
