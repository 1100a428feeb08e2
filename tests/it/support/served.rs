//! `portcullis serve` as a process of its own, and everything that it logs.

use super::within_patience;
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A running gateway.
pub struct Served {
    process: Child,
    log: watch::Receiver<String>,
    reading: JoinHandle<()>,
    /// `http://127.0.0.1:port`.
    pub origin: String,
    /// The same for the admin listener.
    pub admin: String,
}

impl Served {
    /// Starts it with this configuration, which must listen at one address and have an admin listener.
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
        let (write, log) = watch::channel(String::new());
        let reading = tokio::spawn(async move {
            let mut bytes = Vec::new();
            while stderr.read_buf(&mut bytes).await.unwrap() > 0 {
                // A read may end within a character; the rest comes with the next one.
                let whole = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len());
                let text: Vec<u8> = bytes.drain(..whole).collect();
                write.send_modify(|log| log.push_str(std::str::from_utf8(&text).unwrap()));
            }
            assert!(bytes.is_empty(), "the log is UTF-8");
        });
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = within_patience("the gateway to listen", lines.next_line()).await.unwrap().unwrap();
        let admin = within_patience("the admin listener", lines.next_line()).await.unwrap().unwrap();
        let address = listening.strip_prefix("listening: ").unwrap_or_else(|| panic!("{listening}"));
        let origin = if address.starts_with("http") { address.to_owned() } else { format!("http://{address}") };
        let admin = admin.strip_prefix("admin: ").unwrap_or_else(|| panic!("{admin}")).to_owned();
        Self { process, log, reading, origin, admin }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.id(), signal).unwrap();
    }

    /// Its process.
    pub fn id(&self) -> Pid {
        self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it has ended already")
    }

    /// Waits until it has logged `text` so many times in all; everything that it has logged by then.
    pub async fn has_logged(&mut self, text: &str, times: usize) -> String {
        let logged = self.log.wait_for(|log| log.matches(text).count() >= times);
        within_patience(&format!("{text:?} in the log"), logged).await.unwrap().clone()
    }

    /// Ends it; everything that it has logged.
    pub async fn log(self) -> String {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits for its end; everything that it has logged.
    pub async fn ended(mut self) -> String {
        within_patience("the log to end", self.reading).await.unwrap();
        let log = self.log.borrow().clone();
        assert!(within_patience("the gateway to end", self.process.wait()).await.unwrap().success(), "{log}");
        log
    }
}
