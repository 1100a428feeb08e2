//! What signing in and out leaves.

use super::{Trail, sign_in};
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::program;
use crate::support::served::Served;
use portcullis::app::App;
use portcullis::audit::Filter;
use portcullis::clock::SystemClock;
use portcullis::config::load_str;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const YAML: &str = "routes: [{ path: /, upstream: sample }]";
const WRONG: &str = "Wrong-horse-7-battery";

/// S0.8, ASVS V16.3.1: who, what, from where, and in which request
#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_a_failure_and_a_sign_out_are_recorded() {
    let gateway = TestGateway::with(YAML).user("ann", &[]).start().await;
    let mut trail = Trail::of(&gateway).await;
    let mut browser = gateway.browser();
    assert_eq!(sign_in(&mut browser, "ann@example.com", WRONG).await.status, 401);
    trail.tells(&["login failure invalid_credentials by ann"]).await;
    assert_eq!(sign_in(&mut browser, "mallory", WRONG).await.status, 401);
    trail.tells(&["login failure invalid_credentials by \"mallory\""]).await;
    assert_eq!(sign_in(&mut browser, "ann", PASSWORD).await.status, 303);
    let records = trail.tells(&["login success - by ann"]).await;
    let ann = gateway.app().administration.find("ann").await.unwrap();
    let record = &records[0];
    assert_eq!((record.actor.account, record.client), (Some(ann.id), Some([127, 0, 0, 1].into())));
    assert!(record.request_id.len() >= 16, "{record:?}");
    let page = browser.open("/auth/logout").await;
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
    trail.tells(&["logout success - by ann"]).await;
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
    trail.tells(&[]).await;
}

/// An act of a command is there for the gateway, too
#[tokio::test(flavor = "multi_thread")]
async fn who_was_locked_is_recorded_as_failing_for_that() {
    let gateway = TestGateway::with(YAML).user("ann", &[]).start().await;
    std::fs::write(gateway.folder().join("portcullis.yaml"), YAML).unwrap();
    let mut trail = Trail::of(&gateway).await;
    assert_eq!(program::run(gateway.folder(), &["user", "lock", "ann"], "").await.code, Some(0));
    let records = trail.tells(&["account_lock success - by \"operator\" to ann"]).await;
    assert_eq!((records[0].client, &*records[0].request_id), (None, ""));
    assert_eq!(sign_in(&mut gateway.browser(), "ann", PASSWORD).await.status, 401);
    trail.tells(&["login failure locked by ann"]).await;
}

/// S2.4
#[tokio::test(flavor = "multi_thread")]
async fn limits_and_lockouts_are_recorded() {
    let gateway = TestGateway::with(YAML).limited().set("ACCOUNTS__LOCKOUT__FAILURES", "3").user("ann", &[]).manual_clock().start().await;
    let mut trail = Trail::of(&gateway).await;
    let mut browser = gateway.browser();
    for _ in 0..2 {
        assert_eq!(sign_in(&mut browser, "ann", WRONG).await.status, 401);
        trail.tells(&["login failure invalid_credentials by ann"]).await;
    }
    assert_eq!(sign_in(&mut browser, "ann", WRONG).await.status, 401);
    trail.tells(&["login failure invalid_credentials by ann", "lockout success too_many_failures by nobody to ann"]).await;
    assert_eq!(sign_in(&mut browser, "ann", PASSWORD).await.status, 429);
    trail.tells(&["login failure locked_out by ann"]).await;

    let gateway = TestGateway::with(YAML).limited().set("RATE_LIMIT__ATTEMPTS", "1").user("ann", &[]).manual_clock().start().await;
    let mut trail = Trail::of(&gateway).await;
    let mut browser = gateway.browser();
    assert_eq!(sign_in(&mut browser, "ann", WRONG).await.status, 401);
    assert_eq!(sign_in(&mut browser, "ann", PASSWORD).await.status, 429);
    trail.tells(&["login failure invalid_credentials by ann", "login failure rate_limited by ann"]).await;
    gateway.advance(Duration::from_mins(16));
    assert_eq!(sign_in(&mut browser, "ann", PASSWORD).await.status, 303);
    trail.tells(&["login success - by ann"]).await;
}

/// What was recorded just before a stop is not lost
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_stopped_leaves_its_last_records() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let yaml = format!("server: {{ listen: ['127.0.0.1:0'] }}\nadmin: {{ listen: '127.0.0.1:0' }}\n{YAML}");
    let served = Served::start(folder.path(), &yaml).await;
    assert_eq!(sign_in(&mut Browser::new(&served.origin), "mallory", WRONG).await.status, 401);
    served.log().await;
    let settings = load_str(&yaml, folder.path(), &[]).unwrap().settings;
    let app = App::open_for_command(Arc::new(settings), Arc::new(SystemClock)).unwrap();
    let records = app.audit.list(Filter::default(), 10).await.unwrap();
    assert_eq!(records.iter().map(|record| &*record.actor.name).collect::<Vec<_>>(), ["mallory"]);
}
