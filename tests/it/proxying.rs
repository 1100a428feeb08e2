//! What passes through unchanged and unbuffered, and what a client is told when the upstream does not do its part.

use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::{Raw, RawResponse};
use crate::support::upstream::EchoUpstream;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::client::{Response, generate_key};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// A gateway that is open to all, with this YAML for the only route besides its upstream.
async fn open_gateway(upstream: &EchoUpstream, route: &str, more: &str) -> TestGateway {
    let yaml = format!("routes: [{{ upstream: \"{}\", {route} }}]\naccess: {{ default: public }}\n{more}", upstream.origin());
    TestGateway::with(yaml).start().await
}

async fn get(gateway: &TestGateway, target: &str) -> RawResponse {
    Raw::exchange(gateway.address(), format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n\r\n")).await
}

/// A port of this machine at which nobody listens.
async fn dead_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Opens a WebSocket at `/ws` with these extra headers. Tests that do so run on one thread, as the program runs each
/// connection; see `program::a_websocket_never_ends_as_it_opens`.
async fn websocket(
    gateway: &TestGateway,
    host: &str,
    headers: &[(&str, &str)],
) -> Result<(WebSocketStream<MaybeTlsStream<TcpStream>>, Response), Error> {
    let mut request = Request::get(format!("ws://{}/ws", gateway.address()))
        .header("host", host)
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    tokio_tungstenite::connect_async(request.body(()).unwrap()).await
}

/// The status with which a WebSocket was refused.
async fn refused_websocket(gateway: &TestGateway, host: &str, headers: &[(&str, &str)]) -> u16 {
    match websocket(gateway, host, headers).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        other => panic!("not refused: {headers:?}, {other:?}"),
    }
}

/// Contract 3.8; threats B23
#[tokio::test]
async fn a_websocket_passes_with_the_identity_of_who_opened_it() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("ann", &[]).start().await;
    assert_eq!(refused_websocket(&gateway, "app.test", &[]).await, 401);
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let cookie = format!("portcullis={}", browser.agent.cookies.get("portcullis").unwrap().value);
    let headers = [("cookie", cookie.as_str()), ("origin", "https://app.test"), ("x-user", "root"), ("x-mine", "1")];
    let (mut socket, _) = websocket(&gateway, "app.test", &headers).await.unwrap();
    let big = vec![7; 200_000];
    for message in [Message::text("hello"), Message::binary(vec![0, 255]), Message::binary(big)] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    let head = upstream.last().head;
    assert_eq!(head.header_values("x-user"), ["ann"]);
    assert_eq!((head.header("cookie"), head.header("x-mine")), (None, Some("1")));
    assert_eq!(upstream.last().messages.len(), 3);
    socket.close(None).await.unwrap();
    upstream.wait_for_open_streams(0).await;
    assert_eq!(upstream.seen(), 1);
}

/// Contract 3.10: what a client sends over a WebSocket is activity; a session that has ended is not brought back by it.
#[tokio::test]
async fn a_message_over_a_websocket_keeps_the_session_alive() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("ann", &[]).manual_clock().set("STORES__SESSIONS", "memory").start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let cookie = format!("portcullis={}", browser.agent.cookies.get("portcullis").unwrap().value);
    let (mut socket, _) = websocket(&gateway, "app.test", &[("cookie", cookie.as_str())]).await.unwrap();
    let mut speak_after = async |minutes| {
        gateway.advance(Duration::from_mins(minutes));
        socket.send(Message::text("still here")).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still here"));
    };
    speak_after(20).await;
    speak_after(20).await;
    gateway.advance(Duration::from_mins(20));
    assert_eq!(browser.open("/auth/session").await.status, 200);
    gateway.advance(Duration::from_mins(31));
    // By now it may have been closed.
    let _ = socket.send(Message::text("still here")).await;
    let _ = socket.next().await;
    assert_eq!(browser.open("/auth/session").await.status, 401);
}

