//! `portcullis serve` as a process of its own, and everything that it logs.

use super::within_patience;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// A running gateway.
pub struct Served {
    process: Child,
    log: JoinHandle<String>,
    /// `http://127.0.0.1:port`.
    pub origin: String,
    /// Where health and metrics are, the same way.
    pub admin: String,
}

impl Served {
    /// Starts it with this configuration, which must have an admin listener.
    pub async fn start(folder: &Path, configuration: &str) -> Self {
        let path = folder.join("portcullis.yaml");
        std::fs::write(&path, configuration).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["serve", "--config"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // Read as it comes, or the gateway would stall on a full pipe.
        let mut stderr = process.stderr.take().unwrap();
        let log = tokio::spawn(async move {
            let mut log = String::new();
            stderr.read_to_string(&mut log).await.unwrap();
            log
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = within_patience("the gateway to listen", lines.next_line()).await.unwrap().unwrap();
        let admin = loop {
            let line = within_patience("the admin listener", lines.next_line()).await.unwrap().expect("an admin listener");
            if let Some(admin) = line.strip_prefix("admin: ") {
                break admin.to_owned();
            }
        };
        let address = listening.strip_prefix("listening: ").unwrap_or_else(|| panic!("{listening}"));
        let origin = if address.starts_with("http") { address.to_owned() } else { format!("http://{address}") };
        Self { process, log, origin, admin }
    }

    /// Has it read its configuration anew.
    pub fn reload(&self) {
        kill_process(self.id(), Signal::HUP).unwrap();
    }

    /// Ends it; everything that it has logged.
    pub async fn log(mut self) -> String {
        kill_process(self.id(), Signal::TERM).unwrap();
        let log = within_patience("the log to end", self.log).await.unwrap();
        assert!(within_patience("the gateway to end", self.process.wait()).await.unwrap().success(), "{log}");
        log
    }

    fn id(&self) -> Pid {
        self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it has ended already")
    }
}
