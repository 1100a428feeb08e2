//! One SQLite file: opening it without harming what is there, and asking it from async code. A single thread writes and
//! two read, so that no request's thread ever waits for the disk.

use super::schema;
use super::writer::{Job, Watcher, Writer};
use crate::clock::Stopwatch;
use crate::store::StoreError;
use crate::work_queue::{Next, WorkQueue};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// A database file in use. Dropping it finishes what was queued and closes the file.
pub struct Database {
    path: PathBuf,
    writer: Writer,
    reads: Arc<WorkQueue<Read>>,
    readers: Vec<JoinHandle<()>>,
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Threads that read.
const READERS: usize = 2;

/// Reads that wait.
const CAPACITY: usize = 1024;

/// Longest that a caller waits for an answer: a request that needs one must itself be answered within 2 s.
const READ_PATIENCE: Duration = Duration::from_millis(1500);

/// Longest that a caller waits for a write; the disk may be slow.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);

/// How long another process may hold the file.
pub(super) const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Largest file that is looked through for damage at start; a larger one would delay it.
const CHECKED_SIZE: u64 = 8 << 20;

/// How often idle threads look up from their queue.
const IDLE: Duration = Duration::from_mins(1);

impl Database {
    /// Opens the file, or makes it, and brings its tables up to date.
    ///
    /// # Errors
    /// One sentence that says what is wrong and what to do; nothing was changed then.
    pub fn open(path: &Path) -> Result<Arc<Self>, StoreError> {
        make_file(path)?;
        let describe = |error: &rusqlite::Error| cannot_use(path, error);
        let mut connection = connect(path).map_err(|error| describe(&error))?;
        check(&connection, path)?;
        schema::migrate(&mut connection, path)?;
        let writer = Writer::start(connection)?;
        let reads = Arc::new(WorkQueue::new(CAPACITY));
        let mut readers = Vec::with_capacity(READERS);
        for number in 0..READERS {
            let connection = connect(path).map_err(|error| describe(&error))?;
            let reads = Arc::clone(&reads);
            let thread = std::thread::Builder::new().name(format!("sqlite-reader-{number}"));
            let spawned = thread.spawn(move || run_reader(&reads, &connection));
            readers.push(spawned.map_err(|error| StoreError(format!("cannot start the database's thread: {error}")))?);
        }
        Ok(Arc::new(Self { path: path.to_owned(), writer, reads, readers }))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `work` on a reading thread.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            if !reply.is_closed() {
                let _ = reply.send(work(connection).map_err(|error| failed(&error)));
            }
        });
        self.reads.push(read).map_err(|_| overloaded())?;
        wait(answer, READ_PATIENCE).await
    }

    /// Runs `work` in a transaction on the writing thread; it is on the disk when this returns. Between the commit and
    /// the answer, `committed` is called on that thread, in the order of the commits.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        committed: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let task = Task { work: Some(work), committed, result: None, reply, awaited: true };
        self.writer.push(Box::new(task)).map_err(|_| overloaded())?;
        wait(answer, WRITE_PATIENCE).await
    }

    /// Lets `work` run some time soon, or never when the writer is overloaded.
    pub(super) fn write_later(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static) {
        let (reply, _) = oneshot::channel();
        let task = Task { work: Some(work), committed: |(): &()| {}, result: None, reply, awaited: false };
        let _ = self.writer.push(Box::new(task));
    }

    /// Has the watcher told soon of what another process (or another [`Database`]) has written to the file.
    pub(super) fn watch(&self, watcher: Watcher) {
        self.writer.watch(watcher);
    }
}

/// Somebody's work on the writing thread, and where the answer goes.
struct Task<T, W, C> {
    work: Option<W>,
    committed: C,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    /// Whether a caller waits; for one who has given up nothing is done any more.
    awaited: bool,
}

impl<T, W, C> Job for Task<T, W, C>
where
    T: Send,
    W: FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    C: FnOnce(&T) + Send,
{
    fn run(&mut self, connection: &Connection) -> bool {
        if self.awaited && self.reply.is_closed() {
            return false;
        }
        self.result = self.work.take().map(|work| work(connection).map_err(|error| failed(&error)));
        matches!(self.result, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, outcome: Result<(), StoreError>) {
        let done = self.result.unwrap_or_else(|| Err(overloaded()));
        let result = outcome.and(done);
        if let Ok(value) = &result {
            (self.committed)(value);
        }
        let _ = self.reply.send(result);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.reads.close();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

async fn wait<T>(answer: oneshot::Receiver<Result<T, StoreError>>, patience: Duration) -> Result<T, StoreError> {
    let too_slow = || StoreError(format!("the database did not answer within {} ms", patience.as_millis()));
    let answered = tokio::time::timeout(patience, answer).await.map_err(|_| too_slow())?;
    answered.map_err(|_| StoreError("the database is closed".to_owned()))?
}

fn run_reader(reads: &WorkQueue<Read>, connection: &Connection) {
    loop {
        match reads.next(IDLE) {
            Next::Work(read) => read(connection),
            Next::Idle => {}
            Next::Closed => return,
        }
    }
}

/// Makes an empty file that only we can read; SQLite gives its `-wal` and `-shm` files the same mode.
fn make_file(path: &Path) -> Result<(), StoreError> {
    match std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(StoreError(format!("the database {} cannot be opened: {}", path.display(), reason(path, &error)))),
    }
}

fn reason(path: &Path, error: &std::io::Error) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.exists() => format!("make the folder {} first", folder.display()),
        _ => error.to_string(),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LOCK_PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}

/// Looks before anything is written, and only then turns write-ahead logging on.
fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let describe = |error: rusqlite::Error| cannot_use(path, &error);
    let _tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(describe)?;
    if connection.is_readonly("main").map_err(describe)? {
        return Err(StoreError(format!("the database {} is read-only, make it and its folder writable", path.display())));
    }
    schema::check_owner(connection, path)?;
    if std::fs::metadata(path).is_ok_and(|file| file.len() <= CHECKED_SIZE) {
        let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(describe)?;
        if verdict != "ok" {
            return Err(damaged(path));
        }
    }
    let mode = turn_write_ahead_logging_on(connection).map_err(describe)?;
    if mode != "wal" {
        return Err(StoreError(format!(
            "the database {} must lie on a local disk: write-ahead logging is not possible there",
            path.display()
        )));
    }
    Ok(())
}

