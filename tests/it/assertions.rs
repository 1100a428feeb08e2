//! Assertions: what an application is sent, and the keys by which it believes it.

mod verifiers;

use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::message::Head;
use crate::support::raw::{Raw, RawResponse};
use crate::support::upstream::EchoUpstream;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis::app::App;
use portcullis::clock::SystemClock;
use portcullis::config::load_str;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const ISSUER: &str = "https://auth.example.com";

/// A gateway in front of an application, with Ann, who is signed in.
struct Site {
    upstream: EchoUpstream,
    gateway: TestGateway,
    cookie: String,
}

impl Site {
    async fn start(more: &str) -> Self {
        Self::build(more, |builder| builder).await
    }

    async fn build(more: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let upstream = EchoUpstream::start().await;
        let yaml = format!(
            "server: {{ trusted_proxies: [127.0.0.1] }}\ntokens: {{ issuer: '{ISSUER}' }}\nroutes: [{{ path: /, upstream: \"{}\" }}]\n\
             access: {{ rules: [{{ path: /public, allow: public }}] }}\n{more}",
            upstream.origin()
        );
        let gateway = change(TestGateway::with(yaml)).user("ann", &["staff", "editors"]).start().await;
        let mut api = gateway.api();
        let answer = api.post("/auth/login", &json!({ "username": "ann", "password": PASSWORD })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let cookie = format!("portcullis={}", api.agent.cookies.get("portcullis").unwrap().value);
        Self { upstream, gateway, cookie }
    }

    async fn ask(&self, host: &str, path: &str, lines: &str) -> RawResponse {
        Raw::exchange(self.gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")).await
    }

    /// What reached the application of Ann's request.
    async fn forwarded(&self, host: &str, path: &str) -> Head {
        let answer = self.ask(host, path, &format!("Cookie: {}\r\n", self.cookie)).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        self.upstream.last().head
    }

    /// The assertion that reached the application of Ann's request.
    async fn assertion(&self, host: &str) -> String {
        let head = self.forwarded(host, "/x").await;
        let found = head.header_values("x-user-assertion");
        assert_eq!(found.len(), 1, "{head:?}");
        found[0].to_owned()
    }

    /// What a front proxy is answered of Ann's request.
    async fn verified(&self, host: &str, cookie: &str) -> RawResponse {
        let lines = format!(
            "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Uri: /x\r\nX-Forwarded-For: 198.51.100.7\r\n{cookie}"
        );
        self.ask("gateway", "/auth/verify/traefik", &lines).await
    }
}

/// Header or claims of a token, unverified.
fn part(token: &str, number: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap()).unwrap()
}

fn keys(answer: &RawResponse) -> Vec<Value> {
    answer.json()["keys"].as_array().unwrap().clone()
}

/// Contract 3.7; threats A13
#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_told_in_a_signed_header_who_asks() {
    let site = Site::start("").await;
    let token = site.assertion("Wiki.Example.com:8080").await;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let account = site.gateway.app().accounts.list(None, 1).await.unwrap().remove(0);
    let says = json!({
        "iss": ISSUER, "sub": account.id.to_string(), "aud": "wiki.example.com", "exp": claims["iat"].as_i64().unwrap() + 60,
        "iat": claims["iat"], "nbf": claims["iat"].as_i64().unwrap() - 30, "type": "assertion", "username": "ann",
        "email": "ann@example.com", "groups": ["staff", "editors"],
    });
    assert_eq!(claims, says);
    let published = keys(&site.ask("wiki.example.com", "/.well-known/jwks.json", "").await);
    assert_eq!(header, json!({ "alg": "EdDSA", "kid": published[0]["kid"], "typ": "portcullis-assertion+jwt" }));
    assert_eq!(site.forwarded("wiki.example.com", "/public").await.header_values("x-user-assertion").len(), 1);
    site.ask("wiki.example.com", "/public", "").await;
    assert_eq!(site.upstream.last().head.header("x-user-assertion"), None);
}

