//! What is counted of requests: each has one decision, however it came, and its application one answer.

use super::{changes, counting, expected};
use crate::forward_auth::envoy_grpc::{check, client, question};
use crate::forward_auth::front::Front;
use crate::support::agent::Agent;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::Raw;
use crate::support::scrape::Scrape;
use crate::support::upstream::EchoUpstream;
use futures_util::stream;
use http::Method;
use std::convert::Infallible;

const PAGE: (&str, &str) = ("accept", "text/html");

/// A navigation to this address of the gateway.
async fn open(agent: &mut Agent, gateway: &TestGateway, host: &str, path: &str) -> u16 {
    let url = format!("{}{path}", gateway.origin_as(host)).parse().unwrap();
    agent.send(Method::GET, &url, &[PAGE, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], "").await.status
}

/// Somebody who has signed in.
async fn signed_in(gateway: &TestGateway, username: &str) -> Agent {
    let mut browser = gateway.browser();
    browser.sign_in(&format!("{}/auth/login", gateway.origin_as("app.test")), username, PASSWORD).await;
    browser.agent
}

/// contract 8
#[tokio::test(flavor = "multi_thread")]
async fn every_request_that_goes_through_has_one_decision_and_own_pages_have_none() {
    let upstream = EchoUpstream::start().await;
    upstream.serve("/public/broken", 500, &[], "");
    upstream.serve("/public/missing", 404, &[], "");
    let gateway = counting(&upstream).set("SERVER__LIMITS__PROXIED_BODY", "1024").user("alice", &[]).start().await;
    let mut alice = signed_in(&gateway, "alice").await;
    let before = Scrape::of(&gateway).await;

    for (host, path, status) in [
        ("app.test", "/wiki", 200),
        ("app.test", "/api/items", 200),
        ("app.test", "/admin/", 403),
        ("app.test", "/auth/account", 200),
        ("app.test", "/auth/nowhere", 404),
        ("app.test", "/auth/assets/nothing.css", 404),
        ("app.test", "/public/broken", 500),
        ("app.test", "/public/missing", 404),
        ("x.apps.test", "/", 404),
        ("elsewhere.test", "/", 404),
        ("dead.test", "/", 502),
    ] {
        assert_eq!(open(&mut alice, &gateway, host, path).await, status, "{host}{path}");
    }
    let large = format!("{}/public/upload", gateway.origin_as("app.test")).parse().unwrap();
    let answer =
        alice.send(Method::POST, &large, &[], reqwest::Body::wrap_stream(stream::iter([Ok::<_, Infallible>(vec![0_u8; 2048])]))).await;
    assert_eq!(answer.status, 413, "larger than was said, which is no failure of the application");
    let mut nobody = Agent::new();
    assert_eq!(open(&mut nobody, &gateway, "app.test", "/wiki").await, 302);
    let url = format!("{}/wiki", gateway.origin_as("app.test")).parse().unwrap();
    assert_eq!(nobody.send(Method::GET, &url, &[("accept", "application/json")], "").await.status, 401);
    for malformed in ["GET /%zz HTTP/1.1\r\nHost: app.test\r\n\r\n", "GET / HTTP/1.1\r\nHost: app.test\r\nHost: b\r\n\r\n"] {
        assert_eq!(Raw::exchange(gateway.address(), malformed).await.status(), 400);
    }
    assert_eq!(Raw::exchange(gateway.address(), "TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n").await.status(), 405);

    let decisions = expected(&[
        ("decision=\"allow\",mode=\"proxy\"", 2),
        ("decision=\"public\",mode=\"proxy\"", 4),
        ("decision=\"forbidden\",mode=\"proxy\"", 1),
        ("decision=\"not_found\",mode=\"proxy\"", 2),
        ("decision=\"redirect\",mode=\"proxy\"", 1),
        ("decision=\"unauthorized\",mode=\"proxy\"", 1),
        ("decision=\"bad_request\",mode=\"proxy\"", 3),
    ]);
    assert_eq!(changes(&gateway, &before, "requests_total").await, decisions);
    let answers = expected(&[
        ("code_class=\"2xx\",route=\"app.test/\"", 1),
        ("code_class=\"2xx\",route=\"app.test/api\"", 1),
        ("code_class=\"4xx\",route=\"app.test/\"", 1),
        ("code_class=\"5xx\",route=\"app.test/\"", 1),
        ("code_class=\"error\",route=\"dead.test/\"", 1),
    ]);
    assert_eq!(changes(&gateway, &before, "upstream_requests_total").await, answers);
    let answered = expected(&[("route=\"app.test/\"", 3), ("route=\"app.test/api\"", 1)]);
    assert_eq!(changes(&gateway, &before, "upstream_duration_seconds_count").await, answered);
    // What never became a request has no length.
    let decided = "decision_duration_seconds_count{mode=\"proxy\"}";
    let requests: i64 = decisions.values().sum();
    let since = |now: &Scrape, series: &str| now.value(series) - before.value(series);
    let now = Scrape::until(&gateway, "all requests to have ended", |now| {
        since(now, "request_duration_seconds_count{mode=\"proxy\"}") >= since(now, decided)
    });
    assert!((requests - 2..=requests).contains(&since(&now.await, decided)));
}

