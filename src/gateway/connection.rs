//! A client's connection: its deadlines and limits, and the raw head of each HTTP/1 request, before Pingora's proxy
//! sees any of it. Pingora 0.9 bounds a header read by read only, and not at all on a reused connection, so a client
//! that drips a byte a minute would be kept for ever; here the whole head has one deadline.

use super::head::{end_of_head, inspect};
use super::joined::Joined;
use super::{CurrentGateway, Gateway};
use crate::config::ServerSettings;
use crate::logging::request;
use crate::portal::error_page::Fault;
use bytes::{Buf as _, Bytes, BytesMut};
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use pingora::apps::HttpServerApp as _;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Accept, H2Options, HttpSession as H2Session, handshake};
use pingora::protocols::{ALPN, Digest, Stream};
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use pingora_timeout::timeout as fast_timeout;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// First bytes of HTTP/2 without TLS (RFC 9113 section 3.4).
const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Streams open at once on one HTTP/2 connection.
const MAX_H2_STREAMS: u32 = 100;
/// Malformed streams on one HTTP/2 connection, after which it is closed.
const MAX_H2_REJECTED: u32 = 100;

/// How connections are served; one for all listeners.
pub struct Connections {
    gateway: CurrentGateway,
    /// With the kept connections to upstreams, which no reload closes.
    proxy: Arc<HttpProxy<CurrentGateway>>,
}

impl Connections {
    /// Connections that lead to this gateway.
    #[must_use]
    pub fn new(gateway: CurrentGateway) -> Self {
        let conf = ServerConf {
            // What an upstream pool holds must exceed what is asked of it at once, or connections are made anew.
            upstream_keepalive_pool_size: 1024,
            ..ServerConf::default()
        };
        let proxy = Arc::new(http_proxy(&Arc::new(conf), gateway.clone()));
        Self { gateway, proxy }
    }

    /// Serves a connection until either side has had enough.
    pub async fn serve(&self, stream: Stream, shutdown: ShutdownWatch) {
        let _counted = self.gateway.get().connected();
        let mut stream: Stream = Box::new(Joined::new(stream));
        let h2 = match stream.selected_alpn_proto() {
            Some(ALPN::H2) => true,
            _ if stream.get_ssl_digest().is_none() && self.gateway.get().settings().h2c => {
                match self.starts_with_preface(&mut stream).await {
                    Some(preface) => preface,
                    None => return,
                }
            }
            _ => false,
        };
        if h2 { self.serve_h2(stream, shutdown).await } else { request::scope(self.serve_h1(stream, &shutdown)).await }
    }

    async fn serve_h1(&self, mut stream: Stream, shutdown: &ShutdownWatch) {
        let mut buffer = BytesMut::new();
        let mut wait = self.gateway.get().settings().timeouts.header;
        let mut stop = shutdown.clone();
        loop {
            request::name("");
            if !begins(&mut stream, &mut buffer, wait, &mut stop).await {
                return;
            }
            // The request begins here, and so does what it is served by.
            let gateway = self.gateway.get();
            match read_head(&mut stream, &mut buffer, gateway.settings()).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => return refuse(&gateway, stream, &fault, &buffer).await,
            }
            let mut session = ServerSession::new_http1(stream);
            wait = gateway.settings().timeouts.idle;
            session.set_keepalive(if *shutdown.borrow() { None } else { Some(wait.as_secs().max(1)) });
            session.set_pipelined_prefix(std::mem::take(&mut buffer));
            let Some(Some(reused)) = gateway.watch_over(self.proxy.process_new_http(session, shutdown)).await else {
                return;
            };
            stream = reused.consume().0;
        }
    }

    async fn starts_with_preface(&self, stream: &mut Stream) -> Option<bool> {
        let deadline = self.gateway.get().settings().timeouts.header;
        timeout(deadline, async {
            let mut start = [0_u8; 3];
            if !stream.try_peek(&mut start).await.ok()? || start != H2_PREFACE[..3] {
                return Some(false);
            }
            let mut preface = [0_u8; H2_PREFACE.len()];
            stream.try_peek(&mut preface).await.ok()?;
            Some(preface == H2_PREFACE)
        })
        .await
        .ok()?
    }

    async fn serve_h2(&self, stream: Stream, shutdown: ShutdownWatch) {
        let digest = Arc::new(Digest {
            ssl_digest: stream.get_ssl_digest(),
            timing_digest: stream.get_timing_digest(),
            proxy_digest: stream.get_proxy_digest(),
            socket_digest: stream.get_socket_digest(),
        });
        let (deadline, options) = {
            let gateway = self.gateway.get();
            (gateway.settings().timeouts.header, h2_options(gateway.settings()))
        };
        let Ok(Ok(connection)) = timeout(deadline, handshake(stream, Some(options))).await else {
            return;
        };
        self.accept_streams(connection, digest, shutdown).await;
    }

    /// From the handshake to the first request the header deadline holds; after it the idle timeout, while no request
    /// is on its way.
    async fn accept_streams(
        &self,
        mut connection: h2::server::Connection<Stream, Bytes>,
        digest: Arc<Digest>,
        mut shutdown: ShutdownWatch,
    ) {
        let running = Arc::new(AtomicUsize::new(0));
        let mut rejected = 0;
        let mut wait = self.gateway.get().settings().timeouts.header;
        let mut stopping = false;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = shutdown.wait_for(|stop| *stop), if !stopping => {
                    connection.graceful_shutdown();
                    stopping = true;
                    continue;
                }
                accepted = H2Session::from_h2_conn(&mut connection, digest.clone()) => accepted,
                () = tokio::time::sleep(wait) => {
                    if running.load(Ordering::Acquire) > 0 {
                        continue;
                    }
                    return;
                }
            };
            match accepted {
                Ok(Some(H2Accept::Session(stream))) => {
                    let (gateway, proxy, shutdown) = (self.gateway.get(), self.proxy.clone(), shutdown.clone());
                    wait = gateway.settings().timeouts.idle;
                    let guard = Running::enter(&running);
                    tokio::spawn(async move {
                        let _running = guard;
                        let exchange = proxy.process_new_http(ServerSession::new_http2(stream), &shutdown);
                        request::scope(gateway.watch_over(exchange)).await;
                    });
                }
                Ok(Some(H2Accept::Rejected)) if rejected < MAX_H2_REJECTED => rejected += 1,
                _ => return,
            }
        }
    }
}