/// Contract 3.2; threats A01, A13
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_calls_an_assertion_reaches_nobody() {
    for more in ["", "identity: { headers: { assertion: null } }", "identity: { headers: { assertion: X-Vouched } }"] {
        let site = Site::start(more).await;
        for name in ["X-User-Assertion", "x_user_assertion", "X-USER.ASSERTION", "X-Vouched"] {
            for cookie in [String::new(), format!("Cookie: {}\r\n", site.cookie)] {
                site.ask("a.test", "/public", &format!("{name}: forged\r\n{cookie}")).await;
                let head = site.upstream.last().head;
                let reaches = name == "X-Vouched" && !more.contains(name);
                assert_eq!(head.headers.iter().any(|(_, value)| value == "forged"), reaches, "{more} {name}: {head:?}");
            }
        }
    }
}

/// Contract 2, `identity.headers.assertion`
#[tokio::test(flavor = "multi_thread")]
async fn the_assertion_has_the_configured_name_or_none() {
    let site = Site::start("identity: { headers: { assertion: X-Vouched } }").await;
    let head = site.forwarded("a.test", "/x").await;
    assert_eq!((head.header("x-user-assertion"), part(head.header("x-vouched").unwrap(), 1)["aud"].as_str()), (None, Some("a.test")));
    let site = Site::start("identity: { headers: { assertion: null } }").await;
    let head = site.forwarded("a.test", "/x").await;
    assert_eq!((head.header("x-user"), head.header("x-user-assertion")), (Some("ann"), None));
    let answer = site.verified("a.test", &format!("Cookie: {}\r\n", site.cookie)).await;
    assert_eq!((answer.header("x-user"), answer.header("x-user-assertion")), (Some("ann"), None));
}

/// Contracts 3.7 and 5
#[tokio::test(flavor = "multi_thread")]
async fn a_front_proxy_is_given_the_assertion_for_the_host_that_it_asks_about() {
    let site = Site::start("").await;
    let answer = site.verified("Wiki.Example.com", &format!("Cookie: {}\r\n", site.cookie)).await;
    assert_eq!((answer.status(), answer.header("x-user")), (200, Some("ann")));
    let token = answer.header("x-user-assertion").unwrap().to_owned();
    assert_eq!(part(&token, 1)["aud"], "wiki.example.com");
    assert_eq!(site.assertion("wiki.example.com").await, token, "signed once");
}

/// Contract 3.7: signed once per session, host and 30 s; a change of the account is told at once
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_signed_anew_for_another_host_after_half_a_minute_and_when_the_account_changes() {
    let site = Site::build("", |builder| builder.set("TOKENS__ALGORITHM", "ES256").manual_clock()).await;
    let first = site.assertion("a.test").await;
    assert_eq!(part(&first, 0)["alg"], "ES256");
    assert_eq!(site.assertion("a.test").await, first);
    assert_eq!(part(&site.assertion("b.test").await, 1)["aud"], "b.test");
    site.gateway.app().administration.set_groups("ann", &["ops".to_owned()]).await.unwrap();
    let changed = site.assertion("a.test").await;
    assert_eq!(part(&changed, 1)["groups"], json!(["ops"]));
    site.gateway.advance(Duration::from_secs(30));
    let next = site.assertion("a.test").await;
    assert_eq!(part(&next, 1)["iat"].as_i64().unwrap(), part(&first, 1)["iat"].as_i64().unwrap() + 30);
}

/// Contract 3.3, 3.7, 4 (headers)
#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_shown_on_every_host_for_five_minutes_and_to_no_script_of_another_origin() {
    let site = Site::start("").await;
    for host in ["a.test", "b.test"] {
        let answer = site.ask(host, "/.well-known/jwks.json", "Origin: https://evil.example\r\n").await;
        assert_eq!((answer.status(), answer.header("content-type")), (200, Some("application/jwk-set+json")));
        assert!(answer.header("cache-control").unwrap().contains("max-age=300"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("set-cookie"), None);
        let keys = keys(&answer);
        assert_eq!((keys.len(), &keys[0]["kty"], &keys[0]["crv"], &keys[0]["use"]), (1, &json!("OKP"), &json!("Ed25519"), &json!("sig")));
        assert!(keys[0].get("d").is_none() && keys[0].get("k").is_none());
    }
    let mut api = site.gateway.api();
    let head = api.send(Method::HEAD, "/.well-known/jwks.json", None).await;
    assert_eq!((head.status, head.text().as_str(), head.header("content-type")), (200, "", Some("application/jwk-set+json")));
    assert_eq!(api.send(Method::POST, "/.well-known/jwks.json", Some(&json!({}))).await.status, 405);
}