/// contract 8: every front proxy, and Envoy over gRPC
#[tokio::test(flavor = "multi_thread")]
async fn every_question_of_a_front_proxy_has_one_decision() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).set("SERVER__EXT_AUTHZ_GRPC", "127.0.0.1:0").user("alice", &[]).start().await;
    let alice = signed_in(&gateway, "alice").await;
    let cookie = alice.cookies.header(&format!("{}/", gateway.origin_as("app.test")).parse().unwrap()).unwrap();
    let before = Scrape::of(&gateway).await;
    let html = ("Accept", "text/html");

    for (front, url, headers, status) in [
        (Front::Traefik, "http://app.test/wiki", vec![("Cookie", cookie.as_str())], 200),
        (Front::Nginx, "http://x.apps.test/public/page", vec![], 200),
        (Front::Caddy, "http://app.test/wiki", vec![html], 302),
        (Front::Nginx, "http://app.test/wiki", vec![html], 401),
        (Front::Haproxy, "http://app.test/admin/", vec![("Cookie", cookie.as_str())], 403),
        (Front::Skipper, "http://elsewhere.test/", vec![], 403),
    ] {
        assert_eq!(front.question("GET", url).with(&headers).ask(&gateway).await.status(), status, "{front:?} {url}");
    }
    assert_eq!(Front::Nginx.question("GET", "http://app.test/").without("X-Original-URL").ask(&gateway).await.status(), 400);
    let mut envoy = client(&gateway).await;
    assert_eq!(check(&mut envoy, question("198.51.100.7", "GET", "http://app.test/wiki", &[("cookie", &cookie)])).await.status, 200);
    assert_eq!(check(&mut envoy, question("198.51.100.7", "GET", "http://app.test/wiki", &[])).await.status, 401);

    let decisions = expected(&[
        ("decision=\"allow\",mode=\"forward_auth\"", 2),
        ("decision=\"public\",mode=\"forward_auth\"", 1),
        ("decision=\"redirect\",mode=\"forward_auth\"", 1),
        ("decision=\"unauthorized\",mode=\"forward_auth\"", 2),
        ("decision=\"forbidden\",mode=\"forward_auth\"", 2),
        ("decision=\"bad_request\",mode=\"forward_auth\"", 1),
    ]);
    assert_eq!(changes(&gateway, &before, "requests_total").await, decisions);
    assert_eq!(changes(&gateway, &before, "decision_duration_seconds_count").await, expected(&[("mode=\"forward_auth\"", 9)]));
    assert_eq!(changes(&gateway, &before, "upstream_requests_total").await, expected(&[]));
}

/// contract 8
#[tokio::test(flavor = "multi_thread")]
async fn open_connections_are_counted_while_they_are_open() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).start().await;
    let open = |count: i64| move |scrape: &Scrape| scrape.value("connections_active") == count;
    Scrape::until(&gateway, "no connection", open(0)).await;
    let (mut one, other) = (gateway.raw().await, gateway.raw().await);
    Scrape::until(&gateway, "two connections", open(2)).await;
    drop(other);
    Scrape::until(&gateway, "one connection", open(1)).await;
    one.send("GET /public/a HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n").await;
    assert_eq!(one.response().await.status(), 200);
    Scrape::until(&gateway, "no connection again", open(0)).await;
}

/// contract 8: a WebSocket has a decision and an answer, and its length says nothing of how fast anything is
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_counted_when_it_opens() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).start().await;
    let before = Scrape::of(&gateway).await;
    let mut raw = gateway.raw().await;
    raw.send(
        "GET /public/ws HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    .await;
    assert_eq!(raw.head().await.start_word(1), "101");
    assert_eq!(changes(&gateway, &before, "requests_total").await, expected(&[("decision=\"public\",mode=\"proxy\"", 1)]));
    let answered = changes(&gateway, &before, "upstream_requests_total").await;
    assert_eq!(answered, expected(&[("code_class=\"1xx\",route=\"app.test/\"", 1)]));
    drop(raw);
    let now = Scrape::until(&gateway, "the connection to close", |now| now.value("connections_active") == 0).await;
    assert_eq!(now.since(&before, "request_duration_seconds_count"), expected(&[]));
}
