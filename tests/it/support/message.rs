//! HTTP/1.1 messages as bytes: reads heads and bodies off a stream without correcting anything, so that tests see
//! exactly what was sent. It is no validating parser; that is the gateway's part.

use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest head or chunk line that is read before the peer is taken for broken.
const LARGEST_LINE: usize = 4 << 20;

/// Start line and headers as received.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Every byte up to and including the empty line.
    pub raw: Vec<u8>,
    /// Request line or status line, without its line break.
    pub start: String,
    /// Headers in order, repeated ones kept, names as spelt, values without surrounding blanks.
    pub headers: Vec<(String, String)>,
}

impl Head {
    fn parse(raw: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&raw).into_owned();
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        Self { start, headers: lines.filter(|line| !line.is_empty()).map(header).collect(), raw }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a header, in order.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// The word of the start line at `index`: method, target, version; or version, status.
    pub fn start_word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    /// Whether a comma-separated header has this member.
    pub fn lists(&self, name: &str, member: &str) -> bool {
        self.header_values(name).iter().flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(member))
    }
}

/// How the end of a body is found (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Nothing follows the head.
    Empty,
    /// So many bytes.
    Length(u64),
    /// Chunks and trailers.
    Chunked,
    /// Until the connection closes.
    Close,
}

impl Framing {
    /// How a request's body is framed.
    pub fn of_request(head: &Head) -> Self {
        Self::declared(head).unwrap_or(Self::Empty)
    }

    /// How a response's body is framed.
    pub fn of_response(head: &Head, to_head: bool) -> Self {
        let status: u16 = head.start_word(1).parse().unwrap_or(0);
        if to_head || status < 200 || status == 204 || status == 304 {
            return Self::Empty;
        }
        Self::declared(head).unwrap_or(Self::Close)
    }

    fn declared(head: &Head) -> Option<Self> {
        if head.lists("transfer-encoding", "chunked") {
            return Some(Self::Chunked);
        }
        head.header("content-length").and_then(|value| value.parse().ok()).map(Self::Length)
    }
}

/// A stream read through a buffer that outlives each message.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Nothing has been read yet.
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The stream itself, to write to.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The stream and what was read from it but not used.
    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// The next head; `None` when the peer closed between messages.
    pub async fn head(&mut self) -> Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                return Ok(Some(Head::parse(self.buffer.drain(..end + 4).collect())));
            }
            match self.fill().await? {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(Error::new(ErrorKind::UnexpectedEof, "closed within a head")),
                _ if self.buffer.len() > LARGEST_LINE => return Err(Error::other("the head never ends")),
                _ => {}
            }
        }
    }

    /// The next piece of a body, as it arrives, and what is left of the body after it.
    pub async fn piece(&mut self, framing: Framing) -> Result<Piece> {
        match framing {
            Framing::Empty | Framing::Length(0) => Ok(Piece::End(Vec::new())),
            Framing::Length(left) => {
                let data = self.some(usize::try_from(left).unwrap_or(usize::MAX)).await?;
                if data.is_empty() {
                    return Err(Error::new(ErrorKind::UnexpectedEof, "closed within a body"));
                }
                let rest = left - data.len() as u64;
                Ok(Piece::Data(data, Framing::Length(rest)))
            }
            Framing::Close => {
                let data = self.some(usize::MAX).await?;
                Ok(if data.is_empty() { Piece::End(Vec::new()) } else { Piece::Data(data, Framing::Close) })
            }
            Framing::Chunked => self.chunk().await,
        }
    }

    /// The whole body and its trailers.
    pub async fn body(&mut self, mut framing: Framing) -> Result<(Vec<u8>, Vec<(String, String)>)> {
        let mut body = Vec::new();
        loop {
            match self.piece(framing).await? {
                Piece::Data(data, rest) => {
                    body.extend_from_slice(&data);
                    framing = rest;
                }
                Piece::End(trailers) => return Ok((body, trailers)),
            }
        }
    }

    /// Reads more into the buffer; 0 when the peer closed.
    pub async fn fill(&mut self) -> Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }

    async fn chunk(&mut self) -> Result<Piece> {
        let line = self.line().await?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|_| Error::other(format!("not a chunk size: {line:?}")))?;
        if size > 0 {
            while self.buffer.len() < size + 2 {
                self.more().await?;
            }
            let data = self.buffer.drain(..size).collect();
            self.buffer.drain(..2);
            return Ok(Piece::Data(data, Framing::Chunked));
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(Piece::End(trailers));
            }
            trailers.push(header(&line));
        }
    }

    async fn line(&mut self) -> Result<String> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more().await?;
        }
    }

    async fn some(&mut self, most: usize) -> Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        let length = self.buffer.len().min(most);
        Ok(self.buffer.drain(..length).collect())
    }

    async fn more(&mut self) -> Result<()> {
        match self.fill().await? {
            0 => Err(Error::new(ErrorKind::UnexpectedEof, "closed within a chunked body")),
            _ => Ok(()),
        }
    }
}

/// Part of a body.
#[derive(Debug)]
pub enum Piece {
    /// Bytes, and how the rest is framed.
    Data(Vec<u8>, Framing),
    /// The end, with the trailers of a chunked body.
    End(Vec<(String, String)>),
}

fn header(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
