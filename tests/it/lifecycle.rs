//! Health, draining and limits of a running gateway.

use crate::support::gateway::TestGateway;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use futures_util::{SinkExt, StreamExt};
use portcullis::app::App;
use portcullis::clock::SystemClock;
use portcullis::config::load_str;
use portcullis::server::{self, Workers};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

fn open_to_all(upstream: &EchoUpstream, server: &str) -> String {
    format!("routes: [{{ upstream: \"{}\" }}]\naccess: {{ default: public }}\nserver: {{ {server} }}", upstream.origin())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n")
}

/// Waits until nobody listens at an address any more.
async fn refused(address: SocketAddr) {
    within_patience("new connections to be refused", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Contract 2, `admin`; threats K01, K04
#[tokio::test(flavor = "multi_thread")]
async fn health_and_version_are_told_on_the_admin_listener_only() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "routes: [{{ host: app.test, upstream: \"{0}\" }}, {{ host: part.test, path: /app, upstream: \"{0}\" }}]",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).start().await;
    let mut browser = gateway.browser();
    for (path, body) in [("/livez", "ok"), ("/readyz", "\"ready\":true"), ("/version", env!("CARGO_PKG_VERSION"))] {
        let answer = browser.open(&format!("{}{path}", gateway.admin_origin())).await;
        assert!(answer.status == 200 && answer.text().contains(body), "{path}: {}", answer.text());
        for (host, status) in [("app.test", 401), ("part.test", 404)] {
            let answer = Raw::exchange(gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert_eq!(answer.status(), status, "{host}{path}");
            assert!(!answer.text().contains(body));
        }
    }
    assert_eq!(browser.open(&format!("{}/auth/login", gateway.admin_origin())).await.status, 404);
    assert_eq!(upstream.seen(), 0);
}

/// `/readyz?verbose`: each check by name, with its time, and nothing of where the stores are
#[tokio::test(flavor = "multi_thread")]
async fn readiness_tells_each_check_by_name_where_it_is_asked_to() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).start().await;
    let mut browser = gateway.browser();
    let plain = browser.open(&format!("{}/readyz", gateway.admin_origin())).await;
    assert_eq!((plain.status, plain.json().get("checks")), (200, None));
    let verbose = browser.open(&format!("{}/readyz?verbose", gateway.admin_origin())).await;
    let told = verbose.json();
    let checks = told["checks"].as_array().unwrap();
    let found: Vec<_> = checks.iter().map(|check| (check["name"].as_str().unwrap(), check["result"].as_str().unwrap())).collect();
    assert_eq!(found, [("serving", "ok"), ("configuration", "ok"), ("users", "ok"), ("sessions", "ok")]);
    assert!(checks.iter().all(|check| check["milliseconds"].is_f64()) && !verbose.text().contains("portcullis.db"), "{told}");
    let refused = gateway.try_reload_with("routes: 7").await;
    assert!(refused.is_err());
    let after = browser.open(&format!("{}/readyz?verbose", gateway.admin_origin())).await;
    assert_eq!((after.status, after.json()["checks"][1]["result"].as_str()), (200, Some("last_reload_refused")));
}

/// `/livez` is for what a restart mends.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_worker_is_gone_does_not_live() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "server: { listen: ['127.0.0.1:0'] }\nadmin: { listen: '127.0.0.1:0' }\nroutes: [{ upstream: sample }]";
    let settings = load_str(yaml, folder.path(), &[]).unwrap().settings;
    let app = App::open(Arc::new(settings), Arc::new(SystemClock)).unwrap();
    app.start().unwrap();
    let workers = Workers::threads(2).unwrap();
    let running = server::start(app, &workers).await.unwrap();
    let admin = running.admin().and_then(server::BoundAddress::tcp).unwrap();
    let answer = Raw::exchange(admin, get("/livez")).await;
    assert_eq!((answer.status(), answer.text().as_str()), (200, "ok\n"));
    drop(workers);
    within_patience("the workers' end to be noticed", async { while Raw::exchange(admin, get("/livez")).await.status() != 503 {} }).await;
}

