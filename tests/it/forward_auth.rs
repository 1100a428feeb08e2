//! Front proxies ask, the gateway answers: the same decision as for what goes through it, in the form that each front takes.

mod circles;
pub mod envoy_grpc;
pub mod front;
mod journeys;
mod questions;
mod tokens;
mod verdicts;

use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::Raw;
use serde_json::json;

/// What a browser sends with a navigation.
const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");

const ROUTES: &str = r#"
  - { host: app.test, upstream: none }
  - { host: "*.apps.test", upstream: none }
  - { host: registry.test, upstream: none, encoded_slashes: true }
"#;

const RULES: &str = r"
access:
  rules:
    - { path: /public, allow: public }
    - { path: /metrics, network: [203.0.113.0/24, 127.0.0.0/8], allow: public }
    - { path: /admin, group: [admins], allow: authenticated }
    - { path: /read, method: [GET], allow: public }
    - { path: /never, allow: deny }
    - { path: /factor, allow: mfa }
";

/// A gateway that only answers questions, for proxies of this machine; `more` is more configuration.
async fn gateway(more: &str) -> TestGateway {
    let yaml = format!("server: {{ trusted_proxies: [127.0.0.1] }}\nroutes:{ROUTES}{RULES}{more}");
    TestGateway::with(yaml).user("alice", &["users", "editors"]).start().await
}

/// Signs alice in over `https` (as a trusted proxy tells) or not, and gives her `Cookie` line.
async fn cookie(gateway: &TestGateway, scheme: &str) -> String {
    let body = json!({ "username": "alice", "password": PASSWORD }).to_string();
    let head = format!(
        "POST /auth/login HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-Proto: {scheme}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = Raw::exchange(gateway.address(), head).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}
