//! Every panel of the dashboard, asked of a real Prometheus over gateways that run: what it shows is what happened.

use super::load::{Gateways, Outcome};
use super::shipped::{Query, annotations, files, metrics_in, panels, queries, recordings, runbook_blocks, string, text};
use crate::support::api_client::ApiClient;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::prometheus::{Prometheus, Sample};
use crate::support::upstream::EchoUpstream;
use crate::support::{PATIENCE, within_patience};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a panel's series must show. Others of its series must be at zero.
#[derive(Clone, Copy, Debug)]
enum Shows {
    /// A rate, a second, of something that happened so often.
    Times(u32),
    /// An increase by so many.
    More(u32),
    /// This number.
    Number(f64),
    /// A number between these.
    Within(f64, f64),
}
use Shows::{More, Number, Times, Within};

/// What rates are taken over here: more than the test takes.
const WINDOW: (&str, f64) = ("5m", 300.0);

/// Each series of the panel.
const EACH: &str = "*";

/// Longest that anything took.
const LONG: f64 = 60.0;

/// S1.8, C5: gateways that people, an attacker and an outage went over.
#[tokio::test(flavor = "multi_thread")]
async fn every_panel_and_every_runbook_shows_what_two_gateways_lived_through() {
    let gateways = Gateways::start().await;
    let upstream = EchoUpstream::start().await;
    let alone = TestGateway::in_front_of(&upstream).user("zoe", &[]).start().await;
    let targets: Vec<String> = gateways.targets().into_iter().chain([address(&alone.admin_origin())]).collect();
    let rules: Vec<String> = files("deploy/prometheus/rules").iter().map(|name| text(&format!("deploy/prometheus/rules/{name}"))).collect();
    let mut prometheus = Prometheus::start(&targets, &rules).await;

    let outcome = gateways.live_through().await;
    look_round(&alone).await;
    settled(&mut prometheus).await;

    let expected = expected(&targets, outcome);
    let titles: BTreeSet<String> = panels().iter().map(|panel| string(&panel["title"])).collect();
    assert_eq!(titles, expected.keys().map(|title| (*title).to_owned()).collect(), "a panel is missing here, or in the dashboard");
    let started = Instant::now();
    loop {
        let mut problems = Vec::new();
        for (title, expected) in &expected {
            problems.extend(check_panel(&mut prometheus, title, expected).await);
        }
        if problems.is_empty() {
            break;
        }
        // A machine that is busy misses a scrape; what happened stays.
        assert!(started.elapsed() < PATIENCE, "{problems:#?}");
    }
    for query in annotations() {
        let shown = prometheus.until(&instantiated(&query.expression), |samples| !samples.is_empty()).await;
        assert!(shown.iter().all(|sample| sample.value > 0.0), "{}: {shown:?}", query.panel);
    }
    check_names(&mut prometheus).await;
    check_rules(&mut prometheus).await;
    check_runbooks(&mut prometheus, &gateways.log().await).await;
}

/// A gateway that keeps its sessions in a file, and in memory.
async fn look_round(alone: &TestGateway) {
    let mut zoe = ApiClient::new(&alone.origin());
    // On a machine that is too busy to look at a password there is no answer yet.
    let login = json!({ "username": "zoe", "password": PASSWORD });
    within_patience("a sign-in", async { while zoe.post("/auth/login", &login).await.status == 503 {} }).await;
    for _ in 0..5 {
        assert_eq!(zoe.get("/x").await.status, 200);
    }
}

/// Everything that happened has been scraped.
async fn settled(prometheus: &mut Prometheus) {
    let one = |samples: &[Sample]| samples.iter().map(|sample| sample.value).sum::<f64>() >= 1.0;
    prometheus.until("portcullis_emails_total{result=\"deferred\"}", one).await;
    prometheus.until("portcullis_config_reloads_total{result=\"success\"}", one).await;
    prometheus.until("portcullis_config_reloads_total{result=\"failure\"}", one).await;
    let five = |samples: &[Sample]| samples.iter().any(|sample| sample.value >= 5.0);
    prometheus.until("portcullis_upstream_requests_total{route=\"/\", code_class=\"2xx\"}", five).await;
    prometheus.until("job:portcullis_logins_failed:ratio_rate5m", |samples| !samples.is_empty()).await;
    // Of many scrapes, half a one more is little.
    let many = |samples: &[Sample]| samples.len() == 3 && samples.iter().all(|sample| sample.value >= 20.0);
    prometheus.until("count_over_time(up[5m])", many).await;
}

