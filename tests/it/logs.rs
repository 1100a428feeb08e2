//! What a running gateway writes to its log, at the finest level: what happened, and nothing that opens anything.

use crate::support::browser::Browser;
use crate::support::form::Form;
use crate::support::gateway::PASSWORD;
use crate::support::within_patience;
use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

const CONFIGURATION: &str = "\
server: { listen: ['127.0.0.1:0'] }
admin: { listen: '127.0.0.1:0' }
accounts: { registration: open }
log: { level: trace, format: FORMAT }
routes: [{ path: /, upstream: sample }]
";

/// `portcullis serve` as a process of its own.
pub(super) struct Served {
    process: Child,
    pub(super) origin: String,
    log: JoinHandle<String>,
}

pub(super) async fn serve(folder: &TempDir, configuration: &str) -> Served {
    let path = folder.path().join("portcullis.yaml");
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
    let admin = within_patience("the admin listener", lines.next_line()).await.unwrap().unwrap();
    assert!(admin.starts_with("admin: "), "{admin}");
    let address = listening.strip_prefix("listening: ").unwrap_or_else(|| panic!("{listening}"));
    let origin = if address.starts_with("http") { address.to_owned() } else { format!("http://{address}") };
    Served { process, origin, log }
}

impl Served {
    /// Ends it; everything that it has logged.
    pub(super) async fn log(mut self) -> String {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).unwrap();
        kill_process(id, Signal::TERM).unwrap();
        let log = within_patience("the log to end", self.log).await.unwrap();
        assert!(within_patience("the gateway to end", self.process.wait()).await.unwrap().success(), "{log}");
        log
    }
}

/// threats K07, I08; ASVS V16.2.5, V16.4.1: a user's whole life leaves no password, cookie or token in the log, and what
/// somebody types cannot pass for a record of its own.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_forged_record_gets_into_the_log() {
    for format in ["text", "json"] {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let served = serve(&folder, &CONFIGURATION.replace("FORMAT", format)).await;
        let mut browser = Browser::new(&served.origin);
        let page = browser.open("/auth/register").await;
        browser.submit(&page, &[("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)]).await;
        let login = browser.open("/auth/login?password=Query-secret-7").await;
        browser.submit(&login, &[("username", "ada"), ("password", "Wrong-secret-7")]).await;
        for name in ["a\nlevel=info msg=forged", "a\u{1b}[31mforged", "a\u{2028}forged"] {
            browser.submit(&login, &[("username", name), ("password", "Wrong-secret-7")]).await;
        }
        browser.sign_in("/app?token=Query-secret-7", "ada", PASSWORD).await;
        let first = browser.agent.cookies.get("portcullis").unwrap().value.clone();
        let url = browser.url("/app");
        let headers = [("authorization", "Bearer Header-secret-7"), ("x-api-key", "Header-secret-7"), ("user-agent", "agent\tforged")];
        browser.agent.send(Method::GET, &url, &headers, "Body-secret-7").await;
        let page = browser.open("/auth/account/password").await;
        let answer = browser.submit(&page, &[("current_password", PASSWORD), ("password", "New-secret-password-7")]).await;
        assert_eq!(answer.status, 303);
        let second = browser.agent.cookies.get("portcullis").unwrap().value.clone();
        let form = Form::all(&page.text()).remove(0).values;
        let csrf = form.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.clone()).unwrap();
        let page = browser.open("/auth/logout").await;
        browser.submit(&page, &[("csrf", &csrf)]).await;
        let json = [("content-type", "application/json")];
        let body = json!({ "username": "ada", "password": "Wrong-secret-7", "Field-secret-7": 1 }).to_string();
        let url = browser.url("/auth/login");
        browser.agent.send(Method::POST, &url, &json, body).await;
        let log = served.log().await;

        assert!(log.lines().count() > 20 && log.contains("/auth/account/password"), "the requests are logged: {log}");
        let cookie = browser.agent.cookies.get("portcullis-csrf").unwrap().value.clone();
        for secret in [PASSWORD, "secret-7", "secret-password-7", &first, &second, &csrf, &cookie, "argon2", "forged"] {
            assert!(!log.contains(secret), "{secret} is in the log: {log}");
        }
        assert!(!log.contains('\u{1b}') && !log.contains('\u{2028}'), "{log}");
        for line in log.lines().filter(|line| !line.starts_with("warning: ")) {
            let is_record = if format == "json" { serde_json::from_str::<serde_json::Value>(line).is_ok() } else { line.starts_with("20") };
            assert!(is_record, "{line:?} is no record");
        }
    }
}
