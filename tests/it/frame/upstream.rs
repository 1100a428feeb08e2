//! The upstream against raw bytes.

use crate::support::raw::Raw;
use crate::support::upstream::{BIG_PATTERN, EchoUpstream};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: app\r\n\r\n")
}

#[tokio::test]
async fn a_request_is_echoed_and_kept_exactly_as_received() {
    let upstream = EchoUpstream::start().await;
    let request = "POST /a%2Fb;c?d=%20 HTTP/1.1\r\nhost: app\r\nX-Twice: 1\r\nx-twice:  2 \r\nContent-Length: 3\r\n\r\nabc";
    let response = Raw::exchange(upstream.address(), request).await;
    assert_eq!(response.status(), 200);
    let echo = response.json();
    assert_eq!(echo["method"], "POST");
    assert_eq!(echo["target"], "/a%2Fb;c?d=%20");
    assert_eq!(echo["headers"], json!([["host", "app"], ["X-Twice", "1"], ["x-twice", "2"], ["Content-Length", "3"]]));
    assert_eq!(echo["body"]["length"], 3);
    assert_eq!(echo["body"]["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let received = upstream.last();
    assert_eq!([received.head.raw.as_slice(), b"abc"].concat(), request.as_bytes());
    assert_eq!(received.head.header_values("x-twice"), ["1", "2"]);
    assert!(received.complete);
}

#[tokio::test]
async fn requests_and_connections_are_counted() {
    let upstream = EchoUpstream::start().await;
    assert_eq!((upstream.seen(), upstream.connections()), (0, 0));
    let mut raw = Raw::connect(upstream.address()).await;
    for _ in 0..2 {
        raw.send(get("/")).await;
        raw.response().await;
    }
    assert_eq!((upstream.seen(), upstream.connections()), (2, 1));
}

#[tokio::test]
async fn it_answers_over_a_unix_socket_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let upstream = EchoUpstream::start_unix(&path);
    let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"GET /over-unix HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert_eq!(upstream.last().target(), "/over-unix");
}

#[tokio::test]
async fn status_headers_and_cookies_come_on_request() {
    let upstream = EchoUpstream::start().await;
    assert_eq!(Raw::exchange(upstream.address(), get("/x/status/418")).await.status(), 418);
    assert_eq!(Raw::exchange(upstream.address(), get("/status/204")).await.body, b"");
    let response = Raw::exchange(upstream.address(), get("/headers?X-One=1&X-Two=a%20b")).await;
    assert_eq!((response.header("x-one"), response.header("x-two")), (Some("1"), Some("a b")));
    let response = Raw::exchange(upstream.address(), get("/set-cookie?a=1%3B%20Path%3D/&b=2")).await;
    assert_eq!(response.head.header_values("set-cookie"), ["a=1; Path=/", "b=2"]);
}

#[tokio::test]
async fn bodies_come_whole_in_chunks_in_ranges_and_with_trailers() {
    let upstream = EchoUpstream::start().await;
    let big = Raw::exchange(upstream.address(), get("/big?bytes=100000")).await;
    assert_eq!((big.header("content-length"), big.body.len()), (Some("100000"), 100_000));
    let chunked = Raw::exchange(upstream.address(), get("/big?bytes=100000&chunked")).await;
    assert_eq!((chunked.header("content-length"), chunked.body == big.body), (None, true));
    let range = Raw::exchange(upstream.address(), "GET /range HTTP/1.1\r\nHost: app\r\nRange: bytes=990-\r\n\r\n").await;
    assert_eq!((range.status(), range.header("content-range")), (206, Some("bytes 990-999/1000")));
    assert_eq!(range.body, BIG_PATTERN);
    let beyond = Raw::exchange(upstream.address(), "GET /range HTTP/1.1\r\nHost: app\r\nRange: bytes=1000-\r\n\r\n").await;
    assert_eq!(beyond.status(), 416);
    let trailers = Raw::exchange(upstream.address(), get("/trailers")).await;
    assert_eq!(trailers.trailers, [("X-Checksum".to_owned(), "abc".to_owned())]);
    let mut raw = Raw::connect(upstream.address()).await;
    raw.send("HEAD /big?bytes=5 HTTP/1.1\r\nHost: app\r\n\r\n").await;
    let head = raw.response_to_head().await;
    assert_eq!((head.header("content-length"), head.body.len()), (Some("5"), 0));
    raw.send(get("/after-head")).await;
    assert_eq!(raw.response().await.json()["target"], "/after-head");
}

#[tokio::test]
async fn a_chunked_request_body_is_kept_with_its_trailers_after_100_continue() {
    let upstream = EchoUpstream::start().await;
    let mut raw = Raw::connect(upstream.address()).await;
    raw.send("POST / HTTP/1.1\r\nHost: app\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    assert_eq!(raw.head().await.start_word(1), "100");
    raw.send("3\r\nabc\r\n").await;
    upstream.wait_until("the first chunk", |requests| requests.iter().any(|received| received.body == b"abc")).await;
    assert!(!upstream.last().complete);
    raw.send("0\r\nX-End: yes\r\n\r\n").await;
    assert_eq!(raw.response().await.json()["body"]["length"], 3);
    assert_eq!(upstream.last().trailers, [("X-End".to_owned(), "yes".to_owned())]);
}

#[tokio::test]
async fn streams_advance_when_the_test_says_so() {
    let upstream = EchoUpstream::start().await;
    let mut events = Raw::connect(upstream.address()).await;
    events.send(get("/sse")).await;
    let mut drip = Raw::connect(upstream.address()).await;
    drip.send(get("/drip")).await;
    assert_eq!(events.head().await.header("content-type"), Some("text/event-stream"));
    drip.head().await;
    upstream.wait_for_open_streams(2).await;
    upstream.push("one");
    assert_eq!(events.piece().await.unwrap(), b"data: one\n\n");
    assert_eq!(drip.piece().await.unwrap(), b"one");
    drop(events);
    upstream.wait_for_open_streams(1).await;
    upstream.end_streams();
    assert_eq!(drip.piece().await, None);
    upstream.wait_for_open_streams(0).await;
}

#[tokio::test]
async fn a_held_answer_comes_once_released_or_never() {
    let upstream = EchoUpstream::start().await;
    let mut patient = Raw::connect(upstream.address()).await;
    patient.send(get("/slow?a")).await;
    upstream.wait_for_open_streams(1).await;
    let mut hasty = Raw::connect(upstream.address()).await;
    hasty.send(get("/slow?b")).await;
    upstream.wait_for_open_streams(2).await;
    drop(hasty);
    upstream.wait_for_open_streams(1).await;
    upstream.release(1);
    assert_eq!(patient.response().await.json()["target"], "/slow?a");
}

#[tokio::test]
async fn the_mirror_answers_before_the_request_ends() {
    let upstream = EchoUpstream::start().await;
    let mut raw = Raw::connect(upstream.address()).await;
    raw.send("POST /mirror HTTP/1.1\r\nHost: app\r\nContent-Length: 6\r\n\r\nabc").await;
    assert_eq!(raw.head().await.start_word(1), "200");
    assert_eq!(raw.piece().await.unwrap(), b"abc");
    raw.send("def").await;
    assert_eq!(raw.piece().await.unwrap(), b"def");
    assert_eq!(raw.piece().await, None);
}

#[tokio::test]
async fn a_websocket_echoes_and_its_messages_are_kept() {
    let upstream = EchoUpstream::start().await;
    let address = format!("ws://{}/ws", upstream.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(address).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    assert_eq!(upstream.last().messages, [b"hello"]);
    socket.close(None).await.unwrap();
    upstream.wait_for_open_streams(0).await;
}

#[tokio::test]
async fn it_misbehaves_on_request() {
    let upstream = EchoUpstream::start().await;
    for (target, bytes) in [("/close", 0), ("/garbage", 20), ("/partial", 49)] {
        let mut raw = Raw::connect(upstream.address()).await;
        raw.send(get(target)).await;
        assert_eq!(raw.closed().await, bytes, "{target}");
    }
    assert_eq!(upstream.seen(), 3);
}
