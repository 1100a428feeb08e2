//! What of a running gateway changes when its configuration does: all at once, or nothing. Listeners, stores and threads are
//! no part of it.

use super::listener::Tracker;
use super::tls::{self, Certificates};
use super::{StartError, tell_ends};
use crate::app::App;
use crate::config::Settings;
use crate::gateway::{CurrentGateway, Gateway, Routes, wants_sample};
use crate::metrics::ReloadResult;
use crate::portal::{self, Portal};
use crate::sample;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, watch};

/// The parts of a running gateway that follow its configuration, and how it fares.
pub struct Live {
    app: ArcSwap<App>,
    gateway: CurrentGateway,
    certificates: Option<Arc<Certificates>>,
    connections: Tracker,
    workers: Vec<Handle>,
    draining: AtomicBool,
    /// Whether the last attempt to change the configuration came to nothing.
    refused: AtomicBool,
    /// Held while the configuration changes: one change at a time.
    sample: Mutex<Sample>,
}

/// The built-in application, which runs from the moment when a route leads to it.
pub(super) struct Sample {
    stopping: watch::Receiver<bool>,
    /// The prefix that it was told, and where it listens.
    running: Option<(String, SocketAddr)>,
}

/// What never changes while a gateway runs.
pub(super) struct Fixed {
    pub(super) certificates: Option<Arc<Certificates>>,
    pub(super) workers: Vec<Handle>,
    pub(super) stopping: watch::Receiver<bool>,
}

/// A worker that takes longer to do nothing is stuck. Generous: a machine under load must not be restarted for it.
const WORKER_PATIENCE: Duration = Duration::from_secs(5);

impl Live {
    pub(super) async fn begin(app: Arc<App>, fixed: Fixed) -> Result<Self, StartError> {
        let settings = &app.settings;
        let mut sample = Sample { stopping: fixed.stopping, running: None };
        let sample_at = sample.address(settings).await?;
        Ok(Self {
            gateway: CurrentGateway::new(gateway(&app, sample_at, None)?),
            certificates: fixed.certificates,
            connections: Tracker::new(settings.server.limits.connections),
            workers: fixed.workers,
            draining: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            sample: Mutex::new(sample),
            app: ArcSwap::new(app),
        })
    }

    /// What it runs on now.
    #[must_use]
    pub fn app(&self) -> Arc<App> {
        self.app.load_full()
    }

    /// What serves now.
    pub(super) fn gateway(&self) -> &CurrentGateway {
        &self.gateway
    }

    /// The open connections.
    pub(super) fn connections(&self) -> &Tracker {
        &self.connections
    }

    /// Has these settings take effect, but for what is fixed while it runs; the keys of which that is so.
    ///
    /// # Errors
    /// One sentence about what cannot be used; everything stays as it was then.
    pub async fn reconfigure(&self, settings: Settings) -> Result<Vec<&'static str>, StartError> {
        let mut sample = self.sample.lock().await;
        let former = self.app();
        let (settings, later) = settings.keep_what_is_fixed(&former.settings);
        let sample_at = sample.address(&settings).await?;
        let serving = self.gateway.get();
        // Files are read and compressed: nobody's request waits for that.
        let made = tokio::task::spawn_blocking(move || Next::make(&former, settings, sample_at, &serving)).await;
        let next = made.map_err(|error| StartError(format!("the new configuration cannot be taken up: {error}")))??;
        next.app.start().map_err(|error| StartError(error.to_string()))?;
        tell_ends(&next.app.metrics, next.tls.as_ref())?;
        // From here on nothing fails.
        if let (Some(certificates), Some(read)) = (&self.certificates, &next.tls) {
            certificates.replace(&read.certificates);
        }
        self.connections.set_limit(next.app.settings.server.limits.connections);
        self.gateway.replace(next.gateway);
        self.app.store(next.app);
        Ok(later)
    }

    /// Notes and counts how an attempt to change the configuration ended.
    pub fn note_reload(&self, result: ReloadResult) {
        self.refused.store(result == ReloadResult::Failure, Ordering::Release);
        self.app().metrics.config_reloaded(result);
    }

    /// Whether the last attempt to change the configuration came to nothing.
    #[must_use]
    pub fn last_reload_was_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// Notes that a stop was asked for.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// The name of a thread that does its work no more; asks no store.
    pub async fn lost_thread(&self) -> Option<&'static str> {
        if let Some(name) = self.app().lost_thread() {
            return Some(name);
        }
        let answers = self.workers.iter().map(|worker| tokio::time::timeout(WORKER_PATIENCE, worker.spawn(async {})));
        let all = futures_util::future::join_all(answers).await;
        all.iter().any(|answer| !matches!(answer, Ok(Ok(())))).then_some("gateway")
    }
}

/// A configuration that is ready to take effect.
struct Next {
    app: Arc<App>,
    gateway: Gateway,
    tls: Option<tls::Read>,
}

impl Next {
    fn make(former: &App, settings: Settings, sample: Option<SocketAddr>, serving: &Gateway) -> Result<Self, StartError> {
        let app = former.reconfigured(Arc::new(settings)).map_err(|error| StartError(error.to_string()))?;
        let tls = app.settings.server.tls.as_ref();
        let tls = tls.map(|tls| Certificates::load(&tls.certificates)).transpose().map_err(StartError)?;
        Ok(Self { gateway: gateway(&app, sample, Some(serving))?, tls, app })
    }
}

/// The gateway over an app; servers of upstreams are those of the `former` one, where they are configured alike.
fn gateway(app: &Arc<App>, sample: Option<SocketAddr>, former: Option<&Gateway>) -> Result<Gateway, StartError> {
    let mut routes = Routes::new(&app.settings, sample, &app.metrics).map_err(|error| StartError(error.0))?;
    if let Some(former) = former {
        routes = routes.keeping(former.routes());
    }
    let portal = Portal::new(app.clone()).map(Arc::new).map_err(|error| StartError(error.to_string()))?;
    Ok(Gateway::new(app, routes, portal::router(portal.clone()), portal.errors.clone()))
}

impl Sample {
    /// Where it listens, if these settings want it; it is started if need be.
    async fn address(&mut self, settings: &Settings) -> Result<Option<SocketAddr>, StartError> {
        if !wants_sample(settings) {
            return Ok(None);
        }
        let prefix = &settings.server.prefix;
        if let Some((_, address)) = self.running.as_ref().filter(|(told, _)| told == prefix) {
            return Ok(Some(*address));
        }
        let address = sample::serve(prefix, self.stopping.clone()).await.map_err(StartError)?;
        self.running = Some((prefix.clone(), address));
        Ok(Some(address))
    }
}
