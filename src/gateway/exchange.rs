//! One request and its answer: what is established of the request before anything is decided, and how an answer of
//! our own is written.

use super::client::Peer;
use crate::config::Settings;
use crate::host::Host;
use crate::portal::Arrival;
use crate::portal::accept::names_html;
use crate::portal::error_page::Fault;
use crate::target::{BadTarget, Target};
use bytes::{Bytes, BytesMut};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, REFERER, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Method, Response, Version};
use pingora::Result;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session as Exchange;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::time::timeout;

/// Largest body that is read to its end although nobody wants it, so that the connection can be kept.
const SMALL_BODY: u64 = 64 << 10;
/// Longest and most that an unwanted body is read for otherwise, and longest for one read.
pub const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 16 << 20;
const LINGER_READ: Duration = Duration::from_secs(1);

/// What a request is beyond doubt.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Method, one of those let through.
    pub method: Method,
    /// Host asked for.
    pub host: Host,
    /// Host asked for, with the port where the client named one.
    pub authority: String,
    /// Path and query.
    pub target: Target,
    /// Whether the effective scheme is `https`.
    pub https: bool,
    /// Whether it asks to become a WebSocket, or anything else that is no answer.
    pub websocket: bool,
    /// Whether the peer is a trusted proxy.
    pub behind_proxy: bool,
    /// The peer's own address.
    pub peer: Peer,
    /// The client's address, as far as the network tells.
    pub client: Option<IpAddr>,
}

impl Facts {
    /// Establishes the facts of a request. What HTTP/1 heads alone can get wrong was refused before; this holds for
    /// HTTP/2 as well.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn establish(exchange: &Exchange, settings: &Settings) -> Result<Self, Fault> {
        let request = exchange.req_header();
        if !settings.server.methods.contains(&request.method) {
            return Err(Fault::MethodNotAllowed);
        }
        let (host, authority) = host(request)?;
        let target = Target::parse(request.raw_path()).map_err(|BadTarget(reason)| Fault::BadRequest(reason))?;
        check_credentials(&request.headers)?;
        check_body(request, settings)?;
        let peer = Peer::of(exchange.client_addr());
        let behind_proxy = peer.is_trusted(&settings.server.trusted_proxies);
        Ok(Self {
            method: request.method.clone(),
            host,
            authority,
            target,
            https: is_https(exchange, behind_proxy, settings),
            websocket: is_upgrade(&request.headers),
            behind_proxy,
            peer,
            client: peer.client(&request.headers, &settings.server.trusted_proxies),
        })
    }

    /// The client's address for rules: where it is unknown, one that lies in no network of interest.
    #[must_use]
    pub fn client_for_rules(&self) -> IpAddr {
        self.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Scheme and authority: `https://app.example.com`.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme(), self.authority)
    }
}

/// Whether the request asks for the methods of the server as a whole (RFC 9110 section 9.3.7), and not for a page.
#[must_use]
pub fn asks_server(request: &RequestHeader) -> bool {
    request.method == Method::OPTIONS && request.raw_path() == b"*"
}

/// The host and authority that the request names: `Host`, or `:authority` in HTTP/2, which must agree.
///
/// # Errors
/// When it names none, or several, or what is no host.
pub fn host(request: &RequestHeader) -> Result<(Host, String), Fault> {
    let refused = || Fault::BadRequest("The Host header is malformed.");
    let mut values = request.headers.get_all(HOST).iter().map(http::HeaderValue::as_bytes);
    let pseudo = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    let named = match (values.next(), pseudo) {
        (Some(host), Some(pseudo)) if !host.eq_ignore_ascii_case(pseudo) => return Err(refused()),
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => return Err(Fault::BadRequest("The request names no host.")),
    };
    if values.next().is_some() {
        return Err(refused());
    }
    let text = std::str::from_utf8(named).map_err(|_| refused())?;
    let (host, port) = Host::parse_authority(text).ok_or_else(refused)?;
    let authority = port.map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
    Ok((host, authority))
}

