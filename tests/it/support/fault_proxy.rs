//! A network between a gateway and a store that does what networks do: it is slow, it is cut, it goes silent, it is not
//! there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Everything passes.
    Good,
    /// Everything passes, so much later.
    Slow(Duration),
    /// Connections are taken and stay open, and nothing passes any more.
    Silent,
    /// Connections are closed as soon as they are made.
    Refusing,
}

/// The network.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    connections: AtomicUsize,
    network: watch::Sender<Network>,
    cuts: watch::Sender<()>,
}

impl FaultProxy {
    /// A good network between a free port of 127.0.0.1 and this one.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { connections: AtomicUsize::new(0), network: watch::Sender::new(Network::Good), cuts: watch::Sender::new(()) });
        let accepting = tokio::spawn({
            let shared = shared.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    shared.connections.fetch_add(1, Ordering::SeqCst);
                    if *shared.network.borrow() != Network::Refusing {
                        tokio::spawn(carry(stream, port, shared.clone()));
                    }
                }
            }
        });
        Self { address, shared, accepting }
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections have been made over it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Makes the network so, for open connections too.
    pub fn set(&self, network: Network) {
        self.shared.network.send_replace(network);
        if network == Network::Refusing {
            self.cut();
        }
    }

    /// Closes all connections there are.
    pub fn cut(&self) {
        self.shared.cuts.send_replace(());
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn carry(near: TcpStream, port: u16, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    tokio::select! {
        _ = cuts.changed() => {}
        () = pump(near_in, far_out, &shared) => {}
        () = pump(far_in, near_out, &shared) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared) {
    let mut network = shared.network.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let Ok(now) = network.wait_for(|network| *network != Network::Silent).await.map(|network| *network) else { return };
        if let Network::Slow(by) = now {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
