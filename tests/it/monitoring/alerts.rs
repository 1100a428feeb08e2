//! The alerts as they are shipped, in a real Prometheus over gateways that are attacked, lose their store and end. Only time is
//! shortened, where rules name it: a minute is a second.

use super::shipped::{alerts, files, text};
use crate::support::agent::Agent;
use crate::support::api_client::ApiClient;
use crate::support::browser::Browser;
use crate::support::fault_proxy::{FaultProxy, Network};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mail_sink::MailSink;
use crate::support::prometheus::{Prometheus, RaisedAlert};
use crate::support::redis_server::RedisServer;
use crate::support::upstream::EchoUpstream;
use portcullis::clock::{Clock as _, SystemClock, Timestamp};
use portcullis::metrics::{Metrics, RefreshResult, ReloadResult};
use regex::{Captures, Regex};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const SECRET: &str = "not-much-of-a-secret-but-long-enough-for-tests";

/// More than may wait for a password to be verified.
const FLOOD: usize = 44;

/// The rules, in a hurry: minutes are seconds, hours a quarter of a minute, and nothing else is changed.
fn hurried_rules() -> Vec<String> {
    let duration = Regex::new(r"(\[|for: )(\d+)(m|h)\b").unwrap();
    let shorter = |found: &Captures| {
        let seconds = found[2].parse::<u32>().unwrap() * if &found[3] == "h" { 15 } else { 1 };
        format!("{}{seconds}s", &found[1])
    };
    let hurried = |name: &String| duration.replace_all(&text(&format!("deploy/prometheus/rules/{name}")), shorter).into_owned();
    files("deploy/prometheus/rules").iter().map(hurried).collect()
}

fn targets(gateways: &[&TestGateway]) -> Vec<String> {
    gateways.iter().map(|gateway| gateway.admin_origin().trim_start_matches("http://").to_owned()).collect()
}

/// Waits until all of these fire at once; what they tell is whole.
async fn fire(prometheus: &mut Prometheus, names: &[&str]) -> Vec<RaisedAlert> {
    let firing = |alerts: &[RaisedAlert]| names.iter().all(|name| alerts.iter().any(|alert| alert.firing && alert.name == *name));
    let raised = prometheus.until_alerts(&format!("{names:?} to fire"), firing).await;
    for alert in &raised {
        let told: Vec<&String> = alert.annotations.values().collect();
        assert_eq!(told.len(), 3, "{alert:?}");
        assert!(told.iter().all(|text| !["{{", "error", "%!", "no value"].iter().any(|flaw| text.contains(flaw))), "{alert:?}");
    }
    raised
}

/// Waits until none of these is raised any more.
async fn keep_quiet(prometheus: &mut Prometheus, names: &[&str]) {
    let quiet = |alerts: &[RaisedAlert]| !alerts.iter().any(|alert| names.contains(&alert.name.as_str()));
    prometheus.until_alerts(&format!("{names:?} to be quiet"), quiet).await;
}

fn names(alerts: &[RaisedAlert]) -> BTreeSet<&str> {
    alerts.iter().map(|alert| alert.name.as_str()).collect()
}

const OF_ATTACKS: [&str; 6] = [
    "PortcullisHashQueueSaturated",
    "PortcullisCredentialStuffing",
    "PortcullisLoginFailureRatio",
    "PortcullisLockoutSurge",
    "PortcullisMailBacklog",
    "PortcullisRefreshTokenReuse",
];

const OF_OUTAGES: [&str; 6] = [
    "PortcullisStoreErrors",
    "PortcullisUnavailable",
    "PortcullisDecisionsSlow",
    "PortcullisUpstreamErrors",
    "PortcullisConfigReloadFailed",
    "PortcullisCertificateExpiry",
];

const OF_ENDS: [&str; 2] = ["PortcullisInstanceDown", "PortcullisDown"];

/// None is forgotten here.
#[test]
fn every_alert_is_seen_firing_over_gateways_that_run() {
    let seen: BTreeSet<&str> = [&OF_ATTACKS[..], &OF_OUTAGES, &OF_ENDS].concat().into_iter().collect();
    let shipped = alerts();
    assert_eq!(seen, shipped.iter().map(|alert| alert.name.as_str()).collect());
}

