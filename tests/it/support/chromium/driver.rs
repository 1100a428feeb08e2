//! The chromedriver process of one browser, and the commands of it that WebDriver lacks.

use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::{ParseError, Url};

/// chromedriver on a port of its own. When dropped it is killed, and its browser with it.
pub struct Driver {
    process: Child,
    origin: String,
}

impl Driver {
    /// Starts it with a folder for what it and its browser leave behind, and reads from its output which port it got.
    pub async fn start(folder: &Path) -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .env("TMPDIR", folder)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing: install Debian's chromium-driver, or let tests/run do it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let origin = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                // Its output must be read on, or it would stall on a full pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self { process, origin };
            }
        }
        panic!("chromedriver ended before it was ready");
    }

    /// Where it listens.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for Driver {
    /// Chromium outlives a chromedriver that is killed, but stays in its process group.
    fn drop(&mut self) {
        let group = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A DevTools command, through chromedriver's own extension of WebDriver.
#[derive(Debug)]
pub struct ChromeCommand {
    /// For example `Emulation.setEmulatedMedia`.
    pub command: &'static str,
    /// Its parameters.
    pub parameters: Value,
}

impl WebDriverCompatibleCommand for ChromeCommand {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/goog/cdp/execute", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _request_url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.command, "params": self.parameters }).to_string()))
    }
}

/// Asks for what the console has logged since it was last asked for, through another extension of chromedriver.
#[derive(Debug)]
pub struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/se/log", session_id.unwrap_or_default()))
    }

    fn method_and_body(&self, _request_url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
