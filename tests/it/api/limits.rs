//! Limits of attempts at the API: the same budgets as everywhere.

use super::{LOGIN, LOGOUT, PROFILE, REGISTER, code, gateway, refresh, sign_in};
use crate::support::agent::Answer;
use crate::support::gateway::PASSWORD;
use http::Method;
use serde_json::json;
use std::time::Duration;

/// Headers of a 429 that programs go by.
fn told(answer: &Answer) -> [Option<&str>; 3] {
    ["retry-after", "ratelimit", "ratelimit-policy"].map(|name| answer.header(name))
}

/// S4.8, S4.9; threats G04, G05: names that exist and that do not, in any spelling, at the form and the API, have one budget each.
#[tokio::test(flavor = "multi_thread")]
async fn five_failures_are_too_many_wherever_they_were_made() {
    let gateway = gateway().limited().manual_clock().user("alice", &[]).start().await;
    let mut api = gateway.api();
    for identifier in ["alice", "ALICE", " alice "] {
        assert_eq!(api.post(LOGIN, &json!({ "username": identifier, "password": "wrong" })).await.status, 401);
    }
    assert_eq!(api.post(LOGIN, &json!({ "email": "alice@example.com", "password": "wrong" })).await.status, 401);
    assert_eq!(api.post("/auth/login", &json!({ "username": "alice", "password": "wrong" })).await.status, 401);
    let refused = api.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await;
    assert_eq!((refused.status, &*code(&refused)), (429, "too_many_attempts"));
    assert_eq!(told(&refused), [Some("900"), Some("\"attempts\";r=0;t=900"), Some("\"attempts\";q=5;w=900")]);

    for _ in 0..5 {
        assert_eq!(api.post(LOGIN, &json!({ "username": "nobody", "password": "wrong" })).await.status, 401);
    }
    let of_nobody = api.post(LOGIN, &json!({ "username": "nobody", "password": PASSWORD })).await;
    assert_eq!((of_nobody.status, told(&of_nobody), of_nobody.json()), (429, told(&refused), refused.json()));
    gateway.advance(Duration::from_mins(15));
    assert_eq!(api.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await.status, 200);
}

/// Contract 6: what succeeds is given back; reading, renewing and signing out are never counted.
#[tokio::test(flavor = "multi_thread")]
async fn work_as_usual_is_not_limited() {
    let gateway = gateway().limited().set("RATE_LIMIT__PER_CLIENT", "6").manual_clock().user("alice", &[]).start().await;
    let mut api = gateway.api();
    for _ in 0..12 {
        let tokens = sign_in(&mut api, "alice").await;
        assert_eq!(api.get(PROFILE).await.status, 200);
        assert_eq!(refresh(&mut api, &tokens).await.status, 200);
        assert_eq!(api.send(Method::POST, LOGOUT, None).await.status, 204);
        assert_eq!(refresh(&mut api, &json!({ "refreshToken": "nonsense" })).await.status, 401);
    }
}

/// S4.8: registrations of one client
#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_accounts_are_made_at_once() {
    let gateway = gateway().limited().manual_clock().set("ACCOUNTS__REGISTRATION", "open").start().await;
    let mut api = gateway.api();
    for number in 0..5 {
        let body = json!({ "username": format!("user{number}"), "email": format!("user{number}@example.com"), "password": PASSWORD });
        assert_eq!(api.post(REGISTER, &body).await.status, 201);
    }
    let body = json!({ "username": "onemore", "email": "onemore@example.com", "password": PASSWORD });
    let refused = api.post(REGISTER, &body).await;
    assert_eq!((refused.status, told(&refused)[2]), (429, Some("\"requests\";q=5;w=900")));
}