/// Reads the first bytes of a request, which may take `wait`; `false` when the connection is over.
async fn begins(stream: &mut Stream, buffer: &mut BytesMut, wait: Duration, stop: &mut ShutdownWatch) -> bool {
    buffer.reserve(2048);
    let first = tokio::select! {
        read = fast_timeout(wait, stream.read_buf(buffer)) => read,
        _ = stop.wait_for(|stop| *stop) => return false,
    };
    matches!(first, Ok(Ok(1..)))
}

/// Reads until the buffer begins with a complete head that is beyond doubt; `false` when the connection is over. From the
/// first byte on, the head has `timeouts.header` in all.
async fn read_head(stream: &mut Stream, buffer: &mut BytesMut, server: &ServerSettings) -> Result<bool, Fault> {
    let largest = server.limits.header;
    let end = match head_so_far(buffer, 0, largest)? {
        Some(end) => end,
        None => match timeout(server.timeouts.header, rest_of_head(stream, buffer, largest)).await {
            Ok(Ok(Some(end))) => end,
            Ok(Ok(None)) => return Ok(false),
            Ok(Err(fault)) => return Err(fault),
            Err(_late) => return Err(Fault::RequestTimeout),
        },
    };
    if let Some(head) = inspect(&buffer[..end])? {
        buffer.advance(end);
        let rest = buffer.split();
        buffer.extend_from_slice(&head);
        buffer.extend_from_slice(&rest);
    }
    Ok(true)
}

/// Reads on until the head is complete; where it ends, or `None` when the client is gone.
async fn rest_of_head(stream: &mut Stream, buffer: &mut BytesMut, largest: usize) -> Result<Option<usize>, Fault> {
    loop {
        let searched = buffer.len();
        if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
            return Ok(None);
        }
        if let Some(end) = head_so_far(buffer, searched, largest)? {
            return Ok(Some(end));
        }
    }
}

/// Where the head ends, if it is complete; what lies before `searched` was looked at already.
fn head_so_far(buffer: &mut BytesMut, searched: usize, largest: usize) -> Result<Option<usize>, Fault> {
    // RFC 9112 section 2.2: an empty line before the request line is passed over.
    while searched == 0 && buffer.starts_with(b"\r\n") {
        buffer.advance(2);
    }
    let end = end_of_head(buffer, searched);
    if end.unwrap_or(buffer.len()) > largest {
        let in_first_line = !buffer[..largest].contains(&b'\n');
        return Err(if in_first_line { Fault::UriTooLong } else { Fault::HeadersTooLarge });
    }
    // A head of bare line feeds would never end for us, though it does for others.
    if end.is_none() && memchr::memmem::find(buffer, b"\n\n").is_some() {
        return Err(Fault::BadRequest("A line of the request does not end in CR LF."));
    }
    Ok(end)
}

/// Answers what never became a request, and closes without losing the answer to a reset.
async fn refuse(gateway: &Gateway, mut stream: Stream, fault: &Fault, head: &[u8]) {
    let response = gateway.refusal(fault, &accept_of(head));
    tracing::info!(target: "portcullis::access", event = "connection_refused", status = response.status().as_u16(), reason = ?fault, "connection refused");
    let answer = super::exchange::to_wire(&response);
    let farewell = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        // What the client still sends is read for a moment: closing on unread bytes resets the connection.
        let mut rest = stream.take(1 << 18);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    };
    let _ = timeout(Duration::from_secs(2), farewell).await;
}

/// Limits without which a client can make us hold memory (CVE-2026-105297 and its kin).
fn h2_options(server: &ServerSettings) -> H2Options {
    let mut options = H2Options::new();
    options
        .max_header_list_size(u32::try_from(server.limits.header).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_H2_STREAMS)
        .max_concurrent_reset_streams(MAX_H2_STREAMS as usize)
        .max_pending_accept_reset_streams(20);
    options
}

/// What the client accepts, as far as a head that was refused can tell: a page for people, or a problem for programs.
fn accept_of(head: &[u8]) -> HeaderMap {
    let html = memchr::memmem::find(head, b"text/html").map(|_| (ACCEPT, HeaderValue::from_static("text/html")));
    html.into_iter().collect()
}

/// Counts one running request until it is dropped.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn enter(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
