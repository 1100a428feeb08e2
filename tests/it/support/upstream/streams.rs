//! Answers that take their time: pushed streams, the mirror, the held answer and the WebSocket. Each counts as an open
//! stream for as long as the other side keeps it.

use super::answer::chunk_bytes;
use super::connection::{Exchange, Stream};
use super::{Push, Shared};
use crate::support::message::Wire;
use futures_util::{SinkExt, StreamExt};
use std::io::Result;
use std::sync::Arc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Counts as an open stream until dropped.
struct OpenStream(Arc<Shared>);

impl OpenStream {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open_streams.send_modify(|open| *open += 1);
        Self(shared.clone())
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open_streams.send_modify(|open| *open -= 1);
    }
}

/// Sends what the test pushes, until it ends the stream or the other side closes.
pub async fn pushed<S: Stream>(mut exchange: Exchange<S>, content_type: &str) -> Result<Option<Wire<S>>> {
    let mut pushes = exchange.shared.pushes.subscribe();
    let events = content_type == "text/event-stream";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n");
    exchange.send(head.as_bytes()).await?;
    let _open = OpenStream::new(&exchange.shared);
    loop {
        let push = tokio::select! {
            push = pushes.recv() => push,
            closed = exchange.closed_by_peer() => return closed.map(|()| None),
        };
        match push {
            Ok(Push::Data(data)) if events => {
                let event = [b"data: ".as_slice(), &data, b"\n\n"].concat();
                exchange.send(&chunk_bytes(&event)).await?;
            }
            Ok(Push::Data(data)) => exchange.send(&chunk_bytes(&data)).await?,
            Ok(Push::End) => {
                exchange.send(b"0\r\n\r\n").await?;
                return Ok(Some(exchange.wire));
            }
            Err(_) => return Ok(None),
        }
    }
}

/// Waits for the test's leave to answer; false when the other side closes before.
pub async fn hold<S: Stream>(exchange: &mut Exchange<S>) -> bool {
    let shared = exchange.shared.clone();
    let _open = OpenStream::new(&shared);
    tokio::select! {
        permit = shared.gate.acquire() => {
            permit.unwrap().forget();
            true
        }
        _ = exchange.closed_by_peer() => false,
    }
}

/// Sends each piece of the body back as it arrives.
pub async fn mirror<S: Stream>(mut exchange: Exchange<S>) -> Result<Option<Wire<S>>> {
    let mut framing = exchange.begin_body().await?;
    exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
    let _open = OpenStream::new(&exchange.shared);
    while let Some((data, rest)) = exchange.receive_piece(framing).await? {
        exchange.send(&chunk_bytes(&data)).await?;
        framing = rest;
    }
    exchange.send(b"0\r\n\r\n").await?;
    Ok(Some(exchange.wire))
}

/// Upgrades and echoes messages until the other side closes.
pub async fn websocket<S: Stream>(mut exchange: Exchange<S>) -> Result<Option<Wire<S>>> {
    let accept = derive_accept_key(exchange.head.header("sec-websocket-key").unwrap_or_default().as_bytes());
    let head =
        format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
    exchange.send(head.as_bytes()).await?;
    let Exchange { wire, shared, index, .. } = exchange;
    let _open = OpenStream::new(&shared);
    let (stream, read_ahead) = wire.into_parts();
    let mut socket = WebSocketStream::from_partially_read(stream, read_ahead, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            shared.update(index, |received| received.messages.push(message.clone().into_data().to_vec()));
            if socket.send(message).await.is_err() {
                break;
            }
        }
    }
    Ok(None)
}
