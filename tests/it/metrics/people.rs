//! What is counted of people: signing in and out, making accounts, forgotten passwords, and whoever tries too often.

use super::{changes, expected, site};
use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::Mailbox;
use crate::support::scrape::Scrape;
use crate::support::upstream::EchoUpstream;
use http::Method;
use serde_json::{Value, json};

const NEW: &str = "Another-horse-8-battery";

/// JSON to a page of ours, from this address.
async fn post(gateway: &TestGateway, from: &str, page: &str, body: Value) -> u16 {
    let url = format!("{}{page}", gateway.origin_as("app.test")).parse().unwrap();
    let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
    gateway.api().agent.send(Method::POST, &url, &headers, body.to_string()).await.status
}

async fn login(gateway: &TestGateway, from: &str, username: &str, password: &str) -> u16 {
    post(gateway, from, "/auth/login", json!({ "username": username, "password": password })).await
}

/// A browser on the site's host.
fn browser(gateway: &TestGateway) -> Browser {
    Browser::new(&gateway.origin_as("app.test"))
}

async fn submit(browser: &mut Browser, page: &str, fields: &[(&str, &str)]) -> Answer {
    let page = browser.visit(page).await;
    browser.submit(&page, fields).await
}

/// C5, S1.8, contract 8: good and bad logins, limits, locks
#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_to_sign_in_is_counted_by_how_it_ended() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).limited().manual_clock().user("alice", &[]).user("bob", &[]).user("carol", &[]).start().await;
    gateway.app().administration.lock("carol").await.unwrap();
    let before = Scrape::of(&gateway).await;
    assert_eq!(login(&gateway, "203.0.113.1", "alice", PASSWORD).await, 200);
    assert_eq!(login(&gateway, "203.0.113.1", "carol", PASSWORD).await, 401, "an operator has locked her out");
    for _ in 0..5 {
        assert_eq!(login(&gateway, "203.0.113.2", "nobody", "guess").await, 401);
    }
    assert_eq!(login(&gateway, "203.0.113.2", "nobody", "guess").await, 429);
    for number in 0..10 {
        assert_eq!(login(&gateway, &format!("198.51.100.{number}"), "bob", "guess").await, 401);
    }
    assert_eq!(login(&gateway, "203.0.113.3", "bob", PASSWORD).await, 429, "he is locked out for a time");
    let logins = expected(&[
        ("method=\"password\",result=\"success\"", 1),
        ("method=\"password\",result=\"invalid\"", 15),
        ("method=\"password\",result=\"rate_limited\"", 1),
        ("method=\"password\",result=\"locked\"", 2),
    ]);
    assert_eq!(changes(&gateway, &before, "logins_total").await, logins);
    assert_eq!(changes(&gateway, &before, "lockouts_total").await, expected(&[("", 1)]));
    assert_eq!(changes(&gateway, &before, "rate_limited_total").await, expected(&[("endpoint=\"login\"", 1)]));
    assert_eq!(changes(&gateway, &before, "password_hash_duration_seconds_count").await, expected(&[("", 17)]));
    assert_eq!(Scrape::of(&gateway).await.value("password_hash_queue_depth"), 0);
}

/// contract 8
#[tokio::test(flavor = "multi_thread")]
async fn each_registration_is_counted_by_how_it_ended() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).limited().user("alice", &[]).start().await;
    let before = Scrape::of(&gateway).await;
    let register = async |username: &str, email: &str, password: &str| {
        post(&gateway, "203.0.113.1", "/auth/register", json!({ "username": username, "email": email, "password": password })).await
    };
    assert_eq!(register("bob", "bob@example.com", PASSWORD).await, 201);
    assert_eq!(register("bo b", "bob@example.com", PASSWORD).await, 400, "values that nobody may have are no attempt");
    for _ in 0..2 {
        assert_eq!(register("alice", "alice2@example.com", PASSWORD).await, 409);
    }
    let mut results = vec![register("alicia", "alice@example.com", PASSWORD).await];
    while results.len() < 20 && results.last() != Some(&429) {
        results.push(register("alice", "alice2@example.com", PASSWORD).await);
    }
    let refused = i64::try_from(results.len()).unwrap() - 2;
    let registrations = expected(&[
        ("result=\"success\"", 1),
        ("result=\"username_taken\"", 2 + refused),
        ("result=\"email_taken\"", 1),
        ("result=\"rate_limited\"", 1),
    ]);
    assert_eq!(changes(&gateway, &before, "registrations_total").await, registrations);
    assert_eq!(changes(&gateway, &before, "rate_limited_total").await, expected(&[("endpoint=\"register\"", 1)]));
}

