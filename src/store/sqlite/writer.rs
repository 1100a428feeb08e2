//! The thread that writes. What has queued up is committed together, since it is the commit that waits for the disk;
//! each piece stands in a savepoint of its own, so that one that fails takes nothing with it.

use super::database::{LOCK_PATIENCE, failed, is_busy};
use crate::clock::Stopwatch;
use crate::store::StoreError;
use crate::work_queue::{Next, WorkQueue};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A piece of work in a transaction.
pub(super) trait Job: Send {
    /// Does the work; whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;

    /// Told whether the commit succeeded.
    fn finish(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// Wants to know of commits that were not this writer's.
pub(super) struct Watcher {
    /// Someone else has written.
    pub changed: Box<dyn Fn() + Send>,
    /// Looked up, and everything that was written until now is known.
    pub alive: Box<dyn Fn() + Send>,
}

/// The thread's handle; dropping it finishes the queue and waits for the thread.
pub(super) struct Writer {
    queue: Arc<WorkQueue<Box<dyn Job>>>,
    watchers: Arc<Mutex<Vec<Watcher>>>,
    thread: Option<JoinHandle<()>>,
}

/// Jobs that wait.
const CAPACITY: usize = 4096;

/// Most jobs in one transaction.
const GROUP: usize = 256;

/// How often other processes' commits are looked for.
const POLL: Duration = Duration::from_millis(200);

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let prepared = connection.busy_timeout(POLL).and_then(|()| data_version(&connection));
        let version = prepared.map_err(|error| failed(&error))?;
        let queue = Arc::new(WorkQueue::new(CAPACITY));
        let watchers = Arc::new(Mutex::new(Vec::new()));
        let mut work = Work { connection, watchers: Arc::clone(&watchers), version, polled: Stopwatch::start() };
        let jobs = Arc::clone(&queue);
        let thread = std::thread::Builder::new().name("sqlite-writer".to_owned()).spawn(move || work.run(&jobs));
        let thread = thread.map_err(|error| StoreError(format!("cannot start the database's thread: {error}")))?;
        Ok(Self { queue, watchers, thread: Some(thread) })
    }

    pub(super) fn push(&self, job: Box<dyn Job>) -> Result<(), Box<dyn Job>> {
        self.queue.push(job)
    }

    pub(super) fn watch(&self, watcher: Watcher) {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner).push(watcher);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Work {
    connection: Connection,
    watchers: Arc<Mutex<Vec<Watcher>>>,
    version: i64,
    polled: Stopwatch,
}

impl Work {
    fn run(&mut self, queue: &WorkQueue<Box<dyn Job>>) {
        loop {
            match queue.next(POLL.saturating_sub(self.polled.elapsed())) {
                Next::Work(job) => {
                    let mut jobs = vec![job];
                    jobs.extend(queue.drain(GROUP - 1));
                    self.commit(jobs);
                }
                Next::Idle => {}
                Next::Closed => return,
            }
            if self.polled.elapsed() >= POLL {
                self.poll();
            }
        }
    }

    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        let outcome = self.run_in_transaction(&mut jobs).map_err(|error| failed(&error));
        if outcome.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        for job in jobs {
            job.finish(outcome.clone());
        }
    }

    fn run_in_transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        self.begin()?;
        for job in jobs {
            self.connection.execute_batch("SAVEPOINT job")?;
            let keep = job.run(&self.connection);
            self.connection.execute_batch(if keep { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" })?;
        }
        self.connection.execute_batch("COMMIT")
    }

    /// Waits for other processes in small steps, so that their commits go on being noticed meanwhile.
    fn begin(&mut self) -> rusqlite::Result<()> {
        let started = Stopwatch::start();
        loop {
            match self.connection.execute_batch("BEGIN IMMEDIATE") {
                Err(error) if is_busy(&error) && started.elapsed() < LOCK_PATIENCE => {
                    self.poll();
                }
                result => return result,
            }
        }
    }

    /// `data_version` changes with commits of every connection but this one.
    fn poll(&mut self) {
        self.polled = Stopwatch::start();
        let Ok(version) = data_version(&self.connection) else { return };
        let changed = std::mem::replace(&mut self.version, version) != version;
        for watcher in self.watchers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if changed {
                (watcher.changed)();
            }
            (watcher.alive)();
        }
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}
