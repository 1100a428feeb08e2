//! Traces of requests for a collector: spans are recorded here and sent beside requests. Where no collector is configured, or
//! whoever asks does not want the trace recorded, nothing is.

mod exporter;
mod otlp;
mod span;

pub use exporter::Exporter;
pub use span::{Kind, Open, Recording, Span, Value};

use crate::clock::SharedClock;
use crate::config::OtlpCollector;
use crate::trace_context::TraceContext;
use span::Recorded;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Requests whose spans wait to be sent; those of further ones are dropped.
const CAPACITY: usize = 4096;

/// Where spans are recorded; clones are one.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Arc<Sink>>);

/// What takes the spans of requests that have ended.
struct Sink {
    queue: mpsc::Sender<Recorded>,
    dropped: Arc<AtomicU64>,
    clock: SharedClock,
    exporter: Mutex<Option<Exporter>>,
}

impl Telemetry {
    /// Recording for this collector; `None` records nothing.
    #[must_use]
    pub fn new(collector: Option<&OtlpCollector>, clock: SharedClock) -> Self {
        Self(collector.map(|collector| {
            let (queue, recorded) = mpsc::channel(CAPACITY);
            let dropped = Arc::new(AtomicU64::new(0));
            let exporter = Exporter::new(collector.clone(), recorded, Arc::clone(&dropped));
            Arc::new(Sink { queue, dropped, clock, exporter: Mutex::new(Some(exporter)) })
        }))
    }

    /// What sends the spans; it is given once.
    #[must_use]
    pub fn take_exporter(&self) -> Option<Exporter> {
        let sink = self.0.as_ref()?;
        sink.exporter.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether traces that begin here are recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins to record a request of this trace, if it is to be recorded.
    #[must_use]
    pub fn record(&self, context: TraceContext) -> Option<Recording> {
        let sink = self.0.as_ref().filter(|_| context.sampled())?;
        Some(Recording::begin(context, sink.clock.unix_nanos(), self.clone()))
    }

    /// Takes the spans of a request that has ended; never waits.
    fn push(&self, recorded: Recorded) {
        let Some(sink) = &self.0 else { return };
        if sink.queue.try_send(recorded).is_err() {
            sink.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
