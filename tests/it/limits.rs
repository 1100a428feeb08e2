//! Limits of attempts, as those who are refused see them.

mod shared;

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::{HeaderMap, Method};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::Duration;

/// A gateway with the usual limits that believes of this machine whom it speaks for, and whose clock stands still.
fn limited(upstream: &EchoUpstream) -> Builder {
    TestGateway::in_front_of(upstream).limited().manual_clock().set("SERVER__TRUSTED_PROXIES", "[127.0.0.1]")
}

/// A sign-in by JSON from this address.
async fn login(gateway: &TestGateway, from: &str, username: &str, password: &str) -> Answer {
    post(gateway, from, "/auth/login", &json!({ "username": username, "password": password })).await
}

async fn post(gateway: &TestGateway, from: &str, page: &str, body: &Value) -> Answer {
    let url = gateway.browser().url(page);
    let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
    gateway.api().agent.send(Method::POST, &url, &headers, body.to_string()).await
}

/// A sign-in by the form, from 127.0.0.1.
async fn fill_in(browser: &mut Browser, username: &str, password: &str) -> Answer {
    let page = browser.open("/auth/login").await;
    browser.submit(&page, &[("username", username), ("password", password)]).await
}

/// Headers that do not differ from request to request.
fn lasting_headers(answer: &Answer) -> HeaderMap {
    let mut headers = answer.headers.clone();
    for name in ["date", "x-request-id"] {
        headers.remove(name);
    }
    headers
}

/// S4.8, S2.3, contract 4 and 6: the form stays, with the name, and says how long to wait; the right password changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn after_five_failures_a_visitor_is_told_how_long_to_wait_and_then_let_in() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    for _ in 0..5 {
        assert_eq!(fill_in(&mut browser, "alice", "wrong").await.status, 401);
    }
    gateway.advance(Duration::from_secs(90));
    let answer = fill_in(&mut browser, "alice", PASSWORD).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("810")));
    assert_eq!(answer.header("ratelimit-policy"), Some("\"attempts\";q=5;w=900"));
    assert_eq!(answer.header("ratelimit"), Some("\"attempts\";r=0;t=810"));
    let text = answer.text();
    assert!(text.contains("try again in 14 minutes") && text.contains("role=\"alert\"") && text.contains("value=\"alice\""), "{text}");
    assert!(!text.contains(PASSWORD));
    gateway.advance(Duration::from_secs(810));
    // The form of the refusal is as good as a fresh one.
    let answer = browser.submit(&answer, &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 303);
}

/// ASVS V6.3.8, contract 4: nothing in a refusal tells whether somebody has the name.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_the_same_for_names_that_nobody_has() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).user("alice", &[]).start().await;
    let mut refusals = Vec::new();
    for name in ["alice", "nobod"] {
        let mut browser = gateway.browser();
        for _ in 0..5 {
            assert_eq!(fill_in(&mut browser, name, "wrong").await.status, 401);
        }
        let by_form = fill_in(&mut browser, name, "wrong").await;
        let by_json = login(&gateway, "127.0.0.1", name, "wrong").await;
        assert_eq!((by_form.status, by_json.status, &by_json.json()["type"]), (429, 429, &json!("urn:portcullis:too_many_attempts")));
        let token = crate::support::form::Form::all(&by_form.text())[0].values[0].1.clone();
        let page = by_form.text().replace(&token, "token").replace(name, "name");
        refusals.push((page, by_form.body.len(), lasting_headers(&by_form), by_json.json(), lasting_headers(&by_json)));
    }
    assert_eq!(refusals[0], refusals[1]);
}

/// threats G05: form, JSON and the current password share one budget.
#[tokio::test(flavor = "multi_thread")]
async fn all_ways_to_guess_a_password_have_one_budget() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).user("alice", &[]).user("bob", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let form = browser.open("/auth/account/password").await;
    for _ in 0..2 {
        let wrong = [("current_password", "wrong"), ("password", "Another-horse-8-battery")];
        assert_eq!(browser.submit(&form, &wrong).await.status, 401);
        assert_eq!(login(&gateway, "127.0.0.1", "alice@example.com", "wrong").await.status, 401);
    }
    let mut other = gateway.browser();
    assert_eq!(fill_in(&mut other, "ALICE", "wrong").await.status, 401);
    assert_eq!(fill_in(&mut other, "alice", PASSWORD).await.status, 429);
    assert_eq!(login(&gateway, "127.0.0.1", "alice", PASSWORD).await.status, 429);
    let right = [("current_password", PASSWORD), ("password", "Another-horse-8-battery")];
    let answer = browser.submit(&form, &right).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("900")));
    assert!(answer.text().contains("15 minutes"), "{}", answer.text());
    assert_eq!(browser.open("/").await.status, 200, "the session goes on");
    assert_eq!(login(&gateway, "127.0.0.1", "bob", PASSWORD).await.status, 200, "another account is not concerned");
}

/// Of 100 guesses at once on one connection at most five are verified.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_guesses_at_once_on_one_connection_five_are_looked_at() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).set("SERVER__H2C", "true").user("alice", &[]).start().await;
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let guesses = (0..100).map(|number| {
        // The right one is among them.
        let password = if number == 60 { PASSWORD.to_owned() } else { format!("guess-{number}") };
        let body = json!({ "username": "alice", "password": password }).to_string();
        let request = client.post(format!("{}/auth/login", gateway.origin())).header("content-type", "application/json").body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    });
    let statuses = futures_util::future::join_all(guesses).await;
    let looked_at = statuses.iter().filter(|status| **status != 429).count();
    assert!(looked_at <= 5 && statuses.iter().filter(|status| **status == 401).count() >= 4, "{statuses:?}");
}

