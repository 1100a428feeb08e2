//! The thread that brings records to the store, many at a time. Whoever records never waits for it: what does not fit into
//! its queue, or is not stored by the end, stands in the log alone.

use super::{AuditStore, Record};
use crate::clock::Stopwatch;
use crate::work_queue::{Next, WorkQueue};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// The thread's handle; dropping it stores what was recorded, if the store takes it.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    queue: WorkQueue<Item>,
    /// Records are being dropped; told once.
    overflowing: AtomicBool,
    /// The store did not take the last batch.
    failing: AtomicBool,
}

enum Item {
    Record(Box<Record>),
    /// Somebody waits until all that came before is stored.
    Flush(oneshot::Sender<()>),
}

/// Records that wait; of at most a few KiB each.
const CAPACITY: usize = 8192;

/// Most records that are stored together.
const BATCH: usize = 256;

/// How long the first record of a batch waits for others.
const GATHER: Duration = Duration::from_millis(100);

/// How often a store that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Longest that anybody waits for the store.
const FLUSH_PATIENCE: Duration = Duration::from_secs(3);

/// How often an idle thread looks up from its queue.
const IDLE: Duration = Duration::from_mins(1);

impl Writer {
    pub(super) fn start(store: Arc<dyn AuditStore>) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let shared =
            Arc::new(Shared { queue: WorkQueue::new(CAPACITY), overflowing: AtomicBool::new(false), failing: AtomicBool::new(false) });
        let work = Work { shared: Arc::clone(&shared), store, runtime };
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || work.run())?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Hands a record over.
    pub(super) fn push(&self, record: Record) {
        let full = self.shared.queue.push(Item::Record(Box::new(record))).is_err();
        if full && !self.shared.overflowing.swap(true, Ordering::Relaxed) {
            tracing::error!(
                event = "audit_overflow",
                "audit records come faster than the user store takes them, further ones stand in the log only"
            );
        }
    }

    /// Waits until what was handed over is stored; at once where the store fails.
    pub(super) async fn flush(&self) {
        let (done, waiting) = oneshot::channel();
        if self.shared.failing.load(Ordering::Relaxed) || self.shared.queue.push(Item::Flush(done)).is_err() {
            return;
        }
        let _ = tokio::time::timeout(FLUSH_PATIENCE, waiting).await;
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    shared: Arc<Shared>,
    store: Arc<dyn AuditStore>,
    runtime: Runtime,
}

/// What is stored together, and who waits for it.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Work {
    fn run(self) {
        loop {
            match self.shared.queue.next(IDLE) {
                Next::Work(first) => self.keep(self.gather(first)),
                Next::Idle => {}
                Next::Closed => return,
            }
        }
    }

    /// The item and those that follow it shortly.
    fn gather(&self, first: Item) -> Batch {
        let mut batch = Batch::default();
        let begun = Stopwatch::start();
        let mut next = Next::Work(first);
        while let Next::Work(item) = next {
            match item {
                Item::Record(record) => batch.records.push(*record),
                Item::Flush(done) => batch.waiting.push(done),
            }
            if batch.records.len() >= BATCH {
                break;
            }
            let patience = if batch.waiting.is_empty() { GATHER.saturating_sub(begun.elapsed()) } else { Duration::ZERO };
            next = self.shared.queue.next(patience);
        }
        batch
    }

    /// Stores the batch, trying again until the end.
    fn keep(&self, batch: Batch) {
        let mut ending = false;
        while let Err(error) = self.append(&batch.records) {
            if !self.shared.failing.swap(true, Ordering::Relaxed) {
                tracing::error!(event = "audit_not_stored", %error, "audit records cannot be stored, trying again; the log has them");
            }
            if ending {
                let lost = batch.records.len() + self.shared.queue.drain(CAPACITY).len();
                tracing::error!(event = "audit_lost", lost, "audit records were not stored before the end; the log has them");
                return;
            }
            ending = self.shared.queue.closed_within(RETRY);
        }
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            tracing::info!(event = "audit_stored_again", "audit records are stored again");
        }
        self.shared.overflowing.store(false, Ordering::Relaxed);
        for waiting in batch.waiting {
            let _ = waiting.send(());
        }
    }

    fn append(&self, records: &[Record]) -> Result<(), crate::store::StoreError> {
        if records.is_empty() { Ok(()) } else { self.runtime.block_on(self.store.append(records)) }
    }
}
