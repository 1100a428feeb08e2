//! The running server: listeners, TLS, the admin listener, and how it all stops.
//!
//! The sockets and the accept loops are ours, so that port 0, handed-over sockets and tests need nothing special; what
//! arrives is given to Pingora's proxy connection by connection.

mod ext_authz;
mod listener;
mod live;
mod tls;
mod worker;

pub use listener::{BoundAddress, Listener, Socket};
pub use live::Live;
pub use worker::Workers;

use crate::admin;
use crate::app::App;
use crate::config::ListenAddress;
use crate::gateway::Connections;
use crate::metrics::Metrics;
use live::Fixed;
use std::sync::Arc;
use tls::Certificates;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A gateway that serves until it is stopped.
pub struct Running {
    live: Arc<Live>,
    addresses: Vec<BoundAddress>,
    admin: Option<BoundAddress>,
    /// Where Envoy's gRPC is answered, and the task that does.
    ext_authz: Option<(BoundAddress, JoinHandle<()>)>,
    stop_accepting: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    /// The accept loops; each tidies up after itself when it ends.
    listeners: Vec<JoinHandle<()>>,
}

/// Why the gateway did not start: one sentence.
#[derive(Debug)]
pub struct StartError(pub String);

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

/// Binds every address and serves: connections on the workers, all else on the runtime it is called on.
///
/// # Errors
/// When an address cannot be bound or a certificate cannot be used; nothing serves then.
pub async fn start(app: Arc<App>, workers: &Workers) -> Result<Running, StartError> {
    let settings = app.settings.clone();
    let tls = settings.server.tls.as_ref();
    let read = tls.map(|tls| Certificates::load(&tls.certificates)).transpose().map_err(StartError)?;
    tell_ends(&app.metrics, read.as_ref())?;
    let certificates = read.map(|read| Arc::new(read.certificates));
    let acceptor = certificates.clone().map(tls::acceptor).transpose().map_err(StartError)?;
    let mut listeners = bind_all(&settings.server.listen, None)?;
    if let (Some(tls), Some(acceptor)) = (tls, acceptor) {
        listeners.extend(bind_all(&tls.listen, Some(&Arc::new(acceptor)))?);
    }
    let admin_listener = settings.admin.as_ref().map(Listener::bind).transpose().map_err(StartError)?;
    let ext_authz_listener = settings.server.ext_authz_grpc.as_ref().map(Listener::bind).transpose().map_err(StartError)?;

    let (stop_accepting, stopping) = watch::channel(false);
    let (stop_admin, admin_stopping) = watch::channel(false);
    let fixed = Fixed { certificates, workers: workers.handles(), stopping: stopping.clone() };
    let live = Arc::new(Live::begin(app, fixed).await?);
    let workers: Arc<[_]> = workers.with_connections(|| Connections::new(live.gateway().clone())).into();

    let ext_authz = ext_authz_listener.map(|listener| {
        let address = listener.address.clone();
        (address, tokio::spawn(ext_authz::serve(listener, live.gateway().clone(), stopping.clone())))
    });
    let addresses = listeners.iter().map(|listener| listener.address.clone()).collect();
    let spawn = |listener: Listener| tokio::spawn(listener.serve(workers.clone(), live.connections().clone(), stopping.clone()));
    let listeners = listeners.into_iter().map(spawn).collect();
    let admin = admin_listener.as_ref().map(|listener| listener.address.clone());
    if let Some(listener) = admin_listener {
        tokio::spawn(admin::serve(listener, live.clone(), admin_stopping));
    }
    Ok(Running { live, addresses, admin, ext_authz, stop_accepting, stop_admin, listeners })
}

/// Has the metrics tell until when these certificates are valid, and of no others.
fn tell_ends(metrics: &Metrics, read: Option<&tls::Read>) -> Result<(), StartError> {
    let ends = read.iter().flat_map(|read| &read.ends).map(|(name, end)| (name.as_str(), *end));
    metrics.certificates(ends).map_err(|error| StartError(format!("the metrics of certificates cannot be made: {error}")))
}

fn bind_all(addresses: &[ListenAddress], tls: Option<&Arc<tls::Acceptor>>) -> Result<Vec<Listener>, StartError> {
    let bind = |address| Listener::bind(address).map(|listener| listener.with_tls(tls.cloned())).map_err(StartError);
    addresses.iter().map(bind).collect()
}

impl Running {
    /// What of it follows the configuration.
    #[must_use]
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Where it listens, in the order of the configuration; the system's choice where that said port 0.
    #[must_use]
    pub fn addresses(&self) -> &[BoundAddress] {
        &self.addresses
    }

    /// Where metrics and health are served.
    #[must_use]
    pub fn admin(&self) -> Option<&BoundAddress> {
        self.admin.as_ref()
    }

    /// Where Envoy's gRPC `ext_authz` is answered.
    #[must_use]
    pub fn ext_authz(&self) -> Option<&BoundAddress> {
        self.ext_authz.as_ref().map(|(address, _)| address)
    }

    /// Stops: not ready at once; accepting for `drain_delay` more; then running requests are waited for, at most for
    /// `drain`.
    pub async fn stop(self) {
        self.live.drain();
        let timeouts = self.live.app().settings.server.timeouts;
        tokio::time::sleep(timeouts.drain_delay).await;
        self.stop_accepting.send_replace(true);
        for listener in self.listeners {
            // One that panicked has nothing left to end.
            let _ = listener.await;
        }
        let all_ended = async {
            self.live.connections().none_left().await;
            if let Some((_, answering)) = self.ext_authz {
                let _ = answering.await;
            }
        };
        if tokio::time::timeout(timeouts.drain, all_ended).await.is_err() {
            tracing::warn!(event = "requests_cut_off", "some requests did not end within server.timeouts.drain and are cut off");
        }
        self.stop_admin.send_replace(true);
    }
}