/// Contract 3.8, `websocket_origins`: cross-site WebSocket hijacking; threats B23
#[tokio::test]
async fn a_websocket_is_open_to_pages_of_the_same_host_and_of_listed_origins() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "websocket_origins: ['https://partner.test', 'http://dev.test:3000']", "").await;
    for origin in [
        "null",
        "https://evil.test",
        "https://app.test.evil.test",
        "https://partner.test:8443",
        "http://partner.test",
        "http://dev.test",
        "evil",
        "",
        "https://app.test@evil.test",
    ] {
        assert_eq!(refused_websocket(&gateway, "app.test", &[("origin", origin)]).await, 403, "{origin:?}");
    }
    assert_eq!(refused_websocket(&gateway, "app.test", &[("origin", "https://app.test"), ("origin", "https://evil.test")]).await, 403);
    assert_eq!(upstream.seen(), 0);
    for origin in ["https://app.test", "http://APP.test:8080", "https://partner.test", "http://dev.test:3000"] {
        assert!(websocket(&gateway, "app.test:8080", &[("origin", origin)]).await.is_ok(), "{origin}");
    }
    assert!(websocket(&gateway, "app.test", &[]).await.is_ok());
}

/// An application that does not upgrade answers like to any request; threats H23
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_the_upstream_declines_gets_the_upstreams_answer() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    let request = "GET /no-socket HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let answer = Raw::exchange(gateway.address(), request).await;
    assert_eq!((answer.status(), answer.json()["target"].as_str()), (200, Some("/no-socket")));
}

/// Contract 3.8
#[tokio::test(flavor = "multi_thread")]
async fn events_and_chunks_arrive_one_by_one_while_the_stream_is_open() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    let mut events = gateway.raw().await;
    events.send("GET /sse HTTP/1.1\r\nHost: app.test\r\nAccept: text/event-stream\r\nAccept-Encoding: gzip, br\r\n\r\n").await;
    let head = events.head().await;
    assert_eq!((head.header("content-type"), head.header("content-encoding")), (Some("text/event-stream"), None));
    let mut drip = gateway.raw().await;
    drip.send("GET /drip HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    drip.head().await;
    upstream.wait_for_open_streams(2).await;
    for number in 0..3 {
        upstream.push(format!("n{number}"));
        assert_eq!(events.piece().await.unwrap(), format!("data: n{number}\n\n").into_bytes());
        assert_eq!(drip.piece().await.unwrap(), format!("n{number}").into_bytes());
    }
    // A client that leaves is noticed by the application.
    drop(events);
    upstream.wait_for_open_streams(1).await;
    upstream.end_streams();
    assert_eq!(drip.piece().await, None);
}

/// Contract 3.8
#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways_at_once() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    for framing in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
        let mut raw = gateway.raw().await;
        raw.send(format!("POST /mirror HTTP/1.1\r\nHost: app.test\r\n{framing}\r\n\r\n")).await;
        let chunked = framing.starts_with('T');
        let mut begun = false;
        for piece in ["abc", "def", "ghi"] {
            raw.send(if chunked { format!("3\r\n{piece}\r\n") } else { piece.to_owned() }).await;
            if !begun {
                assert_eq!(raw.head().await.start_word(1), "200");
                begun = true;
            }
            assert_eq!(raw.piece().await.unwrap(), piece.as_bytes(), "{framing}");
        }
        if chunked {
            raw.send("0\r\n\r\n").await;
        }
        assert_eq!(raw.piece().await, None);
    }
}

/// `server.limits.proxied_body`, contract 3.1
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_size_was_not_declared_is_cut_off_at_the_limit() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "server: { limits: { proxied_body: 4KiB } }").await;
    let chunk = format!("400\r\n{}\r\n", "a".repeat(0x400));
    let head = "POST /upload HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let whole = Raw::exchange(gateway.address(), format!("{head}{}0\r\n\r\n", chunk.repeat(4))).await;
    assert_eq!((whole.status(), whole.json()["body"]["length"].as_u64()), (200, Some(4096)));
    let mut raw = gateway.raw().await;
    raw.send(format!("{head}{}", chunk.repeat(5))).await;
    let answer = raw.response().await;
    assert_eq!((answer.status(), answer.header("server")), (413, None));
    raw.closed().await;
    let last = upstream.last();
    assert!(!last.complete && last.body.len() <= 5 * 0x400, "{} bytes", last.body.len());
}

