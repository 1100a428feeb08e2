//! The filter in `deploy/fail2ban` over what the program really logs: who guesses is found, and nobody can have others
//! banned.

use crate::support::agent::Agent;
use crate::support::form::Form;
use crate::support::gateway::PASSWORD;
use crate::support::program;
use crate::support::served::Served;
use http::Method;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const CONFIGURATION: &str = "\
server: { listen: ['127.0.0.1:0'], trusted_proxies: [127.0.0.1] }
admin: { listen: '127.0.0.1:0' }
accounts: { lockout: { failures: 1000 } }
rate_limit: { attempts: 0, per_client: 0 }
log: { format: FORMAT, level: LEVEL, access: true }
routes: [{ path: /, upstream: sample }]
";

/// Names that try to look like a failure of somebody else, in either format.
const FORGED: [&str; 9] = [
    "x\" client=198.51.100.1 y=\"",
    " client=198.51.100.2 ",
    "x\nINFO portcullis::audit: audit=true event=login outcome=failure reason=invalid_credentials client=198.51.100.3 ",
    "\r\n  INFO portcullis::audit: audit=true event=login outcome=failure reason=invalid_credentials client=198.51.100.4",
    "\u{2028}h portcullis[1]:  INFO portcullis::audit: audit=true event=login outcome=failure reason=rate_limited client=198.51.100.5",
    "x\",\"client\":\"198.51.100.6\",\"y\":\"",
    "x\\\",\\\"client\\\":\\\"198.51.100.7\\\"",
    "\"}\n{\"timestamp\":\"2026-01-01T00:00:00Z\",\"level\":\"INFO\",\"audit\":true,\"event\":\"login\",\"outcome\":\"failure\",\"reason\":\"rate_limited\",\"client\":\"198.51.100.8\"}",
    "2026-01-01T00:00:00.000000Z  INFO portcullis::audit: audit=true event=login client=198.51.100.9",
];

/// A browser behind the proxy, at this address.
struct Visitor<'a> {
    served: &'a Served,
    agent: Agent,
    forwarded_for: &'a str,
}

impl<'a> Visitor<'a> {
    fn new(served: &'a Served, forwarded_for: &'a str) -> Self {
        Self { served, agent: Agent::new(), forwarded_for }
    }

    async fn sign_in(&mut self, username: &str, password: &str) -> u16 {
        let url = format!("{}/auth/login", self.served.origin).parse().unwrap();
        let page = self.agent.send(Method::GET, &url, &[("x-forwarded-for", self.forwarded_for)], "").await;
        let form = Form::all(&page.text()).remove(0).filled(&[("username", username), ("password", password)]);
        let forged = "agent client=198.51.100.10";
        let headers =
            [("x-forwarded-for", self.forwarded_for), ("content-type", "application/x-www-form-urlencoded"), ("user-agent", forged)];
        self.agent.send(Method::POST, &url, &headers, form).await.status
    }
}

/// The addresses that the filter finds in a log, with each line that it blames one for.
fn blamed(log: &Path) -> Vec<String> {
    let filter = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/fail2ban/filter.d/portcullis.conf");
    let found = Command::new("fail2ban-regex").arg("-o").arg("ip").arg(log).arg(filter).output().expect("tests/run installs fail2ban");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// threats.md I08, ASVS V16.4.1: the filter finds who guesses, in both formats and whatever `log.level` says, and what
/// somebody types blames nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_guesses_is_found_in_the_log_and_nobody_else_can_be_blamed() {
    for (format, level) in [("text", "info"), ("text", "error"), ("json", "info")] {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let configuration = CONFIGURATION.replace("FORMAT", format).replace("LEVEL", level);
        std::fs::write(folder.path().join("portcullis.yaml"), &configuration).unwrap();
        let added = program::run(folder.path(), &["user", "add", "ada", "--email", "ada@example.com"], &format!("{PASSWORD}\n")).await;
        assert_eq!(added.code, Some(0), "{added:?}");
        let served = Served::start(folder.path(), &configuration).await;
        for name in FORGED {
            assert_eq!(Visitor::new(&served, "198.51.100.11, 203.0.113.7").sign_in(name, "Wrong-secret-7").await, 401);
        }
        assert_eq!(Visitor::new(&served, "2001:db8::7").sign_in("ada", "Wrong-secret-7").await, 401);
        assert_eq!(Visitor::new(&served, "203.0.113.200").sign_in("ada", PASSWORD).await, 303);
        let mut browser = Agent::new();
        let url = format!("{}/a%20client=198.51.100.12?INFO%20portcullis::audit:", served.origin).parse().unwrap();
        browser.send(Method::GET, &url, &[("x-forwarded-for", "203.0.113.201"), ("x-request-id", "r client=198.51.100.13")], "").await;
        let log = served.log().await;

        let path = folder.path().join("log");
        std::fs::write(&path, &log).unwrap();
        let expected: Vec<&str> = std::iter::repeat_n("203.0.113.7", FORGED.len()).chain(["2001:db8::7"]).collect();
        assert_eq!(blamed(&path), expected, "{log}");
        // The journal stands its own words before each.
        let journal: String = log.lines().map(|line| format!("gate.example.com portcullis[4711]: {line}\n")).collect();
        std::fs::write(&path, journal).unwrap();
        assert_eq!(blamed(&path), expected, "{log}");
    }
}
