//! The way to a MongoDB: opened once, with patience; then every call has a deadline and passes a circuit breaker.

use super::url::MongoUrl;
use crate::clock::Stopwatch;
use crate::store::StoreError;
use crate::store::breaker::Breaker;
use crate::store::runtime::StoreRuntime;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::{Acknowledgment, ClientOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Database, bson::doc};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Longest time of one call; a request makes few of them and must answer within two seconds.
const LONGEST_CALL: Duration = Duration::from_millis(1500);

/// Longest time to find a server or to connect to one, well within a call's.
const LONGEST_CONNECT: Duration = Duration::from_secs(1);

/// Longest time in which a server that answers may build indexes.
const LONGEST_PREPARATION: Duration = Duration::from_mins(1);

/// Longest time until the driver looks at a server again. When it finds one hanging it drops what waits for it.
const LONGEST_HEARTBEAT: Duration = Duration::from_secs(2);

/// Connections where the address says nothing (`maxPoolSize`).
const CONNECTIONS: u32 = 32;

/// Calls under way at once, waiting for a connection included.
const CALLS: usize = 512;

/// A connected database of a MongoDB; all stores in it share its connections.
pub struct MongoDatabase {
    database: Database,
    /// One for each connection of the pool. The driver's own queue keeps callers that have gone away, and serves one at
    /// each event only: after a hang, calls would wait behind those for minutes.
    connections: Arc<Semaphore>,
    breaker: Arc<Breaker>,
    runtime: StoreRuntime,
}

impl MongoDatabase {
    /// Connects, trying for as long as `patience` where no server answers, and makes the indexes. It blocks the thread.
    ///
    /// # Errors
    /// One sentence that says what is wrong, without the password.
    pub fn open(url: &MongoUrl, patience: Duration) -> Result<Arc<Self>, StoreError> {
        let runtime = StoreRuntime::start("mongodb")?;
        Self::open_with(url, runtime, patience, super::make_indexes).map(Arc::new)
    }

    /// Connects to see whether that is possible, and makes nothing. It blocks the thread.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn examine(url: &MongoUrl, patience: Duration) -> Result<(), StoreError> {
        let runtime = StoreRuntime::start("mongodb")?;
        Self::open_with(url, runtime, patience, async |_| Ok(())).map(drop)
    }

    /// Connects and prepares the database, trying for as long as `patience` where no server answers.
    fn open_with<P, F>(url: &MongoUrl, runtime: StoreRuntime, patience: Duration, prepare: P) -> Result<Self, StoreError>
    where
        P: Fn(Database) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let given = url.clone();
        let opening = async move {
            let waited = Stopwatch::start();
            let mut pause = Duration::from_millis(50);
            loop {
                match open_once(&given, &prepare).await {
                    Ok(opened) => return Ok(opened),
                    Err(error) if !is_unanswered(&error) => return Err(refused_at_start(&given, &error)),
                    Err(error) if waited.elapsed() + pause > patience => return Err(unreachable_at_start(&given, patience, &error)),
                    Err(_) => tokio::time::sleep(pause).await,
                }
                pause = (pause * 2).min(Duration::from_secs(1));
            }
        };
        let (database, connections) = runtime.wait(opening)?;
        let connections = Arc::new(Semaphore::new(connections));
        Ok(Self { database, connections, breaker: Breaker::new("MongoDB", CALLS), runtime })
    }

    /// The database, for making operations.
    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Makes a call: on the store's runtime, to its end though the caller may go away, and within the deadline.
    pub(super) async fn call<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        let call = self.bounded(operation)?;
        self.runtime.run(call).await
    }

    /// Makes a call some time soon that nobody waits for, or none while the server does not answer.
    pub(super) fn call_later<F>(&self, operation: F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        if let Ok(call) = self.bounded(operation) {
            let _ = self.runtime.spawn(call);
        }
    }

    /// The call, within the deadline.
    fn bounded<T, F>(&self, operation: F) -> Result<impl Future<Output = Result<T, StoreError>> + Send + 'static, StoreError>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
        T: Send + 'static,
    {
        let pass = self.breaker.pass()?;
        let connections = Arc::clone(&self.connections);
        let operation = async move {
            let _connection = connections.acquire().await;
            operation.await
        };
        Ok(async move {
            let outcome = tokio::time::timeout(LONGEST_CALL, operation).await;
            let outcome = outcome.map_err(|_| StoreError(format!("MongoDB did not answer within {LONGEST_CALL:?}")))?;
            if !outcome.as_ref().is_err_and(is_unanswered) {
                pass.answered();
            }
            outcome.map_err(|error| StoreError(describe(&error)))
        })
    }
}

