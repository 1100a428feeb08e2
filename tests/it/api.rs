//! The API for programs: accounts, tokens, and what is told of what went wrong.

mod cors;
mod document;
mod examples;
mod fuzzing;
mod limits;
mod refreshing;
mod refusals;
mod registering;
mod signing_in;

use crate::support::agent::Answer;
use crate::support::api_client::ApiClient;
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use serde_json::{Value, json};

const REGISTER: &str = "/api/auth/register";
const LOGIN: &str = "/api/auth/login";
const REFRESH: &str = "/api/auth/refresh";
const PROFILE: &str = "/api/auth/profile";
const LOGOUT: &str = "/api/auth/logout";

/// A gateway whose application asks for a login.
fn gateway() -> Builder {
    TestGateway::with("routes: [{ path: /, upstream: sample }]")
}

/// Signs in; the program presents its access token from now on.
async fn sign_in(api: &mut ApiClient, username: &str) -> Value {
    let answer = api.post(LOGIN, &json!({ "username": username, "password": PASSWORD })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let tokens = answer.json();
    present(api, &tokens);
    tokens
}

/// The program presents the access token of this pair.
fn present(api: &mut ApiClient, tokens: &Value) {
    api.authorization = Some(format!("Bearer {}", text(tokens, "accessToken")));
}

/// The next pair.
async fn refresh(api: &mut ApiClient, tokens: &Value) -> Answer {
    api.post(REFRESH, &json!({ "refreshToken": tokens["refreshToken"] })).await
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// The stable code of a problem.
fn code(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{} {}", answer.status, answer.text());
    text(&answer.json(), "type").strip_prefix("urn:portcullis:").expect("a code of ours").to_owned()
}

/// `field: code` of each error.
fn errors(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let each = |error: &Value| format!("{}: {}", text(error, "field"), text(error, "code"));
    problem["errors"].as_array().into_iter().flatten().map(each).collect()
}
