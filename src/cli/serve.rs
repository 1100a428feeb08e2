//! `portcullis serve`: runs the gateway until it is told to stop, and reads its configuration again on SIGHUP.

use super::Failure;
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{self, Settings, UserStore};
use crate::logging;
use crate::reload::Reloader;
use crate::server::{self, Running, Workers};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A gateway to run.
pub(super) struct Serving {
    /// What it was told.
    pub(super) settings: Settings,
    /// Where that is read again; `None` where SIGHUP is another word for the end.
    pub(super) file: Option<PathBuf>,
}

/// Serves until SIGTERM or SIGINT; `announce` is called once everything listens.
pub(super) fn serve(serving: Serving, announce: impl AsyncFnOnce(&Running, &Arc<App>) -> Result<(), String>) -> Result<(), Failure> {
    let Serving { settings, file } = serving;
    let log = logging::start(&settings.log);
    raise_open_files_limit();
    let threads = settings.server.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let workers = Workers::threads(threads).map_err(|error| error.to_string())?;
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| format!("cannot start: {error}"))?;
    let served = main.block_on(async {
        // The very first thing: a signal that nobody listens for would end the process.
        let hangup = listen_for(SignalKind::hangup())?;
        let (mut terminate, mut interrupt) = (listen_for(SignalKind::terminate())?, listen_for(SignalKind::interrupt())?);
        let opening = tokio::task::spawn_blocking(|| App::open(Arc::new(settings), Arc::new(SystemClock)));
        let opened = tokio::select! {
            opened = opening => opened.map_err(|error| format!("cannot open the stores: {error}"))?,
            // Stores are waited for, but not by who wants the end.
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        };
        let app = opened.map_err(|error| error.to_string())?;
        let running = server::start(app.clone(), &workers).await.map_err(|error| error.to_string())?;
        app.start().map_err(|error| error.to_string())?;
        announce(&running, &app).await?;
        drop(app);
        let live = running.live().clone();
        let hung_up = tokio::spawn(follow(hangup, Reloader::new(live.clone()).with_log(log), file));
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hung_up => {}
        }
        tracing::info!(event = "stopping", "stopping");
        tokio::select! {
            () = running.stop() => {}
            // Asked a second time, nobody wants to wait.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // A request that is still running may hold the app; what it recorded until now is stored all the same.
        let app = live.app();
        app.audit.flush().await;
        app.telemetry.stop().await;
        Ok(())
    });
    // A configuration that is being read just now, from a network that hangs, is waited for by nobody.
    main.shutdown_background();
    served
}

/// Reads the configuration again at each SIGHUP, one at a time; without a file, it ends at the first.
async fn follow(mut hangup: Signal, reloader: Reloader, file: Option<PathBuf>) {
    while hangup.recv().await.is_some() {
        let Some(file) = file.clone() else { return };
        // What became of it was logged.
        let _ = reloader.reload(move || config::load(&file)).await;
    }
}

fn listen_for(kind: SignalKind) -> Result<Signal, String> {
    signal(kind).map_err(|error| format!("cannot listen for signals: {error}"))
}

/// `portcullis serve`: prints where it listens.
pub(super) fn run(config: &Path) -> Result<(), Failure> {
    let loaded = config::load(config)?.tested()?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    let serving = Serving { settings: loaded.settings, file: Some(config.to_owned()) };
    serve(serving, async |running, app| {
        let mut out = std::io::stdout().lock();
        let listening = running.addresses().iter().map(|address| ("listening", address));
        let ext_authz = running.ext_authz().map(|address| ("ext_authz", address));
        for (what, address) in listening.chain(running.admin().map(|address| ("admin", address))).chain(ext_authz) {
            writeln!(out, "{what}: {address}").map_err(|error| format!("cannot print the addresses: {error}"))?;
        }
        let users = match &app.settings.stores.users {
            UserStore::Sqlite(path) => path.display().to_string(),
            UserStore::Mongo(url) => url.servers().to_owned(),
        };
        tracing::info!(event = "serving", version = env!("CARGO_PKG_VERSION"), users, "serving");
        Ok(())
    })
}

/// Every proxied connection needs two descriptors, and common soft limits are 1024.
fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Best effort: at the old limit the gateway serves fewer connections.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
