//! Refresh tokens as programs use them: many at once, to their end, and what ends them before.

use super::{LOGIN, REFRESH, code, gateway, refresh, sign_in, text};
use crate::support::gateway::PASSWORD;
use crate::support::redis_server::RedisServer;
use serde_json::json;
use std::collections::HashSet;
use std::time::Duration;

/// Threats J10, contract 6: one family line, no fork, over the store that gateways share.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_refreshes_at_once_get_one_successor() {
    let redis = RedisServer::start();
    let gateway = gateway()
        .set("SECRET", "not-much-of-a-secret-but-long-enough-for-tests")
        .set("STORES__SESSIONS", &redis.url())
        .user("alice", &[])
        .manual_clock()
        .start()
        .await;
    let mut api = gateway.api();
    let first = sign_in(&mut api, "alice").await;
    let body = json!({ "refreshToken": first["refreshToken"] });
    let asking = (0..50).map(|_| {
        let (mut api, body) = (gateway.api(), body.clone());
        tokio::spawn(async move { api.post(REFRESH, &body).await })
    });
    let (mut successors, mut access_tokens) = (HashSet::new(), HashSet::new());
    for answer in futures_util::future::join_all(asking).await {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let pair = answer.json();
        successors.insert(text(&pair, "refreshToken").to_owned());
        access_tokens.insert(text(&pair, "accessToken").to_owned());
    }
    assert_eq!((successors.len(), access_tokens.len()), (1, 50));
    let next = json!({ "refreshToken": successors.iter().next().unwrap() });
    assert_eq!(refresh(&mut api, &next).await.status, 200);
    assert_eq!(refresh(&mut api, &first).await.status, 401, "its successor is in use: somebody has a copy");
}

/// Threats J11, ASVS V10.4.8
#[tokio::test(flavor = "multi_thread")]
async fn a_program_signs_in_anew_a_week_after_it_did_however_often_it_refreshed() {
    let gateway = gateway().user("alice", &[]).manual_clock().start().await;
    let mut api = gateway.api();
    let mut tokens = sign_in(&mut api, "alice").await;
    for _ in 0..13 {
        gateway.advance(Duration::from_hours(12));
        let answer = refresh(&mut api, &tokens).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        tokens = answer.json();
    }
    gateway.advance(Duration::from_hours(12));
    let refused = refresh(&mut api, &tokens).await;
    assert_eq!((refused.status, &*code(&refused)), (401, "invalid_token"));
    assert_eq!(api.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await.status, 200);
}

/// Threats S04, ASVS V7.4.3: the form that changes the password signs out programs, and keeps the browser it was sent from.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_on_the_page_ends_every_program() {
    let gateway = gateway().user("alice", &[]).start().await;
    let mut api = gateway.api();
    let (one, other) = (sign_in(&mut api, "alice").await, sign_in(&mut api, "alice").await);
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let form = browser.open("/auth/account/password").await;
    let changed = browser.submit(&form, &[("current_password", PASSWORD), ("password", "Another-horse-8-battery")]).await;
    assert_eq!(changed.status, 303, "{}", changed.text());
    for tokens in [&one, &other] {
        assert_eq!(refresh(&mut api, tokens).await.status, 401);
    }
    let page = browser.open("/auth/account/sessions").await;
    assert!(page.status == 200 && !page.text().contains("name=\"app\""), "{}", page.text());
}

/// ASVS V7.5.2: what a program is called and where it is stands on its owner's page; ended there, it renews nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_its_owner_ends_is_signed_out() {
    let gateway = gateway().user("alice", &[]).start().await;
    let mut api = gateway.api();
    let tokens = sign_in(&mut api, "alice").await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let page = browser.open("/auth/account/sessions").await;
    assert!(page.text().contains("<span class=\"tag\">App</span>") && page.text().contains("127.0.0.1"), "{}", page.text());
    let family = page.text().split("name=\"app\" value=\"").nth(1).unwrap()[..36].to_owned();
    assert_eq!(browser.submit(&page, &[("app", &family)]).await.status, 303);
    assert_eq!(refresh(&mut api, &tokens).await.status, 401);
}