/// Unlike other statements this one fails at once when another process does the same just now.
fn turn_write_ahead_logging_on(connection: &Connection) -> rusqlite::Result<String> {
    let started = Stopwatch::start();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(error) if is_busy(&error) && started.elapsed() < LOCK_PATIENCE => std::thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

pub(super) fn cannot_use(path: &Path, error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => {
            StoreError(format!("{} is not a SQLite database, name another file or move this one away", path.display()))
        }
        Some(ErrorCode::DatabaseCorrupt) => damaged(path),
        _ => StoreError(format!("the database {} cannot be used: {error}", path.display())),
    }
}

fn damaged(path: &Path) -> StoreError {
    StoreError(format!("the database {} is damaged, restore it from a backup", path.display()))
}

fn overloaded() -> StoreError {
    StoreError("the database is overloaded".to_owned())
}

pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    StoreError(format!("the database failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn refusal(path: &Path) -> String {
        Database::open(path).err().expect("opened").0
    }

    fn count_tables(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
    }

    #[tokio::test]
    async fn a_new_file_and_what_belongs_to_it_can_be_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("test.db")).unwrap();
        database.write(|connection| connection.execute_batch("DELETE FROM sessions"), |()| {}).await.unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 3);
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
        }
    }

    #[test]
    fn what_is_no_database_is_refused_in_a_sentence_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let text = "this is a text, and not a short one ".repeat(100);
        std::fs::write(&path, &text).unwrap();
        assert!(refusal(&path).ends_with("is not a SQLite database, name another file or move this one away"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_database_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        drop(Database::open(&path).unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        for byte in &mut bytes[4096..8192] {
            *byte = 0x5a;
        }
        std::fs::write(&path, &bytes).unwrap();
        assert!(refusal(&path).ends_with("is damaged, restore it from a backup"));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn the_database_of_another_program_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(refusal(&path).ends_with("belongs to another program, name another file"));
        assert_eq!(count_tables(&Connection::open(&path).unwrap()), Ok(1));
    }

    #[test]
    fn the_database_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        drop(Database::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(refusal(&path).contains("was written by a newer version of portcullis (schema 99)"));
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        assert!(refusal(&missing.join("test.db")).ends_with(&format!("make the folder {} first", missing.display())));
        assert!(refusal(folder.path()).contains("cannot be opened"));
    }

    #[tokio::test]
    async fn work_that_fails_takes_nothing_else_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("test.db")).unwrap();
        let name = |name: &'static str| {
            move |connection: &Connection| {
                connection.execute("INSERT INTO names VALUES (?1, x'00')", [name])?;
                connection.execute("INSERT INTO names VALUES ('taken', x'00')", []).map(|_| ())
            }
        };
        let both = tokio::join!(database.write(name("first"), |()| {}), database.write(name("second"), |()| {}));
        assert!(both.0.is_ok() && both.1.is_err());
        let names = database.read(|connection| connection.query_row("SELECT count(*) FROM names", [], |row| row.get::<_, i64>(0)));
        assert_eq!(names.await.unwrap(), 2);
    }

    /// threats.md B22
    #[tokio::test]
    async fn a_file_that_another_process_holds_is_an_error_in_bounded_time_and_reads_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let database = Database::open(&path).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let started = Stopwatch::start();
        let write = database.write(|connection| connection.execute_batch("INSERT INTO names VALUES ('late', x'00')"), |()| {}).await;
        assert!(write.is_err() && started.elapsed() < Duration::from_secs(4));
        assert!(database.read(count_tables).await.is_ok());
        other.execute_batch("ROLLBACK").unwrap();
        let names = |connection: &Connection| connection.query_row("SELECT count(*) FROM names", [], |row| row.get::<_, i64>(0));
        assert_eq!(database.write(names, |_| {}).await.unwrap(), 0, "what failed for its caller is not done later");
    }

    #[test]
    fn processes_that_start_together_agree_on_the_tables() {
        for _ in 0..10 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("test.db");
            std::thread::scope(|scope| {
                let opening: Vec<_> = (0..8).map(|_| scope.spawn(|| Database::open(&path).map(|_| ()).map_err(|error| error.0))).collect();
                for thread in opening {
                    assert_eq!(thread.join().unwrap(), Ok(()));
                }
            });
        }
    }

    /// What was acknowledged outlives a loss of power
    #[tokio::test]
    async fn a_commit_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("test.db")).unwrap();
        let written = database.write(|connection| connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)), |_| {});
        assert_eq!(written.await.unwrap(), 2);
        let journal = database.read(|connection| connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)));
        assert_eq!(journal.await.unwrap(), "wal");
    }

    #[test]
    fn hundreds_are_opened_and_closed() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..200 {
            drop(Database::open(&folder.path().join(format!("{}.db", number % 10))).unwrap());
        }
    }
}
