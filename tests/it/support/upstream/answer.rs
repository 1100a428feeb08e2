//! Answers that are known at once, as a function of the request.

use super::{Page, Received};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// What `big` and `range` repeat.
pub const BIG_PATTERN: &[u8; 10] = b"0123456789";

/// Bytes of `range`.
const RANGE_LENGTH: usize = 1000;

/// Largest chunk of a chunked answer.
const CHUNK: usize = 16 << 10;

/// A response that is known at once.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    trailers: Option<Vec<(String, String)>>,
}

impl Answer {
    /// A fixed page.
    pub fn page(page: Page) -> Self {
        Self { status: page.status, headers: page.headers, body: page.body, trailers: None }
    }

    /// The answer to a request; `segments` are its path's, last one first.
    pub fn to(received: &Received, segments: &[String]) -> Self {
        let query = query(received.target());
        if segments.get(1).is_some_and(|segment| segment == "status") {
            return Self::plain(segments[0].parse().unwrap_or(500), b"a status on request\n".to_vec());
        }
        match segments[0].as_str() {
            "headers" => Self { headers: query, ..Self::plain(200, b"see the headers\n".to_vec()) },
            "set-cookie" => {
                let cookies = query.into_iter().map(|(name, value)| ("Set-Cookie".to_owned(), format!("{name}={value}")));
                Self { headers: cookies.collect(), ..Self::plain(200, b"see the cookies\n".to_vec()) }
            }
            "big" => Self::big(&query),
            "range" => Self::range(received),
            "trailers" => Self {
                headers: vec![("Trailer".to_owned(), "X-Checksum".to_owned())],
                trailers: Some(vec![("X-Checksum".to_owned(), "abc".to_owned())]),
                ..Self::plain(200, b"followed by a trailer\n".to_vec())
            },
            _ => Self::echo(received),
        }
    }

    /// The response on the wire.
    pub fn into_bytes(self, to_head: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let bodiless = self.status < 200 || self.status == 204 || self.status == 304;
        if self.trailers.is_some() {
            head.push_str("Transfer-Encoding: chunked\r\n");
        } else if !bodiless {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if to_head || bodiless {
            return bytes;
        }
        let Some(trailers) = self.trailers else {
            bytes.extend_from_slice(&self.body);
            return bytes;
        };
        for chunk in self.body.chunks(CHUNK) {
            bytes.extend_from_slice(&chunk_bytes(chunk));
        }
        bytes.extend_from_slice(b"0\r\n");
        for (name, value) in &trailers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    fn plain(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("Content-Type".to_owned(), "text/plain".to_owned())], body, trailers: None }
    }

    fn echo(received: &Received) -> Self {
        let mut digest = String::new();
        for byte in Sha256::digest(&received.body) {
            let _ = write!(digest, "{byte:02x}");
        }
        let body = json!({
            "method": received.method(),
            "target": received.target(),
            "version": received.head.start_word(2),
            "headers": received.head.headers,
            "body": { "length": received.body.len(), "sha256": digest },
        });
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status: 200, headers, body: body.to_string().into_bytes(), trailers: None }
    }

    fn big(query: &[(String, String)]) -> Self {
        let bytes = query.iter().find(|(name, _)| name == "bytes").and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        let chunked = query.iter().any(|(name, _)| name == "chunked");
        let body = BIG_PATTERN.iter().copied().cycle().take(bytes).collect();
        Self { trailers: chunked.then(Vec::new), ..Self::plain(200, body) }
    }

    fn range(received: &Received) -> Self {
        let whole: Vec<u8> = BIG_PATTERN.iter().copied().cycle().take(RANGE_LENGTH).collect();
        let tag = ("ETag".to_owned(), "\"known\"".to_owned());
        let Some(asked) = received.head.header("range") else {
            let accepts = ("Accept-Ranges".to_owned(), "bytes".to_owned());
            return Self { headers: vec![accepts, tag], ..Self::plain(200, whole) };
        };
        let Some((first, last)) = satisfiable(asked) else {
            let place = ("Content-Range".to_owned(), format!("bytes */{RANGE_LENGTH}"));
            return Self { headers: vec![place], ..Self::plain(416, Vec::new()) };
        };
        let place = ("Content-Range".to_owned(), format!("bytes {first}-{last}/{RANGE_LENGTH}"));
        Self { headers: vec![place, tag], ..Self::plain(206, whole[first..=last].to_vec()) }
    }
}

/// Bytes as one chunk.
pub fn chunk_bytes(data: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// First and last byte of a single `bytes=first-[last]` range.
fn satisfiable(asked: &str) -> Option<(usize, usize)> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last = if last.is_empty() { RANGE_LENGTH - 1 } else { last.parse::<usize>().ok()?.min(RANGE_LENGTH - 1) };
    (first <= last).then_some((first, last))
}

fn query(target: &str) -> Vec<(String, String)> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unnamed")
}
