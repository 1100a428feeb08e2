//! Password hashing on threads of its own, few and of low priority, behind a bounded queue: a flood of logins must not
//! take the machine from the requests that are proxied, nor its memory (19 MiB a hash).

use super::hash::Bench;
use super::{Password, PasswordHash};
use crate::clock::Stopwatch;
use crate::config::HashAlgorithm;
use crate::metrics::Metrics;
use crate::work_queue::{Next, WorkQueue};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Why nothing was hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// The queue is full, or the work was not done in time.
    Busy,
    /// The machine has no memory for it, or bcrypt would cut the password off.
    Failed,
}

/// Hands passwords to a bounded set of threads; the threads end with the last clone.
#[derive(Clone)]
pub struct Hasher(Arc<Shared>);

struct Shared {
    queue: Arc<WorkQueue<Job>>,
    algorithm: HashAlgorithm,
    patience: Duration,
}

/// How much is done at once, how much waits, and how long.
#[derive(Clone, Copy)]
struct Bounds {
    threads: usize,
    capacity: usize,
    patience: Duration,
}

enum Job {
    Hash { password: Password, reply: oneshot::Sender<Result<PasswordHash, HashError>> },
    Verify { password: Password, hash: PasswordHash, reply: oneshot::Sender<bool> },
}

/// Most passwords that wait.
const CAPACITY: usize = 256;

/// Longest that a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread without work for so long gives its memory back.
const IDLE: Duration = Duration::from_secs(30);

impl Hasher {
    /// Starts the threads: one for two cores, at least one and at most four.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(algorithm: HashAlgorithm, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::start_with(Bounds { threads: (cores / 2).clamp(1, 4), capacity: CAPACITY, patience: PATIENCE }, algorithm, metrics)
    }

    /// For tests, which may share the machine with many others.
    #[cfg(test)]
    pub(crate) fn start_patient(algorithm: HashAlgorithm) -> Self {
        let bounds = Bounds { threads: 2, capacity: CAPACITY, patience: Duration::from_mins(5) };
        Self::start_with(bounds, algorithm, &Metrics::new().unwrap()).unwrap()
    }

    fn start_with(bounds: Bounds, algorithm: HashAlgorithm, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let queue = Arc::new(WorkQueue::new(bounds.capacity));
        let hasher = Self(Arc::new(Shared { queue: Arc::clone(&queue), algorithm, patience: bounds.patience }));
        for number in 0..bounds.threads {
            let (queue, metrics) = (Arc::clone(&queue), Arc::clone(metrics));
            std::thread::Builder::new().name(format!("password-hash-{number}")).spawn(move || run(&queue, algorithm, &metrics))?;
        }
        Ok(hasher)
    }

    /// How many passwords wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.queue.len()
    }

    /// How new hashes are made.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        self.0.algorithm
    }

    /// Makes a hash with a new salt.
    ///
    /// # Errors
    /// See [`HashError`].
    pub async fn hash(&self, password: &Password) -> Result<PasswordHash, HashError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Hash { password: password.clone(), reply }, answer).await?
    }

    /// Whether the password is the hash's. Without a hash (there is no such account) the same work is done, and the
    /// answer is no.
    ///
    /// # Errors
    /// [`HashError::Busy`]: nothing was decided.
    pub async fn verify(&self, password: &Password, hash: Option<&PasswordHash>) -> Result<bool, HashError> {
        let known = hash.filter(|_| !password.is_oversized());
        let password = if password.is_oversized() { Password::new(String::new()) } else { password.clone() };
        let stored = known.cloned().unwrap_or_else(|| PasswordHash::nobody(self.0.algorithm));
        let (reply, answer) = oneshot::channel();
        let matches = self.ask(Job::Verify { password, hash: stored, reply }, answer).await?;
        Ok(matches && known.is_some())
    }

    /// A caller who gives up drops the answer's receiver, and the job is skipped.
    async fn ask<T>(&self, job: Job, answer: oneshot::Receiver<T>) -> Result<T, HashError> {
        self.0.queue.push(job).map_err(|_| HashError::Busy)?;
        let answered = tokio::time::timeout(self.0.patience, answer).await.map_err(|_| HashError::Busy)?;
        answered.map_err(|_| HashError::Busy)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn run(queue: &WorkQueue<Job>, algorithm: HashAlgorithm, metrics: &Metrics) {
    give_way_to_others();
    let mut bench = Bench::default();
    loop {
        match queue.next(IDLE) {
            Next::Work(job) => {
                let begun = Stopwatch::start();
                if work(&mut bench, algorithm, job) {
                    metrics.password_hash_duration_seconds.observe(begun.elapsed().as_secs_f64());
                }
            }
            Next::Idle => bench.clear(),
            Next::Closed => return,
        }
    }
}

/// Does the job, if somebody still waits for it; whether it did.
fn work(bench: &mut Bench, algorithm: HashAlgorithm, job: Job) -> bool {
    match job {
        Job::Hash { password, reply } if !reply.is_closed() => {
            reply.send(bench.hash(algorithm, &password).map_err(|_| HashError::Failed)).is_ok()
        }
        Job::Verify { password, hash, reply } if !reply.is_closed() => reply.send(bench.verify(&hash, &password)).is_ok(),
        Job::Hash { .. } | Job::Verify { .. } => false,
    }
}

/// Linux keeps a nice value for each thread, and 0 names the calling one. Without it hashing is as good, only greedier.
fn give_way_to_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 19);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    /// Without a thread that works, and with room for one.
    fn idle(patience: Duration) -> Hasher {
        Hasher::start_with(Bounds { threads: 0, capacity: 1, patience }, HashAlgorithm::Argon2id, &Metrics::new().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_hash_verifies_for_its_password_and_for_no_other() {
        let hasher = Hasher::start_patient(HashAlgorithm::Argon2id);
        let hash = hasher.hash(&password("Tw1light-Kite")).await.unwrap();
        assert_eq!(hasher.verify(&password("Tw1light-Kite"), Some(&hash)).await, Ok(true));
        assert_eq!(hasher.verify(&password("Tw1light-Kites"), Some(&hash)).await, Ok(false));
        assert_eq!(hasher.verify(&password("Tw1light-Kite"), None).await, Ok(false));
    }

    /// threats.md G11
    #[tokio::test]
    async fn beyond_the_queue_callers_are_told_at_once() {
        let hasher = idle(Duration::from_mins(1));
        let waiting = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.verify(&password("x"), None).await }
        });
        tokio::task::yield_now().await;
        assert_eq!((hasher.verify(&password("x"), None).await, hasher.waiting()), (Err(HashError::Busy), 1));
        waiting.abort();
    }

    /// threats.md G11
    #[tokio::test]
    async fn nobody_waits_longer_than_the_patience() {
        let hasher = idle(Duration::from_millis(1));
        assert_eq!(hasher.hash(&password("x")).await.unwrap_err(), HashError::Busy);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_skipped() {
        let (reply, answer) = oneshot::channel();
        drop(answer);
        let mut bench = Bench::default();
        let worked = work(&mut bench, HashAlgorithm::Argon2id, Job::Hash { password: password("x"), reply });
        assert!(!worked && bench.is_unused());
    }

    /// threats.md: a password of 1 MiB is refused cheaply
    #[tokio::test]
    async fn an_oversized_password_is_wrong_without_being_looked_at() {
        let hasher = Hasher::start_patient(HashAlgorithm::Argon2id);
        let typed = "x".repeat(257);
        let hash = hasher.hash(&password(&typed)).await.unwrap();
        assert_eq!(hasher.verify(&password(&typed), Some(&hash)).await, Ok(false));
    }
}
