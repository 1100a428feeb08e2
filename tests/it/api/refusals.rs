//! What the API does not take, and how it says so.

use super::{LOGIN, LOGOUT, PROFILE, REFRESH, REGISTER, code, gateway, sign_in, text};
use crate::support::gateway::{PASSWORD, TestGateway};
use http::Method;
use portcullis::audit::Party;
use portcullis::client::Client;
use portcullis::token::{NewPersonalToken, Scope};
use serde_json::json;

const POSTED: [&str; 6] = [REGISTER, LOGIN, REFRESH, LOGOUT, "/api/auth/password-reset/request", "/api/auth/password-reset/confirm"];

/// A personal token of this user's.
async fn personal(gateway: &TestGateway, username: &str, scope: Scope) -> String {
    let account = gateway.app().administration.find(username).await.unwrap();
    let wanted = NewPersonalToken { name: "script".to_owned(), scope, expires_at: None };
    gateway.app().personal_tokens.create(&account, wanted, Party::from(&account), &Client::default()).await.unwrap().1.expose()
}

/// Threats F04, I01, I02, I04, I10
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_plain_json_of_the_fields_asked_for_is_refused() {
    let gateway = gateway().user("alice", &[]).set("ACCOUNTS__REGISTRATION", "open").start().await;
    let mut api = gateway.api();
    sign_in(&mut api, "alice").await;
    let bearer = api.authorization.clone().unwrap();
    let mut agent = gateway.browser();
    let kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16"];
    let targets = POSTED.map(|path| (Method::POST, path)).into_iter().chain([(Method::PUT, PROFILE)]);
    for (method, path) in targets {
        let url = agent.url(path);
        for kind in kinds {
            let headers = [("content-type", kind), ("authorization", &*bearer)];
            let answer = agent.agent.send(method.clone(), &url, &headers, r#"{"email":"a@example.com"}"#).await;
            assert_eq!((answer.status, &*code(&answer)), (415, "unsupported_media_type"), "{method} {path} {kind}");
        }
        let compressed = [("content-type", "application/json"), ("content-encoding", "gzip"), ("authorization", &*bearer)];
        assert_eq!(agent.agent.send(method.clone(), &url, &compressed, "{}").await.status, 415, "{path}");
        let deep = "[".repeat(10_000);
        let many = format!("{{{}}}", (0..5_000).map(|number| format!("\"k{number}\":1")).collect::<Vec<_>>().join(","));
        let bodies = ["", "{", "null", "[]", "\"x\"", r#"{"$where":1}"#, r#"{"password":"a","password":"b"}"#, &deep, &many];
        for body in bodies {
            // Signing out needs no body.
            if path == LOGOUT && body.is_empty() {
                continue;
            }
            let headers = [("content-type", "application/json"), ("authorization", &*bearer)];
            let answer = agent.agent.send(method.clone(), &url, &headers, body.to_owned()).await;
            assert_eq!((answer.status, &*code(&answer)), (400, "invalid_request"), "{method} {path} {}", &body[..body.len().min(40)]);
        }
    }
    for body in [
        json!({ "username": { "$ne": null }, "password": { "$gt": "" } }),
        json!({ "username": ["alice"], "password": PASSWORD }),
        json!({ "username": "alice", "password": PASSWORD, "remember": true }),
        json!({ "username.x": "alice", "password": PASSWORD }),
    ] {
        let answer = api.post(LOGIN, &body).await;
        assert_eq!((answer.status, &*code(&answer)), (400, "invalid_request"), "{body}");
    }
    let literal = api.post(LOGIN, &json!({ "username": "{\"$ne\":null}", "password": PASSWORD })).await;
    assert_eq!(literal.status, 401);
    assert_eq!(api.get(PROFILE).await.status, 200, "nothing of it signed out");
}

/// Contract 6: JSON whatever `Accept` says, and the methods that there are.
#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_is_a_problem_with_a_code() {
    let gateway = gateway().user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    let html = [("accept", "text/html")];
    for (method, path, status, expected, allow) in [
        (Method::GET, LOGIN, 405, "method_not_allowed", Some("POST")),
        (Method::DELETE, PROFILE, 405, "method_not_allowed", Some("GET,HEAD,PUT")),
        (Method::OPTIONS, LOGIN, 405, "method_not_allowed", Some("POST")),
        (Method::POST, "/api/auth/openapi.json", 405, "method_not_allowed", Some("GET,HEAD")),
        (Method::GET, "/api/auth/nowhere", 404, "not_found", None),
        (Method::GET, "/api/auth", 404, "not_found", None),
        (Method::GET, PROFILE, 401, "unauthorized", None),
        (Method::POST, LOGIN, 415, "unsupported_media_type", None),
        (Method::GET, "/api/auth/a%5cb", 400, "bad_request", None),
    ] {
        let url = browser.url(path);
        let answer = browser.agent.send(method.clone(), &url, &html, "").await;
        assert_eq!((answer.status, &*code(&answer)), (status, expected), "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let url = browser.url(LOGIN);
    let headers = [("accept", "text/html"), ("content-type", "application/json")];
    let answer = browser.agent.send(Method::POST, &url, &headers, "x".repeat(65 << 10)).await;
    assert_eq!((answer.status, &*code(&answer)), (413, "payload_too_large"));
    assert!(browser.agent.cookies.names().is_empty());
}

/// S4.5, RFC 6750 section 3: what is wrong is told of a token that was sent, and of no other.
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_says_what_is_wrong_with_the_token() {
    let gateway = gateway().user("alice", &[]).start().await;
    let mut api = gateway.api();
    let tokens = sign_in(&mut api, "alice").await;
    let refresh = format!("Bearer {}", text(&tokens, "refreshToken"));
    let forged = format!("Bearer {}x", text(&tokens, "accessToken"));
    let cases = [
        (None, "unauthorized", "Bearer realm=\"portcullis\""),
        (Some("Basic YWxpY2U6cGFzc3dvcmQ="), "unauthorized", "Bearer realm=\"portcullis\""),
        (Some("Bearer nonsense"), "invalid_token", "Bearer realm=\"portcullis\", error=\"invalid_token\""),
        (Some("bearer pat_nonsense"), "invalid_token", "Bearer realm=\"portcullis\", error=\"invalid_token\""),
        (Some(&*refresh), "invalid_token", "Bearer realm=\"portcullis\", error=\"invalid_token\""),
        (Some(&*forged), "invalid_token", "Bearer realm=\"portcullis\", error=\"invalid_token\""),
    ];
    for (authorization, expected, challenge) in cases {
        api.authorization = authorization.map(str::to_owned);
        for (method, path) in [(Method::GET, PROFILE), (Method::PUT, PROFILE), (Method::POST, LOGOUT)] {
            let answer = api.send(method.clone(), path, Some(&json!({}))).await;
            assert_eq!((answer.status, &*code(&answer)), (401, expected), "{method} {path} {authorization:?}");
            assert_eq!(answer.header("www-authenticate"), Some(challenge), "{method} {path} {authorization:?}");
        }
    }
}

/// Contract 3.5, threats J14: a token counts in `Authorization` only; what needs none ignores what is there, and cookies count nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_counts_in_one_place_only() {
    let gateway = gateway().user("alice", &[]).set("ACCOUNTS__REGISTRATION", "open").start().await;
    let mut api = gateway.api();
    let tokens = sign_in(&mut api, "alice").await;
    api.authorization = None;
    let token = text(&tokens, "accessToken");
    assert_eq!(api.get(&format!("{PROFILE}?access_token={token}")).await.status, 401);
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "alice", PASSWORD).await;
    let url = browser.url(PROFILE);
    browser.agent.cookies.plant(&url, "access_token", token);
    assert_eq!(browser.agent.send(Method::GET, &url, &[], "").await.status, 401, "not by the session's cookie, either");

    for bad in ["Bearer pat_nonsense", &format!("Bearer {token}x"), "Basic nonsense"] {
        api.authorization = Some(bad.to_owned());
        assert_eq!(api.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await.status, 200, "{bad}");
        assert_eq!(api.post(REFRESH, &json!({ "refreshToken": tokens["refreshToken"] })).await.status, 200, "{bad}");
        let new = json!({ "username": format!("u{}", bad.len()), "email": format!("u{}@example.com", bad.len()), "password": PASSWORD });
        assert_eq!(api.post(REGISTER, &new).await.status, 201, "{bad}");
    }
}

/// Contract 6: a personal token reads the profile, where its scope allows, and does nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_personal_token_reads_the_profile_and_no_more() {
    let gateway = gateway().user("alice", &[]).start().await;
    let mut api = gateway.api();
    let challenge = Some("Bearer realm=\"portcullis\", error=\"insufficient_scope\"");
    api.authorization = Some(format!("Bearer {}", personal(&gateway, "alice", Scope::default()).await));
    assert_eq!(api.get(PROFILE).await.json()["username"], "alice");
    for (method, path) in [(Method::PUT, PROFILE), (Method::POST, LOGOUT)] {
        let answer = api.send(method.clone(), path, Some(&json!({}))).await;
        assert_eq!((answer.status, &*code(&answer), answer.header("www-authenticate")), (403, "insufficient_scope", challenge), "{method}");
    }
    assert_eq!(api.get(PROFILE).await.status, 200);
    let elsewhere = Scope { path: Some("/app".to_owned()), ..Scope::default() };
    api.authorization = Some(format!("Bearer {}", personal(&gateway, "alice", elsewhere).await));
    let answer = api.get(PROFILE).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (403, challenge));
}
