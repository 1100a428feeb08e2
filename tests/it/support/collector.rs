//! A collector of traces: it takes OTLP over gRPC and keeps every span, or misbehaves on request.

use super::within_patience;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as OtlpSpan;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// The collector; it stops when dropped.
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// How the collector behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It takes what comes.
    Takes,
    /// It says that it cannot now.
    Refuses,
    /// It never answers.
    Hangs,
}

/// A span as it arrived; ids in hex.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub trace: String,
    pub id: String,
    /// Empty where there is none.
    pub parent: String,
    pub state: String,
    pub flags: u32,
    pub name: String,
    /// Number of OTLP: 1 internal, 2 server, 3 client.
    pub kind: i32,
    pub begun: u64,
    pub ended: u64,
    pub attributes: BTreeMap<String, String>,
    pub failed: bool,
}

struct Shared {
    spans: watch::Sender<Vec<Span>>,
    resource: watch::Sender<BTreeMap<String, String>>,
    /// Calls so far, whatever became of them.
    calls: watch::Sender<usize>,
    mood: watch::Sender<Mood>,
}

impl Collector {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        Self::start_in(Mood::Takes).await
    }

    /// Starts in this mood.
    pub async fn start_in(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            spans: watch::Sender::default(),
            resource: watch::Sender::default(),
            calls: watch::Sender::default(),
            mood: watch::Sender::new(mood),
        });
        let service = TraceServiceServer::new(Service(shared.clone()));
        let serving = tokio::spawn(async move {
            let incoming = TcpIncoming::from(listener);
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { address, shared, serving }
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes its mood; what it left unanswered stays so.
    pub fn be(&self, mood: Mood) {
        self.shared.mood.send_replace(mood);
    }

    /// Waits until so many exports have been tried.
    pub async fn called(&self, times: usize) {
        let mut calls = self.shared.calls.subscribe();
        within_patience("an export", calls.wait_for(|calls| *calls >= times)).await.unwrap();
    }

    /// What the sender says of itself.
    pub fn resource(&self) -> BTreeMap<String, String> {
        self.shared.resource.borrow().clone()
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        self.shared.spans.borrow().clone()
    }

    /// The spans of the request of this trace, once that has ended: the request's own first, then its steps as they began.
    pub async fn trace(&self, trace: &str) -> Vec<Span> {
        self.wait_for(trace, |span| span.trace == trace).await
    }

    /// The same for the request with this path.
    pub async fn request(&self, path: &str) -> Vec<Span> {
        self.wait_for(path, |span| span.attributes.get("url.path").is_some_and(|found| found == path)).await
    }

    async fn wait_for(&self, what: &str, is_wanted: impl Fn(&Span) -> bool) -> Vec<Span> {
        let mut spans = self.shared.spans.subscribe();
        let is_wanted = |span: &&Span| span.kind == 2 && is_wanted(span);
        let what = format!("the spans of {what}");
        let all = within_patience(&what, spans.wait_for(|spans| spans.iter().any(|span| is_wanted(&span)))).await.unwrap().clone();
        let request = all.iter().find(is_wanted).unwrap().clone();
        let mut steps: Vec<Span> = all.into_iter().filter(|span| span.trace == request.trace && span.id != request.id).collect();
        steps.sort_by_key(|span| span.begun);
        [vec![request], steps].concat()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Span {
    /// An attribute as text.
    pub fn tells(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

struct Service(Arc<Shared>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.calls.send_modify(|calls| *calls += 1);
        let mood = *self.0.mood.borrow();
        match mood {
            Mood::Takes => {}
            Mood::Refuses => return Err(Status::unavailable("later\nlevel=info forged")),
            Mood::Hangs => std::future::pending().await,
        }
        for told in request.into_inner().resource_spans {
            self.0.resource.send_replace(attributes(told.resource.unwrap_or_default().attributes));
            let spans = told.scope_spans.into_iter().flat_map(|scope| scope.spans).map(Span::from);
            self.0.spans.send_modify(|all| all.extend(spans));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl From<OtlpSpan> for Span {
    fn from(span: OtlpSpan) -> Self {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            state: span.trace_state,
            flags: span.flags,
            name: span.name,
            kind: span.kind,
            begun: span.start_time_unix_nano,
            ended: span.end_time_unix_nano,
            attributes: attributes(span.attributes),
            failed: span.status.is_some_and(|status| status.code == 2),
        }
    }
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: any_value::Value| match value {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        any_value::Value::DoubleValue(number) => number.to_string(),
        other => panic!("{other:?} is no kind of attribute that is sent"),
    };
    attributes.into_iter().map(|pair| (pair.key, text(pair.value.unwrap().value.unwrap()))).collect()
}
