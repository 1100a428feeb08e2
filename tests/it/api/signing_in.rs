//! Tokens: given for a password, renewed, and ended.

use super::{LOGIN, LOGOUT, PROFILE, REFRESH, code, errors, gateway, present, refresh, sign_in, text};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::{Mailbox, with_mail};
use crate::support::upstream::EchoUpstream;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::Method;
use portcullis::account::Password;
use portcullis::audit::{Action, Filter, Outcome};
use serde_json::{Value, json};
use std::time::Duration;

/// The header and the claims of a JWS, unverified.
fn read(token: &str) -> (Value, Value) {
    let part = |part: &str| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let mut parts = token.split('.').map(str::to_owned);
    (part(&parts.next().unwrap()), part(&parts.next().unwrap()))
}

/// What is recorded of sign-ins and sign-outs, oldest first: what, how it ended, and why.
async fn recorded(gateway: &TestGateway) -> Vec<(Action, Outcome, Option<String>)> {
    let page = gateway.app().audit.list(Filter::default(), 100).await.unwrap();
    let of_login = page.into_iter().filter(|record| matches!(record.action, Action::Login | Action::Logout));
    let mut records: Vec<_> = of_login.map(|record| (record.action, record.outcome, record.reason)).collect();
    records.reverse();
    records
}

/// S4.1, S4.4, S4.5; contract 6
#[tokio::test(flavor = "multi_thread")]
async fn a_program_signs_in_uses_its_token_and_signs_out() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("alice", &["staff"]).start().await;
    let mut api = gateway.api();
    let answer = api.post(LOGIN, &json!({ "email": "ALICE@example.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let tokens = answer.json();
    assert_eq!((&tokens["tokenType"], &tokens["expiresIn"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(tokens["user"]["username"], "alice");
    assert_eq!(tokens.as_object().unwrap().len(), 5, "{tokens}");

    let (header, claims) = read(text(&tokens, "accessToken"));
    assert_eq!((&header["typ"], &claims["type"], &claims["userId"]), (&json!("at+jwt"), &json!("access"), &tokens["user"]["id"]));
    let (header, claims) = read(text(&tokens, "refreshToken"));
    assert_eq!((&header["typ"], &claims["type"]), (&json!("rt+jwt"), &json!("refresh")));

    present(&mut api, &tokens);
    let profile = api.get(PROFILE).await;
    assert_eq!((profile.status, profile.json()), (200, tokens["user"].clone()));
    assert_eq!(api.get("/app").await.status, 200);
    assert_eq!(upstream.last().head.header("x-user"), Some("alice"));

    let out = api.post(LOGOUT, &json!({ "refreshToken": tokens["refreshToken"] })).await;
    assert_eq!((out.status, out.body.len(), out.header("cache-control")), (204, 0, Some("no-store")));
    let refused = api.get("/app").await;
    assert_eq!((refused.status, &*code(&refused)), (401, "invalid_token"));
    assert_eq!(api.get(PROFILE).await.status, 401);
    api.authorization = None;
    assert_eq!(refresh(&mut api, &tokens).await.status, 401);
    assert!(api.agent.cookies.names().is_empty(), "the API sets no cookies");
    let by_token = |action| (action, Outcome::Success, Some("token".to_owned()));
    assert_eq!(recorded(&gateway).await, [by_token(Action::Login), by_token(Action::Logout)]);
}

/// S4.4, contract 6: rotation, the same successor for a retry, and the end of the family for what is used again.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_good_for_one_pair() {
    let gateway = gateway().user("alice", &[]).manual_clock().start().await;
    let mut api = gateway.api();
    let first = sign_in(&mut api, "alice").await;
    let answer = refresh(&mut api, &first).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.text());
    let second = answer.json();
    assert_eq!(second.as_object().unwrap().len(), 4, "{second}");
    assert_ne!(second["refreshToken"], first["refreshToken"]);
    gateway.advance(Duration::from_secs(9));
    assert_eq!(refresh(&mut api, &first).await.json()["refreshToken"], second["refreshToken"], "a client's retry");
    present(&mut api, &second);
    assert_eq!(api.get(PROFILE).await.status, 200);

    gateway.advance(Duration::from_secs(2));
    let reused = refresh(&mut api, &first).await;
    assert_eq!((reused.status, &*code(&reused)), (401, "invalid_token"));
    assert_eq!(refresh(&mut api, &second).await.status, 401, "the whole family has ended");
    let reuse = gateway.app().audit.list(Filter::default(), 100).await.unwrap();
    assert!(reuse.iter().any(|record| record.action == Action::RefreshTokenReuse && record.outcome == Outcome::Failure));
}

/// Contract 3.5: a program that was asleep can still sign out; without its refresh token there is nothing left to end.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_access_token_signs_out_with_its_refresh_token_only() {
    let gateway = gateway().user("alice", &[]).manual_clock().start().await;
    let mut api = gateway.api();
    let tokens = sign_in(&mut api, "alice").await;
    gateway.advance(Duration::from_mins(16));
    assert_eq!(api.get(PROFILE).await.status, 401);
    let alone = api.send(Method::POST, LOGOUT, None).await;
    assert_eq!((alone.status, &*code(&alone)), (401, "invalid_token"));
    let body = json!({ "refreshToken": tokens["refreshToken"] });
    assert_eq!(api.post(LOGOUT, &body).await.status, 204);
    assert_eq!(api.post(LOGOUT, &body).await.status, 204, "asking again is no error");
    assert_eq!(refresh(&mut api, &tokens).await.status, 401);
}

/// Contract 6: the body may be left out; what is another's, or nobody's, ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_ones_own_tokens_only() {
    let gateway = gateway().user("alice", &[]).user("bob", &[]).start().await;
    let (mut alice, mut bob) = (gateway.api(), gateway.api());
    let of_alice = sign_in(&mut alice, "alice").await;
    let of_bob = sign_in(&mut bob, "bob").await;
    for body in [json!({ "refreshToken": of_alice["refreshToken"] }), json!({ "refreshToken": "nonsense" }), json!({})] {
        assert_eq!(bob.post(LOGOUT, &body).await.status, 204, "{body}");
        sign_in(&mut bob, "bob").await;
    }
    assert_eq!(bob.send(Method::POST, LOGOUT, None).await.status, 204);
    assert_eq!(bob.get(PROFILE).await.status, 401);
    let renewed = refresh(&mut alice, &of_alice).await;
    assert_eq!(renewed.status, 200);
    assert_eq!(refresh(&mut bob, &of_bob).await.status, 200, "signing out without it leaves the refresh token");
}

/// S1.2, S4.9; threats.md G02: one answer, whatever was wrong.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_sign_in_is_not_told() {
    let gateway = gateway().user("alice", &[]).user("locked", &[]).start().await;
    gateway.app().administration.lock("locked").await.unwrap();
    let mut api = gateway.api();
    let mut answers = Vec::new();
    for (username, password) in
        [("alice", "Wrong-horse-7-battery"), ("nobody", PASSWORD), ("locked", PASSWORD), ("", ""), ("a b", PASSWORD)]
    {
        let answer = api.post(LOGIN, &json!({ "username": username, "password": password })).await;
        assert_eq!((answer.status, &*code(&answer)), (401, "invalid_credentials"), "{username}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"portcullis\""));
        answers.push(answer.text());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let failed = recorded(&gateway).await;
    assert!(failed.len() == 5 && failed.iter().all(|(action, outcome, _)| (*action, *outcome) == (Action::Login, Outcome::Failure)));
}

