//! A program of somebody else's that a test runs. A shell beside it holds the end of a pipe: when the test's process ends,
//! however it ends, the shell kills the program and removes its folder.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

/// A running program; it is killed when dropped.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
    pipe: Option<ChildStdin>,
    folder: PathBuf,
}

/// Starts the program and says its id; at the end of the pipe, kills it.
const GUARD: &str = r#"
    folder=$1; shift
    cd "$folder"
    "$@" >"$folder/log" 2>&1 </dev/null & program=$!
    echo $program
    read -r told
    kill -9 $program; wait $program
    rm -rf "$folder"
"#;

impl Guarded {
    /// Runs a program in `folder`, which is removed when it ends; what it says is in the file `log` there.
    pub fn run(folder: PathBuf, program: &Path, arguments: &[&str]) -> Self {
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&folder).arg(program).args(arguments);
        guard.env("HOME", &folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = guard.spawn().unwrap();
        let pipe = shell.stdin.take();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.trim().parse::<u32>().is_ok(), "the guard of {} did not start it", program.display());
        Self { shell, pipe, folder }
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ended = self.shell.wait();
    }
}

/// A port of 127.0.0.1 for a program that cannot choose one itself: below those that the system hands out by chance, and
/// never the same one twice in a process.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static SEED: Mutex<Option<u16>> = Mutex::new(None);
    let seed = *SEED.lock().unwrap().get_or_insert_with(|| u16::try_from(std::process::id() % u32::from(COUNT)).unwrap());
    loop {
        let port = FIRST + (seed + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Where tests/run leaves programs that are no Debian packages.
pub fn cached(path: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    cache.unwrap_or_else(home).join("portcullis-tests").join(path)
}
