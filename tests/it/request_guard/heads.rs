//! Hosts, methods and header lines of HTTP/1 requests, and how long and slow a head may be.

use super::{answered_and_closed, assert_refused, guarded, line};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use std::time::{Duration, Instant};

/// Contract 3.1; threats B16, H13
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_missing_doubled_or_malformed_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let hosts = [
        "",
        "app.test/",
        "app.test/evil?x",
        "app.test?x",
        "app.test#x",
        "app.test,b",
        "app .test",
        "u@app.test",
        "app.test:",
        "app.test:0",
        "app.test:abc",
        "app.test:99999",
        "app..test",
        ".app.test",
        "[::1",
        "[::g]",
        "1.2.3",
        "0x7f.1",
        "app.test:80:80",
        "a%2eb",
        "\u{e9}.test",
    ];
    let mut requests: Vec<String> = hosts.iter().map(|host| format!("GET /public HTTP/1.1\r\nHost: {host}\r\n\r\n")).collect();
    requests.push("GET /public HTTP/1.1\r\n\r\n".to_owned());
    requests.push("GET /public HTTP/1.0\r\n\r\n".to_owned());
    requests.push("GET /public HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n".to_owned());
    requests.push("GET /public HTTP/1.1\r\nHost: app.test\r\nhost: other.test\r\n\r\n".to_owned());
    requests.push("GET http://app.test/public HTTP/1.1\r\n\r\n".to_owned());
    assert_refused(&gateway, &upstream, 400, &requests).await;
    assert_refused(
        &gateway,
        &upstream,
        404,
        &["GET /public HTTP/1.1\r\nHost: other.test\r\n\r\n", "GET /auth/login HTTP/1.1\r\nHost: x\r\n\r\n"],
    )
    .await;
}

/// Contract 3.1; threats H05, H08
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_head_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let heads = [
        "GET /public HTTP/1.1\nHost: app.test\n\n",
        "GET /public HTTP/1.1\r\nHost: app.test\nX: y\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\rX: y\r\n\r\n",
        "GET /public HTTP/1.1\r\n Host: app.test\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX: a\r\n folded\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX-A : b\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX A: b\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nno colon\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\n: empty\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX: a\0b\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX: a\x1b[31m\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nAuthorization: Basic \u{e9}\r\n\r\n",
        "GET /public HTTP/1.2\r\nHost: app.test\r\n\r\n",
        "GET /public HTTP/2.0\r\nHost: app.test\r\n\r\n",
        "GET /public HTTP/0.9\r\nHost: app.test\r\n\r\n",
        "GET /public\r\nHost: app.test\r\n\r\n",
        "GET  /public HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "GET /public HTTP/1.1 \r\nHost: app.test\r\n\r\n",
        " GET /public HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "GET /public x HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "G(T /public HTTP/1.1\r\nHost: app.test\r\n\r\n",
    ];
    assert_refused(&gateway, &upstream, 400, &heads).await;
}

/// Contract 3.1; threats H07, H10
#[tokio::test(flavor = "multi_thread")]
async fn only_100_continue_can_be_expected_and_no_protocol_but_websocket_is_upgraded_to() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let expecting = ["y 100-continue", "100-continue, x", "200-ok"]
        .map(|value| format!("POST /public HTTP/1.1\r\nHost: app.test\r\nExpect: {value}\r\nContent-Length: 1\r\n\r\na"));
    assert_refused(&gateway, &upstream, 417, &expecting).await;
    let upgrade = "GET /public HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = Raw::exchange(gateway.address(), upgrade).await;
    assert_eq!(answer.status(), 200);
    let head = upstream.last().head;
    assert_eq!((head.header("upgrade"), head.header("http2-settings")), (None, None), "{head:?}");
}

/// Contract 3.1; threats B20, H11
#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_listed_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let methods = ["TRACE", "FOO", "get", "PROPFIND", "M-SEARCH", "GETT", "PRI"];
    assert_refused(&gateway, &upstream, 405, &methods.map(|method| line(&format!("{method} /public HTTP/1.1")))).await;
    let connect = answered_and_closed(&gateway, b"CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n").await;
    assert!(matches!(connect.status(), 400 | 405), "{}", connect.status());
    for method in ["OPTIONS", "PUT", "PATCH", "DELETE"] {
        assert_eq!(Raw::exchange(gateway.address(), line(&format!("{method} /public HTTP/1.1"))).await.status(), 200, "{method}");
    }
}

/// Contract 2, `server.methods`
#[tokio::test(flavor = "multi_thread")]
async fn more_methods_are_let_through_where_they_are_listed() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { methods: [GET, PROPFIND] }").await;
    assert_eq!(Raw::exchange(gateway.address(), line("PROPFIND /public HTTP/1.1")).await.status(), 200);
    let refused = answered_and_closed(&gateway, line("POST /public HTTP/1.1").as_bytes()).await;
    assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, PROPFIND")), "RFC 9110 section 15.5.6");
    assert_eq!(upstream.seen(), 1);
}

