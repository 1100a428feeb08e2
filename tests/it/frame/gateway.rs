//! The gateway in the test's process, once through each client.

use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_and_the_upstream_is_told_who_it_is() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("ann", &["staff"]).start().await;
    let mut browser = gateway.browser();
    let login = browser.visit("/wiki?page=1").await;
    assert_eq!((login.status, login.url.path()), (200, "/auth/login"));
    assert_eq!(upstream.seen(), 0);
    let page = browser.sign_in("/wiki?page=1", "ann", PASSWORD).await;
    assert_eq!(page.json()["target"], "/wiki?page=1");
    let head = upstream.last().head;
    assert_eq!((head.header("x-user"), head.header("x-user-groups")), (Some("ann"), Some("staff")));
    assert_eq!(head.header("cookie"), None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_signs_in_with_json_and_raw_bytes_reach_the_guard() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("ann", &[]).start().await;
    let mut api = gateway.api();
    assert_eq!(api.get("/data").await.status, 401);
    let answer = api.post("/auth/login", &json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!((answer.status, &answer.json()["user"]["username"]), (200, &json!("ann")));
    assert_eq!(api.get("/data").await.json()["target"], "/data");
    let mut raw = gateway.raw().await;
    raw.send("GET no-slash HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;
    assert_eq!(raw.response().await.status(), 400);
    assert_eq!(raw.closed().await, 0);
    assert_eq!(upstream.seen(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_clock_moves_only_when_told() {
    let upstream = EchoUpstream::start().await;
    let builder = TestGateway::in_front_of(&upstream).user("ann", &[]).manual_clock();
    let gateway = builder.set("SESSIONS__IDLE_TIMEOUT", "10m").set("SESSIONS__CACHE", "0s").start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "ann", PASSWORD).await;
    gateway.advance(Duration::from_mins(9));
    assert_eq!(browser.open("/").await.status, 200);
    gateway.advance(Duration::from_mins(11));
    assert_eq!(browser.open("/").await.status, 302);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_its_own_folder_admin_listener_and_host_names() {
    let builder = TestGateway::with("routes: [{ host: one.test, upstream: sample }]\naccess: { default: public }");
    assert!(builder.folder().is_dir());
    let gateway = builder.start().await;
    assert!(gateway.folder().join("portcullis.db").is_file());
    assert_eq!(gateway.app().settings.routes.len(), 1);
    let mut browser = gateway.browser();
    assert_eq!(browser.open(&format!("{}/readyz", gateway.admin_origin())).await.status, 200);
    assert_eq!(browser.open(&format!("{}/", gateway.origin_as("one.test"))).await.status, 200);
    assert_eq!(browser.open(&format!("{}/", gateway.origin_as("two.test"))).await.status, 404);
}
