//! Which metrics there are: those of the contract, all of them documented, and from the start.

use super::counting;
use crate::support::agent::Agent;
use crate::support::scrape::Scrape;
use crate::support::upstream::EchoUpstream;
use http::Method;
use portcullis::clock::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Contract 8: names, and the labels of each.
const CONTRACT: &str = "
    requests_total{mode,decision} request_duration_seconds{mode} decision_duration_seconds{mode} logins_total{method,result}
    registrations_total{result} password_resets_total{stage,result} sessions_ended_total{reason} lockouts_total
    rate_limited_total{endpoint} token_refreshes_total{result} sessions_active session_cache_total{result}
    store_duration_seconds{store,operation} store_errors_total{store,operation} emails_total{template,result} email_queue_depth
    password_hash_duration_seconds password_hash_queue_depth upstream_requests_total{route,code_class} connections_active
    config_reloads_total{result} certificate_expiry_timestamp_seconds{name}";

/// What the table in `docs/metrics.md` says: name, type, labels, help.
fn documented() -> BTreeMap<String, (String, BTreeSet<String>, String)> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let metrics = rows.filter(|(name, _)| name.starts_with("portcullis_") || name.starts_with("process_"));
    let read = |(name, rest): (&str, &str)| {
        let cells: Vec<&str> = rest.trim_end_matches(" |").split(" | ").collect();
        let [kind, labels, help] = cells[..] else { panic!("{name}: {rest}") };
        let labels = labels.split(", ").map(|label| label.trim_matches('`').to_owned()).filter(|label| label != "–");
        (name.to_owned(), (kind.to_owned(), labels.collect(), help.to_owned()))
    };
    metrics.map(read).collect()
}

/// C5, contract 8
#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_contract_is_there_and_none_that_is_not_documented() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).start().await;
    gateway.app().metrics.certificates([("app.test", Timestamp(1_900_000_000_000))]).unwrap();
    let scrape = Scrape::of(&gateway).await;
    let described = scrape.described();
    for metric in CONTRACT.split_whitespace() {
        let (name, labels) = metric.split_once('{').unwrap_or((metric, ""));
        let labels: BTreeSet<String> =
            labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        let found = described.get(&format!("portcullis_{name}")).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(found.labels, labels, "{name}");
    }
    let told = described.into_iter().map(|(name, metric)| (name, (metric.kind, metric.labels, metric.help)));
    assert_eq!(told.collect::<BTreeMap<_, _>>(), documented());
    assert_eq!(scrape.value("certificate_expiry_timestamp_seconds{name=\"app.test\"}"), 1_900_000_000);
    assert_eq!(scrape.value(&format!("build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1);
}

/// contract 8: without a zero from the start, a rate misses the first event
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_there_from_the_start_and_stand_at_zero() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).start().await;
    let scrape = Scrape::of(&gateway).await;
    let product = |family: &str, labels: &[(&str, &str)]| {
        let spelt = labels.iter().fold(vec![String::new()], |prefixes, (name, values)| {
            let with = |prefix: &String| values.split('|').map(|value| format!("{prefix},{name}=\"{value}\"")).collect::<Vec<_>>();
            prefixes.iter().flat_map(with).collect()
        });
        for labels in spelt {
            assert_eq!(scrape.value(&format!("{family}{{{}}}", labels.trim_start_matches(','))), 0, "{family} {labels}");
        }
    };
    let decisions = "allow|public|redirect|unauthorized|forbidden|bad_request|not_found|unavailable";
    product("requests_total", &[("decision", decisions), ("mode", "proxy|forward_auth")]);
    let results = "success|invalid|locked|rate_limited|mfa_required";
    product("logins_total", &[("method", "password|totp|passkey|recovery|token"), ("result", results)]);
    product("registrations_total", &[("result", "success|username_taken|email_taken|invite_invalid|rate_limited")]);
    product("password_resets_total", &[("result", "success|invalid|rate_limited"), ("stage", "request|link|confirm")]);
    product("sessions_ended_total", &[("reason", "logout|revoked|replaced|displaced|account_changed|account_deleted|expired")]);
    product("rate_limited_total", &[("endpoint", "login|current_password|register|reset_request|reset_confirm|email_link")]);
    product("token_refreshes_total", &[("result", "success|repeated|reused|invalid")]);
    product("session_cache_total", &[("result", "hit|miss")]);
    product("config_reloads_total", &[("result", "success|failure")]);
    product("emails_total", &[("result", "sent|deferred|failed|dropped"), ("template", "password_reset|new_sign_in|test|unknown")]);
    product("upstream_requests_total", &[("code_class", "1xx|2xx|3xx|4xx|5xx|error"), ("route", "app.test/|app.test/api|*.apps.test/")]);
    product("store_errors_total", &[("operation", "create|find|ping"), ("store", "accounts|sessions")]);
    assert_eq!(scrape.value("lockouts_total"), 0);
}

/// threats.md K01: neither on the public listener nor through it; what lies there is the application's
#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_read_on_the_admin_listener_only() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).user("alice", &[]).start().await;
    let mut agent = Agent::new();
    for path in ["/metrics", "/auth/metrics", "/api/auth/metrics", "/.well-known/metrics"] {
        let url = format!("{}{path}", gateway.origin_as("app.test")).parse().unwrap();
        let answer = agent.send(Method::GET, &url, &[("accept", "text/plain")], "").await;
        assert!([401, 404].contains(&answer.status) && !answer.text().contains("portcullis_"), "{path}: {}", answer.text());
    }
    let url = format!("{}/metrics", gateway.origin_as("elsewhere.test")).parse().unwrap();
    assert_eq!(agent.send(Method::GET, &url, &[], "").await.status, 404);
}