/// Contract 3.8
#[tokio::test(flavor = "multi_thread")]
async fn ranges_head_requests_and_large_bodies_pass_unchanged() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    let range =
        Raw::exchange(gateway.address(), "GET /range HTTP/1.1\r\nHost: app.test\r\nRange: bytes=990-\r\nIf-Range: \"known\"\r\n\r\n").await;
    assert_eq!(
        (range.status(), range.header("content-range"), range.body.as_slice()),
        (206, Some("bytes 990-999/1000"), &b"0123456789"[..])
    );
    let mut raw = gateway.raw().await;
    raw.send("HEAD /big?bytes=5 HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(raw.response_to_head().await.header("content-length"), Some("5"));
    raw.send("GET /status/304 HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(raw.response().await.status(), 304);
    raw.send("GET /big?bytes=3000000 HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(raw.response().await.body.len(), 3_000_000);
    raw.send("GET /big?bytes=300000&chunked HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(raw.response().await.body.len(), 300_000);
    // All on one connection, and no more than that towards the application.
    assert_eq!(upstream.connections(), 1);
    let body = "x".repeat(2_000_000);
    let upload = format!("PUT /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(Raw::exchange(gateway.address(), upload).await.json()["body"]["length"], 2_000_000);
}

/// RFC 9110 section 10.1.1; threats H07
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_100_continue_gets_it_from_the_upstream_or_from_us() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    let mut raw = gateway.raw().await;
    raw.send("POST /x HTTP/1.1\r\nHost: app.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
    assert_eq!(raw.head().await.start_word(1), "100");
    raw.send("abc").await;
    assert_eq!(raw.response().await.json()["body"]["length"], 3);
    let body = r#"{"username":"nobody","password":"x"}"#;
    let mut raw = gateway.raw().await;
    raw.send(format!("POST /auth/login HTTP/1.1\r\nHost: app.test\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    assert_eq!(raw.head().await.start_word(1), "100");
    raw.send(body).await;
    assert_eq!(raw.response().await.status(), 401);
}

/// RFC 9112 appendix C.1
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_is_served_without_chunks() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    let mut raw = gateway.raw().await;
    raw.send("GET /big?bytes=100000&chunked HTTP/1.0\r\nHost: app.test\r\n\r\n").await;
    let answer = raw.response().await;
    assert_eq!((answer.status(), answer.header("transfer-encoding"), answer.body.len()), (200, None, 100_000));
    assert_eq!(raw.closed().await, 0);
    let answer = Raw::exchange(gateway.address(), "GET /auth/login HTTP/1.0\r\nHost: app.test\r\nAccept: text/html\r\n\r\n").await;
    assert!(answer.status() == 200 && answer.text().contains("</html>"));
}

/// Contract 3.1: path and query are forwarded byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn path_and_query_arrive_as_they_were_sent() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    for target in [
        "/",
        "//",
        "//a//b/",
        "/%61dmin",
        "/a%20b%C3%A9",
        "/%e2%82%ac%E2%82%AC",
        "/a;b=c;d/e;f",
        "/{\"a\"}|^[]'()*!$&,=:@~",
        "/%2561",
        "/a%3Fb%23c",
        "/?",
        "/x??a",
        "/x?a=1&a=2&&=&b",
        "/x?a=%2F..%2f../&b=//",
        "/x?{}|^`[]'\\;/../.",
        "/x?%00%zz%",
        "/x?a+b=%2B",
        "/.well-known/acme-challenge/x",
        "/..a/.b/c..",
    ] {
        let answer = get(&gateway, target).await;
        assert_eq!((answer.status(), upstream.last().target()), (200, target));
        assert!(upstream.last().head.start.ends_with(" HTTP/1.1"));
    }
    let long = format!("/{}?{}", "p".repeat(4000), "q".repeat(8000));
    assert_eq!(get(&gateway, &long).await.json()["target"], long);
}

/// `routes[].encoded_slashes`
#[tokio::test(flavor = "multi_thread")]
async fn an_encoded_slash_passes_where_the_route_allows_it_and_rules_see_a_slash() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "routes: [{{ upstream: \"{0}\" }}, {{ path: /npm, upstream: \"{0}\", encoded_slashes: true }}]\n\
         access: {{ default: public, rules: [{{ path: /npm/secret/x, allow: deny }}] }}",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).start().await;
    assert_eq!(get(&gateway, "/npm/@scope%2fname").await.status(), 200);
    assert_eq!(upstream.last().target(), "/npm/@scope%2fname");
    assert_eq!(get(&gateway, "/npm/secret%2Fx").await.status(), 403);
    assert_eq!(get(&gateway, "/npm/a%2f..%2fsecret%2fx").await.status(), 400);
    assert_eq!(get(&gateway, "/other/a%2fb").await.status(), 400);
    assert_eq!(get(&gateway, "/npm%2f..%2fother").await.status(), 400);
    assert_eq!(upstream.seen(), 1);
}

/// `strip_prefix` and `preserve_host`
#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_cut_and_the_upstreams_own_name_used_where_the_route_says_so() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "path: /app, strip_prefix: true, preserve_host: false", "").await;
    for (target, expected) in [
        ("/app", "/"),
        ("/app/", "/"),
        ("/app/x?y=/app", "/x?y=/app"),
        ("/app?q", "/?q"),
        ("/app/app/a%20b//c", "/app/a%20b//c"),
        ("//app//x", "/x"),
        ("/%61pp;v=1/x;w", "/x;w"),
    ] {
        assert_eq!(get(&gateway, target).await.status(), 200, "{target}");
        let head = upstream.last().head;
        assert_eq!(head.start_word(1), expected, "{target}");
        assert_eq!(head.header_values("x-forwarded-prefix"), ["/app"]);
        assert_eq!(head.header_values("host"), [upstream.address().to_string()]);
        assert_eq!(head.header_values("x-forwarded-host"), ["app.test"]);
    }
    assert_eq!(get(&gateway, "/apple").await.status(), 404);
    let plain = open_gateway(&upstream, "path: /app", "").await;
    assert_eq!(get(&plain, "/app/x").await.status(), 200);
    let head = upstream.last().head;
    assert_eq!((head.start_word(1), head.header("host"), head.header("x-forwarded-prefix")), ("/app/x", Some("app.test"), None));
}

