//! One connection to the upstream: request after request until either side has had enough.

use super::answer::Answer;
use super::{Received, Shared, streams};
use crate::support::message::{Framing, Head, Piece, Wire};
use std::io::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// What a connection carries.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

/// A request being answered.
pub struct Exchange<S> {
    /// The connection.
    pub wire: Wire<S>,
    /// What all connections share.
    pub shared: Arc<Shared>,
    /// Place of the request among those received.
    pub index: usize,
    /// Start line and headers.
    pub head: Head,
}

/// Answers requests until the connection ends; what goes wrong on it is for the other side to notice.
pub async fn serve<S: Stream>(stream: S, shared: Arc<Shared>) {
    shared.connections.fetch_add(1, Ordering::SeqCst);
    let mut wire = Wire::new(stream);
    while let Ok(Some(head)) = wire.head().await {
        let last = head.lists("connection", "close") || head.start_word(2) == "HTTP/1.0";
        let index = shared.record(head.clone());
        match (Exchange { wire, shared: shared.clone(), index, head }).answer().await {
            Ok(Some(kept)) if !last => wire = kept,
            _ => return,
        }
    }
}

impl<S: Stream> Exchange<S> {
    /// Path without query.
    pub fn path(&self) -> &str {
        self.head.start_word(1).split('?').next().unwrap_or_default()
    }

    /// Whether only the head of the answer is wanted.
    pub fn to_head(&self) -> bool {
        self.head.start_word(0) == "HEAD"
    }

    /// Answers and gives the connection back if it can be used again.
    async fn answer(mut self) -> Result<Option<Wire<S>>> {
        let segments: Vec<String> = self.path().rsplit('/').map(str::to_owned).collect();
        match segments[0].as_str() {
            "close" => return Ok(None),
            "garbage" => {
                self.send(b"this is not HTTP\r\n\r\n").await?;
                return Ok(None);
            }
            "partial" => {
                self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").await?;
                return Ok(None);
            }
            "ws" if self.head.lists("upgrade", "websocket") => return streams::websocket(self).await,
            "mirror" => return streams::mirror(self).await,
            _ => {}
        }
        self.receive_body().await?;
        match segments[0].as_str() {
            "sse" => return streams::pushed(self, "text/event-stream").await,
            "drip" => return streams::pushed(self, "application/octet-stream").await,
            "slow" if !streams::hold(&mut self).await => return Ok(None),
            _ => {}
        }
        let answer = match self.shared.page(self.path()) {
            Some(page) => Answer::page(page),
            None => Answer::to(&self.received(), &segments),
        };
        let bytes = answer.into_bytes(self.to_head());
        self.send(&bytes).await?;
        Ok(Some(self.wire))
    }

    /// The request as far as it has arrived.
    pub fn received(&self) -> Received {
        self.shared.requests.lock().unwrap()[self.index].clone()
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.wire.stream().write_all(bytes).await?;
        self.wire.stream().flush().await
    }

    /// Reads the body to its end, keeping each piece as it arrives.
    async fn receive_body(&mut self) -> Result<()> {
        let mut framing = self.begin_body().await?;
        while let Some((_, rest)) = self.receive_piece(framing).await? {
            framing = rest;
        }
        Ok(())
    }

    /// Says `100 Continue` where it was asked for, and how the body is framed.
    pub async fn begin_body(&mut self) -> Result<Framing> {
        if self.head.lists("expect", "100-continue") {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        Ok(Framing::of_request(&self.head))
    }

    /// Receives and keeps the next piece of the body.
    pub async fn receive_piece(&mut self, framing: Framing) -> Result<Option<(Vec<u8>, Framing)>> {
        match self.wire.piece(framing).await? {
            Piece::Data(data, rest) => {
                self.shared.update(self.index, |received| received.body.extend_from_slice(&data));
                Ok(Some((data, rest)))
            }
            Piece::End(trailers) => {
                self.shared.update(self.index, |received| {
                    received.trailers = trailers;
                    received.complete = true;
                });
                Ok(None)
            }
        }
    }

    /// Waits until the other side closes; anything it sends instead is an error.
    pub async fn closed_by_peer(&mut self) -> Result<()> {
        match self.wire.fill().await {
            Ok(0) | Err(_) => Ok(()),
            Ok(_) => Err(Error::other("bytes while an answer was under way")),
        }
    }
}
