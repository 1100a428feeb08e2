//! The one connection of a process, and the supervisor that keeps it up.
//!
//! It is also the circuit breaker. A command that is not answered in time takes the connection out of use, and then all
//! commands fail at once, instead of piling up, until the supervisor has had an answer on a new connection. A connection
//! that merely broke is replaced at once, and commands wait for that as long as they would for an answer.

use super::connect::{Connector, Fault};
use super::server;
use crate::clock::Stopwatch;
use crate::config::RedisAddress;
use crate::store::StoreError;
use crate::store::runtime::StoreRuntime;
use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ScriptInvocation, ServerErrorKind};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// A connection that is kept up; dropping it ends it.
pub struct Link {
    shared: Arc<Shared>,
    address: RedisAddress,
    runtime: StoreRuntime,
}

struct Shared {
    state: watch::Sender<State>,
}

#[derive(Clone)]
enum State {
    /// At start, or after a connection broke: it will be known shortly.
    Connecting,
    /// In use. Connections are numbered, so that late bad news of one is not held against the next.
    Up(u64, MultiplexedConnection),
    /// Out of use; the supervisor tries again.
    Down(Fault),
    /// Nobody needs it any more.
    Closed,
}

/// Why a command has no answer.
enum Failure {
    /// The connection broke under it.
    Broken(u64, RedisError),
    /// The server said no.
    Said(u64, RedisError),
    /// There is no connection.
    Down(Fault),
}

/// Longest that a command may take, waiting for a connection included.
const PATIENCE: Duration = Duration::from_secs(1);

const NO_ANSWER: &str = "it does not answer in time";

/// Longest that connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);

/// How often a server that nobody asks anything is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Waits between attempts grow from the first to the second.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

impl Link {
    /// Begins to connect, and does not wait for it.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn open(address: RedisAddress) -> Result<Self, StoreError> {
        let runtime = StoreRuntime::start("redis")?;
        let shared = Arc::new(Shared { state: watch::Sender::new(State::Connecting) });
        runtime.spawn(supervise(address.clone(), Arc::downgrade(&shared)));
        Ok(Self { shared, address, runtime })
    }

    /// Blocks until there is a connection, and logs what an operator should know of the server.
    ///
    /// # Errors
    /// When there is none within `patience`, or trying again is of no use: one sentence that says what to do.
    pub fn wait(&self, patience: Duration) -> Result<(), StoreError> {
        let mut states = self.shared.state.subscribe();
        let address = self.address.clone();
        self.runtime.wait(async move {
            let settled = |state: &State| matches!(state, State::Up(..) | State::Down(Fault { lasting: true, .. }) | State::Closed);
            let _ = timeout(patience, states.wait_for(settled)).await;
            let state = states.borrow().clone();
            let mut connection = match state {
                State::Up(_, connection) => connection,
                State::Down(Fault { reason, .. }) => return Err(unreachable(&address, &reason)),
                State::Connecting | State::Closed => return Err(unreachable(&address, "it does not answer")),
            };
            if let Ok((risky, unknown)) = timeout(PATIENCE, server::risks(&address, &mut connection)).await {
                for risk in risky {
                    tracing::warn!(event = "redis_risk", "{risk}");
                }
                for unknown in unknown {
                    tracing::info!(event = "redis_unknown", "{unknown}");
                }
            }
            Ok(())
        })
    }

    /// Runs a command that may be run twice, as it is when a connection breaks under it.
    pub(super) async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let again = async || match self.once(async |connection| command.query_async(connection).await).await {
            Err(Failure::Broken(..)) => self.once(async |connection| command.query_async(connection).await).await,
            answer => answer,
        };
        self.bounded(again()).await
    }

    /// Runs a script.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        self.bounded(self.once(async |connection| script.invoke_async(connection).await)).await
    }

    /// Runs a script that may be run twice.
    pub(super) async fn run_reading<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let again = async || match self.once(async |connection| script.invoke_async(connection).await).await {
            Err(Failure::Broken(..)) => self.once(async |connection| script.invoke_async(connection).await).await,
            answer => answer,
        };
        self.bounded(again()).await
    }

    /// Puts a command in the queue, before all later ones, and does not wait for anything. It is dropped where there is no
    /// connection, or no room.
    pub(super) fn send(&self, command: &mut Cmd) {
        let state = self.shared.state.borrow().clone();
        if let State::Up(_, mut connection) = state {
            command.set_no_response(true);
            let _ = connection.send_packed_command(command).now_or_never();
        }
    }

    /// Runs something on the connection once there is one.
    async fn once<T>(&self, run: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>) -> Result<T, Failure> {
        let (number, mut connection) = self.connection().await?;
        let answer = run(&mut connection).await;
        answer.map_err(|error| {
            let failure = if is_broken(&error) { Failure::Broken(number, error) } else { Failure::Said(number, error) };
            self.shared.note(&failure);
            failure
        })
    }

    async fn connection(&self) -> Result<(u64, MultiplexedConnection), Failure> {
        let mut state = self.shared.state.borrow().clone();
        if matches!(state, State::Connecting) {
            let mut states = self.shared.state.subscribe();
            if let Ok(changed) = states.wait_for(|state| !matches!(state, State::Connecting)).await {
                state = changed.clone();
            }
        }
        match state {
            State::Up(number, connection) => Ok((number, connection)),
            State::Down(fault) => Err(Failure::Down(fault)),
            State::Connecting | State::Closed => Err(Failure::Down(Fault { reason: "it was closed".to_owned(), lasting: false })),
        }
    }

    /// A command that is not answered in time takes its connection out of use: whatever is sent there would wait as long.
    async fn bounded<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, StoreError> {
        let before = self.shared.number();
        let Ok(answer) = timeout(PATIENCE, work).await else {
            self.shared.take_out(before, NO_ANSWER);
            return Err(StoreError(format!("Redis: {NO_ANSWER}")));
        };
        answer.map_err(|failure| StoreError(format!("Redis: {}", failure.reason())))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.shared.state.send_replace(State::Closed);
    }
}