/// S4.9: `code` is for second factors, which no account has yet.
#[tokio::test(flavor = "multi_thread")]
async fn one_name_and_a_password_are_needed_and_a_code_may_come_with_them() {
    let gateway = gateway().user("alice", &[]).start().await;
    let mut api = gateway.api();
    let code_too = api.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD, "code": "123456" })).await;
    assert_eq!(code_too.status, 200, "{}", code_too.text());
    for (body, expected) in [
        (json!({}), vec!["username: required", "password: required"]),
        (json!({ "username": "alice" }), vec!["password: required"]),
        (json!({ "password": PASSWORD }), vec!["username: required"]),
        (json!({ "username": "alice", "email": "alice@example.com", "password": PASSWORD }), vec!["username: ambiguous"]),
    ] {
        let answer = api.post(LOGIN, &body).await;
        assert_eq!((answer.status, &*code(&answer)), (400, "validation"), "{body}");
        assert_eq!(errors(&answer), expected);
    }
    let missing = api.post(REFRESH, &json!({})).await;
    assert_eq!((missing.status, errors(&missing)), (400, vec!["refreshToken: required".to_owned()]));
}

/// S4.6, S4.4: what ends sessions ends tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_and_another_password_end_all_tokens() {
    let gateway = gateway().user("alice", &[]).start().await;
    let mut api = gateway.api();
    let tokens = sign_in(&mut api, "alice").await;
    gateway.app().administration.lock("alice").await.unwrap();
    assert_eq!((api.get(PROFILE).await.status, refresh(&mut api, &tokens).await.status), (401, 401));
    gateway.app().administration.unlock("alice").await.unwrap();
    assert_eq!((api.get(PROFILE).await.status, refresh(&mut api, &tokens).await.status), (401, 401));
    let tokens = sign_in(&mut api, "alice").await;
    gateway.app().administration.set_password("alice", &Password::new(PASSWORD.to_owned())).await.unwrap();
    assert_eq!((api.get(PROFILE).await.status, refresh(&mut api, &tokens).await.status), (401, 401));
}

/// The API speaks of no browser, so a new one is told of each time it signs in, within the limit of such mails.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_mailed_of_a_program_that_signs_in() {
    let gateway = with_mail(gateway()).user("alice", &[]).start().await;
    sign_in(&mut gateway.api(), "alice").await;
    let mail = Mailbox::of(&gateway).next_to("alice@example.com").await;
    assert!(mail.text.contains("sign") || mail.subject.contains("sign"), "{}", mail.subject);
}
