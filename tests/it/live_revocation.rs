//! What is open when a session ends: WebSocket connections, event streams, downloads and uploads through the gateway. All
//! tests with the former run on one thread, as the program runs each connection; see `program::a_websocket_never_ends_as_it_opens`.

use crate::support::browser::Browser;
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::raw::Raw;
use crate::support::raw_h2::{Outcome, RawH2};
use crate::support::redis_server::RedisServer;
use crate::support::served::Served;
use crate::support::upstream::EchoUpstream;
use crate::support::{program, within_patience};
use futures_util::{SinkExt, StreamExt};
use http::Request;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const SECRET: &str = "not-much-of-a-secret-but-long-enough-for-tests";
/// What is promised.
const SOON: Duration = Duration::from_secs(5);
/// More than any kernel keeps for a client that does not read.
const LONG: usize = 64 << 20;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn gateway(upstream: &EchoUpstream) -> Builder {
    let yaml = format!(
        "routes: [{{ upstream: \"{}\" }}]\nserver: {{ h2c: true }}\naccess: {{ rules: [{{ path: /public/**, allow: public }}] }}",
        upstream.origin()
    );
    TestGateway::with(yaml).user("ann", &[]).user("bob", &[])
}

async fn sign_in(gateway: &TestGateway, name: &str) -> Browser {
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", name, PASSWORD).await;
    browser
}

fn cookie(browser: &Browser) -> String {
    format!("portcullis={}", browser.agent.cookies.get("portcullis").unwrap().value)
}

async fn sign_out(browser: &mut Browser) {
    let page = browser.open("/auth/logout").await;
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
}

/// A request whose answer has begun; what follows the head is still to come.
async fn begun(gateway: SocketAddr, request: &str, browser: &Browser) -> Raw {
    let mut raw = Raw::connect(gateway).await;
    let (line, rest) = request.split_once("\r\n").unwrap_or((request, ""));
    raw.send(format!("{line} HTTP/1.1\r\nHost: app.test\r\nCookie: {}\r\n{rest}\r\n", cookie(browser))).await;
    assert_eq!(raw.head().await.start_word(1), "200", "{request}");
    raw
}

async fn websocket(gateway: &TestGateway, browser: &Browser) -> Socket {
    let request = Request::get(format!("ws://{}/ws", gateway.address()))
        .header("host", "app.test")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", generate_key())
        .header("cookie", cookie(browser));
    tokio_tungstenite::connect_async(request.body(()).unwrap()).await.unwrap().0
}

async fn echoes(socket: &mut Socket) -> bool {
    let message = Message::text("still here");
    socket.send(message.clone()).await.is_ok()
        && within_patience("an echo, or the end", socket.next()).await.is_some_and(|echo| echo.is_ok_and(|echo| echo == message))
}

async fn closed(socket: &mut Socket) {
    within_patience("the WebSocket to close", async { while let Some(Ok(_)) = socket.next().await {} }).await;
}

/// Contract 3.8, threats B23: of every kind, and only of the session that ended
#[tokio::test]
async fn a_logout_closes_whatever_its_session_has_open_and_nothing_else() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).start().await;
    let (mut ann, bob) = (sign_in(&gateway, "ann").await, sign_in(&gateway, "bob").await);
    let mut socket = websocket(&gateway, &ann).await;
    let mut events = begun(gateway.address(), "GET /sse", &ann).await;
    let mut download = begun(gateway.address(), &format!("GET /big?bytes={LONG}"), &ann).await;
    let mut upload = begun(gateway.address(), "POST /mirror\r\nContent-Length: 100\r\n", &ann).await;
    upload.send("half of it").await;
    assert_eq!(upload.piece().await.unwrap(), b"half of it");
    let mut multiplexed = RawH2::connect(gateway.address()).await;
    let own = cookie(&ann);
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "app.test"), (":path", "/sse"), ("cookie", own.as_str())];
    multiplexed.headers(1, &fields, true).await;
    assert_eq!(multiplexed.outcome(1).await, Outcome::Status(200));
    let mut public = begun(gateway.address(), "GET /public/sse", &ann).await;
    let mut others = begun(gateway.address(), "GET /sse", &bob).await;
    let mut others_socket = websocket(&gateway, &bob).await;
    assert!(echoes(&mut socket).await && echoes(&mut others_socket).await);
    upstream.wait_for_open_streams(7).await;

    let ended = Instant::now();
    sign_out(&mut ann).await;
    closed(&mut socket).await;
    assert_eq!(events.closed().await, 0, "not even the end of the body: what was cut off must not look whole");
    assert_eq!(upload.closed().await, 0);
    assert_eq!(multiplexed.outcome(1).await, Outcome::Reset);
    upstream.wait_for_open_streams(3).await;
    assert!(ended.elapsed() < SOON, "{:?}", ended.elapsed());
    assert!(download.closed().await < LONG);

    upstream.push("on");
    for living in [&mut public, &mut others] {
        assert_eq!(living.piece().await.unwrap(), b"data: on\n\n");
    }
    assert!(echoes(&mut others_socket).await);
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "app.test"), (":path", "/public/page")];
    multiplexed.headers(3, &fields, true).await;
    assert_eq!(multiplexed.outcome(3).await, Outcome::Status(200), "the connection itself goes on");
}

