//! mongo-java-server, the stand-in for MongoDB: one process for all tests of a binary, each test in a database of its own,
//! or one for a test that stops and hangs it. Used by the tests inside the crate too.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A running server. It ends when it is dropped, and with the test's process however that ends: the server watches its
/// standard input.
pub struct MongoServer {
    process: Child,
    address: String,
}

impl MongoServer {
    /// Starts one whose data live in memory, on a free port.
    pub fn start() -> Self {
        Self::launch(&["0"])
    }

    /// Starts one that keeps its data in a file, at `127.0.0.1:PORT` or, with port 0, on a free one.
    pub fn start_with_file(port: u16, file: &Path) -> Self {
        Self::launch(&[&port.to_string(), file.to_str().expect("a path in UTF-8")])
    }

    /// The address of a fresh database in the one server that the tests of this binary share.
    pub fn fresh_database() -> String {
        static SHARED: LazyLock<MongoServer> = LazyLock::new(MongoServer::start);
        static MADE: AtomicUsize = AtomicUsize::new(0);
        SHARED.database(&format!("test{}", MADE.fetch_add(1, Ordering::Relaxed)))
    }

    /// The address of a database in this server.
    pub fn database(&self, name: &str) -> String {
        format!("mongodb://{}/{name}", self.address)
    }

    /// The port it listens at.
    pub fn port(&self) -> u16 {
        let (_, port) = self.address.rsplit_once(':').expect("an address has a port");
        port.parse().expect("a port is a number")
    }

    /// Stops it in order, so that its file is whole, and waits for its end.
    pub fn stop(mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("a child can be waited for");
    }

    /// Sends SIGTERM and waits for its end.
    pub fn terminate(mut self) {
        self.signal(Signal::TERM);
        self.process.wait().expect("a child can be waited for");
    }

    /// Halts it: it goes on to take connections and never answers.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
        // The signal is sent at once, but threads that run just then may answer once more.
        while !self.threads_stand_still() {
            std::thread::yield_now();
        }
    }

    /// Lets a halted one go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Whether every thread is in the state T, "stopped by a signal" (`proc_pid_stat(5)`).
    fn threads_stand_still(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).expect("the server runs");
        let stopped = |stat: String| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'));
        tasks.filter_map(Result::ok).filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok()).all(stopped)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("a signal can be sent to a child");
    }

    fn launch(arguments: &[&str]) -> Self {
        let program = program();
        assert!(program.is_file(), "{} is missing, run tests/run (or tests/servers/mongo-java/build.sh) once", program.display());
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("mongo-java-server starts");
        let mut first = String::new();
        let output = process.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut first).expect("its output can be read");
        let address = first.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("mongo-java-server did not start: {first}"));
        Self { process, address: address.to_owned() }
    }
}

impl Drop for MongoServer {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}

/// Where tests/servers/mongo-java/build.sh leaves it.
fn program() -> PathBuf {
    let pom = include_str!("../../servers/mongo-java/pom.xml");
    let version = pom.lines().find_map(|line| line.strip_prefix("  <version>")?.strip_suffix("</version>"));
    let version = version.expect("the pom names a version");
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    cache.unwrap_or_else(home).join(format!("portcullis-tests/mongo-java-{version}/mongo-java-server"))
}