/// S1.8: names that are guessed, mails that do not get away, a token that was stolen.
#[tokio::test(flavor = "multi_thread")]
async fn an_attack_is_told_of_and_its_end_too() {
    let (upstream, mut mail) = (EchoUpstream::start().await, MailSink::start());
    let owners: Vec<String> = (0..11).map(|number| format!("owner{number}")).collect();
    let gateway = TestGateway::in_front_of(&upstream)
        .set("ACCOUNTS__LOCKOUT__FAILURES", "1")
        .set("EMAIL__TRANSPORT", &format!("{}?tls=none", mail.url("smtp", "127.0.0.1")))
        .set("PORTAL__URL", "http://localhost")
        .manual_clock();
    let gateway = owners.iter().fold(gateway, |gateway, owner| gateway.user(owner, &[])).start().await;
    let mut prometheus = Prometheus::start(&targets(&[&gateway]), &hurried_rules()).await;
    prometheus.until("job:portcullis_requests:rate5m", |samples| !samples.is_empty()).await;
    assert_eq!(names(&prometheus.alerts().await).intersection(&OF_ATTACKS.into()).count(), 0, "before");

    mail.stop();
    for owner in &owners {
        let body = json!({ "email": format!("{owner}@example.com") });
        assert_eq!(gateway.api().post("/api/auth/password-reset/request", &body).await.status, 202);
    }
    let (mut flood, mut attackers) = (JoinSet::new(), JoinSet::new());
    for attacker in 0..FLOOD {
        flood.spawn(guess(gateway.api(), attacker, Duration::ZERO));
    }
    fire(&mut prometheus, &OF_ATTACKS[..1]).await;
    for attacker in 0..4 {
        attackers.spawn(guess(gateway.api(), FLOOD + attacker, Duration::from_millis(250)));
    }
    attackers.spawn(steal(gateway.app().metrics.clone()));
    flood.shutdown().await;
    let raised = fire(&mut prometheus, &OF_ATTACKS[1..]).await;
    let others = ["PortcullisStoreErrors", "PortcullisUnavailable", "PortcullisUpstreamErrors", "PortcullisDown"];
    assert!(others.iter().all(|other| !names(&raised).contains(other)), "it is an attack, and nothing else: {raised:?}");

    attackers.shutdown().await;
    mail.start_again();
    // The next attempt to send a mail is a minute later.
    gateway.advance(Duration::from_mins(2));
    keep_quiet(&mut prometheus, &OF_ATTACKS).await;
}

/// Tries passwords, four of a name, with pauses: one that is looked at, and three at a locked account.
async fn guess(mut client: ApiClient, attacker: usize, pause: Duration) {
    for attempt in 0.. {
        let name = format!("name-{attacker}-{}", attempt / 4);
        client.post("/auth/login", &json!({ "username": name, "password": "guess" })).await;
        tokio::time::sleep(pause).await;
    }
}

/// Presents stolen tokens.
async fn steal(metrics: Arc<Metrics>) {
    loop {
        metrics.token_refreshed(RefreshResult::Reused);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// S1.8: a store that is slow and then away, an application that fails, a configuration that is wrong, and gateways that end.
#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_of_and_its_end_too() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let network = FaultProxy::start(redis.port()).await;
    let gateway = || {
        let sessions = format!("redis://127.0.0.1:{}", network.port());
        TestGateway::in_front_of(&upstream).set("SECRET", SECRET).set("STORES__SESSIONS", &sessions)
    };
    let one = gateway().user("ann", &[]).start().await;
    let users = format!("sqlite:{}", one.folder().join("portcullis.db").display());
    let other = gateway().set("STORES__USERS", &users).start().await;
    let mut prometheus = Prometheus::start(&targets(&[&one, &other]), &hurried_rules()).await;
    let mut ann = one.browser();
    ann.sign_in("/", "ann", PASSWORD).await;
    let mut readers = JoinSet::new();
    for gateway in [&one, &other] {
        readers.spawn(read(ann.agent.cookies.header(&ann.url("/")).unwrap(), gateway.browser(), "/x"));
    }
    prometheus.until("job:portcullis_requests:rate5m > 1", |samples| !samples.is_empty()).await;
    // A machine that is busy enough is slow indeed.
    let slow = "PortcullisDecisionsSlow";
    let raised = prometheus.alerts().await;
    assert!(names(&raised).intersection(&OF_OUTAGES.into()).all(|name| *name == slow), "before: {raised:?}");

    network.set(Network::Slow(Duration::from_millis(60)));
    readers.spawn(read(ann.agent.cookies.header(&ann.url("/")).unwrap(), one.browser(), "/status/500"));
    tell_of_certificate(&one, Duration::from_hours(24 * 10));
    one.app().metrics.config_reloaded(ReloadResult::Failure);
    fire(&mut prometheus, &[slow, "PortcullisUpstreamErrors", "PortcullisConfigReloadFailed"]).await;
    network.set(Network::Refusing);
    let raised = fire(&mut prometheus, &["PortcullisStoreErrors", "PortcullisUnavailable", "PortcullisCertificateExpiry"]).await;
    let stores: BTreeSet<&str> = raised.iter().filter_map(|alert| alert.labels.get("store").map(String::as_str)).collect();
    assert!(stores.contains("sessions") && !stores.contains("accounts"), "it is the session store: {raised:?}");

    network.set(Network::Good);
    readers.shutdown().await;
    tell_of_certificate(&one, Duration::from_hours(24 * 90));
    one.app().metrics.config_reloaded(ReloadResult::Success);
    keep_quiet(&mut prometheus, &OF_OUTAGES).await;

    let ends = targets(&[&other]);
    other.stop().await;
    let raised = fire(&mut prometheus, &["PortcullisInstanceDown"]).await;
    assert_eq!(raised.iter().filter(|alert| alert.labels.get("instance") == Some(&ends[0])).count(), 1, "{raised:?}");
    one.stop().await;
    fire(&mut prometheus, &OF_ENDS).await;
}

/// Reads a page again and again.
async fn read(cookies: String, browser: Browser, path: &'static str) {
    let (mut agent, url) = (Agent::new(), browser.url(path));
    loop {
        agent.send(http::Method::GET, &url, &[("cookie", &cookies)], "").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn tell_of_certificate(gateway: &TestGateway, left: Duration) {
    let end = Timestamp(SystemClock.now().0 + i64::try_from(left.as_millis()).unwrap());
    gateway.app().metrics.certificates([("wiki.example.com", end)]).unwrap();
}
