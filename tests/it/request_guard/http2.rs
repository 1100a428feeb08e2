//! The same over HTTP/2.

use super::guarded;
use crate::support::raw_h2::{self, Outcome, RawH2};
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;

/// Contract 3.1 over HTTP/2; threats B01, B05, H13
#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_guarded_like_http_1() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { h2c: true }").await;
    let get = |path: &'static str| vec![(":method", "GET"), (":scheme", "http"), (":authority", "app.test"), (":path", path)];
    assert_eq!(raw_h2::exchange(gateway.address(), &get("/public/a?b=c")).await, Outcome::Status(200));
    assert_eq!((upstream.seen(), upstream.last().target()), (1, "/public/a?b=c"));
    let with = |extra: (&'static str, &'static str)| {
        let mut fields = get("/public");
        fields.push(extra);
        fields
    };
    let mut bad = vec![
        with(("host", "other.test")),
        with(("host", "app.test:81")),
        with(("transfer-encoding", "chunked")),
        with(("connection", "x-user")),
        with(("upgrade", "websocket")),
        with(("te", "gzip")),
        with(("X-Upper", "case")),
        with(("x-a", "b\r\nx-user: root")),
        with(("x-a", "b\0c")),
        with(("x-a b", "c")),
        with(("content-length", "+5")),
        with(("authorization", "Basic \u{e9}")),
        with((":path", "/admin")),
        with((":path", "/public")),
        with((":unknown", "x")),
        vec![(":method", "GET"), (":scheme", "http"), (":path", "/public")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "app.test")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "other.test"), (":path", "/public")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "app.test/evil"), (":path", "/public")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "u@app.test"), (":path", "/public")],
        vec![(":method", "TRACE"), (":scheme", "http"), (":authority", "app.test"), (":path", "/public")],
        vec![(":method", "get"), (":scheme", "http"), (":authority", "app.test"), (":path", "/public")],
        vec![(":method", "CONNECT"), (":authority", "app.test:80")],
    ];
    bad.extend(
        [
            "admin",
            "",
            "*",
            "http://app.test/public",
            "/public/../admin",
            "/%2e%2e/admin",
            "/public\\x",
            "/public%00",
            "/public/%",
            "/pub lic",
            "/public/\u{e9}",
            "//%61dmin",
        ]
        .into_iter()
        .map(get),
    );
    for fields in bad {
        let outcome = raw_h2::exchange(gateway.address(), &fields).await;
        assert!(outcome.is_refusal(), "{outcome:?} for {fields:?}");
        assert_eq!(upstream.seen(), 1, "{fields:?}");
    }
}

/// A request whose body is not as long as it says is none; threats (table of Pingora's behaviour)
#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_body_of_another_length_than_declared_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { h2c: true }").await;
    let mut raw = RawH2::connect(gateway.address()).await;
    let fields = [(":method", "POST"), (":scheme", "http"), (":authority", "app.test"), (":path", "/public"), ("content-length", "5")];
    raw.headers(1, &fields, false).await;
    raw.data(1, b"more than five", true).await;
    assert!(raw.outcome(1).await.is_refusal());
    let complete = upstream.requests().iter().any(|request| request.complete);
    assert!(!complete, "{:?}", upstream.requests());
}

/// `server.timeouts.header`: on HTTP/2 from the handshake to the first request; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_connection_without_a_request_is_closed() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { h2c: true, timeouts: { header: 300ms, idle: 1s } }").await;
    let mut silent = RawH2::connect(gateway.address()).await;
    within_patience("a silent HTTP/2 connection to close", silent.closed()).await;
    // An unfinished preface is no connection either.
    let mut raw = gateway.raw().await;
    raw.send("PRI * HTTP/2.0\r\n").await;
    raw.closed().await;
    assert_eq!(upstream.seen(), 0);
}
