//! The thread that runs beside requests, whatever runtimes the gateway has.

use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::invitation::Invitations;
use crate::session::SessionStore;
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

/// How often marks that others left are looked for: a lock by a command holds within a second.
const MARKS: Duration = Duration::from_millis(500);

/// How often expired sessions are removed.
const PURGE: Duration = Duration::from_mins(1);

/// The thread's handle; dropping it ends the thread.
pub(super) struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What it works on.
pub(super) struct Work {
    pub(super) marks: SessionMarks,
    pub(super) sessions: Arc<dyn SessionStore>,
    pub(super) invitations: Arc<Invitations>,
    pub(super) audit: Arc<Audit>,
    pub(super) audit_retention: Duration,
    pub(super) clock: SharedClock,
}

impl Background {
    pub(super) fn start(work: Work) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let work = move || runtime.block_on(run(&work, stopped));
        let thread = std::thread::Builder::new().name("background".to_owned()).spawn(work)?;
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
    /// Removes what has expired.
    async fn purge(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.sessions.purge(now).await?;
        self.invitations.tidy().await?;
        self.audit.purge(now.minus(self.audit_retention)).await
    }
}

async fn run(work: &Work, mut stopped: oneshot::Receiver<()>) {
    let (mut marking, mut purging) = (interval(MARKS), interval(PURGE));
    marking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    purging.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        let done = tokio::select! {
            _ = &mut stopped => return,
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
