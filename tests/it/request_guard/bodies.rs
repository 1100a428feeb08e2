//! Where the body of an HTTP/1 request ends, and how long it may be.

use super::{answered_and_closed, assert_refused, framed, guarded, line};
use crate::support::agent::Agent;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use std::time::{Duration, Instant};

/// Contract 3.1; threats H01, H02, H04
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_could_be_framed_in_two_ways_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let lines = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: -5",
        "Content-Length: 1e1",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 12345678901234567890",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
    ];
    let mut requests: Vec<String> = lines.iter().map(|lines| framed(lines)).collect();
    requests.push(framed("Transfer-Encoding: chunked").replace("HTTP/1.1\r\nHost", "HTTP/1.0\r\nHost"));
    assert_refused(&gateway, &upstream, 400, &requests).await;
}

/// Requests that come together are answered in order or the connection closes; none is judged by another's head.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipelined_request_is_judged_on_its_own() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let mut raw = gateway.raw().await;
    raw.send([line("GET /public/one HTTP/1.1"), line("GET /admin HTTP/1.1"), line("GET /public/../admin HTTP/1.1")].concat()).await;
    assert_eq!(raw.response().await.status(), 200);
    raw.closed().await;
    let targets: Vec<String> = upstream.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(targets, ["/public/one"]);
}

/// A body that nobody read is no next request; threats H01
#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_refused_request_is_not_taken_for_a_request() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let hidden = line("GET /public/smuggled HTTP/1.1");
    let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    let declared = format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len());
    for path in ["/admin", "/auth/login", "/auth/nowhere", "/public/status/204"] {
        for body in [&declared, &format!("Transfer-Encoding: chunked\r\n\r\n{chunk}")] {
            let mut raw = gateway.raw().await;
            raw.send(format!("POST {path} HTTP/1.1\r\nHost: app.test\r\nContent-Type: text/plain\r\n{body}")).await;
            raw.response().await;
            // Whatever follows on this connection, it is an answer to what was asked next.
            raw.try_send(line("GET /auth/session HTTP/1.1")).await;
            if let Some(answer) = raw.try_response().await {
                assert_eq!(answer.status(), 401, "{path}");
            }
        }
    }
    assert!(upstream.requests().iter().all(|request| request.target() != "/public/smuggled"), "{:?}", upstream.requests());
}

/// `server.limits.own_body`, contract 3.1; threats H17
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_too_large_is_refused_without_being_read() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let head = "POST /auth/login HTTP/1.1\r\nHost: app.test\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let lengths = [64 * 1024 + 1, 1 << 20, 10 << 20].map(async |length: usize| {
        // Nothing of the body is sent, and still the answer comes.
        let answer = answered_and_closed(&gateway, format!("{head}Content-Length: {length}\r\n\r\n").as_bytes()).await;
        assert_eq!(answer.status(), 413, "{length}");
    });
    futures_util::future::join_all(lengths).await;
    let mut raw = gateway.raw().await;
    raw.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let begun = Instant::now();
    // A chunked body without an end is answered soon after the limit and not taken for ever.
    while raw.try_send(&chunk).await {
        assert!(begun.elapsed() < Duration::from_secs(15), "it is still taken");
    }
    assert_eq!(upstream.seen(), 0);
}

/// `server.limits.own_body`; threats H17
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_whole_although_too_large_gets_its_answer() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    for length in [1_usize << 20, 10 << 20] {
        let body = format!("username=ann&password={}", "a".repeat(length));
        let mut client = Agent::new();
        let url = format!("{}/auth/login", gateway.origin_as("app.test")).parse().unwrap();
        let begun = Instant::now();
        let answer = client.send(http::Method::POST, &url, &[("content-type", "application/x-www-form-urlencoded")], body).await;
        assert_eq!(answer.status, 413, "{length}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

/// `server.limits.proxied_body`, contract 3.1
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_body_above_the_limit_never_reaches_the_upstream() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { limits: { proxied_body: 1KiB } }").await;
    let request = |length: usize| format!("POST /public HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n");
    assert_refused(&gateway, &upstream, 413, &[request(1025), request(1 << 30)]).await;
    let answer = Raw::exchange(gateway.address(), request(1024) + &"a".repeat(1024)).await;
    assert_eq!(answer.json()["body"]["length"], 1024);
}
