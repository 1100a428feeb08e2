//! A real `redis-server` of a test's own, on a free port of 127.0.0.1. A shell beside it holds the end of a pipe: when the
//! test's process ends, however it ends, the shell kills the server and removes its folder.

use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server.
pub struct RedisServer {
    port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
}

struct Process {
    shell: Child,
    pipe: ChildStdin,
    server: Pid,
}

/// Starts the server and says its id; told to keep the folder, or at the end of the pipe, kills it.
const GUARD: &str = r#"
    folder=$1; shift
    touch "$folder/redis.conf"
    redis-server "$folder/redis.conf" "$@" >/dev/null 2>&1 </dev/null & server=$!
    echo $server
    read -r told
    kill -9 $server; wait $server
    [ "$told" = keep ] || rm -rf "$folder"
"#;

/// Longest that a server may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

impl RedisServer {
    /// A server that forgets everything when it ends.
    pub fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"])
    }

    /// A server that has written down what it acknowledges.
    pub fn start_durable() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
    }

    /// A server with these arguments, in which `{port}` is its port.
    pub fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("portcullis-redis-").tempdir().unwrap().keep();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server = Self { port: 0, folder, arguments, process: None };
        // Between the look for a free port and its use, somebody else may have taken it.
        for _ in 0..10 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.run() {
                return server;
            }
        }
        panic!("redis-server found no free port; is it installed?");
    }

    /// Its address for `stores.sessions`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything that it has written; nothing unless it is durable.
    pub fn dump(&self) -> Vec<u8> {
        let folder = self.folder.join("appendonlydir");
        let files = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        files.flat_map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// Makes it hang: it accepts connections and never answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Ends [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it on the spot.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.pipe.write_all(b"keep\n").unwrap();
            drop(process.pipe);
            process.shell.wait().unwrap();
        }
    }

    /// Starts it again after [`kill`](Self::kill), on the same port and with what it wrote.
    pub fn start_again(&mut self) {
        assert!(self.run(), "redis-server does not start on port {} again", self.port);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.process.as_ref().expect("it runs").server, signal).unwrap();
    }

    /// Whether it is there to be used; not when its port is taken.
    fn run(&mut self) -> bool {
        let log = self.folder.join("log");
        let _ = std::fs::remove_file(&log);
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "redis-guard"]).arg(&self.folder);
        guard.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--dir"]).arg(&self.folder);
        guard.arg("--logfile").arg(&log);
        guard.args(self.arguments.iter().map(|argument| argument.replace("{port}", &self.port.to_string())));
        let mut shell = guard.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let pipe = shell.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let server = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        self.process = Some(Process { shell, pipe, server });
        let ready = wait_for_log(&log);
        if !ready {
            self.kill();
        }
        ready
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        match self.process.take() {
            Some(Process { mut shell, pipe, .. }) => {
                drop(pipe);
                let _ = shell.wait();
            }
            None => {
                let _ = std::fs::remove_dir_all(&self.folder);
            }
        }
    }
}

fn wait_for_log(log: &Path) -> bool {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        if said.contains("Ready to accept connections") || said.contains("Sentinel ID is") {
            return true;
        }
        if said.contains("Failed listening") || said.contains("Could not create server TCP") || said.contains("Address already in use") {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}