/// Contract 3.1; threats S14, H14
#[tokio::test(flavor = "multi_thread")]
async fn heads_beyond_the_limits_are_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let long = "a".repeat(70_000);
    let fields = |count: usize| format!("GET /public HTTP/1.1\r\nHost: app.test\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert_refused(&gateway, &upstream, 414, &[line(&format!("GET /public?{long} HTTP/1.1")), line(&format!("{long} / HTTP/1.1"))]).await;
    let headers = [
        format!("GET /public HTTP/1.1\r\nHost: app.test\r\nX: {long}\r\n\r\n"),
        format!("GET /public HTTP/1.1\r\nHost: app.test\r\nCookie: a={long}\r\n\r\n"),
        format!("GET /public HTTP/1.1\r\nHost: app.test\r\n{long}: x\r\n\r\n"),
    ];
    assert_refused(&gateway, &upstream, 431, &headers).await;
    assert_refused(&gateway, &upstream, 400, &[fields(256), fields(300)]).await;
    assert_eq!(Raw::exchange(gateway.address(), fields(255)).await.status(), 200);
    let largest = format!("GET /public HTTP/1.1\r\nHost: app.test\r\nX: {}\r\n\r\n", "a".repeat(16_000));
    assert_eq!(Raw::exchange(gateway.address(), largest).await.status(), 200);
}

/// `server.timeouts.header`: in total, not per read; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_dribbles_in_is_given_up_at_one_total_deadline() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { timeouts: { header: 300ms } }").await;
    let mut raw = gateway.raw().await;
    let begun = Instant::now();
    raw.send("GET /public HTTP/1.1\r\nHost: app.test\r\nX: ").await;
    let mut answer = None;
    // Every byte comes well within the deadline, the whole head never does.
    while answer.is_none() && begun.elapsed() < Duration::from_secs(10) {
        raw.try_send("a").await;
        answer = tokio::time::timeout(Duration::from_millis(50), raw.response()).await.ok();
    }
    assert_eq!(answer.expect("an answer while it dribbles").status(), 408);
    assert!(begun.elapsed() >= Duration::from_millis(300) && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(upstream.seen(), 0);
}

/// `server.timeouts.header` and `idle`; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed_at_once_and_between_requests() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { timeouts: { header: 300ms, idle: 1s } }").await;
    let mut silent = gateway.raw().await;
    assert_eq!(silent.closed().await, 0);
    let mut idle = gateway.raw().await;
    for _ in 0..2 {
        idle.send(line("GET /public HTTP/1.1")).await;
        assert_eq!(idle.response().await.status(), 200);
    }
    assert_eq!(idle.closed().await, 0);
    assert_eq!(upstream.seen(), 2);
}

/// The second request on a connection has a deadline and a guard of its own; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn later_requests_on_a_connection_are_guarded_like_the_first() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { timeouts: { header: 300ms } }").await;
    for (second, status) in [("GET admin HTTP/1.1\r\nHost: app.test\r\n\r\n", 400), ("GET /public HTTP/1.1\r\nHost: app", 408)] {
        let mut raw = gateway.raw().await;
        raw.send(line("GET /public HTTP/1.1")).await;
        assert_eq!(raw.response().await.status(), 200);
        raw.send(second).await;
        assert_eq!(raw.response().await.status(), status, "{second:?}");
        assert_eq!(raw.closed().await, 0);
    }
    assert_eq!(upstream.seen(), 2);
}

/// Cookies that are no cookies of ours are no session, whatever their bytes; threats S05, S07, S11, A08
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_is_not_beyond_doubt_is_no_session() {
    let upstream = EchoUpstream::start().await;
    let routes = format!("routes: [{{ path: /, upstream: \"{}\" }}]", upstream.origin());
    let gateway = TestGateway::with(routes).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "ann", PASSWORD).await;
    let before = upstream.seen();
    let good = browser.agent.cookies.get("portcullis").unwrap().value.clone();
    let other = format!("{}A", &good[..good.len() - 1]);
    let ask = async |cookies: &[u8]| {
        let request = [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n".as_slice(), cookies, b"\r\n\r\n"].concat();
        Raw::exchange(gateway.address(), request).await.status()
    };
    assert_eq!(ask(format!("Cookie: a=b; portcullis={good}").as_bytes()).await, 200);
    assert_eq!(ask(format!("Cookie: portcullis={good}; portcullis={good}").as_bytes()).await, 200);
    let doubtful = [
        format!("Cookie: portcullis={good}x"),
        format!("Cookie: portcullis={other}x"),
        format!("Cookie: portcullis={good}; portcullis={other}x"),
        format!("Cookie: portcullis={other}x; portcullis={good}"),
        format!("Cookie: portcullis={good}\r\nCookie: portcullis="),
        format!("Cookie: Portcullis={good}"),
        format!("Cookie: __Host-portcullis={good}"),
        format!("Cookie: __Secure-portcullis={good}"),
        format!("Cookie: portcullis=\"{good}\""),
        format!("Cookie: =portcullis={good}"),
        format!("Cookie: a=b, portcullis={good}"),
        format!("Cookie: \u{2000}portcullis={good}"),
        "Cookie: portcullis=*".to_owned(),
        "Cookie: portcullis=".to_owned(),
        format!("Cookie: portcullis={}", "a".repeat(8000)),
    ];
    for cookies in doubtful {
        assert_eq!(ask(cookies.as_bytes()).await, 401, "{cookies:?}");
    }
    assert_eq!(ask(b"Cookie: portcullis=\xff\xfe").await, 401);
    assert_eq!(upstream.seen(), before + 2);
}

/// Contract 3.1: what never became a request is refused in the form that the client asked for, too.
#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_with_a_page_where_a_person_asks() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).start().await;
    let refused = async |accept: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\nAccept: {accept}\r\n\r\n");
        let answer = Raw::exchange(gateway.address(), request).await;
        (answer.status(), answer.header("content-type").unwrap_or_default().to_owned())
    };
    assert_eq!(refused("text/html,*/*").await, (400, "text/html; charset=utf-8".to_owned()));
    assert_eq!(refused("*/*").await, (400, "application/problem+json".to_owned()));
    assert_eq!(upstream.seen(), 0);
}
