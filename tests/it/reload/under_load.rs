//! Reloads while requests come all the time.

use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

/// How often the configuration changes.
const RELOADS: usize = 20;
/// Requests between two changes.
const BETWEEN: usize = 12;
/// The two configurations, by the mark that every part of them bears.
const MARKS: [&str; 2] = ["one", "two"];

fn configuration(mark: &str, upstream: &EchoUpstream) -> String {
    format!(
        "routes: [{{ upstream: \"{}\", request_headers: {{ set: {{ X-Sent: {mark} }} }}, response_headers: {{ set: {{ X-Answered: {mark} }} }} }}]\n\
         identity: {{ headers: {{ user: X-User-{mark} }} }}\nserver: {{ h2c: true }}\n",
        upstream.origin()
    )
}

struct Load {
    gateway: SocketAddr,
    cookie: String,
    over: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    async fn on_one_connection(self: Arc<Self>) {
        let mut raw = Raw::connect(self.gateway).await;
        while !self.over.load(Ordering::Relaxed) {
            self.ask(&mut raw).await;
        }
    }

    async fn on_new_connections(self: Arc<Self>) {
        while !self.over.load(Ordering::Relaxed) {
            self.ask(&mut Raw::connect(self.gateway).await).await;
        }
    }

    async fn ask(&self, raw: &mut Raw) {
        raw.send(format!("GET /load HTTP/1.1\r\nHost: app.test\r\nCookie: {}\r\n\r\n", self.cookie)).await;
        let answer = raw.response().await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        self.judge(answer.header("x-answered").unwrap(), &answer.json());
    }

    async fn on_one_http_2_connection(self: Arc<Self>) {
        let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
        while !self.over.load(Ordering::Relaxed) {
            let request = client.get(format!("http://{}/load", self.gateway)).header("cookie", &self.cookie);
            let answer = within_patience("an answer over HTTP/2", request.send()).await.unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
            let mark = answer.headers()["x-answered"].to_str().unwrap().to_owned();
            self.judge(&mark, &answer.json().await.unwrap());
        }
    }

    /// Every part of an answer is of one configuration.
    fn judge(&self, mark: &str, echo: &serde_json::Value) {
        let seen = echo["headers"].to_string().to_lowercase();
        let has = |name: &str, value: &str| seen.contains(&format!("[\"{name}\",\"{value}\"]"));
        assert!(has("x-sent", mark) && has(&format!("x-user-{mark}"), "ann"), "{mark}: {seen}");
        for other in MARKS.iter().filter(|other| **other != mark) {
            assert!(!seen.contains(&format!("x-user-{other}")), "{mark}: {seen}");
        }
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    async fn goes_on(&self, requests: usize) {
        let until = self.answered.load(Ordering::Relaxed) + requests;
        within_patience("requests to be answered", async {
            while self.answered.load(Ordering::Relaxed) < until {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

/// Contract 2: no request is dropped, and none is served by parts of two configurations
#[tokio::test]
async fn under_load_no_request_fails_or_sees_a_mixture() {
    let upstreams = [EchoUpstream::start().await, EchoUpstream::start().await];
    let gateway = TestGateway::with(configuration(MARKS[0], &upstreams[0])).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let cookie = format!("portcullis={}", browser.agent.cookies.get("portcullis").unwrap().value);
    let socket = Request::get(format!("ws://{}/ws", gateway.address()))
        .header("host", "app.test")
        .header("cookie", &cookie)
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", tokio_tungstenite::tungstenite::handshake::client::generate_key())
        .body(())
        .unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(socket, TcpStream::connect(gateway.address()).await.unwrap()).await.unwrap();

    let load = Arc::new(Load { gateway: gateway.address(), cookie, over: AtomicBool::new(false), answered: AtomicUsize::new(0) });
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..3 {
        running.spawn(load.clone().on_one_connection());
        running.spawn(load.clone().on_new_connections());
    }
    running.spawn(load.clone().on_one_http_2_connection());
    for round in 1..=RELOADS {
        load.goes_on(BETWEEN).await;
        let next = round % MARKS.len();
        gateway.reload_with(configuration(MARKS[next], &upstreams[next])).await;
        socket.send(Message::text(round.to_string())).await.unwrap();
        let echo = within_patience("an echo", socket.next()).await.unwrap().unwrap();
        assert_eq!(echo, Message::text(round.to_string()));
    }
    load.goes_on(BETWEEN).await;
    load.over.store(true, Ordering::Relaxed);
    while let Some(ended) = within_patience("the load to end", running.join_next()).await {
        ended.unwrap();
    }
    for (mark, upstream) in MARKS.iter().zip(&upstreams) {
        let asked: Vec<_> = upstream.requests().into_iter().filter(|request| request.target() == "/load").collect();
        assert!(asked.len() >= BETWEEN && asked.iter().all(|request| request.head.header("x-sent") == Some(*mark)), "{mark}");
    }
}