/// Contract 3.7: a shared secret is for ourselves
#[tokio::test(flavor = "multi_thread")]
async fn with_a_shared_secret_for_tokens_assertions_are_signed_by_a_key_that_can_be_shown() {
    let site = Site::build("", |builder| builder.set("TOKENS__ALGORITHM", "HS256")).await;
    let published = keys(&site.ask("a.test", "/.well-known/jwks.json", "").await);
    assert_eq!((published.len(), &published[0]["alg"]), (1, &json!("EdDSA")));
    assert_eq!(part(&site.assertion("a.test").await, 0)["kid"], published[0]["kid"]);
    let account = site.gateway.app().accounts.list(None, 1).await.unwrap().remove(0);
    let access = site.gateway.app().access_tokens.issue(&account).await.unwrap().text;
    assert_eq!(part(&access, 0)["alg"], "HS256");
    assert_ne!(part(&access, 0)["kid"], published[0]["kid"]);
}

/// Keys are replaced by the clock, and published a day before they sign.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_key_is_shown_a_day_before_it_signs() {
    let site = Site::build("sessions: { idle_timeout: 90d, lifetime: 90d }", Builder::manual_clock).await;
    let shown = async || -> Vec<Value> {
        keys(&site.ask("a.test", "/.well-known/jwks.json", "").await).into_iter().map(|key| key["kid"].clone()).collect()
    };
    let signed_by = async || part(&site.assertion("a.test").await, 0)["kid"].clone();
    let first = signed_by().await;
    assert_eq!(shown().await, std::slice::from_ref(&first));
    let day = Duration::from_hours(24);
    site.gateway.advance(29 * day);
    let both = shown().await;
    assert_eq!((both.len(), signed_by().await), (2, first.clone()));
    site.gateway.advance(day);
    let second = signed_by().await;
    assert!(second != first && both.contains(&second));
    site.gateway.advance(8 * day);
    shown().await;
    site.gateway.app().signing_keys.tend().await.unwrap();
    site.gateway.app().signing_keys.tend().await.unwrap();
    assert_eq!(shown().await, [second]);
}

/// S3.5
#[tokio::test(flavor = "multi_thread")]
async fn gateways_over_one_store_have_the_same_keys() {
    let site = Site::start("").await;
    let token = site.assertion("a.test").await;
    let other = App::open(Arc::clone(&site.gateway.app().settings), Arc::new(SystemClock)).unwrap();
    let published = serde_json::to_value(other.signing_keys.jwks().await.unwrap()).unwrap();
    assert_eq!(published["keys"][0]["kid"], part(&token, 0)["kid"]);
}

/// Contract 3.9: never without what was asked for; what is public is for nobody, too
#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_user_nobody_can_vouch_for_is_refused_and_never_goes_on_without() {
    let without_keys = |builder: Builder| {
        let settings = load_str("routes: [{ path: /, upstream: sample }]", builder.folder(), &[]).unwrap().settings;
        drop(App::open(Arc::new(settings), Arc::new(SystemClock)).unwrap());
        let database = Connection::open(builder.folder().join("portcullis.db")).unwrap();
        database.execute_batch("ALTER TABLE signing_keys RENAME TO lost").unwrap();
        builder.manual_clock()
    };
    let site = Site::build("", without_keys).await;
    let cookie = format!("Cookie: {}\r\n", site.cookie);
    let before = site.upstream.seen();
    for answer in [site.ask("a.test", "/x", &cookie).await, site.verified("a.test", &cookie).await] {
        assert_eq!((answer.status(), answer.header("retry-after"), answer.header("x-user")), (503, Some("2"), None));
    }
    assert_eq!(site.upstream.seen(), before);
    assert_eq!(site.ask("a.test", "/public", &cookie).await.status(), 200);
    let head = site.upstream.last().head;
    assert_eq!((head.header("x-user"), head.header("x-user-id"), head.header("x-user-assertion")), (None, None, None));
    assert_eq!(site.ask("a.test", "/.well-known/jwks.json", "").await.status(), 503);

    let database = Connection::open(site.gateway.folder().join("portcullis.db")).unwrap();
    database.execute_batch("ALTER TABLE lost RENAME TO signing_keys").unwrap();
    site.gateway.advance(Duration::from_secs(1));
    assert_eq!(part(&site.assertion("a.test").await, 1)["username"], "ann");
}
