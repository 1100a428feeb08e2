//! The threads that run beside requests, whatever runtimes the gateway has.

use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::invitation::Invitations;
use crate::session::SessionStore;
use crate::session_marks::SessionMarks;
use crate::store::{CounterStore, OneTimeStore, StoreError};
use crate::token::{RefreshTokenStore, SigningKeys};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::future::Future;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

/// How often marks that others left are looked for: a lock by a command holds within a second.
const MARKS: Duration = Duration::from_millis(500);

/// How often what has expired is removed.
const PURGE: Duration = Duration::from_mins(1);

/// A thread's handle; dropping it tells the thread to stop, and waits for it.
pub(super) struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is done in the house.
pub(super) struct Work {
    pub(super) marks: SessionMarks,
    pub(super) sessions: Arc<dyn SessionStore>,
    pub(super) refresh_tokens: Arc<dyn RefreshTokenStore>,
    pub(super) counters: Arc<dyn CounterStore>,
    pub(super) one_time: Arc<dyn OneTimeStore>,
    pub(super) invitations: Arc<Invitations>,
    pub(super) signing_keys: Arc<SigningKeys>,
    pub(super) audit: Arc<Audit>,
    pub(super) audit_retention: Duration,
    pub(super) clock: SharedClock,
}

/// Comes when the thread is to stop.
pub(super) type Stopped = BoxFuture<'static, ()>;

impl Background {
    pub(super) fn start<F: Future<Output = ()>>(name: &str, work: impl FnOnce(Stopped) -> F + Send + 'static) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) }.boxed();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(work(stopped));
            // A name that is being looked up is waited for by nobody.
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Work {
    /// Removes what has expired; where one store fails, from the others all the same.
    async fn purge(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let done = [
            self.sessions.purge(now).await,
            self.refresh_tokens.purge(now).await,
            self.counters.purge(now).await,
            self.one_time.purge(now).await,
            self.invitations.tidy().await,
            self.signing_keys.tend().await,
            self.audit.purge(now.minus(self.audit_retention)).await,
        ];
        done.into_iter().collect()
    }
}

/// Finishes marks that others left, and removes what has expired.
pub(super) async fn keep_house(work: Work, mut stopped: Stopped) {
    let (mut marking, mut purging) = (interval(MARKS), interval(PURGE));
    marking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    purging.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        let done = tokio::select! {
            () = &mut stopped => return,
            _ = marking.tick() => work.marks.finish().await,
            _ = purging.tick() => work.purge().await,
        };
        if let Err(error) = &done
            && !failing
        {
            tracing::warn!(%error, "changes of accounts are not yet known to all sessions, trying again");
        }
        failing = done.is_err();
    }
}
