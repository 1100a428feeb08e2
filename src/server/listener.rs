//! Listening sockets and their accept loops.

use super::tls::Acceptor;
use super::worker::Worker;
use crate::config::ListenAddress;
use pingora::protocols::l4::socket::SocketAddr as PeerAddress;
use pingora::protocols::l4::stream::Stream as L4Stream;
use pingora::protocols::{GetSocketDigest as _, SocketDigest, Stream};
use pingora::server::ShutdownWatch;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Longest a TLS handshake may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// Where a listener is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BoundAddress {
    /// TCP, with the real port; whether TLS is spoken.
    Tcp(SocketAddr, bool),
    /// Unix socket.
    Unix(PathBuf),
}

impl std::fmt::Display for BoundAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address, true) => write!(f, "https://{address}"),
            Self::Tcp(address, false) => write!(f, "http://{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl BoundAddress {
    /// The TCP address.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address, _) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

/// A bound socket.
pub struct Listener {
    /// Where it is bound.
    pub address: BoundAddress,
    socket: Socket,
    tls: Option<Arc<Acceptor>>,
}

/// A bound socket of either kind.
pub enum Socket {
    /// TCP.
    Tcp(tokio::net::TcpListener),
    /// Unix.
    Unix(tokio::net::UnixListener),
}

impl Listener {
    /// Binds an address.
    ///
    /// # Errors
    /// One sentence that names the address and the remedy.
    pub fn bind(address: &ListenAddress) -> Result<Self, String> {
        match address {
            ListenAddress::Tcp(address) => bind_tcp(*address),
            ListenAddress::Unix(path) => bind_unix(path),
        }
    }

    /// The same, speaking TLS.
    #[must_use]
    pub fn with_tls(mut self, tls: Option<Arc<Acceptor>>) -> Self {
        if let BoundAddress::Tcp(_, speaks_tls) = &mut self.address {
            *speaks_tls = tls.is_some();
        }
        self.tls = tls;
        self
    }

    /// The socket itself, for what is no part of the gateway.
    #[must_use]
    pub fn into_socket(self) -> Socket {
        self.socket
    }

    /// Accepts until told to stop; the workers take turns.
    pub async fn serve(self, workers: Arc<[Worker]>, tracker: Tracker, mut shutdown: ShutdownWatch) {
        for worker in workers.iter().cycle() {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = shutdown.wait_for(|stop| *stop) => break,
            };
            let accepted = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    wait_for_descriptors(&error).await;
                    continue;
                }
            };
            let Some(counted) = tracker.enter() else {
                tracing::warn!(event = "connection_limit_reached", address = %self.address, "closed a connection: server.limits.connections are open already");
                continue;
            };
            let (connections, tls, shutdown) = (worker.connections.clone(), self.tls.clone(), shutdown.clone());
            worker.handle.spawn(async move {
                let _counted = counted;
                let Ok(stream) = accepted.into_stream() else { return };
                let stream: Stream = match tls {
                    None => Box::new(stream),
                    Some(tls) => match tokio::time::timeout(HANDSHAKE_DEADLINE, tls.tls_handshake(stream)).await {
                        Ok(Ok(stream)) => Box::new(stream),
                        // Scanners and closed tabs; nothing to mend here.
                        Ok(Err(_)) | Err(_) => return,
                    },
                };
                connections.serve(stream, shutdown).await;
            });
        }
        if let BoundAddress::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A connection on its way to the runtime that will serve it.
enum Accepted {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

impl Socket {
    async fn accept(&self) -> std::io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener.accept().await.and_then(|(stream, peer)| Ok(Accepted::Tcp(stream.into_std()?, peer))),
            Self::Unix(listener) => listener.accept().await.and_then(|(stream, _)| Ok(Accepted::Unix(stream.into_std()?))),
        }
    }
}

impl Accepted {
    /// Registers it with the runtime that this is called on.
    fn into_stream(self) -> std::io::Result<L4Stream> {
        let (mut stream, peer) = match self {
            Self::Tcp(stream, peer) => {
                stream.set_nodelay(true)?;
                (L4Stream::from(tokio::net::TcpStream::from_std(stream)?), Some(PeerAddress::from(peer)))
            }
            Self::Unix(stream) => (L4Stream::from(tokio::net::UnixStream::from_std(stream)?), None),
        };
        let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
        // The cell is new, so it is empty.
        let _ = digest.peer_addr.set(peer);
        stream.set_socket_digest(digest);
        Ok(stream)
    }
}

fn bind_tcp(address: SocketAddr) -> Result<Listener, String> {
    let bind = || {
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
        }?;
        socket.set_reuseaddr(true)?;
        // Inherited by what is accepted: a WebSocket whose far end vanished is noticed.
        socket.set_keepalive(true)?;
        socket.bind(address)?;
        socket.listen(4096)
    };
    let listener = bind().map_err(|error| format!("cannot listen at {address}: {}", remedy(&error)))?;
    let bound = listener.local_addr().map_err(|error| format!("cannot listen at {address}: {error}"))?;
    Ok(Listener { address: BoundAddress::Tcp(bound, false), socket: Socket::Tcp(listener), tls: None })
}

fn bind_unix(path: &Path) -> Result<Listener, String> {
    let fail = |error: &std::io::Error| format!("cannot listen at unix:{}: {}", path.display(), remedy(error));
    // A socket that nobody listens at is what a killed process left behind.
    if path.exists()
        && std::os::unix::net::UnixStream::connect(path).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    {
        std::fs::remove_file(path).map_err(|error| fail(&error))?;
    }
    let listener = tokio::net::UnixListener::bind(path).map_err(|error| fail(&error))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(|error| fail(&error))?;
    Ok(Listener { address: BoundAddress::Unix(path.to_owned()), socket: Socket::Unix(listener), tls: None })
}

fn remedy(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program listens there; stop it or choose another address".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied; ports below 1024 need the capability CAP_NET_BIND_SERVICE".to_owned(),
        std::io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address".to_owned(),
        _ => error.to_string(),
    }
}

/// Counts open connections, up to a limit.
#[derive(Clone)]
pub struct Tracker {
    open: watch::Sender<usize>,
    limit: Arc<AtomicUsize>,
}

/// An open connection, until it is dropped.
pub struct Entered(watch::Sender<usize>);

impl Tracker {
    /// At most `limit` at once.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { open: watch::Sender::new(0), limit: Arc::new(AtomicUsize::new(limit)) }
    }

    /// From now on at most `limit` at once; those beyond it that are open stay.
    pub fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// One more; `None` at the limit.
    #[must_use]
    pub fn enter(&self) -> Option<Entered> {
        let limit = self.limit.load(Ordering::Relaxed);
        let entered = self.open.send_if_modified(|open| {
            let room = *open < limit;
            *open += usize::from(room);
            room
        });
        entered.then(|| Entered(self.open.clone()))
    }

    /// Waits until there is none.
    pub async fn none_left(&self) {
        // It fails only where the sender is gone, and `self` has it.
        let _ = self.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// After a connection that could not be accepted. Out of file descriptors, asking again at once would spin.
pub(super) async fn wait_for_descriptors(error: &std::io::Error) {
    tracing::warn!(event = "connection_not_accepted", %error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}
