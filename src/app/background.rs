//! The threads that run beside requests, whatever runtimes the gateway has.

use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::invitation::Invitations;
use crate::mail::Delivery;
use crate::metrics::SessionEnd;
use crate::session::SessionStore;
use crate::session_marks::SessionMarks;
use crate::store::{CounterStore, OneTimeStore, StoreError};
use crate::token::{RefreshTokenStore, SigningKeys};
use arc_swap::ArcSwap;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

/// How often marks that others left are looked for: a lock by a command holds within a second.
const MARKS: Duration = Duration::from_millis(500);

/// How often what has expired is removed.
const PURGE: Duration = Duration::from_mins(1);

/// The threads that run beside requests, for one configuration after the other.
#[derive(Default)]
pub(super) struct Beside(Mutex<Option<Threads>>);

struct Threads {
    work: Arc<ArcSwap<Work>>,
    delivery: Arc<ArcSwap<Delivery>>,
    all: [Background; 2],
}

/// A thread's handle; dropping it tells the thread to stop, and waits for it.
struct Background {
    name: &'static str,
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
type Stopped = BoxFuture<'static, ()>;

impl Beside {
    /// From now on this is done, by threads that are started if there are none yet.
    pub(super) fn take_up(&self, work: Work, delivery: Arc<Delivery>) -> std::io::Result<()> {
        let mut threads = self.threads();
        if let Some(threads) = &*threads {
            threads.work.store(Arc::new(work));
            threads.delivery.store(delivery);
            return Ok(());
        }
        *threads = Some(Threads::start(work, delivery)?);
        Ok(())
    }

    /// A thread that is no more.
    pub(super) fn lost_thread(&self) -> Option<&'static str> {
        self.threads().as_ref().and_then(|threads| threads.all.iter().find(|thread| thread.is_lost())).map(|thread| thread.name)
    }

    fn threads(&self) -> MutexGuard<'_, Option<Threads>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Threads {
    fn start(work: Work, delivery: Arc<Delivery>) -> std::io::Result<Self> {
        let (work, delivery) = (Arc::new(ArcSwap::from_pointee(work)), Arc::new(ArcSwap::new(delivery)));
        let (house, post) = (Arc::clone(&work), Arc::clone(&delivery));
        let housekeeping = Background::start("background", move |stopped| keep_house(house, stopped))?;
        // On a thread of its own: a mail server that hangs keeps no mark waiting.
        let sending = Background::start("mail", move |stopped| Delivery::run(post, stopped))?;
        Ok(Self { work, delivery, all: [housekeeping, sending] })
    }
}

impl Background {
    fn start<F: Future<Output = ()>>(name: &'static str, work: impl FnOnce(Stopped) -> F + Send + 'static) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let stopped = async { drop(stopped.await) }.boxed();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(work(stopped));
            // A name that is being looked up is waited for by nobody.
            runtime.shutdown_background();
        })?;
        Ok(Self { name, stop: Some(stop), thread: Some(thread) })
    }

    fn is_lost(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
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
    pub(super) async fn purge(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let done = [
            self.sessions.purge(now).await.map(|expired| self.marks.metrics.sessions_ended(SessionEnd::Expired, expired)),
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
async fn keep_house(work: Arc<ArcSwap<Work>>, mut stopped: Stopped) {
    let (mut marking, mut purging) = (interval(MARKS), interval(PURGE));
    marking.set_missed_tick_behavior(MissedTickBehavior::Delay);
    purging.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        let done = tokio::select! {
            () = &mut stopped => return,
            _ = marking.tick() => work.load_full().marks.finish().await,
            _ = purging.tick() => work.load_full().purge().await,
        };
        if let Err(error) = &done
            && !failing
        {
            tracing::warn!(event = "housekeeping_failed", %error, "changes of accounts are not yet known to all sessions, trying again");
        }
        failing = done.is_err();
    }
}
