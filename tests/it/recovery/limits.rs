//! That nobody learns who has an account, and that nobody is buried in mails.

use super::{NEW, link, mailing, set_password};
use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::form::Form;
use crate::support::gateway::{Builder, TestGateway};
use crate::support::mailbox::Mailbox;
use http::Method;
use std::time::Duration;

/// Behind a proxy, so that a test can be many clients.
fn gateway() -> Builder {
    let yaml =
        "portal: { url: 'http://auth.test' }\nserver: { trusted_proxies: ['127.0.0.1/32'] }\nroutes: [{ path: /, upstream: sample }]";
    mailing(TestGateway::with(yaml)).user("ann", &[]).manual_clock()
}

/// Asks from this address; 429 is an answer here.
async fn ask_from(browser: &mut Browser, client: &str, email: &str) -> Answer {
    let page = browser.open("/auth/forgot").await;
    let body = Form::all(&page.text())[0].filled(&[("email", email)]);
    let url = browser.url("/auth/forgot");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("sec-fetch-site", "same-origin"),
        ("x-forwarded-for", client),
    ];
    browser.agent.send(Method::POST, &url, &headers, body).await
}

/// Everything of an answer but what differs from request to request and what was typed.
fn told(answer: &Answer, email: &str) -> String {
    let headers = answer.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
    let headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    format!("{} {headers:?} {}", answer.status, answer.text().replace(email, "EMAIL"))
}

/// S2.1, threats G01; ASVS V6.3.8
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_the_same_whether_or_not_somebody_has_the_address() {
    let gateway = gateway().start().await;
    let mut browser = gateway.browser();
    let known = ask_from(&mut browser, "192.0.2.1", "ann@example.com").await;
    let unknown = ask_from(&mut browser, "192.0.2.1", "bob@example.com").await;
    assert_eq!(known.status, 303);
    assert_eq!(told(&known, "ann@example.com"), told(&unknown, "bob@example.com"));
    for bad in ["ann", "ann@", "ann@example.com,bob@example.com", "ann@example.com\r\nBcc: bob@example.com"] {
        let answer = ask_from(&mut browser, "192.0.2.1", bad).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.text().contains(r#"id="email-problem""#), "{bad}");
    }
    let mut mailbox = Mailbox::of(&gateway);
    let mails = mailbox.rest(&gateway).await;
    assert_eq!(mails.iter().map(|mail| &*mail.to).collect::<Vec<_>>(), ["ann@example.com"]);
}

/// S2.3
#[tokio::test(flavor = "multi_thread")]
async fn after_five_requests_in_an_hour_the_next_is_refused_alike_for_addresses_that_nobody_has() {
    let gateway = gateway().start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut refused = Vec::new();
    for email in ["ann@example.com", "bob@example.com"] {
        let mut browser = gateway.browser();
        for number in 0..5 {
            let spelling = if number % 2 == 0 { email.to_owned() } else { email.to_uppercase() };
            let answer = ask_from(&mut browser, &format!("192.0.2.{number}"), &spelling).await;
            assert_eq!(answer.status, 303, "{email} {number}");
            gateway.advance(Duration::from_secs(1));
        }
        let answer = ask_from(&mut browser, "192.0.2.9", email).await;
        assert_eq!(answer.status, 429, "{email}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((3_000..=3_600).contains(&wait), "{wait}");
        assert!(answer.text().contains("Please try again in"), "the user is told: {}", answer.text());
        refused.push(told(&answer, email).replace(&format!("={wait}"), "=WAIT").replace(&format!("\"{wait}\""), "\"WAIT\""));
    }
    let without_csrf = |text: &str| regex::Regex::new(r#"name="csrf" value="[^"]+"|=\d+"#).unwrap().replace_all(text, "").into_owned();
    assert_eq!(without_csrf(&refused[0]), without_csrf(&refused[1]));
    let mails = mailbox.rest(&gateway).await;
    assert_eq!(mails.len(), 5);
    let last = mails.last().unwrap().link_path();
    let mut browser = gateway.browser();
    assert_eq!(set_password(&mut browser, &last, NEW).await.status, 303, "a link that was sent goes on working");
    gateway.advance(Duration::from_hours(1));
    assert_eq!(ask_from(&mut browser, "192.0.2.9", "ann@example.com").await.status, 303);
}

/// Contract 6: five requests in a quarter of an hour by one client, whatever addresses it names.
#[tokio::test(flavor = "multi_thread")]
async fn one_client_cannot_ask_for_many_addresses() {
    let gateway = gateway().limited().start().await;
    let mut browser = gateway.browser();
    for number in 0..5 {
        assert_eq!(ask_from(&mut browser, "2001:db8::1", &format!("user{number}@example.com")).await.status, 303, "{number}");
    }
    assert_eq!(ask_from(&mut browser, "2001:db8::2", "ann@example.com").await.status, 429, "the same /64");
    assert_eq!(ask_from(&mut browser, "2001:db8:1::1", "ann@example.com").await.status, 303);
    gateway.advance(Duration::from_mins(15));
    assert_eq!(ask_from(&mut browser, "2001:db8::2", "ann@example.com").await.status, 303);
}

/// Contract 6, threats G08: whoever guesses tokens is stopped; a good link works for the same client all the same.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_tokens_is_limited_and_holds_up_no_link() {
    let yaml = "routes: [{ path: /, upstream: sample }]";
    let gateway = mailing(TestGateway::with(yaml)).user("ann", &[]).limited().start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let link = link(&gateway, &mut mailbox, "ann@example.com").await;
    let mut api = gateway.api();
    let mut statuses = Vec::new();
    for number in 0..7 {
        let body = serde_json::json!({ "token": format!("{number}{}", "A".repeat(42)), "password": NEW });
        statuses.push(api.post("/api/auth/password-reset/confirm", &body).await.status);
    }
    assert_eq!(statuses, [400, 400, 400, 400, 400, 429, 429]);
    let mut browser = gateway.browser();
    assert_eq!(set_password(&mut browser, &link, NEW).await.status, 303);
}

/// S2.3, threats G08: forgetting and guessing come first, the link after; then the new password is to work at once.
#[tokio::test(flavor = "multi_thread")]
async fn who_guessed_too_often_signs_in_with_the_new_password_at_once() {
    let gateway = mailing(TestGateway::with("routes: [{ path: /, upstream: sample }]")).user("ann", &[]).limited().start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut api = gateway.api();
    let login = |password: &str| serde_json::json!({ "username": "ann", "password": password });
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(api.post("/auth/login", &login("Wrong-guess-1")).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    let link = link(&gateway, &mut mailbox, "ann@example.com").await;
    let token = link.split_once("token=").unwrap().1;
    let body = serde_json::json!({ "token": token, "password": NEW });
    assert_eq!(api.post("/api/auth/password-reset/confirm", &body).await.status, 200);
    assert_eq!(api.post("/auth/login", &login(NEW)).await.status, 200);
}
