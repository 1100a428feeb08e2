//! Requests as they are written, byte for byte: HTTP libraries refuse to send what is sent here. One connection a request,
//! and every one of them bounded in time and size.

use http::Uri;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST_ANSWER: usize = 1 << 20;
/// Far more than all checks send; reached only if one of them goes astray.
const MOST_REQUESTS: u32 = 2000;
/// Stands for a connection that was closed without a word.
const SILENCE: u16 = 0;

/// A scheme, a name and a port that requests go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    tls: bool,
    host: String,
    port: u16,
}

/// What sends requests.
pub(super) struct Wire {
    tls: TlsConnector,
    connect: Option<SocketAddr>,
    sent: AtomicU32,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Server {
    /// The server of an `http` or `https` address.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let tls = url.scheme() == "https";
        let known = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        let host = url.host_str().filter(|_| known)?.to_owned();
        Some(Self { tls, host, port: url.port_or_known_default()? })
    }

    /// As `Host` names it.
    pub(super) fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Whether a password for `self` may go to `other`: a host of the same site, not by a weaker way.
    pub(super) fn shares_its_site_with(&self, other: &Self) -> bool {
        let site = |host: &str| psl::domain_str(host).unwrap_or(host).to_ascii_lowercase();
        (other.tls || !self.tls) && site(&self.host) == site(&other.host)
    }
}

impl Wire {
    /// `connect`: where connections go instead of where names lead.
    pub(super) fn new(connect: Option<SocketAddr>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions.map_err(|error| format!("cannot speak TLS: {error}"))?.with_root_certificates(roots).with_no_client_auth();
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), connect, sent: AtomicU32::new(0) })
    }

    /// Whether a connection can be made at all.
    pub(super) async fn reaches(&self, server: &Server) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.dial(server)).await, Ok(Ok(_)))
    }

    /// Sends `request` and reads one answer.
    pub(super) async fn exchange(&self, server: &Server, request: &str) -> Result<Answer, String> {
        if self.sent.fetch_add(1, Ordering::Relaxed) >= MOST_REQUESTS {
            return Err("too many requests".into());
        }
        match tokio::time::timeout(PATIENCE, self.send(server, request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("{} does not answer: {error}; is it the address of a running proxy?", server.authority())),
            Err(_) => Err(format!("{} does not answer within {} s", server.authority(), PATIENCE.as_secs())),
        }
    }

    async fn send(&self, server: &Server, request: &str) -> std::io::Result<Answer> {
        let stream = self.dial(server).await?;
        if !server.tls {
            return converse(stream, request).await;
        }
        let name = ServerName::try_from(server.host.clone()).map_err(std::io::Error::other)?;
        converse(self.tls.connect(name, stream).await?, request).await
    }

    async fn dial(&self, server: &Server) -> std::io::Result<TcpStream> {
        match self.connect {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((server.host.trim_start_matches('[').trim_end_matches(']'), server.port)).await,
        }
    }
}

impl Answer {
    /// The first value of a header, by its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Whether the connection was closed instead.
    pub(super) const fn is_silence(&self) -> bool {
        self.status == SILENCE
    }

    /// Whether the request was refused as one that nobody may send.
    pub(super) fn is_refusal(&self) -> bool {
        self.is_silence() || (400..500).contains(&self.status)
    }

    /// Where `Location` leads from `base`.
    pub(super) fn leads_to(&self, base: &Url) -> Option<Url> {
        self.header("location").filter(|location| location.parse::<Uri>().is_ok()).and_then(|location| base.join(location).ok())
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = memchr::memmem::find(bytes, b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        let headers = lines.filter_map(header).collect();
        let mut answer = Self { status, headers, body: String::new() };
        let body = &bytes[end + 4..];
        let body = if answer.is_chunked() { joined_chunks(body) } else { body.to_vec() };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Some(answer)
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    /// Whether `bytes` hold this whole answer, as far as its head tells.
    fn is_whole(&self, bytes: &[u8]) -> bool {
        let body = memchr::memmem::find(bytes, b"\r\n\r\n").map_or(0, |end| bytes.len() - end - 4);
        match self.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => body >= length,
            None if self.is_chunked() => bytes.ends_with(b"\r\n0\r\n\r\n"),
            None => matches!(self.status, 101 | 204 | 304),
        }
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> std::io::Result<Answer> {
    // A server that refuses may close before it has read everything: what it said before that counts.
    if stream.write_all(request.as_bytes()).await.is_ok() {
        let _ = stream.flush().await;
    }
    let mut bytes = Vec::new();
    let mut part = vec![0; 8192];
    loop {
        let count = stream.read(&mut part).await.unwrap_or(0);
        bytes.extend_from_slice(&part[..count]);
        let answer = Answer::parse(&bytes);
        if bytes.is_empty() {
            return Ok(Answer { status: SILENCE, headers: Vec::new(), body: String::new() });
        }
        if count == 0 || bytes.len() > LARGEST_ANSWER {
            return answer.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "what it says is not HTTP"));
        }
        if let Some(answer) = answer.filter(|answer| answer.is_whole(&bytes)) {
            return Ok(answer);
        }
    }
}

fn joined_chunks(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = memchr::memmem::find(bytes, b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).ok().and_then(|line| line.split(';').next());
        let size = size.and_then(|size| usize::from_str_radix(size.trim(), 16).ok()).unwrap_or(0);
        let Some(chunk) = bytes.get(end + 2..(end + 2).saturating_add(size)).filter(|chunk| !chunk.is_empty()) else { break };
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 4 + size..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Server {
        Server::of(&url.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_password_goes_to_hosts_of_the_same_site_only() {
        let wiki = server("https://wiki.example.com/x");
        assert!(wiki.shares_its_site_with(&server("https://auth.example.com")));
        assert!(server("http://127.0.0.1:80").shares_its_site_with(&server("http://127.0.0.1:81")));
        for url in ["http://auth.example.com", "https://auth.example.org", "https://example.com.evil.test"] {
            assert!(!wiki.shares_its_site_with(&server(url)), "{url}");
        }
    }

    #[test]
    fn chunks_are_put_together_and_half_an_answer_is_waited_for() {
        let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmar\n\r\n1;x=y\r\nk\r\n0\r\n\r\n";
        let answer = Answer::parse(whole).unwrap();
        assert_eq!((answer.status, answer.body.as_str(), answer.is_whole(whole)), (200, "mar\nk", true));
        let half = &whole[..whole.len() - 8];
        assert!(!Answer::parse(half).unwrap().is_whole(half));
        assert!(Answer::parse(b"220 mail.example.com ESMTP\r\n\r\n").is_none());
    }
}