/// Contract 2: `SIGTERM`, of which [`TestGateway::stop`] is the rest
#[tokio::test(flavor = "multi_thread")]
async fn while_it_drains_it_is_not_ready_but_still_serves() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(open_to_all(&upstream, "timeouts: { drain_delay: 1s }")).start().await;
    let (address, readyz) = (gateway.address(), format!("{}/readyz", gateway.admin_origin()));
    let mut browser = gateway.browser();
    let stopping = tokio::spawn(gateway.stop());
    within_patience("readiness to end", async { while browser.open(&readyz).await.status != 503 {} }).await;
    assert_eq!(Raw::exchange(address, get("/late")).await.status(), 200);
    stopping.await.unwrap();
    refused(address).await;
}

/// Contract 2
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_refuses_new_connections_and_waits_for_the_last_request() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(open_to_all(&upstream, "")).start().await;
    let address = gateway.address();
    let (mut running, mut idle, mut unused) = (gateway.raw().await, gateway.raw().await, gateway.raw().await);
    idle.send(get("/")).await;
    assert_eq!(idle.response().await.status(), 200);
    running.send(get("/slow")).await;
    upstream.wait_for_open_streams(1).await;
    let stopping = tokio::spawn(gateway.stop());
    refused(address).await;
    assert_eq!((idle.closed().await, unused.closed().await), (0, 0));
    assert!(!stopping.is_finished());
    upstream.release(1);
    let answer = running.response().await;
    assert_eq!((answer.status(), answer.json()["target"].as_str()), (200, Some("/slow")));
    assert_eq!(running.closed().await, 0);
    within_patience("the stop", stopping).await.unwrap();
}

/// `server.timeouts.drain`
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_no_longer_than_it_may() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(open_to_all(&upstream, "timeouts: { drain: 300ms }")).start().await;
    let mut running = gateway.raw().await;
    running.send(get("/slow")).await;
    upstream.wait_for_open_streams(1).await;
    let begun = Instant::now();
    gateway.stop().await;
    assert!(begun.elapsed() >= Duration::from_millis(300) && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// `server.limits.connections`
#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_closed_and_room_is_made_by_those_that_end() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(open_to_all(&upstream, "limits: { connections: 2 }")).start().await;
    let (mut one, mut two) = (gateway.raw().await, gateway.raw().await);
    for raw in [&mut one, &mut two] {
        raw.send(get("/")).await;
        assert_eq!(raw.response().await.status(), 200);
    }
    assert_eq!(gateway.raw().await.closed().await, 0);
    drop(one);
    within_patience("room for another connection", async {
        loop {
            let mut raw = gateway.raw().await;
            if raw.try_send(get("/")).await && raw.try_response().await.is_some_and(|answer| answer.status() == 200) {
                break;
            }
        }
    })
    .await;
    two.send(get("/")).await;
    assert_eq!(two.response().await.status(), 200);
}

/// Contract 3.8: what is open may be silent, `timeouts.idle` is for connections between requests. On one thread, as the
/// program runs each connection; see `program::a_websocket_never_ends_as_it_opens`.
#[tokio::test]
async fn a_silent_websocket_and_a_silent_stream_stay_open() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "routes: [{{ path: /events, upstream: \"{0}\", timeouts: {{ read: 1h }} }}, {{ upstream: \"{0}\" }}]\naccess: {{ default: public }}\n\
         server: {{ timeouts: {{ header: 500ms, idle: 500ms, upstream_read: 500ms }} }}",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).start().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/ws", gateway.address())).await.unwrap();
    let mut events = gateway.raw().await;
    events.send(get("/events/sse")).await;
    events.head().await;
    upstream.wait_for_open_streams(2).await;
    // The silence is what is tested: three times the limits that could end it.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    upstream.push("late");
    assert_eq!(events.piece().await.unwrap(), b"data: late\n\n");
    socket.send(Message::text("still there")).await.unwrap();
    let echo = within_patience("an echo", socket.next()).await.unwrap().unwrap();
    assert_eq!(echo, Message::text("still there"));
}
