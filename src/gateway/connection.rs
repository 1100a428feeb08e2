//! A client's connection: its deadlines and limits, and the raw head of each HTTP/1 request, before Pingora's proxy
//! sees any of it. Pingora 0.9 bounds a header read by read only, and not at all on a reused connection, so a client
//! that drips a byte a minute would be kept for ever; here the whole head has one deadline.

use super::Gateway;
use super::head::{end_of_head, inspect};
use super::joined::Joined;
use crate::config::{Limits, ServerSettings, Timeouts};
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
    gateway: Gateway,
    proxy: Arc<HttpProxy<Gateway>>,
    timeouts: Timeouts,
    limits: Limits,
    h2c: bool,
}

impl Connections {
    /// Connections that lead to this gateway.
    #[must_use]
    pub fn new(gateway: Gateway, server: &ServerSettings) -> Self {
        let conf = ServerConf {
            // What an upstream pool holds must exceed what is asked of it at once, or connections are made anew.
            upstream_keepalive_pool_size: 1024,
            ..ServerConf::default()
        };
        let proxy = Arc::new(http_proxy(&Arc::new(conf), gateway.clone()));
        Self { gateway, proxy, timeouts: server.timeouts, limits: server.limits, h2c: server.h2c }
    }

    /// Serves a connection until either side has had enough.
    pub async fn serve(&self, stream: Stream, shutdown: ShutdownWatch) {
        let _counted = self.gateway.connected();
        let mut stream: Stream = Box::new(Joined::new(stream));
        let h2 = match stream.selected_alpn_proto() {
            Some(ALPN::H2) => true,
            _ if self.h2c && stream.get_ssl_digest().is_none() => match self.starts_with_preface(&mut stream).await {
                Some(preface) => preface,
                None => return,
            },
            _ => false,
        };
        if h2 { self.serve_h2(stream, shutdown).await } else { self.serve_h1(stream, &shutdown).await }
    }

    async fn serve_h1(&self, mut stream: Stream, shutdown: &ShutdownWatch) {
        let mut buffer = BytesMut::new();
        let mut wait = self.timeouts.header;
        let mut stop = shutdown.clone();
        loop {
            match self.read_head(&mut stream, &mut buffer, wait, &mut stop).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(fault) => return self.refuse(stream, &fault, &buffer).await,
            }
            let mut session = ServerSession::new_http1(stream);
            session.set_keepalive(if *shutdown.borrow() { None } else { Some(self.timeouts.idle.as_secs().max(1)) });
            session.set_pipelined_prefix(std::mem::take(&mut buffer));
            let Some(Some(reused)) = self.gateway.watch_over(self.proxy.process_new_http(session, shutdown)).await else {
                return;
            };
            stream = reused.consume().0;
            wait = self.timeouts.idle;
        }
    }

    /// Reads until the buffer begins with a complete head that is beyond doubt; `false` when the connection is over.
    /// The first byte may take `wait`; from it on, the head has `timeouts.header` in all.
    async fn read_head(&self, stream: &mut Stream, buffer: &mut BytesMut, wait: Duration, stop: &mut ShutdownWatch) -> Result<bool, Fault> {
        buffer.reserve(2048);
        let first = tokio::select! {
            read = fast_timeout(wait, stream.read_buf(buffer)) => read,
            _ = stop.wait_for(|stop| *stop) => return Ok(false),
        };
        if !matches!(first, Ok(Ok(1..))) {
            return Ok(false);
        }
        let end = match self.head_so_far(buffer, 0)? {
            Some(end) => end,
            None => match timeout(self.timeouts.header, self.rest_of_head(stream, buffer)).await {
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
    async fn rest_of_head(&self, stream: &mut Stream, buffer: &mut BytesMut) -> Result<Option<usize>, Fault> {
        loop {
            let searched = buffer.len();
            if !matches!(stream.read_buf(buffer).await, Ok(1..)) {
                return Ok(None);
            }
            if let Some(end) = self.head_so_far(buffer, searched)? {
                return Ok(Some(end));
            }
        }
    }

    /// Where the head ends, if it is complete; what lies before `searched` was looked at already.
    fn head_so_far(&self, buffer: &mut BytesMut, searched: usize) -> Result<Option<usize>, Fault> {
        // RFC 9112 section 2.2: an empty line before the request line is passed over.
        while searched == 0 && buffer.starts_with(b"\r\n") {
            buffer.advance(2);
        }
        let end = end_of_head(buffer, searched);
        if end.unwrap_or(buffer.len()) > self.limits.header {
            let in_first_line = !buffer[..self.limits.header].contains(&b'\n');
            return Err(if in_first_line { Fault::UriTooLong } else { Fault::HeadersTooLarge });
        }
        // A head of bare line feeds would never end for us, though it does for others.
        if end.is_none() && memchr::memmem::find(buffer, b"\n\n").is_some() {
            return Err(Fault::BadRequest("A line of the request does not end in CR LF."));
        }
        Ok(end)
    }

    /// Answers what never became a request, and closes without losing the answer to a reset.
    async fn refuse(&self, mut stream: Stream, fault: &Fault, head: &[u8]) {
        let response = self.gateway.refusal(fault, &accept_of(head));
        tracing::info!(target: "portcullis::access", status = response.status().as_u16(), reason = ?fault, "connection refused");
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

    async fn starts_with_preface(&self, stream: &mut Stream) -> Option<bool> {
        timeout(self.timeouts.header, async {
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
        let Ok(Ok(connection)) = timeout(self.timeouts.header, handshake(stream, Some(self.h2_options()))).await else {
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
        let mut wait = self.timeouts.header;
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
                    wait = self.timeouts.idle;
                    let guard = Running::enter(&running);
                    let (gateway, proxy, shutdown) = (self.gateway.clone(), self.proxy.clone(), shutdown.clone());
                    tokio::spawn(async move {
                        let _running = guard;
                        gateway.watch_over(proxy.process_new_http(ServerSession::new_http2(stream), &shutdown)).await;
                    });
                }
                Ok(Some(H2Accept::Rejected)) if rejected < MAX_H2_REJECTED => rejected += 1,
                _ => return,
            }
        }
    }

    /// Limits without which a client can make us hold memory (CVE-2026-105297 and its kin).
    fn h2_options(&self) -> H2Options {
        let mut options = H2Options::new();
        options
            .max_header_list_size(u32::try_from(self.limits.header).unwrap_or(u32::MAX))
            .max_concurrent_streams(MAX_H2_STREAMS)
            .max_concurrent_reset_streams(MAX_H2_STREAMS as usize)
            .max_pending_accept_reset_streams(20);
        options
    }
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
