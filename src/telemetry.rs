//! Traces of requests for a collector: spans are recorded here and sent beside requests. Where no collector is configured, or
//! whoever asks does not want the trace recorded, nothing is.

mod exporter;
mod otlp;
mod span;

pub use span::{Kind, Open, Recording, Span, Value};

use crate::clock::SharedClock;
use crate::config::OtlpCollector;
use crate::trace_context::TraceContext;
use exporter::Exporter;
use span::Recorded;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Requests whose spans wait to be sent; those of further ones are dropped.
const CAPACITY: usize = 4096;

/// Where spans are recorded; clones are one. When the last is dropped, what was recorded is still sent, by a thread that is
/// waited for by nobody.
#[derive(Clone, Default)]
pub struct Telemetry(Option<Arc<Sink>>);

/// What takes the spans of requests that have ended.
struct Sink {
    queue: mpsc::Sender<Recorded>,
    dropped: Arc<AtomicU64>,
    clock: SharedClock,
    sending: Mutex<Sending>,
}

/// How far the thread is that sends.
enum Sending {
    /// Not started yet.
    Due(Exporter),
    /// It runs until told to stop, or until nobody can tell it any more, and says when it has ended.
    Runs { stop: oneshot::Sender<()>, ended: oneshot::Receiver<()> },
    /// It was told.
    Over,
}

impl Telemetry {
    /// Recording for this collector; `None` records nothing.
    #[must_use]
    pub fn new(collector: Option<&OtlpCollector>, clock: SharedClock) -> Self {
        Self(collector.map(|collector| {
            let (queue, recorded) = mpsc::channel(CAPACITY);
            let dropped = Arc::new(AtomicU64::new(0));
            let exporter = Exporter::new(collector.clone(), recorded, Arc::clone(&dropped));
            Arc::new(Sink { queue, dropped, clock, sending: Mutex::new(Sending::Due(exporter)) })
        }))
    }

    /// Starts the thread that sends; only the first time, and only where there is a collector.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(&self) -> std::io::Result<()> {
        let Some(sink) = &self.0 else { return Ok(()) };
        let mut sending = sink.sending();
        if !matches!(*sending, Sending::Due(_)) {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ((stop, stopped), (ending, ended)) = (oneshot::channel(), oneshot::channel());
        if let Sending::Due(exporter) = std::mem::replace(&mut *sending, Sending::Runs { stop, ended }) {
            let run = move || {
                runtime.block_on(exporter.run(stopped));
                // A name that is being looked up is waited for by nobody.
                runtime.shutdown_background();
                // Nobody may wait for the end.
                let _ = ending.send(());
            };
            std::thread::Builder::new().name("traces".to_owned()).spawn(run)?;
        }
        Ok(())
    }

    /// Sends what was recorded, for a few seconds at most. Nothing is recorded any more from now on.
    pub async fn stop(&self) {
        let Some(sink) = &self.0 else { return };
        let sending = std::mem::replace(&mut *sink.sending(), Sending::Over);
        if let Sending::Runs { stop, ended } = sending {
            drop(stop);
            // A thread that panicked has ended, too.
            let _ = ended.await;
        }
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

impl Sink {
    fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::host::Host;

    fn telemetry() -> Telemetry {
        let collector = OtlpCollector { https: false, host: Host::parse("collector.test").unwrap(), port: 4317 };
        Telemetry::new(Some(&collector), Arc::new(ManualClock::at(Timestamp(1))))
    }

    #[test]
    fn nothing_is_recorded_without_a_collector_or_against_the_callers_wish() {
        let clock = Arc::new(ManualClock::at(Timestamp(1)));
        assert!(Telemetry::new(None, clock).record(TraceContext::begin(true)).is_none());
        assert!(Telemetry::default().start().is_ok());
        assert!(telemetry().record(TraceContext::begin(false)).is_none());
        assert!(telemetry().record(TraceContext::begin(true)).is_some());
    }

    /// Issue "collector down never slows a request": there is an end to what waits for it
    #[test]
    fn when_too_many_wait_further_ones_are_dropped_and_counted() {
        let telemetry = telemetry();
        for _ in 0..CAPACITY + 7 {
            telemetry.record(TraceContext::begin(true)).unwrap().finish("GET /", |_| {});
        }
        let sink = telemetry.0.as_ref().unwrap();
        assert_eq!((sink.queue.capacity(), sink.dropped.load(Ordering::Relaxed)), (0, 7));
    }
}
