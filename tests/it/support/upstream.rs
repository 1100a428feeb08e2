//! A protected application for tests: it keeps every request as received, answers with what it saw, and misbehaves on
//! request. Streams advance when the test says so, never by a clock. The last segments of the path decide:
//!
//! | path | answer |
//! | --- | --- |
//! | anything else | 200, JSON of method, target, version, headers, body length and SHA-256 |
//! | `status/<n>` | that status |
//! | `headers?Name=value&…` | 200 with these headers |
//! | `set-cookie?name=value&…` | 200 with one `Set-Cookie` each |
//! | `big?bytes=n` | n bytes with `Content-Length` (`&chunked`: in chunks) |
//! | `range` | 1,000 known bytes; `Range` is obeyed |
//! | `trailers` | a chunked body and a trailer |
//! | `mirror` | each piece of the body, sent back as it arrives |
//! | `sse`, `drip` | what [`EchoUpstream::push`] gives, as events or as plain chunks |
//! | `slow` | the echo, once [`EchoUpstream::release`] allows it |
//! | `ws` | a WebSocket that echoes |
//! | `close`, `partial`, `garbage` | no answer, half an answer, no HTTP |

mod answer;
mod connection;
mod streams;

pub use answer::BIG_PATTERN;

use super::message::Head;
use super::within_patience;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinHandle;

/// The application; it stops when dropped.
pub struct EchoUpstream {
    address: Option<SocketAddr>,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Request line and headers.
    pub head: Head,
    /// The body, as far as it has arrived.
    pub body: Vec<u8>,
    /// Trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Whether the request arrived to its end.
    pub complete: bool,
    /// Text and binary messages that came over a WebSocket.
    pub messages: Vec<Vec<u8>>,
}

impl Received {
    /// Method as received.
    pub fn method(&self) -> &str {
        self.head.start_word(0)
    }

    /// Target as received.
    pub fn target(&self) -> &str {
        self.head.start_word(1)
    }
}

/// What is sent on the open streams.
#[derive(Clone, Debug)]
enum Push {
    Data(Vec<u8>),
    End,
}

#[derive(Debug)]
struct Shared {
    requests: Mutex<Vec<Received>>,
    changes: watch::Sender<()>,
    connections: AtomicUsize,
    open_streams: watch::Sender<usize>,
    pushes: broadcast::Sender<Push>,
    gate: Semaphore,
    pages: Mutex<HashMap<String, Page>>,
}

/// A fixed answer.
#[derive(Clone, Debug)]
struct Page {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl EchoUpstream {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::new();
        let accepting = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    stream.set_nodelay(true).ok();
                    tokio::spawn(connection::serve(stream, shared.clone()));
                }
            }
        });
        Self { address: Some(address), shared, accepting }
    }

    /// Starts on a free port of 127.0.0.1, speaking TLS.
    pub async fn start_tls(config: Arc<rustls::ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::new();
        let accepting = tokio::spawn({
            let (shared, acceptor) = (shared.clone(), tokio_rustls::TlsAcceptor::from(config));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (shared, acceptor) = (shared.clone(), acceptor.clone());
                    tokio::spawn(async move {
                        // A client that does not trust the certificate is no matter of ours.
                        if let Ok(stream) = acceptor.accept(stream).await {
                            connection::serve(stream, shared).await;
                        }
                    });
                }
            }
        });
        Self { address: Some(address), shared, accepting }
    }

    /// Starts on a Unix socket.
    pub fn start_unix(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let shared = Shared::new();
        let accepting = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection::serve(stream, shared.clone()));
                }
            }
        });
        Self { address: None, shared, accepting }
    }

    /// Where it listens; it must listen on TCP.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("an upstream on a unix socket has no address")
    }

    /// `http://127.0.0.1:port`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Answers every request for a path so from now on; `headers` must name the body's type.
    pub fn serve(&self, path: &str, status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.shared.pages.lock().unwrap().insert(path.to_owned(), Page { status, headers, body: body.into() });
    }

    /// How many requests have reached it.
    pub fn seen(&self) -> usize {
        self.shared.requests.lock().unwrap().len()
    }

    /// How many connections have reached it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The latest request.
    pub fn last(&self) -> Received {
        self.shared.requests.lock().unwrap().last().cloned().expect("no request has reached the upstream")
    }

    /// Waits until the requests so far fulfil a condition.
    pub async fn wait_until(&self, what: &str, condition: impl Fn(&[Received]) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        within_patience(what, async {
            while !condition(&self.shared.requests.lock().unwrap()) {
                changes.changed().await.unwrap();
            }
        })
        .await;
    }

    /// Waits until exactly so many streams (`sse`, `drip`, `slow`, `mirror`, `ws`) are open.
    pub async fn wait_for_open_streams(&self, count: usize) {
        let mut open = self.shared.open_streams.subscribe();
        within_patience(&format!("{count} open streams at the upstream"), open.wait_for(|now| *now == count)).await.unwrap();
    }

    /// Sends bytes on every open `sse` and `drip`.
    pub fn push(&self, data: impl Into<Vec<u8>>) {
        self.shared.pushes.send(Push::Data(data.into())).expect("no stream is open");
    }

    /// Ends every open `sse` and `drip`.
    pub fn end_streams(&self) {
        self.shared.pushes.send(Push::End).expect("no stream is open");
    }

    /// Lets so many requests to `slow` be answered.
    pub fn release(&self, count: usize) {
        self.shared.gate.add_permits(count);
    }
}

impl Drop for EchoUpstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            requests: Mutex::default(),
            changes: watch::Sender::new(()),
            connections: AtomicUsize::new(0),
            open_streams: watch::Sender::new(0),
            pushes: broadcast::Sender::new(1024),
            gate: Semaphore::new(0),
            pages: Mutex::default(),
        })
    }

    /// Keeps a new request and gives its place.
    fn record(&self, head: Head) -> usize {
        let mut requests = self.requests.lock().unwrap();
        requests.push(Received { head, ..Received::default() });
        let index = requests.len() - 1;
        drop(requests);
        self.changes.send_replace(());
        index
    }

    fn update(&self, index: usize, change: impl FnOnce(&mut Received)) {
        change(&mut self.requests.lock().unwrap()[index]);
        self.changes.send_replace(());
    }

    fn page(&self, path: &str) -> Option<Page> {
        self.pages.lock().unwrap().get(path).cloned()
    }
}