/// Contract 3.8: revocation, a lock, and what an operator does beside the running gateway
#[tokio::test]
async fn whoever_ends_a_session_closes_its_streams() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).set("SECRET", SECRET).user("eve", &[]).start().await;
    let yaml = format!("secret: {SECRET}\nroutes: [{{ upstream: \"{}\" }}]\n", upstream.origin());
    std::fs::write(gateway.folder().join("portcullis.yaml"), yaml).unwrap();
    let mut open = Vec::new();
    for name in ["ann", "bob", "eve"] {
        open.push(begun(gateway.address(), "GET /sse", &sign_in(&gateway, name).await).await);
    }
    let command = ["session", "revoke", "eve", "--config", "portcullis.yaml"];
    let said = program::run(gateway.folder(), &command, "").await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let ended = Instant::now();
    gateway.app().administration.end_sessions("ann").await.unwrap();
    gateway.app().administration.lock("bob").await.unwrap();
    for stream in &mut open {
        assert_eq!(stream.closed().await, 0);
    }
    assert!(ended.elapsed() < SOON, "{:?}", ended.elapsed());
}

/// Contract 3.8, 3.10; S0.4
#[tokio::test]
async fn a_silent_stream_ends_with_its_idle_session_and_a_busy_one_with_the_lifetime() {
    let upstream = EchoUpstream::start().await;
    let builder = gateway(&upstream).manual_clock().set("STORES__SESSIONS", "memory").set("SESSIONS__LIFETIME", "1h");
    let gateway = builder.start().await;
    let (ann, bob) = (sign_in(&gateway, "ann").await, sign_in(&gateway, "bob").await);
    let mut silent = begun(gateway.address(), "GET /sse", &ann).await;
    let mut busy = websocket(&gateway, &bob).await;
    for _ in 0..2 {
        gateway.advance(Duration::from_mins(20));
        assert!(echoes(&mut busy).await);
    }
    let expired = Instant::now();
    assert_eq!(silent.closed().await, 0);
    assert!(expired.elapsed() < SOON, "{:?}", expired.elapsed());
    assert!(echoes(&mut busy).await, "what comes over a WebSocket is activity");
    gateway.advance(Duration::from_mins(20));
    let expired = Instant::now();
    closed(&mut busy).await;
    assert!(expired.elapsed() < SOON, "{:?}", expired.elapsed());
}

/// Contract 3.8, 3.9: across instances; without the store for no longer than `sessions.cache`
#[tokio::test]
async fn a_logout_at_one_gateway_closes_streams_at_another_and_an_outage_closes_them_in_time() {
    let (upstream, mut redis) = (EchoUpstream::start().await, RedisServer::start());
    let start = |builder: Builder| builder.set("SECRET", SECRET).set("STORES__SESSIONS", &redis.url()).set("STORES__REDIS_PREFIX", "test:");
    let one = start(gateway(&upstream)).start().await;
    let users = format!("sqlite:{}", one.folder().join("portcullis.db").display());
    let yaml = format!("routes: [{{ upstream: \"{}\" }}]\naccess: {{ rules: [{{ path: /public/**, allow: public }}] }}", upstream.origin());
    let other = start(TestGateway::with(yaml)).set("STORES__USERS", &users).start().await;
    let (mut ann, bob) = (sign_in(&one, "ann").await, sign_in(&one, "bob").await);
    let mut anns = begun(other.address(), "GET /sse", &ann).await;
    let mut bobs = begun(other.address(), "GET /sse", &bob).await;
    let mut public = begun(other.address(), "GET /public/sse", &bob).await;

    let ended = Instant::now();
    sign_out(&mut ann).await;
    assert_eq!(anns.closed().await, 0);
    assert!(ended.elapsed() < SOON, "{:?}", ended.elapsed());
    upstream.push("on");
    assert_eq!(bobs.piece().await.unwrap(), b"data: on\n\n");
    assert_eq!(public.piece().await.unwrap(), b"data: on\n\n");

    let gone = Instant::now();
    redis.kill();
    assert_eq!(bobs.closed().await, 0);
    assert!(gone.elapsed() > Duration::from_secs(2), "a short outage closes nothing: {:?}", gone.elapsed());
    assert!(gone.elapsed() < Duration::from_secs(5 + 2), "sessions.cache, and one question: {:?}", gone.elapsed());
    upstream.push("still on");
    assert_eq!(public.piece().await.unwrap(), b"data: still on\n\n");
}

/// ASVS V16.2.1: what was cut off is no hole in the access log
#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_off_is_logged_once() {
    let (upstream, folder) = (EchoUpstream::start().await, tempfile::tempdir().unwrap());
    let yaml = format!(
        "server: {{ listen: ['127.0.0.1:0'] }}\nadmin: {{ listen: '127.0.0.1:0' }}\nlog: {{ access: true }}\nroutes: [{{ upstream: \"{}\" }}]\n",
        upstream.origin()
    );
    let command = ["user", "add", "ann", "--email", "ann@example.com", "--config", "portcullis.yaml"];
    std::fs::write(folder.path().join("portcullis.yaml"), &yaml).unwrap();
    let said = program::run(folder.path(), &command, &format!("{PASSWORD}\n")).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    let served = Served::start(folder.path(), &yaml).await;
    let mut ann = Browser::new(&served.origin);
    ann.sign_in("/auth/account", "ann", PASSWORD).await;
    let address = served.origin.strip_prefix("http://").unwrap().parse().unwrap();
    let mut events = begun(address, "GET /sse", &ann).await;
    sign_out(&mut ann).await;
    assert_eq!(events.closed().await, 0);
    let log = served.log().await;
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("/sse")).collect();
    assert!(matches!(lines[..], [line] if line.contains("request cut off") && line.contains("app.test")), "{log}");
}
