//! Metrics as they are read: what costs a store a question is asked then, once at a time and with a deadline. A store that is
//! away leaves its numbers out, and never keeps the others from being read.

use super::App;
use crate::metrics;
use crate::store::StoreError;
use std::time::Duration;

/// Longest that a store is waited for: well within the deadline that Prometheus gives a scrape.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// All metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// When one cannot be written down.
    pub async fn scrape(&self) -> Result<String, metrics::Error> {
        // Many who read at once are no more work for the stores than one after the other.
        let _alone = self.foundation.scraping.lock().await;
        let (sessions, letters) = tokio::join!(answer(self.sessions.count(self.clock.now())), answer(self.letters.depth()));
        self.metrics.sessions_active.set(sessions);
        self.metrics.email_queue_depth.set(letters);
        self.metrics.password_hash_queue_depth.set(i64::try_from(self.hasher.waiting()).unwrap_or(i64::MAX));
        self.metrics.export()
    }
}

/// The answer, if it comes in time; a failure has been counted as one of the store.
async fn answer(question: impl Future<Output = Result<u64, StoreError>>) -> Option<u64> {
    tokio::time::timeout(PATIENCE, question).await.ok()?.ok()
}