/// threats G10, contract 6: one password for many accounts, and many addresses of one network.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_stopped_whatever_accounts_it_tries_and_an_ipv6_network_is_one_client() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).set("RATE_LIMIT__PER_CLIENT", "10").user("alice", &[]).start().await;
    for number in 0..10 {
        let answer = login(&gateway, &format!("2001:db8:1:2:{number}::1"), &format!("user{number}"), "Summer-2026").await;
        assert_eq!(answer.status, 401, "{number}");
    }
    let answer = login(&gateway, "2001:db8:1:2:ffff::1", "alice", PASSWORD).await;
    assert_eq!((answer.status, answer.header("ratelimit-policy")), (429, Some("\"client\";q=10;w=900")));
    assert_eq!(login(&gateway, "2001:db8:1:3::1", "alice", PASSWORD).await.status, 200, "the network beside it");
    for _ in 0..20 {
        assert_eq!(login(&gateway, "192.0.2.1", "alice", PASSWORD).await.status, 200, "what succeeds is given back");
    }
}

/// contract 6: what is never counted, and goes on for whoever has reached every limit.
#[tokio::test(flavor = "multi_thread")]
async fn looking_at_pages_is_never_counted() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).set("RATE_LIMIT__PER_CLIENT", "5").user("alice", &[]).user("bob", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    for _ in 0..5 {
        assert_eq!(login(&gateway, "127.0.0.1", "bob", "wrong").await.status, 401);
    }
    assert_eq!(login(&gateway, "127.0.0.1", "bob", PASSWORD).await.status, 429);
    for _ in 0..60 {
        for page in ["/", "/auth/session", "/auth/profile", "/auth/account", "/auth/logout"] {
            assert_eq!(browser.open(page).await.status, 200, "{page}");
        }
    }
    assert_eq!(gateway.browser().open("/auth/login").await.status, 200);
    let page = browser.open("/auth/logout").await;
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
}

/// contract 6, S0.1: by form and by JSON
#[tokio::test(flavor = "multi_thread")]
async fn a_client_registers_five_accounts_and_then_has_to_wait() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).set("ACCOUNTS__REGISTRATION", "open").start().await;
    let account = |name: &str| json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
    for number in 0..5 {
        let weak = json!({ "username": "carl", "email": "carl@example.com", "password": "short" });
        assert_eq!(post(&gateway, "127.0.0.1", "/auth/register", &weak).await.status, 400, "what cannot be an account is not counted");
        let answer = post(&gateway, "127.0.0.1", "/auth/register", &account(&format!("carl{number}"))).await;
        assert_eq!(answer.status, 201);
    }
    let answer = post(&gateway, "127.0.0.1", "/auth/register", &account("carl")).await;
    assert_eq!((answer.status, answer.header("ratelimit-policy")), (429, Some("\"requests\";q=5;w=900")));
    let mut browser = gateway.browser();
    let page = browser.open("/auth/register").await;
    let answer = browser.submit(&page, &[("username", "carl"), ("email", "carl@example.com"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("900")));
    assert!(answer.text().contains("15 minutes") && answer.text().contains("value=\"carl\""), "{}", answer.text());
    assert_eq!(login(&gateway, "127.0.0.1", "carl0", PASSWORD).await.status, 200, "signing in is another thing");
    assert_eq!(post(&gateway, "192.0.2.1", "/auth/register", &account("carl")).await.status, 201);
}

fn rename_counters(gateway: &TestGateway, from: &str, to: &str) {
    let connection = Connection::open(gateway.folder().join("portcullis.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA busy_timeout = 5000; ALTER TABLE {from} RENAME TO {to};")).unwrap();
}

/// threats B22: what cannot be counted is not tried.
#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_can_be_counted_nobody_is_let_in() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).user("alice", &[]).start().await;
    rename_counters(&gateway, "counters", "elsewhere");
    let answer = fill_in(&mut gateway.browser(), "alice", PASSWORD).await;
    assert!(answer.status == 503 && answer.header("retry-after").is_some(), "{}", answer.status);
    assert_eq!(login(&gateway, "127.0.0.1", "alice", "wrong").await.status, 503);
    rename_counters(&gateway, "elsewhere", "counters");
    assert_eq!(login(&gateway, "127.0.0.1", "alice", PASSWORD).await.status, 200);
}

/// A flood asks no store: it is turned away in the process, also while the store is away.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_client_is_turned_away_before_any_store_is_asked() {
    let upstream = EchoUpstream::start().await;
    let gateway = limited(&upstream).set("RATE_LIMIT__PER_CLIENT", "1").user("alice", &[]).start().await;
    rename_counters(&gateway, "counters", "elsewhere");
    let attempts = (0..60).map(|_| login(&gateway, "192.0.2.1", "alice", "wrong"));
    let answers = futures_util::future::join_all(attempts).await;
    let turned_away: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(turned_away.len() >= 20, "{} of 60", turned_away.len());
    assert!(turned_away.iter().all(|answer| answer.header("ratelimit-policy") == Some("\"flood\";q=10;w=1")));
    assert_eq!(login(&gateway, "192.0.2.2", "alice", "wrong").await.status, 503, "another client is not concerned");
}
