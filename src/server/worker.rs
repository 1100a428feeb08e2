//! Workers: the runtimes that serve connections. A connection stays with one worker, and so do the kept upstream
//! connections that it uses, so that nothing of a request wakes another thread.

use super::StartError;
use crate::gateway::Connections;
use std::sync::Arc;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// Where connections are served.
pub struct Workers {
    handles: Vec<Handle>,
    /// Each thread ends when its sender is dropped.
    _threads: Vec<oneshot::Sender<()>>,
}

/// One worker, and how it serves.
#[derive(Clone)]
pub struct Worker {
    /// Its runtime.
    pub handle: Handle,
    /// Serves connections there.
    pub connections: Arc<Connections>,
}

impl Workers {
    /// The caller's own runtime, for everything.
    #[must_use]
    pub fn current() -> Self {
        Self { handles: vec![Handle::current()], _threads: Vec::new() }
    }

    /// Threads of their own, which end when this is dropped.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn threads(count: usize) -> Result<Self, StartError> {
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for index in 0..count.max(1) {
            let (stop, stopped) = oneshot::channel::<()>();
            handles.push(spawn(index, stopped).map_err(|error| StartError(format!("cannot start a thread: {error}")))?);
            threads.push(stop);
        }
        Ok(Self { handles, _threads: threads })
    }

    /// Their runtimes.
    pub(super) fn handles(&self) -> Vec<Handle> {
        self.handles.clone()
    }

    /// The workers, each with connections made by `make`.
    pub(super) fn with_connections(&self, make: impl Fn() -> Connections) -> Vec<Worker> {
        self.handles.iter().map(|handle| Worker { handle: handle.clone(), connections: Arc::new(make()) }).collect()
    }
}

/// A thread that drives a runtime of its own until told to stop.
fn spawn(index: usize, stopped: oneshot::Receiver<()>) -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name(format!("gateway-{index}")).spawn(move || {
        // Told, or left behind: both mean the end.
        let _ = runtime.block_on(stopped);
        runtime.shutdown_background();
    })?;
    Ok(handle)
}
