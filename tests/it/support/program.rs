//! The program itself, as an operator runs it.

use super::within_patience;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// What a finished command left.
#[derive(Debug)]
pub struct Finished {
    /// Exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A running program; it is killed when dropped.
pub struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Runs a command in `folder` to its end, with `input` as its standard input.
pub async fn run(folder: &Path, arguments: &[&str], input: &str) -> Finished {
    run_with(folder, arguments, &[], input).await
}

/// The same, with these variables in its environment.
pub async fn run_with(folder: &Path, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Finished {
    let mut child =
        command(folder, arguments).envs(environment.iter().copied()).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads nothing may be gone already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = within_patience(&format!("{arguments:?} to end"), child.wait_with_output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Program {
    /// Starts a command that goes on until it is told to stop.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut child = command(folder, arguments).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads `name: value` lines from standard output until each of these names was there.
    pub async fn announced(&mut self, names: &[&str]) -> HashMap<String, String> {
        let mut found = HashMap::new();
        while !names.iter().all(|name| found.contains_key(*name)) {
            let line = within_patience("a line of output", self.lines.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the output ended before {names:?} were all there, with {found:?}"));
            if let Some((name, value)) = line.split_once(": ") {
                found.insert(name.to_owned(), value.to_owned());
            }
        }
        found
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).unwrap())).expect("it has ended already");
        kill_process(id, signal).unwrap();
    }

    /// Waits for the end; its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        within_patience("the program to end", self.child.wait()).await.unwrap().code()
    }
}

/// The address in `http://address` or `http://address/`.
pub fn address(url: &str) -> SocketAddr {
    url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(folder).env_clear().env("TMPDIR", folder).stdout(Stdio::piped()).kill_on_drop(true);
    command
}