async fn open_once<P, F>(url: &MongoUrl, prepare: &P) -> Result<(Database, usize), Error>
where
    P: Fn(Database) -> F,
    F: Future<Output = Result<(), Error>>,
{
    let (database, connections) = within(LONGEST_CALL, connect(url)).await?;
    within(LONGEST_PREPARATION, prepare(database.clone())).await?;
    Ok((database, connections))
}

/// A database that answers, and how many connections there may be to it.
async fn connect(url: &MongoUrl) -> Result<(Database, usize), Error> {
    let mut options = ClientOptions::parse(url.text()).await?;
    options.app_name.get_or_insert_with(|| "portcullis".to_owned());
    let connections = options.max_pool_size.filter(|connections| *connections > 0).unwrap_or(CONNECTIONS);
    options.max_pool_size = Some(connections);
    options.max_connecting = Some(connections);
    options.connect_timeout = Some(at_most(LONGEST_CONNECT, options.connect_timeout));
    options.server_selection_timeout = Some(at_most(LONGEST_CONNECT, options.server_selection_timeout));
    options.heartbeat_freq = Some(at_most(LONGEST_HEARTBEAT, options.heartbeat_freq));
    // What is acknowledged survives the loss of a server, and a lock or a new password is never read past: whatever the
    // address says.
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
    options.read_concern = None;
    let database = Client::with_options(options)?.database(url.database());
    database.run_command(doc! { "ping": 1 }).await?;
    Ok((database, usize::try_from(connections).unwrap_or(usize::MAX)))
}

fn at_most(longest: Duration, given: Option<Duration>) -> Duration {
    given.map_or(longest, |given| given.min(longest))
}

async fn within<T>(longest: Duration, operation: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Error::from(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer within {longest:?}")));
    tokio::time::timeout(longest, operation).await.map_err(late)?
}

/// Whether no server said anything: the same call may succeed later.
fn is_unanswered(error: &Error) -> bool {
    matches!(
        error.kind.as_ref(),
        ErrorKind::Io(_) | ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. } | ErrorKind::DnsResolve { .. }
    ) || error.contains_label("RetryableWriteError")
}

fn unreachable_at_start(url: &MongoUrl, patience: Duration, error: &Error) -> StoreError {
    let (servers, why) = (url.servers(), describe(error));
    StoreError(format!("MongoDB at {servers} could not be reached within {patience:?}, start it or correct stores.users: {why}"))
}

fn refused_at_start(url: &MongoUrl, error: &Error) -> StoreError {
    let (servers, why) = (url.servers(), describe(error));
    let is_login = matches!(error.kind.as_ref(), ErrorKind::Authentication { .. });
    let what = if is_login { "refuses the user name or password of stores.users" } else { "cannot be used" };
    StoreError(format!("MongoDB at {servers} {what}: {why}"))
}

/// For the log. What a failed write says holds the values written, so only its number is told.
fn describe(error: &Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(error)) => format!("MongoDB refused a write (code {})", error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
            format!("a write to MongoDB was not confirmed by a majority (code {})", error.code)
        }
        ErrorKind::InsertMany(_) => "MongoDB refused to insert some of several documents".to_owned(),
        ErrorKind::Command(error) => format!("MongoDB refused a command (code {}): {}", error.code, error.message),
        kind => kind.to_string(),
    }
}