fn expected(targets: &[String], outcome: Outcome) -> BTreeMap<&'static str, Vec<(String, Shows)>> {
    let Outcome { allowed_afterwards, unavailable, mails } = outcome;
    let ones = 15 + 4 + allowed_afterwards;
    let proxied = ones + 3 + 2 + 1 + 2 + 1 + 1 + unavailable;
    let all = f64::from(proxied + 5 + 5);
    let each = |shows| vec![(EACH.to_owned(), shows)];
    let of = |shown: &[(&str, Shows)]| shown.iter().map(|(series, shows)| ((*series).to_owned(), *shows)).collect::<Vec<_>>();
    let anything = || each(Within(0.0, f64::MAX));
    let duration = || each(Within(f64::MIN_POSITIVE, LONG));
    BTreeMap::from([
        ("Us: gateways that answer", of(&[("up", Number(3.0)), ("of", Number(3.0))])),
        ("Us: refused with 503", of(&[("503", Within(0.8 * f64::from(unavailable) / all, 1.25 * f64::from(unavailable) / all))])),
        ("Us: slowest decisions", duration()),
        ("Store: calls that fail", each(Within(f64::MIN_POSITIVE, 1.0))),
        ("Mail: waiting", of(&[("waiting", Number(1.0))])),
        ("Attack: failed sign-ins", of(&[("failed", Times(8))])),
        ("Attack: accounts locked", of(&[("locked", More(1))])),
        ("Application: requests that fail", of(&[("worst route", Within(0.99, 1.01))])),
        (
            "Requests by decision",
            of(&[
                ("allow", Times(ones + 3 + 5)),
                ("public", Times(3)),
                ("redirect", Times(1)),
                ("unauthorized", Times(2 + 2)),
                ("forbidden", Times(2)),
                ("bad_request", Times(1)),
                ("not_found", Times(1)),
                ("unavailable", Times(unavailable)),
            ]),
        ),
        ("Requests by mode", of(&[("proxy", Times(proxied + 5)), ("forward_auth", Times(5))])),
        ("Requests by gateway", of(&[(&targets[0], Times(proxied - 5)), (&targets[1], Times(5 + 5)), (&targets[2], Times(5))])),
        ("Answers of applications", of(&[("2xx", Times(15 + 3 + allowed_afterwards + 5)), ("5xx", Times(2)), ("error", Times(2))])),
        ("Failing applications", of(&[("/app", Within(0.05, 0.15)), ("/dead", Within(0.99, 1.01))])),
        ("Open connections", anything()),
        ("Sign-ins by result", of(&[("success", Times(4)), ("invalid", Times(6)), ("locked", Times(1)), ("rate_limited", Times(1))])),
        ("Sign-ins that fail", of(&[("failed", Within(0.6, 0.72))])),
        ("Sign-ins by method", of(&[("password", Times(4))])),
        ("Registrations", of(&[("success", Times(4)), ("username_taken", Times(1))])),
        (
            "Forgotten passwords",
            of(&[("request success", Times(3)), ("link success", Times(2)), ("confirm success", Times(1)), ("confirm invalid", Times(1))]),
        ),
        ("Refresh tokens", of(&[])),
        ("Accounts locked", of(&[("locked", More(1))])),
        ("Refused by limits", of(&[("login", Times(1))])),
        ("Live sessions", of(&[("portcullis", Number(2.0))])),
        ("Sessions that end", of(&[("logout", Times(1))])),
        ("Answered from memory", of(&[("hits", Within(f64::MIN_POSITIVE, 1.0))])),
        ("Decisions", duration()),
        ("Requests", duration()),
        ("Applications", duration()),
        ("Calls", each(Within(0.0, f64::MAX))),
        ("Calls that fail", each(Within(f64::MIN_POSITIVE, f64::MAX))),
        ("Latency of stores", duration()),
        ("Slowest operations", duration()),
        ("Mails that wait", of(&[("portcullis", Number(1.0))])),
        ("Attempts to send", of(&[("sent", Times(u32::try_from(mails).unwrap())), ("deferred", Times(1)), ("dropped", Times(1))])),
        ("Mails that are not taken", of(&[("password_reset", More(1))])),
        ("Passwords that wait", anything()),
        ("Time for a password", duration()),
        ("Passwords verified", anything()),
        ("CPU", each(Within(f64::MIN_POSITIVE, 64.0))),
        ("Memory", each(Within(1e6, 1e11))),
        ("File descriptors", each(Within(f64::MIN_POSITIVE, 1.0))),
        ("Up since", each(Within(-2.0, 86_400.0))),
        ("Certificates", of(&[("portcullis.test", Within(85_000.0, 86_401.0))])),
        ("Configuration", of(&[(&format!("{} success", targets[0]), More(1)), (&format!("{} failure", targets[1]), More(1))])),
        ("Versions", of(&[(env!("CARGO_PKG_VERSION"), Number(3.0))])),
        ("Threads", each(Within(2.0, 10_000.0))),
    ])
}

