//! The threads of stores on a network. Requests are answered on several runtimes, and commands and tests open and close
//! stores as they like, but a driver's connections live no longer than the runtime that opened them: so each such store
//! has a runtime of its own.

use super::StoreError;
use crate::logging::request;
use std::future::Future;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

/// A tokio runtime of one thread, for one store. It may be dropped anywhere, also inside another runtime.
pub struct StoreRuntime(Option<Runtime>);

impl StoreRuntime {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(name: &str) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).max_blocking_threads(4).thread_name(name).enable_all().build();
        let failed = |error| StoreError(format!("cannot start a thread for the store {name}: {error}"));
        runtime.map(|runtime| Self(Some(runtime))).map_err(failed)
    }

    /// Runs a future here and waits for it. It is run to its end even if the caller goes away, so it must bound its own
    /// time; a write that was begun is thereby never left half done by a client that hangs up.
    ///
    /// # Errors
    /// What the future says; a [`StoreError`] when it panicked.
    pub async fn run<T, E, F>(&self, future: F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let task = self.spawn(request::carry(future)).ok_or_else(stopped)?;
        task.await.unwrap_or_else(|error| Err(broken(&error).into()))
    }

    /// Runs a future here and blocks the thread until it ends, for use at start, inside a runtime or not.
    ///
    /// # Errors
    /// What the future says; a [`StoreError`] when it panicked.
    pub fn wait<T, E, F>(&self, future: F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.spawn(async move { sender.send(future.await) }).ok_or_else(stopped)?;
        receiver.recv().unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Begins a task that goes on beside requests until it ends or the store is dropped.
    pub fn spawn<F>(&self, future: F) -> Option<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.as_ref().map(|runtime| runtime.spawn(future))
    }
}

impl Drop for StoreRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn stopped() -> StoreError {
    StoreError("the thread of the store has ended".to_owned())
}

fn broken(error: &JoinError) -> StoreError {
    StoreError(format!("a task of the store broke off: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> StoreRuntime {
        StoreRuntime::start("test").unwrap()
    }

    #[tokio::test]
    async fn a_future_runs_on_the_thread_of_the_store() {
        let runtime = runtime();
        let thread = runtime.run(async { Ok::<_, StoreError>(std::thread::current().name().map(str::to_owned)) }).await;
        assert_eq!(thread.unwrap().as_deref(), Some("test"));
    }

    #[tokio::test]
    async fn it_is_waited_for_and_dropped_inside_another_runtime_without_panic() {
        let runtime = runtime();
        assert_eq!(runtime.wait(async { Ok::<_, StoreError>(7) }).unwrap(), 7);
        runtime.spawn(std::future::pending::<()>());
        drop(runtime);
    }

    #[tokio::test]
    async fn what_was_begun_is_ended_though_its_caller_went_away() {
        let runtime = runtime();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let begun = runtime.run(async move {
            let _released = released.await;
            sender.send("done").map_err(|_| StoreError(String::new()))
        });
        let left = tokio::time::timeout(std::time::Duration::from_millis(1), begun).await;
        assert!(left.is_err());
        release.send(()).unwrap();
        assert_eq!(receiver.await.unwrap(), "done");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_store_to_its_caller() {
        let failing = async { if true { panic!("on purpose") } else { Ok::<(), StoreError>(()) } };
        let told = runtime().run(failing).await.unwrap_err();
        assert!(told.0.starts_with("a task of the store broke off"), "{told}");
    }
}