/// S1.8, contract 8: each stage of a reset, the mails that it causes, and the sessions that it ends
#[tokio::test(flavor = "multi_thread")]
async fn each_stage_of_a_reset_is_counted_and_so_is_each_mail() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).set("ACCOUNTS__RESET__REQUESTS_PER_HOUR", "1").user("alice", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    submit(&mut browser(&gateway), "/auth/login", &[("username", "alice"), ("password", PASSWORD)]).await;
    assert!(mailbox.next().await.subject.contains("sign-in"), "a browser that was not seen before");
    let before = Scrape::until(&gateway, "the mail to be counted", |now| {
        now.value("emails_total{result=\"sent\",template=\"new_sign_in\"}") == 1 && now.value("email_queue_depth") == 0
    });
    let before = before.await;

    for address in ["alice@example.com", "nobody@example.com"] {
        assert_eq!(submit(&mut browser(&gateway), "/auth/forgot", &[("email", address)]).await.status, 303);
    }
    assert_eq!(submit(&mut browser(&gateway), "/auth/forgot", &[("email", "alice@example.com")]).await.status, 429);
    let link = mailbox.next().await.link_path();
    assert_eq!(browser(&gateway).visit("/auth/reset?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").await.status, 400);
    assert_eq!(submit(&mut browser(&gateway), &link, &[("password", NEW)]).await.status, 303);
    assert_eq!(
        post(&gateway, "203.0.113.1", "/api/auth/password-reset/confirm", json!({ "token": "made up", "password": NEW })).await,
        400
    );

    let resets = expected(&[
        ("result=\"success\",stage=\"request\"", 2),
        ("result=\"rate_limited\",stage=\"request\"", 1),
        ("result=\"success\",stage=\"link\"", 1),
        ("result=\"success\",stage=\"confirm\"", 1),
        ("result=\"invalid\",stage=\"confirm\"", 1),
    ]);
    assert_eq!(changes(&gateway, &before, "password_resets_total").await, resets);
    assert_eq!(changes(&gateway, &before, "rate_limited_total").await, expected(&[("endpoint=\"reset_request\"", 1)]));
    assert_eq!(changes(&gateway, &before, "sessions_ended_total").await, expected(&[("reason=\"account_changed\"", 1)]));
    let mails = expected(&[
        ("result=\"sent\",template=\"password_reset\"", 1),
        ("result=\"dropped\",template=\"password_reset\"", 1),
        ("result=\"sent\",template=\"password_changed\"", 1),
    ]);
    Scrape::until(&gateway, "all mails to be counted", |now| now.since(&before, "emails_total") == mails).await;
}

/// contract 8
#[tokio::test(flavor = "multi_thread")]
async fn each_session_that_ends_is_counted_by_why() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).set("SESSIONS__MAX_PER_USER", "3").user("alice", &[]).user("bob", &[]).start().await;
    let app = gateway.app();
    let sign_in = async |browser: &mut Browser, username: &str| {
        let answer = submit(browser, "/auth/login?switch", &[("username", username), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303);
    };
    let (mut here, mut there) = (browser(&gateway), browser(&gateway));
    let before = Scrape::of(&gateway).await;
    sign_in(&mut here, "alice").await;
    sign_in(&mut here, "alice").await;
    sign_in(&mut there, "alice").await;
    assert_eq!(Scrape::of(&gateway).await.value("sessions_active"), 2);
    assert_eq!(submit(&mut there, "/auth/logout", &[]).await.status, 303);
    for _ in 0..4 {
        sign_in(&mut browser(&gateway), "alice").await;
    }
    assert_eq!(app.administration.end_sessions("alice").await.unwrap(), 3);
    sign_in(&mut browser(&gateway), "alice").await;
    app.administration.lock("alice").await.unwrap();
    sign_in(&mut browser(&gateway), "bob").await;
    app.administration.delete("bob").await.unwrap();
    let reasons = [
        ("reason=\"replaced\"", 1),
        ("reason=\"logout\"", 1),
        ("reason=\"displaced\"", 2),
        ("reason=\"revoked\"", 3),
        ("reason=\"account_changed\"", 1),
        ("reason=\"account_deleted\"", 1),
    ];
    assert_eq!(changes(&gateway, &before, "sessions_ended_total").await, expected(&reasons));
}
