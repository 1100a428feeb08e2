//! A client that sends exactly the bytes it is told to and reports exactly what comes back, for everything that a
//! well-behaved HTTP library would refuse to send.

use super::message::{Framing, Head, Piece, Wire};
use super::within_patience;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// One connection.
#[derive(Debug)]
pub struct Raw<S = TcpStream> {
    wire: Wire<S>,
    framing: Framing,
}

/// A response, whole.
#[derive(Clone, Debug)]
pub struct RawResponse {
    /// Status line and headers.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailers of a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = within_patience("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// Sends `request` on a connection of its own and reads one response.
    pub async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> RawResponse {
        let mut raw = Self::connect(address).await;
        raw.send(request).await;
        raw.response().await
    }
}

impl Raw<UnixStream> {
    /// Connects to a Unix socket.
    pub async fn connect_unix(path: &Path) -> Self {
        Self::over(within_patience("a connection", UnixStream::connect(path)).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Over a stream that is connected already.
    pub fn over(stream: S) -> Self {
        Self { wire: Wire::new(stream), framing: Framing::Empty }
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within_patience("sending", self.wire.stream().write_all(bytes.as_ref())).await.unwrap();
    }

    /// Sends bytes to a peer that may have had enough; false once it has.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        within_patience("sending", self.wire.stream().write_all(bytes.as_ref())).await.is_ok()
    }

    /// The next response, or `None` where the peer closes instead.
    pub async fn try_response(&mut self) -> Option<RawResponse> {
        let head = within_patience("the head of a response, or the end", self.wire.head()).await.ok()??;
        let framing = Framing::of_response(&head, false);
        let (body, trailers) = within_patience("the body of a response", self.wire.body(framing)).await.ok()?;
        Some(RawResponse { head, body, trailers })
    }

    /// The next final response; interim ones (1xx other than 101) are passed over.
    pub async fn response(&mut self) -> RawResponse {
        self.response_framed(false).await
    }

    /// The response to a `HEAD` request: no body follows, whatever its headers say.
    pub async fn response_to_head(&mut self) -> RawResponse {
        self.response_framed(true).await
    }

    /// Status line and headers of the next response, leaving its body to [`Self::piece`].
    pub async fn head(&mut self) -> Head {
        let head = within_patience("the head of a response", self.wire.head()).await.unwrap().expect("closed without a response");
        self.framing = Framing::of_response(&head, false);
        head
    }

    /// The next piece of a streamed body, as soon as it arrives; `None` at its end.
    pub async fn piece(&mut self) -> Option<Vec<u8>> {
        match within_patience("a piece of the body", self.wire.piece(self.framing)).await.unwrap() {
            Piece::Data(data, rest) => {
                self.framing = rest;
                Some(data)
            }
            Piece::End(_) => None,
        }
    }

    /// Waits until the peer closes or resets the connection, and tells how many bytes came before.
    pub async fn closed(&mut self) -> usize {
        within_patience("the connection to close", async {
            let mut bytes = 0;
            loop {
                match self.wire.fill().await {
                    Ok(0) | Err(_) => return bytes,
                    Ok(more) => bytes += more,
                }
            }
        })
        .await
    }

    async fn response_framed(&mut self, to_head: bool) -> RawResponse {
        loop {
            let head = self.head().await;
            if matches!(head.start_word(1), "100" | "102" | "103") {
                continue;
            }
            let framing = Framing::of_response(&head, to_head);
            let (body, trailers) = within_patience("the body of a response", self.wire.body(framing)).await.unwrap();
            return RawResponse { head, body, trailers };
        }
    }
}

impl RawResponse {
    /// Status code.
    pub fn status(&self) -> u16 {
        self.head.start_word(1).parse().unwrap_or_else(|_| panic!("no status in {:?}", self.head.start))
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}
