//! The listener for Envoy's gRPC: connections of trusted proxies only, all others are closed before a byte is read.

use super::listener::{BoundAddress, Listener, Socket, wait_for_descriptors};
use crate::gateway::{CurrentGateway, ExtAuthz, Peer};
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use futures_util::stream::{self, Stream};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tonic::transport::Server;

/// Largest question. A body that Envoy was told to send along is no part of what is decided.
const LARGEST_QUESTION: usize = 1 << 20;
/// Questions at once on one connection of Envoy.
const STREAMS: u32 = 1000;
/// Longest that an answer may take; Envoy waits for 200 ms unless told otherwise.
const DEADLINE: Duration = Duration::from_secs(5);

/// Serves until told to stop.
pub(super) async fn serve(listener: Listener, gateway: CurrentGateway, mut stop: watch::Receiver<bool>) {
    let service = AuthorizationServer::new(ExtAuthz::new(gateway.clone())).max_decoding_message_size(LARGEST_QUESTION);
    let server = Server::builder().max_concurrent_streams(STREAMS).timeout(DEADLINE).add_service(service);
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let address = listener.address.clone();
    let served = match listener.into_socket() {
        Socket::Tcp(socket) => server.serve_with_incoming_shutdown(of_trusted(socket, gateway), stopped).await,
        Socket::Unix(socket) => server.serve_with_incoming_shutdown(local(socket, gateway), stopped).await,
    };
    if let Err(error) = served {
        tracing::error!(event = "listener_ended", %error, "the gRPC listener ended");
    }
    if let BoundAddress::Unix(path) = address {
        let _ = std::fs::remove_file(path);
    }
}

/// Connections of trusted peers.
fn of_trusted(socket: TcpListener, gateway: CurrentGateway) -> impl Stream<Item = std::io::Result<TcpStream>> {
    stream::unfold((socket, gateway), async |(socket, gateway)| {
        loop {
            let (stream, peer) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    wait_for_descriptors(&error).await;
                    continue;
                }
            };
            if gateway.get().trusts(Peer::at(Some(peer.ip()))) {
                // Envoy's questions are small, and it waits for each answer.
                let _ = stream.set_nodelay(true);
                return Some((Ok(stream), (socket, gateway)));
            }
            tracing::warn!(event = "peer_untrusted", peer = %peer.ip(), "closed a gRPC connection: the peer is not in server.trusted_proxies");
        }
    })
}

/// Connections on a Unix socket, if its peers are trusted.
fn local(socket: UnixListener, gateway: CurrentGateway) -> impl Stream<Item = std::io::Result<UnixStream>> {
    stream::unfold((socket, gateway), async |(socket, gateway)| {
        loop {
            match socket.accept().await {
                Ok((stream, _)) if gateway.get().trusts(Peer::Unix) => return Some((Ok(stream), (socket, gateway))),
                Ok(_) => tracing::warn!(event = "peer_untrusted", "closed a gRPC connection: `unix` is not in server.trusted_proxies"),
                Err(error) => wait_for_descriptors(&error).await,
            }
        }
    })
}
