//! Metrics while something is away: what cannot be told is left out, all else is told, and the failure is counted.

use super::{changes, counting, expected, site};
use crate::support::fault_proxy::{FaultProxy, Network};
use crate::support::gateway::PASSWORD;
use crate::support::mail_sink::MailSink;
use crate::support::redis_server::RedisServer;
use crate::support::scrape::Scrape;
use crate::support::upstream::EchoUpstream;
use std::time::Instant;

const SECRET: &str = "not-much-of-a-secret-but-long-enough-for-tests";

/// S1.8, contract 8: a store that is cut off
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_away_leaves_its_numbers_out_and_is_counted_as_failing() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let network = FaultProxy::start(redis.port()).await;
    let url = format!("redis://127.0.0.1:{}", network.port());
    let gateway = counting(&upstream).set("SECRET", SECRET).set("STORES__SESSIONS", &url).user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    let site = gateway.origin_as("app.test");
    browser.sign_in(&format!("{site}/wiki"), "alice", PASSWORD).await;
    let before = Scrape::of(&gateway).await;
    assert_eq!(before.value("sessions_active"), 1);
    assert_eq!(before.value("store_errors_total{operation=\"find\",store=\"sessions\"}"), 0);
    assert!(before.value("store_duration_seconds_count{operation=\"find\",store=\"sessions\"}") > 0);
    assert_eq!(before.value("store_duration_seconds_count{operation=\"create\",store=\"sessions\"}"), 1);

    network.set(Network::Refusing);
    assert_eq!(browser.open(&format!("{site}/wiki")).await.status, 503);
    let begun = Instant::now();
    let cut = Scrape::of(&gateway).await;
    assert_eq!(cut.get("sessions_active"), None, "it is not known");
    assert_eq!(cut.get("email_queue_depth"), Some(0), "letters are kept elsewhere");
    assert!(cut.value("store_errors_total{operation=\"find\",store=\"sessions\"}") > 0);
    assert!(cut.value("store_errors_total{operation=\"count\",store=\"sessions\"}") > 0);
    assert!(cut.value("store_errors_total{operation=\"find\",store=\"accounts\"}") == 0);
    assert!(begun.elapsed().as_secs() < 15, "a scrape ends within Prometheus' patience");
    let decisions = cut.since(&before, "requests_total");
    assert_eq!(decisions, expected(&[("decision=\"unavailable\",mode=\"proxy\"", 1)]));

    network.set(Network::Good);
    Scrape::until(&gateway, "the number to be back", |now| now.get("sessions_active") == Some(1)).await;
    assert_eq!(changes(&gateway, &before, "session_cache_total").await, expected(&[]), "Redis is asked each time");
}

/// contract 8: a name that is taken, or an account that somebody else wrote first, is an answer and no failure
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_says_no_has_not_failed() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).user("alice", &[]).start().await;
    let before = Scrape::of(&gateway).await;
    let account = crate::support::gateway::account("alice", &[]);
    assert!(gateway.app().administration.add(account).await.is_err());
    let now = Scrape::of(&gateway).await;
    let create = "operation=\"create\",store=\"accounts\"";
    assert_eq!(now.since(&before, "store_duration_seconds_count").get(create), Some(&1));
    assert_eq!(now.since(&before, "store_errors_total"), expected(&[]));
}

/// contract 8: SQLite's sessions are answered from memory
#[tokio::test(flavor = "multi_thread")]
async fn look_ups_of_sessions_are_counted_by_whether_memory_had_them() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    let wiki = format!("{}/wiki", gateway.origin_as("app.test"));
    browser.sign_in(&wiki, "alice", PASSWORD).await;
    let lookups = |scrape: &Scrape| {
        let count = |result: &str| scrape.value(&format!("session_cache_total{{result=\"{result}\"}}"));
        count("hit") + count("miss")
    };
    let before = lookups(&Scrape::of(&gateway).await);
    for _ in 0..10 {
        assert_eq!(browser.open(&wiki).await.status, 200);
    }
    let scrape = Scrape::of(&gateway).await;
    assert!(lookups(&scrape) >= before + 10);
    assert!(scrape.value("session_cache_total{result=\"hit\"}") > 0, "{}", scrape.text());
}

/// contract 8
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_does_not_leave_waits_and_is_counted_each_time() {
    let (upstream, mut sink) = (EchoUpstream::start().await, MailSink::start());
    let transport = format!("{}?tls=none", sink.url("smtp", "127.0.0.1"));
    let gateway = site(&upstream).set("EMAIL__TRANSPORT", &transport).user("alice", &[]).start().await;
    sink.stop();
    let mut browser = gateway.browser();
    browser.sign_in(&format!("{}/wiki", gateway.origin_as("app.test")), "alice", PASSWORD).await;
    let scrape =
        Scrape::until(&gateway, "an attempt", |now| now.value("emails_total{result=\"deferred\",template=\"new_sign_in\"}") > 0).await;
    assert_eq!(scrape.value("email_queue_depth"), 1);
    assert_eq!(scrape.value("emails_total{result=\"sent\",template=\"new_sign_in\"}"), 0);
}
