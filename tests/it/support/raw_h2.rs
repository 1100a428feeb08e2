//! An HTTP/2 client (without TLS) that sends exactly the fields it is told to, since a proper one would refuse to. It
//! knows just enough of RFC 9113 to tell how a stream ended.

use super::within_patience;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// One connection.
#[derive(Debug)]
pub struct RawH2(TcpStream);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A response with this status; 0 for one that is not in HPACK's static table.
    Status(u16),
    /// The stream was reset.
    Reset,
    /// The connection was ended.
    Closed,
}

impl Outcome {
    /// Whether the request was not answered as it was meant.
    pub fn is_refusal(self) -> bool {
        !matches!(self, Self::Status(200 | 204 | 206 | 304))
    }
}

/// One request without a body on a connection of its own.
pub async fn exchange(address: SocketAddr, fields: &[(&str, &str)]) -> Outcome {
    let mut raw = RawH2::connect(address).await;
    raw.headers(1, fields, true).await;
    raw.outcome(1).await
}

impl RawH2 {
    /// Connects and sends preface and settings.
    pub async fn connect(address: SocketAddr) -> Self {
        let mut raw = Self(within_patience("a connection", TcpStream::connect(address)).await.unwrap());
        raw.0.write_all(PREFACE).await.unwrap();
        raw.frame(SETTINGS, 0, 0, &[]).await;
        raw
    }

    /// Sends header fields as they are, pseudo-fields included.
    pub async fn headers(&mut self, stream: u32, fields: &[(&str, &str)], end: bool) {
        let mut block = Vec::new();
        for (name, value) in fields {
            // RFC 7541 section 6.2.3: a literal that is never indexed, its name and value not Huffman-coded.
            block.push(0x10);
            for text in [name, value] {
                block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("short texts only"));
                block.extend_from_slice(text.as_bytes());
            }
        }
        self.frame(HEADERS, END_HEADERS | if end { END_STREAM } else { 0 }, stream, &block).await;
    }

    /// Sends part of a body.
    pub async fn data(&mut self, stream: u32, data: &[u8], end: bool) {
        self.frame(DATA, if end { END_STREAM } else { 0 }, stream, data).await;
    }

    /// Waits until the stream is answered or over.
    pub async fn outcome(&mut self, stream: u32) -> Outcome {
        within_patience("the end of an HTTP/2 stream", async {
            loop {
                let Some((kind, flags, id, payload)) = self.next_frame().await else { return Outcome::Closed };
                match kind {
                    HEADERS if id == stream => return Outcome::Status(status(&payload)),
                    RST_STREAM if id == stream => return Outcome::Reset,
                    GOAWAY => return Outcome::Closed,
                    SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]).await,
                    _ => {}
                }
            }
        })
        .await
    }

    /// Waits until the peer closes the connection.
    pub async fn closed(&mut self) {
        while self.next_frame().await.is_some() {}
    }

    async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        // The peer may have closed already; that is seen by reading.
        let _ = self.0.write_all(&[head, payload.to_vec()].concat()).await;
    }

    async fn next_frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0_u8; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).await.ok()?;
        Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
    }
}

/// RFC 7541 appendix A: the statuses that take one byte, which servers send first.
fn status(block: &[u8]) -> u16 {
    match block.first() {
        Some(0x88) => 200,
        Some(0x89) => 204,
        Some(0x8a) => 206,
        Some(0x8b) => 304,
        Some(0x8c) => 400,
        Some(0x8d) => 404,
        Some(0x8e) => 500,
        _ => 0,
    }
}
