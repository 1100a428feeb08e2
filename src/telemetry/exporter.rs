//! Sends recorded spans to the collector, on a thread of its own and in batches. What the collector does not take in time is
//! tried again while the queue holds it, and then dropped: requests never wait for it.

use super::otlp;
use super::span::Recorded;
use crate::config::OtlpCollector;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::resource::v1::Resource;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

/// Requests whose spans are sent at once.
const BATCH: usize = 512;
/// After the first span of a batch, how long others are waited for.
const GATHER: Duration = Duration::from_millis(200);
/// Longest that the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pause after a batch that the collector could not take.
const RETRY: Duration = Duration::from_secs(2);
/// Longest that the spans which are left are sent for at the end.
const FLUSH: Duration = Duration::from_secs(3);

/// The sender; it has a thread to itself.
pub(super) struct Exporter {
    collector: OtlpCollector,
    queue: mpsc::Receiver<Recorded>,
    batch: Vec<Recorded>,
    dropped: Arc<AtomicU64>,
    resource: Resource,
    failing: bool,
}

impl Exporter {
    pub(super) fn new(collector: OtlpCollector, queue: mpsc::Receiver<Recorded>, dropped: Arc<AtomicU64>) -> Self {
        Self { collector, queue, batch: Vec::new(), dropped, resource: otlp::resource(), failing: false }
    }

    /// Sends until `stopped`, or until nobody can say so any more, and then what is left, for a few seconds at most.
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        let mut client = match connection(&self.collector) {
            Ok(channel) => TraceServiceClient::new(channel),
            Err(error) => {
                tracing::error!(event = "traces_not_sent", collector = %self.collector, %error, "traces cannot be sent");
                return;
            }
        };
        loop {
            tokio::select! {
                biased;
                _ = &mut stopped => break,
                () = self.round(&mut client) => {}
            }
        }
        self.queue.close();
        if timeout(FLUSH, self.flush(&mut client)).await.is_err() || self.failing {
            let lost = self.batch.len() + self.queue.len();
            tracing::warn!(event = "traces_lost", collector = %self.collector, lost, "traces were not sent before the end");
        }
    }

    /// Waits for spans and sends them. May be given up at any point; what was not sent stays in the batch.
    async fn round(&mut self, client: &mut TraceServiceClient<Channel>) {
        if self.batch.is_empty() {
            self.queue.recv_many(&mut self.batch, BATCH).await;
            sleep(GATHER).await;
            self.take_more();
        }
        if self.send(client).await.is_err() {
            sleep(RETRY).await;
        }
    }

    async fn flush(&mut self, client: &mut TraceServiceClient<Channel>) {
        loop {
            self.take_more();
            if self.batch.is_empty() || self.send(client).await.is_err() {
                return;
            }
        }
    }

    fn take_more(&mut self) {
        while self.batch.len() < BATCH
            && let Ok(recorded) = self.queue.try_recv()
        {
            self.batch.push(recorded);
        }
    }

    /// Sends the batch; an error where it should be sent once more.
    async fn send(&mut self, client: &mut TraceServiceClient<Channel>) -> Result<(), ()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let request = otlp::request(&self.resource, &self.batch);
        let sent = timeout(PATIENCE, client.export(request)).await;
        let sent = sent.unwrap_or_else(|_late| Err(Status::deadline_exceeded("no answer in time"))).map(|_answer| ());
        self.tell(sent.as_ref().err());
        if sent.is_err_and(|status| is_temporary(status.code())) {
            return Err(());
        }
        self.batch.clear();
        Ok(())
    }

    /// Tells the log when it begins to fail, and when it works again. What the collector says is no text of ours.
    fn tell(&mut self, error: Option<&Status>) {
        match error {
            Some(status) if !self.failing => {
                let reason: String = status.message().chars().take(200).collect();
                tracing::warn!(event = "traces_not_sent", collector = %self.collector, code = ?status.code(), reason, "traces cannot be sent, trying again");
            }
            None if self.failing => {
                let dropped = self.dropped.swap(0, Ordering::Relaxed);
                tracing::info!(event = "traces_sent_again", collector = %self.collector, dropped, "traces are sent again");
            }
            None if self.dropped.load(Ordering::Relaxed) > 0 => {
                let dropped = self.dropped.swap(0, Ordering::Relaxed);
                tracing::warn!(event = "traces_dropped", collector = %self.collector, dropped, "traces come faster than the collector takes them");
            }
            _ => {}
        }
        self.failing = error.is_some();
    }
}

/// Whether a batch that was refused so may be taken another time (OTLP specification, "OTLP/gRPC response"). Nobody being
/// there is told as `Unknown` or `Unavailable`.
fn is_temporary(code: Code) -> bool {
    use Code::{Aborted, Cancelled, DataLoss, DeadlineExceeded, OutOfRange, ResourceExhausted, Unavailable, Unknown};
    matches!(code, Cancelled | DeadlineExceeded | ResourceExhausted | Aborted | OutOfRange | Unavailable | DataLoss | Unknown)
}

/// A connection that is made when it is first used, and again whenever it has broken.
fn connection(collector: &OtlpCollector) -> Result<Channel, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(collector.to_string())?.connect_timeout(PATIENCE).user_agent("portcullis")?;
    // A collector that vanished without a word would otherwise be waited for on the old connection.
    let endpoint = endpoint.http2_keep_alive_interval(2 * PATIENCE).keep_alive_timeout(PATIENCE);
    let endpoint = if collector.https { endpoint.tls_config(ClientTlsConfig::new().with_native_roots())? } else { endpoint };
    Ok(endpoint.connect_lazy())
}
