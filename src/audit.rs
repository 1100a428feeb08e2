//! Who did what to whom, from where, and how it ended: append-only records, kept in the user store and told to the log.

mod event;
mod log;
mod sequence;
mod store;
mod writer;

pub use event::{Action, Event, Outcome, Party, Record};
pub use log::TARGET as LOG_TARGET;
pub use store::{AuditStore, Filter};

use crate::clock::{SharedClock, Timestamp};
use crate::metrics::Metrics;
use crate::store::StoreError;
use sequence::Sequence;
use std::sync::Arc;
use writer::Writer;

/// The use case: writing and reading the records. Dropping it stores what was recorded.
pub struct Audit {
    store: Arc<dyn AuditStore>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    sequence: Sequence,
    writer: Writer,
}

impl Audit {
    /// Starts the thread that stores records.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(store: Arc<dyn AuditStore>, clock: SharedClock, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let writer = Writer::start(Arc::clone(&store))?;
        Ok(Self { store, clock, metrics, sequence: Sequence::default(), writer })
    }

    /// Records an event. It never fails and never waits: the log and the metrics have it at once, the store
    /// soon.
    pub fn record(&self, event: Event) {
        self.metrics.record(&event);
        let now = self.clock.now();
        let record = event.into_record(self.sequence.next(now), now);
        log::write(&record);
        self.writer.push(record);
    }

    /// Up to `limit` records, newest first, those included that were recorded here just now.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list(&self, filter: Filter, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.flush().await;
        self.store.list(filter, limit).await
    }

    /// Waits until what was recorded is stored; in vain for a few seconds at most.
    pub async fn flush(&self) {
        self.writer.flush().await;
    }

    /// Removes records made before `oldest`.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        self.store.purge(oldest).await
    }
}

#[cfg(test)]
mod tests;