/// `upstream: unix:…` and a Unix listener
#[tokio::test(flavor = "multi_thread")]
async fn unix_sockets_serve_on_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = EchoUpstream::start_unix(&folder.path().join("app.sock"));
    let yaml = format!(
        "routes: [{{ upstream: \"unix:{}\" }}]\naccess: {{ default: public }}\nserver: {{ trusted_proxies: [unix] }}",
        folder.path().join("app.sock").display()
    );
    let socket = folder.path().join("gateway.sock");
    let gateway = TestGateway::with(yaml).set("SERVER__LISTEN", &format!("[\"127.0.0.1:0\", \"unix:{}\"]", socket.display())).start().await;
    assert_eq!(get(&gateway, "/tcp").await.json()["target"], "/tcp");
    assert_eq!(upstream.last().head.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(mode(&socket), 0o660);
    let mut raw = Raw::connect_unix(&socket).await;
    raw.send("GET /unix HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\n\r\n").await;
    assert_eq!(raw.response().await.json()["target"], "/unix");
    let head = upstream.last().head;
    assert_eq!((head.header("x-forwarded-for"), head.header("x-forwarded-proto")), (Some("198.51.100.7"), Some("https")));
    gateway.stop().await;
    assert!(!socket.exists());
}

fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// `upstream` as a list
#[tokio::test(flavor = "multi_thread")]
async fn several_servers_take_turns_and_a_dead_one_is_passed_over() {
    let (one, two) = (EchoUpstream::start().await, EchoUpstream::start().await);
    let yaml = |servers: &[String]| format!("routes: [{{ upstream: [{}] }}]\naccess: {{ default: public }}", servers.join(", "));
    let gateway = TestGateway::with(yaml(&[one.origin(), two.origin()])).start().await;
    for _ in 0..10 {
        assert_eq!(get(&gateway, "/").await.status(), 200);
    }
    assert_eq!((one.seen(), two.seen()), (5, 5));
    let dead = format!("http://{}", dead_address().await);
    let gateway = TestGateway::with(yaml(&[dead, two.origin()])).start().await;
    for _ in 0..5 {
        // Nothing was sent to the dead one, so a POST goes on too.
        let post = "POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(Raw::exchange(gateway.address(), post).await.json()["body"]["length"], 3);
        assert_eq!(get(&gateway, "/").await.status(), 200);
    }
    assert_eq!(two.seen(), 15);
}

