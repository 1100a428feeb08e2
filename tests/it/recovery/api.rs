//! The reset for a page of the application's own.

use super::{NEW, can_sign_in, mailing, next_link};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::Mailbox;
use http::Method;
use serde_json::{Value, json};

const REQUEST: &str = "/api/auth/password-reset/request";
const CONFIRM: &str = "/api/auth/password-reset/confirm";
const YAML: &str = "routes: [{ path: /, upstream: sample }]";

/// S4.1, S2.1; contract 6
#[tokio::test(flavor = "multi_thread")]
async fn a_program_asks_for_a_link_and_sets_the_password() {
    let gateway = mailing(TestGateway::with(YAML)).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut api = gateway.api();
    let mut signed_in = gateway.browser();
    signed_in.sign_in("/", "ann", PASSWORD).await;
    let known = api.post(REQUEST, &json!({ "email": "ann@example.com" })).await;
    let unknown = api.post(REQUEST, &json!({ "email": "bob@example.com" })).await;
    assert_eq!((known.status, known.json()), (202, unknown.json()));
    assert_eq!((known.status, known.headers.len()), (unknown.status, unknown.headers.len()));
    let link = next_link(&mut mailbox, "ann@example.com").await;
    let token = link.split_once('=').unwrap().1;

    let weak = api.post(CONFIRM, &json!({ "token": token, "password": "short" })).await;
    assert_eq!(
        (weak.status, &weak.json()["errors"][0]["field"], &weak.json()["errors"][0]["code"]),
        (400, &json!("password"), &json!("too_short"))
    );
    let done = api.post(CONFIRM, &json!({ "token": token, "password": NEW })).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert!(!done.text().contains("ann") && !done.text().contains(token));
    assert!(api.agent.cookies.names().is_empty(), "the API sets no cookies");
    assert_eq!(signed_in.open("/").await.status, 302);
    assert!(can_sign_in(&gateway, "ann", NEW).await);
    let spent = api.post(CONFIRM, &json!({ "token": token, "password": PASSWORD })).await;
    assert_eq!((spent.status, &spent.json()["type"]), (400, &json!("urn:portcullis:invalid_token")));
}

/// Contract 6, threats F04, I01, I02, I10
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_exactly_what_is_asked_for_is_refused() {
    let gateway = mailing(TestGateway::with(YAML)).user("ann", &[]).start().await;
    let mut api = gateway.api();
    for (address, body) in [
        (REQUEST, json!({ "email": { "$ne": null } })),
        (REQUEST, json!({ "email": ["ann@example.com"] })),
        (REQUEST, json!({ "email": "ann@example.com", "base": "https://evil.test" })),
        (REQUEST, json!(["ann@example.com"])),
        (CONFIRM, json!({ "token": { "$gt": "" }, "password": NEW })),
        (CONFIRM, json!({ "token": "x", "password": NEW, "user": "ann" })),
    ] {
        let answer = api.post(address, &body).await;
        assert_eq!((answer.status, &answer.json()["type"]), (400, &json!("urn:portcullis:invalid_request")), "{body}");
    }
    for (address, body, fields) in [
        (REQUEST, json!({}), vec!["email"]),
        (REQUEST, json!({ "email": null }), vec!["email"]),
        (REQUEST, json!({ "email": "ann" }), vec!["email"]),
        (CONFIRM, json!({}), vec!["token", "password"]),
    ] {
        let answer = api.post(address, &body).await;
        let named: Vec<Value> = answer.json()["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
        assert_eq!((answer.status, named), (400, fields.into_iter().map(Value::from).collect()), "{body}");
    }
    for token in ["", "x", "' OR 1=1", &"A".repeat(43), &"A".repeat(10_000)] {
        let answer = api.post(CONFIRM, &json!({ "token": token, "password": NEW })).await;
        assert_eq!(answer.json()["type"], "urn:portcullis:invalid_token");
    }
    let mut browser = gateway.browser();
    let url = browser.url(REQUEST);
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=utf-16"] {
        let answer = browser.agent.send(Method::POST, &url, &[("content-type", kind)], r#"{"email":"ann@example.com"}"#).await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    let html = [("accept", "text/html")];
    assert_eq!(browser.agent.send(Method::POST, &url, &html, "").await.status, 415);
    for (method, address, status) in [(Method::GET, REQUEST, 405), (Method::GET, "/api/auth/nowhere", 404)] {
        let url = browser.url(address);
        let answer = browser.agent.send(method, &url, &html, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/problem+json")), "{address}");
    }
    assert!(browser.agent.cookies.names().is_empty());
    assert!(Mailbox::of(&gateway).rest(&gateway).await.is_empty());
}

/// Contract 3.5: whatever else a program carries is not looked at here.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_ignored() {
    let gateway = mailing(TestGateway::with(YAML)).user("ann", &[]).start().await;
    let mut api = gateway.api();
    api.authorization = Some("Bearer pat_nonsense".to_owned());
    let url = gateway.browser().url(REQUEST);
    api.agent.cookies.plant(&url, "portcullis", &"A".repeat(64));
    assert_eq!(api.post(REQUEST, &json!({ "email": "ann@example.com" })).await.status, 202);
}

/// S4.10: links lead to the application's own page, the token in the fragment, which browsers send to no server.
#[tokio::test(flavor = "multi_thread")]
async fn links_lead_to_the_page_that_is_configured() {
    let builder = mailing(TestGateway::with(YAML)).user("ann", &[]).set("ACCOUNTS__RESET__URL", "https://app.example.com/reset#{token}");
    let gateway = builder.start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut api = gateway.api();
    assert_eq!(api.post(REQUEST, &json!({ "email": "ann@example.com" })).await.status, 202);
    let mail = mailbox.next_to("ann@example.com").await;
    let link = mail.link();
    let token = link.strip_prefix("https://app.example.com/reset#").unwrap_or_else(|| panic!("{link}"));
    assert_eq!(api.post(CONFIRM, &json!({ "token": token, "password": NEW })).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_without_mail_says_so() {
    let gateway = TestGateway::with(YAML).user("ann", &[]).start().await;
    let answer = gateway.api().post(REQUEST, &json!({ "email": "ann@example.com" })).await;
    assert_eq!((answer.status, &answer.json()["type"]), (403, &json!("urn:portcullis:password_reset_unavailable")));
}