/// What is wrong with what the panel shows.
async fn check_panel(prometheus: &mut Prometheus, title: &str, expected: &[(String, Shows)]) -> Vec<String> {
    let mut shown = Vec::new();
    for query in queries().iter().filter(|query| query.panel == title) {
        let samples = prometheus.query(&instantiated(&query.expression)).await;
        shown.extend(samples.into_iter().filter(|sample| !sample.value.is_nan()).map(|sample| (series(query, &sample), sample.value)));
    }
    let mut problems = Vec::new();
    if shown.is_empty() {
        problems.push(format!("{title} shows nothing"));
    }
    for (name, _) in expected.iter().filter(|(name, _)| name != EACH && !shown.iter().any(|(shown, _)| shown == name)) {
        problems.push(format!("{title} does not show {name}, but {shown:?}"));
    }
    for (name, value) in shown {
        let shows = expected.iter().find(|(series, _)| *series == name || series == EACH).map_or(Number(0.0), |(_, shows)| *shows);
        if !shows.is(value) {
            problems.push(format!("{title} shows {value} as {name}, not {shows:?}"));
        }
    }
    problems
}

impl Shows {
    fn is(self, value: f64) -> bool {
        // Prometheus draws a rate out to half a scrape before the first and behind the last one.
        // A rate is drawn out to half a scrape before the first and behind the last one.
        let drawn_out = |times: f64| times * 0.95..=times * 1.3;
        match self {
            Times(0) => value.abs() < 1e-9,
            Times(times) => drawn_out(f64::from(times)).contains(&(value * WINDOW.1)),
            More(times) => drawn_out(f64::from(times)).contains(&value),
            Number(number) => (value - number).abs() < 1e-9,
            Within(least, most) => (least..=most).contains(&value),
        }
    }
}

/// With everything chosen at the top of the dashboard.
fn instantiated(expression: &str) -> String {
    expression.replace("$__rate_interval", WINDOW.0).replace("$job", ".+").replace("$instance", ".+")
}

/// How Grafana calls the series.
fn series(query: &Query, sample: &Sample) -> String {
    sample.labels.iter().fold(query.legend.clone(), |legend, (name, value)| legend.replace(&format!("{{{{{name}}}}}"), value))
}

/// Nothing asks for a metric that there is not.
async fn check_names(prometheus: &mut Prometheus) {
    let samples = prometheus.query("count by (__name__) ({__name__=~\"(portcullis|process)_.+\"})").await;
    let exported: BTreeSet<String> = samples.into_iter().map(|sample| sample.labels["__name__"].clone()).collect();
    let of_dashboard = queries().into_iter().chain(annotations()).map(|query| query.expression);
    let of_rules = super::shipped::alerts().into_iter().map(|alert| alert.expression);
    let of_recordings = recordings().into_iter().map(|rule| rule.expression);
    let of_runbooks = runbook_blocks("promql").into_iter().map(|(_, block)| block);
    for expression in of_dashboard.chain(of_rules).chain(of_recordings).chain(of_runbooks) {
        for name in metrics_in(&expression) {
            assert!(exported.contains(&name), "{name} is not exported, but {expression} asks for it");
        }
    }
}

/// Each recording rule has recorded something, and none has failed.
async fn check_rules(prometheus: &mut Prometheus) {
    for recording in recordings() {
        prometheus.until(&recording.name, |samples| !samples.is_empty()).await;
    }
    assert_eq!(prometheus.failing_rules().await, Vec::<String>::new());
}

/// The queries of the runbooks can be asked, and the lines about the log find what it holds.
async fn check_runbooks(prometheus: &mut Prometheus, log: &str) {
    for (_, block) in runbook_blocks("promql") {
        prometheus.query(&block).await;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log"), log).unwrap();
    for (page, block) in runbook_blocks("sh") {
        let found = run_line(folder.path(), &block);
        assert!(!found.trim().is_empty() || page == "PortcullisRefreshTokenReuse.md", "{page} finds nothing by {block}");
    }
}

fn run_line(folder: &Path, line: &str) -> String {
    let script = format!("records() {{ jq -cR 'fromjson?' log; }}\n{line}");
    let shell = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(shell.status.success() && shell.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&shell.stderr));
    String::from_utf8(shell.stdout).unwrap()
}

fn address(origin: &str) -> String {
    origin.trim_start_matches("http://").to_owned()
}