/// Contract 3.8; what cannot be reached or is too slow is told apart, and harms no other route.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_upstream_is_502_and_a_slow_one_504_while_others_go_on() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "routes:\n  - {{ path: /dead, upstream: \"http://{}\" }}\n  - {{ path: /unknown, upstream: \"http://name.invalid\" }}\n\
         \x20 - {{ path: /gone, upstream: \"unix:gone.sock\" }}\n  - {{ path: /slow, upstream: \"{1}\", timeouts: {{ read: 300ms }} }}\n\
         \x20 - {{ upstream: \"{1}\" }}\naccess: {{ default: public }}",
        dead_address().await,
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).start().await;
    for (target, status) in [("/dead", 502), ("/unknown", 502), ("/gone", 502), ("/slow", 504)] {
        let begun = Instant::now();
        let page = Raw::exchange(gateway.address(), format!("GET {target} HTTP/1.1\r\nHost: app.test\r\nAccept: text/html\r\n\r\n")).await;
        assert_eq!((page.status(), page.header("content-type")), (status, Some("text/html; charset=utf-8")), "{target}");
        let problem = get(&gateway, target).await;
        assert_eq!((problem.status(), problem.header("content-type")), (status, Some("application/problem+json")), "{target}");
        assert_eq!((problem.header("server"), problem.header("cache-control")), (None, Some("no-store")));
        assert!(!problem.text().contains("127.0.0.1") && !problem.text().contains("sock"), "{}", problem.text());
        assert!(begun.elapsed() < Duration::from_secs(15), "{target}: {:?}", begun.elapsed());
        assert_eq!(get(&gateway, "/other").await.status(), 200);
    }
    upstream.release(2);
}

/// Threats H23
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_does_not_speak_http_is_502_and_its_bytes_reach_nobody() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    for target in ["/garbage", "/close"] {
        let answer = get(&gateway, target).await;
        assert_eq!((answer.status(), answer.header("server")), (502, None), "{target}");
        assert!(!answer.text().contains("this is not HTTP"));
    }
    // Half an answer is not completed by anything: the connection ends, within its body or before its head was sent on.
    let mut raw = gateway.raw().await;
    raw.send("GET /partial HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert!(raw.try_response().await.is_none());
    // Neither its framing nor what follows it is believed.
    upstream.serve(
        "/both",
        200,
        &[("Transfer-Encoding", "chunked"), ("Content-Type", "text/plain")],
        "5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nX-Evil: 1\r\n\r\n",
    );
    for _ in 0..2 {
        let answer = get(&gateway, "/both").await;
        assert!(answer.status() == 502 || answer.text() == "hello", "{answer:?}");
        let next = get(&gateway, "/next").await;
        assert_eq!((next.status(), next.json()["target"].as_str(), next.header("x-evil")), (200, Some("/next"), None));
    }
}

/// What may have had an effect is not sent twice; RFC 9110 section 9.2.2
#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_may_have_arrived_is_not_sent_again() {
    let upstream = EchoUpstream::start().await;
    let gateway = open_gateway(&upstream, "", "").await;
    // The first request leaves a kept connection behind, on which the second fails.
    assert_eq!(get(&gateway, "/").await.status(), 200);
    let post = "POST /close HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(Raw::exchange(gateway.address(), post).await.status(), 502);
    assert_eq!(upstream.requests().iter().filter(|request| request.target() == "/close").count(), 1);
}

/// `server.h2c`
#[tokio::test(flavor = "multi_thread")]
async fn http_2_without_tls_is_spoken_to_clients_and_upstreams() {
    let upstream = EchoUpstream::start().await;
    let inner = open_gateway(&upstream, "", "server: { h2c: true }").await;
    let yaml = format!("routes: [{{ upstream: \"h2c://{}\" }}]\nserver: {{ h2c: true }}", inner.address());
    let outer = TestGateway::with(yaml).user("ann", &[]).start().await;
    let mut browser = outer.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let session = format!("portcullis={}", browser.agent.cookies.get("portcullis").unwrap().value);
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let request = client.post(format!("{}/x%20y?a=1", outer.origin())).header("x-user", "root");
    // A browser sends its cookies in crumbs (RFC 9113 section 8.2.3).
    let answer = request.header("cookie", "a=1").header("cookie", &session).header("cookie", "b=2").body("abc").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    let received = upstream.last();
    assert_eq!((received.target(), received.body.as_slice()), ("/x%20y?a=1", &b"abc"[..]));
    assert_eq!(received.head.header_values("cookie"), ["a=1; b=2"]);
    // The inner gateway has its own idea of who is there: nobody. What came from outside is dropped there too.
    assert_eq!(received.head.header("x-user"), None);
    let big = client.get(format!("{}/big?bytes=2000000", inner.origin())).send().await.unwrap();
    assert_eq!(big.bytes().await.unwrap().len(), 2_000_000);
    assert_eq!(get(&outer, "/x").await.status(), 401);
    let unauthorized = client.get(outer.origin()).send().await.unwrap();
    assert_eq!((unauthorized.status().as_u16(), unauthorized.version()), (401, http::Version::HTTP_2));
}