/// Servers disagree on what bytes beyond ASCII mean in credentials.
///
/// # Errors
/// Where there are some.
pub fn check_credentials(headers: &HeaderMap) -> Result<(), Fault> {
    let ascii = headers.get_all(AUTHORIZATION).iter().all(|value| value.as_bytes().is_ascii());
    if ascii { Ok(()) } else { Err(Fault::BadRequest("The Authorization header is not ASCII.")) }
}

/// Framing and size of the body, as far as the headers tell.
fn check_body(request: &RequestHeader, settings: &Settings) -> Result<(), Fault> {
    if request.version == Version::HTTP_2 && request.headers.contains_key(TRANSFER_ENCODING) {
        return Err(Fault::BadRequest("HTTP/2 has no Transfer-Encoding."));
    }
    let mut lengths = request.headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(());
    };
    let length = length.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    match length {
        _ if lengths.next().is_some() => Err(Fault::BadRequest("Content-Length stands in the request twice.")),
        None => Err(Fault::BadRequest("The request's Content-Length is not a number.")),
        Some(length) if length > settings.server.limits.proxied_body => Err(Fault::PayloadTooLarge),
        Some(_) => Ok(()),
    }
}

/// Whether the configuration says that browsers use HTTPS, whatever a request came by.
#[must_use]
pub fn fixes_https(settings: &Settings) -> bool {
    settings.cookies.secure == Some(true) || settings.portal.url.as_ref().is_some_and(|url| url.https)
}

/// TLS, or `X-Forwarded-Proto` from a trusted proxy; fixed by `cookies.secure` and an `https` portal.
fn is_https(exchange: &Exchange, behind_proxy: bool, settings: &Settings) -> bool {
    fixes_https(settings) || is_tls(exchange) || (behind_proxy && tells_https(&exchange.req_header().headers))
}

/// What is believed of how a request came.
#[must_use]
pub fn arrival(exchange: &Exchange, facts: &Facts) -> Arrival {
    let told_https = facts.behind_proxy && tells_https(&exchange.req_header().headers);
    Arrival { peer: facts.peer.address(), trusted: facts.behind_proxy, tls: is_tls(exchange), told_https }
}

fn tells_https(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all("x-forwarded-proto").iter();
    protocols.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https")) && protocols.next().is_none()
}

/// Whether the client's connection is TLS to us.
#[must_use]
pub fn is_tls(exchange: &Exchange) -> bool {
    exchange.digest().is_some_and(|digest| digest.ssl_digest.is_some())
}

/// Whether the request would become a WebSocket.
#[must_use]
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
}

/// Whether the request would become a WebSocket, also where a proxy has taken `Upgrade` away as hop-by-hop.
#[must_use]
pub fn asks_for_websocket(headers: &HeaderMap) -> bool {
    is_upgrade(headers) || headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Whether a person is looking: the answer may be a redirect to the login. Fetch Metadata first, since `fetch()` and
/// navigations are otherwise told apart by guesswork only.
#[must_use]
pub fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &str, expected: &[u8]| headers.get(name).is_none_or(|value| value.as_bytes().eq_ignore_ascii_case(expected));
    is("sec-fetch-mode", b"navigate")
        && is("sec-fetch-dest", b"document")
        && names_html(headers)
        && !headers.contains_key("x-requested-with")
        && !asks_for_websocket(headers)
}

/// Whether a body is a form's.
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii());
    kind.is_some_and(|kind| {
        [&b"application/x-www-form-urlencoded"[..], b"multipart/form-data", b"text/plain"]
            .iter()
            .any(|form| kind.eq_ignore_ascii_case(form))
    })
}

