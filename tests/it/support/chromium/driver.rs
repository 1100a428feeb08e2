//! The chromedriver process of one browser, and the one command of it that WebDriver lacks.

use fantoccini::wd::WebDriverCompatibleCommand;
use http::Method;
use serde_json::{Value, json};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use url::{ParseError, Url};

/// chromedriver on a port of its own. It is killed when dropped, and takes its browser with it.
pub struct Driver {
    _process: Child,
    origin: String,
}

impl Driver {
    /// Starts it and reads from its output which port it got.
    pub async fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing: install Debian's chromium-driver, or let tests/run do it");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                let origin = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
                // Its output must be read on, or it would stall on a full pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Self { _process: process, origin };
            }
        }
        panic!("chromedriver ended before it was ready");
    }

    /// Where it listens.
    pub fn origin(&self) -> &str {
        &self.origin
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
