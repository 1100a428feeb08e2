//! A mail server of a test's own (`tests/servers/smtp/sink.py`), on a free port of 127.0.0.1. It ends with the test's process,
//! however that ends, since its standard input does.

use super::certificate::Certificate;
use super::mailbox::Mailbox;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use tempfile::TempDir;

/// A mail server.
pub struct MailSink {
    folder: TempDir,
    arguments: Vec<String>,
    port: u16,
    running: Option<(Child, ChildStdin)>,
}

impl MailSink {
    /// One without TLS that takes everything.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One that proves itself by this certificate; `kind` is `starttls` or `implicit`.
    pub fn start_with_tls(kind: &str, certificate: &Certificate, more: &[&str]) -> Self {
        let (chain, key) = (certificate.chain.to_str().unwrap(), certificate.key.to_str().unwrap());
        Self::start_with(&[&["--tls", kind, "--certificate", chain, "--key", key], more].concat())
    }

    /// One with these arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut sink = Self { folder: TempDir::with_prefix("portcullis-sink-").unwrap(), arguments, port: 0, running: None };
        sink.start_again();
        sink
    }

    /// Starts it, after [`stop`](Self::stop) on the same port.
    pub fn start_again(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/smtp/sink.py");
        // Debian's own Python is the one that Debian's packages are for.
        let mut command = Command::new("/usr/bin/python3");
        command.arg(script).arg(self.folder.path()).args(["--port", &self.port.to_string()]).args(&self.arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let pipe = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("port: ").and_then(|port| port.parse().ok());
        self.port = port.expect("the mail sink to start; is python3-aiosmtpd installed?");
        self.running = Some((child, pipe));
    }

    /// Ends it: connections are refused.
    pub fn stop(&mut self) {
        if let Some((mut child, pipe)) = self.running.take() {
            drop(pipe);
            child.wait().unwrap();
        }
    }

    /// What it does from now on: `ok`, `refuse 450`, `hang` or `silent`.
    pub fn set_mode(&self, mode: &str) {
        let new = self.folder.path().join("mode.new");
        std::fs::write(&new, mode).unwrap();
        std::fs::rename(new, self.folder.path().join("mode")).unwrap();
    }

    /// Its address.
    pub fn url(&self, scheme: &str, host: &str) -> String {
        format!("{scheme}://{host}:{}", self.port)
    }

    /// The mails that it took.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::at(self.folder.path())
    }

    /// Everything that clients said to it, decrypted.
    pub fn wire(&self) -> String {
        let wire: PathBuf = self.folder.path().join("wire");
        String::from_utf8_lossy(&std::fs::read(wire).unwrap_or_default()).into_owned()
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        self.stop();
    }
}
