//! Nobody outside makes more of the metrics than there is: a series for each path or name that somebody thinks of would fill
//! the memory of the gateway, and of Prometheus (CVE-2023-45142).

use super::counting;
use crate::support::gateway::TestGateway;
use crate::support::raw::Raw;
use crate::support::scrape::Scrape;
use crate::support::upstream::EchoUpstream;
use futures_util::future::join_all;

/// Each with a method or query, a path, a host, a name and a user agent of its own: a hundred thousand words.
const REQUESTS: u64 = 20_000;
const CONNECTIONS: u64 = 20;
/// Those after which the gateway closes the connection.
const CLOSING: u64 = 500;

/// Words that nobody has thought of before (`SplitMix64`).
struct Words(u64);

impl Words {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn word(&mut self) -> String {
        format!("w{:x}", self.next())
    }

    fn method(&mut self) -> String {
        self.word().to_uppercase()
    }

    fn address(&mut self) -> String {
        let [a, b, c, ..] = self.next().to_le_bytes();
        format!("10.{a}.{b}.{c}")
    }

    /// A request after which the connection goes on.
    fn request(&mut self) -> String {
        let (word, path, agent, client) = (self.word(), self.word(), self.word(), self.address());
        let common =
            format!("User-Agent: {agent}/1\r\nAuthorization: Basic {word}\r\nX-Forwarded-For: {client}\r\nContent-Length: 0\r\n\r\n");
        match self.next() % 20 {
            0..8 => format!("POST /{path}/{word}?{word} HTTP/1.1\r\nHost: {word}.apps.test\r\n{common}"),
            8..10 => format!("GET /{path} HTTP/1.1\r\nHost: app.test\r\n{common}"),
            10..17 => format!(
                "GET /auth/verify/nginx HTTP/1.1\r\nHost: {word}\r\nX-Original-URL: https://{word}.test/{path}\r\n\
                 X-Original-Method: {}\r\n{common}",
                self.method()
            ),
            17..19 => format!("DELETE /auth/{path} HTTP/1.1\r\nHost: app.test\r\n{common}"),
            _ => {
                let body = format!("{{\"username\":\"{word}\",\"password\":\"{path}\"}}");
                let length = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
                let common = common.replace("Content-Length: 0", &length).replace(&client, "198.51.100.7");
                format!("POST /auth/login HTTP/1.1\r\nHost: app.test\r\n{common}{body}")
            }
        }
    }

    /// A request after which the connection ends.
    fn last_request(&mut self) -> String {
        let (word, path) = (self.word(), self.word());
        match self.next() % 3 {
            0 => format!("{} /{path} HTTP/1.1\r\nHost: app.test\r\n\r\n", self.method()),
            1 => format!("GET /{path} HTTP/1.1\r\nHost: {word}.test\r\n\r\n"),
            _ => format!("GET /{path} HTTP/1.1\r\nHost: app.test\r\n{word} : x\r\n\r\n"),
        }
    }
}

async fn talk(gateway: &TestGateway, words: &mut Words) {
    let mut raw = gateway.raw().await;
    for _ in 0..REQUESTS / CONNECTIONS {
        raw.send(words.request()).await;
        raw.response().await;
    }
    for _ in 0..CLOSING / CONNECTIONS {
        let answer = Raw::exchange(gateway.address(), words.last_request()).await;
        assert!((400..500).contains(&answer.status()), "{}", answer.status());
    }
}

/// threats.md K02
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_methods_paths_hosts_names_and_user_agents_make_no_series() {
    let upstream = EchoUpstream::start().await;
    let gateway = counting(&upstream).limited().set("LOG__ACCESS", "false").start().await;
    let before = Scrape::of(&gateway).await;
    let talks = (0..CONNECTIONS).map(async |number| talk(&gateway, &mut Words(number)).await);
    join_all(talks).await;
    let after = Scrape::of(&gateway).await;
    assert_eq!(after.series(), before.series());
    let counted: i64 = after.since(&before, "requests_total").values().sum();
    assert!(counted > 16_000, "{counted}");
    assert!(after.since(&before, "logins_total").values().sum::<i64>() > 500);
}