impl Failure {
    fn reason(&self) -> String {
        match self {
            Self::Broken(_, error) | Self::Said(_, error) => error.to_string(),
            Self::Down(fault) => fault.reason.clone(),
        }
    }
}

impl Shared {
    /// The number of the connection in use.
    fn number(&self) -> Option<u64> {
        match *self.state.borrow() {
            State::Up(number, _) => Some(number),
            _ => None,
        }
    }

    fn note(&self, failure: &Failure) {
        match failure {
            Failure::Broken(number, _) => self.lost(*number),
            Failure::Said(number, error) if is_of_no_use(error) => self.take_out(Some(*number), &error.to_string()),
            Failure::Said(..) | Failure::Down(_) => {}
        }
    }

    /// The connection broke; the next one is about to be made.
    fn lost(&self, number: u64) {
        self.replace_if_in_use(number, State::Connecting);
    }

    /// The server behind the connection is of no use.
    fn take_out(&self, number: Option<u64>, reason: &str) {
        if let Some(number) = number {
            self.replace_if_in_use(number, State::Down(Fault { reason: reason.to_owned(), lasting: false }));
        }
    }

    fn replace_if_in_use(&self, number: u64, next: State) {
        self.state.send_if_modified(|state| {
            let in_use = matches!(state, State::Up(used, _) if *used == number);
            if in_use {
                *state = next;
            }
            in_use
        });
    }

    /// `false` when nobody needs a connection any more.
    fn set(&self, next: State) -> bool {
        self.state.send_if_modified(|state| {
            let open = !matches!(state, State::Closed);
            if open {
                *state = next;
            }
            open
        })
    }
}

/// Connects, watches, and connects again, as long as the link is there.
async fn supervise(address: RedisAddress, shared: Weak<Shared>) {
    let mut connector = Connector::new(address.clone());
    let (mut number, mut failed) = (0, 0);
    loop {
        number += 1;
        let lost = shared.clone();
        let attempt = connector.connect(move || {
            if let Some(shared) = lost.upgrade() {
                shared.lost(number);
            }
        });
        let attempt = timeout(CONNECT_PATIENCE, attempt).await;
        let Some(shared) = shared.upgrade() else { return };
        match attempt.unwrap_or_else(|_| Err(Fault { reason: NO_ANSWER.to_owned(), lasting: false })) {
            Ok(connection) => {
                let since = Stopwatch::start();
                if !shared.set(State::Up(number, connection.clone())) {
                    return;
                }
                if failed > 0 {
                    tracing::info!(event = "redis_connected", server = %address, "connected to Redis again");
                }
                watch_over(number, connection, &shared, &mut connector).await;
                if matches!(*shared.state.borrow(), State::Closed) {
                    return;
                }
                // One that breaks as soon as it is made must not make us spin.
                failed = if since.elapsed() < WAITS.1 { failed + 1 } else { 1 };
                tracing::warn!(event = "redis_lost", server = %address, reason = shared.reason(), "lost the connection to Redis");
                if failed == 1 {
                    continue;
                }
            }
            Err(fault) => {
                if failed == 0 {
                    tracing::warn!(event = "redis_unreachable", server = %address, reason = fault.reason, "cannot connect to Redis, trying again");
                }
                failed += 1;
                if !shared.set(State::Down(fault)) {
                    return;
                }
            }
        }
        drop(shared);
        sleep(wait_before(failed)).await;
    }
}

impl Shared {
    fn reason(&self) -> String {
        match &*self.state.borrow() {
            State::Down(fault) => fault.reason.clone(),
            _ => "it was closed".to_owned(),
        }
    }
}

/// Returns when the connection is no longer in use.
async fn watch_over(number: u64, mut connection: MultiplexedConnection, shared: &Shared, connector: &mut Connector) {
    let mut states = shared.state.subscribe();
    loop {
        let replaced = states.wait_for(|state| !matches!(state, State::Up(used, _) if *used == number));
        if timeout(HEARTBEAT, replaced).await.is_ok() {
            return;
        }
        match timeout(PATIENCE, redis::cmd("PING").query_async::<()>(&mut connection)).await {
            Ok(Ok(())) => {
                if timeout(PATIENCE, connector.has_moved()).await == Ok(true) {
                    shared.take_out(Some(number), "the Sentinels name another server by now");
                }
            }
            Ok(Err(error)) if is_broken(&error) => shared.lost(number),
            Ok(Err(error)) => shared.take_out(Some(number), &error.to_string()),
            Err(_) => shared.take_out(Some(number), NO_ANSWER),
        }
    }
}

/// Doubles from attempt to attempt; the last bit is drawn, so that many gateways do not come back at one moment.
fn wait_before(attempt: u32) -> Duration {
    let [drawn] = crate::entropy::random_bytes::<1>();
    let whole = WAITS.0.saturating_mul(1 << attempt.min(10)).min(WAITS.1);
    whole.mul_f64(0.5 + f64::from(drawn) / 512.0)
}

fn is_broken(error: &RedisError) -> bool {
    error.is_io_error() || error.is_connection_dropped() || matches!(error.kind(), ErrorKind::Parse)
}

/// Whether the server says that it is not, or no longer, the one to ask.
fn is_of_no_use(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly};
    matches!(error.kind(), ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | Moved | ReadOnly))
}

fn unreachable(address: &RedisAddress, reason: &str) -> StoreError {
    StoreError(format!("cannot use the Redis at {address}: {reason}; see that it runs and that stores.sessions names it"))
}