/// Path and query of the page that the request came from, if that is on the host asked for.
#[must_use]
pub fn same_origin_referer(headers: &HeaderMap, facts: &Facts) -> Option<String> {
    let referer = url::Url::parse(headers.get(REFERER)?.to_str().ok()?).ok()?;
    let authority = match referer.port() {
        Some(port) => format!("{}:{port}", referer.host_str()?),
        None => referer.host_str()?.to_owned(),
    };
    (authority == facts.authority).then(|| referer[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

/// Writes an answer of our own to the client. A body that nobody read and that is not small ends the connection, and
/// not at once: a client that is still sending would lose the answer to a reset (RFC 9112 section 9.6).
pub async fn write(exchange: &mut Exchange, response: Response<Bytes>) -> Result<()> {
    let unread = left_unread(exchange);
    if unread {
        exchange.set_keepalive(None);
    }
    write_whole(exchange, response).await?;
    if unread && !exchange.req_header().headers.contains_key(EXPECT) {
        exchange.finish_body().await?;
        linger(exchange).await;
    }
    Ok(())
}

/// Whether the request has a body that was not read and is not worth reading to keep the connection.
fn left_unread(exchange: &mut Exchange) -> bool {
    let request = exchange.req_header();
    if request.version == Version::HTTP_2 {
        return false;
    }
    let declared = request.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    let small = declared.is_some_and(|length| length <= SMALL_BODY) && !request.headers.contains_key(EXPECT);
    let has_body = declared.is_some() || request.headers.contains_key(TRANSFER_ENCODING);
    has_body && !small && !exchange.is_body_done()
}

/// Reads and forgets what the client still sends, for a while.
async fn linger(exchange: &mut Exchange) {
    let discard = async {
        let mut left = LINGER_BYTES;
        while let Ok(Ok(Some(chunk))) = timeout(LINGER_READ, exchange.read_request_body()).await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = timeout(LINGER, discard).await;
}

async fn write_whole(exchange: &mut Exchange, response: Response<Bytes>) -> Result<()> {
    let (mut parts, body) = response.into_parts();
    parts.version = Version::HTTP_11;
    let bodiless = exchange.req_header().method == Method::HEAD || parts.status == 204 || parts.status == 304;
    // A page of the portal has left its body out already, and says how long it would have been (RFC 9110 section 8.6).
    let told = exchange.req_header().method == Method::HEAD && parts.headers.contains_key(CONTENT_LENGTH);
    if parts.status != 204 && parts.status != 304 && !told {
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let header = ResponseHeader::from(parts);
    let end = bodiless || body.is_empty();
    exchange.write_response_header(Box::new(header), end).await?;
    if !end {
        exchange.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

/// HTTP/1.0 knows no chunks: such a body ends with the connection (RFC 9112 section 6.1).
pub fn speak_the_clients_version(exchange: &mut Exchange, response: &mut ResponseHeader) {
    if exchange.req_header().version == Version::HTTP_10 && response.remove_header(&TRANSFER_ENCODING).is_some() {
        exchange.set_keepalive(None);
    }
}

/// An answer as bytes of HTTP/1.1, after which the connection closes.
#[must_use]
pub fn to_wire(response: &Response<Bytes>) -> Bytes {
    let status = response.status();
    let mut wire = BytesMut::with_capacity(1024 + response.body().len());
    wire.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("")).as_bytes());
    for (name, value) in response.headers().iter().filter(|(name, _)| **name != CONNECTION && **name != CONTENT_LENGTH) {
        wire.extend_from_slice(name.as_str().as_bytes());
        wire.extend_from_slice(b": ");
        wire.extend_from_slice(value.as_bytes());
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", response.body().len()).as_bytes());
    wire.extend_from_slice(response.body());
    wire.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap())).collect()
    }

    /// contract 3.6
    #[test]
    fn only_a_navigation_is_sent_to_the_login() {
        let html = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        assert!(is_navigation(&headers(&[html])));
        assert!(is_navigation(&headers(&[html, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")])));
        for other in [
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "iframe"),
            ("x-requested-with", "XMLHttpRequest"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "x"),
        ] {
            assert!(!is_navigation(&headers(&[html, other])), "{other:?}");
        }
        assert!(!is_navigation(&headers(&[("accept", "*/*")])));
        assert!(!is_navigation(&headers(&[("accept", "text/html;q=0, */*")])), "RFC 9110 section 12.4.2: not acceptable");
        assert!(!is_navigation(&headers(&[("accept", "application/json")])));
        assert!(!is_navigation(&headers(&[])));
    }
}
