//! `portcullis serve`: runs the gateway until it is told to stop.

use super::Failure;
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{self, Settings, UserStore};
use crate::logging;
use crate::server::{self, Running, Workers};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Serves these settings until SIGTERM or SIGINT; `announce` is called once everything listens.
pub(super) fn serve(settings: Settings, announce: impl AsyncFnOnce(&Running, &Arc<App>) -> Result<(), String>) -> Result<(), Failure> {
    logging::start(&settings.log);
    raise_open_files_limit();
    let threads = settings.server.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let workers = Workers::threads(threads).map_err(|error| error.to_string())?;
    let main = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| format!("cannot start: {error}"))?;
    main.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| format!("cannot listen for signals: {error}"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| format!("cannot listen for signals: {error}"))?;
        let app = App::open(Arc::new(settings), Arc::new(SystemClock)).map_err(|error| error.to_string())?;
        app.start().map_err(|error| error.to_string())?;
        let running = server::start(app.clone(), &workers).await.map_err(|error| error.to_string())?;
        announce(&running, &app).await?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!(event = "stopping", "stopping");
        tokio::select! {
            () = running.stop() => {}
            // Asked a second time, nobody wants to wait.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // A request that is still running may hold the app; what it recorded until now is stored all the same.
        app.audit.flush().await;
        app.telemetry.stop().await;
        Ok(())
    })
}

/// `portcullis serve`: prints where it listens.
pub(super) fn run(config: &Path) -> Result<(), Failure> {
    let loaded = config::load(config)?.tested()?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    serve(loaded.settings, async |running, app| {
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
