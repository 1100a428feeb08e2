//! The account's and the administrators' pages in a real browser without scripts, gone through by their own links.

use super::PASSWORD;
use crate::support::chromium::{Chromium, Options};
use crate::support::gateway::TestGateway;
use serde_json::json;

/// S0.5, issue "account pages", "admin pages": every link and button does its work without scripts.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_ended_and_users_locked_with_scripts_off() {
    let gateway = TestGateway::with("routes: [{ path: /, upstream: sample }]").user("ann", &["admins"]).user("bob", &[]).start().await;
    let elsewhere = gateway.api().post("/auth/login", &json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!(elsewhere.status, 200);
    let browser = Chromium::start(Options { javascript: false, width: 320, ..Options::default() }).await;
    super::sign_in(&browser, &gateway.origin()).await;
    browser.open(&format!("{}/auth", gateway.origin())).await;
    browser.submit("nav a[href$='/account/sessions']").await;
    browser.submit(".rows form button").await;
    assert!(browser.text("main").await.contains("Signed out there."));
    let ann = gateway.app().administration.find("ann").await.unwrap().id;
    assert_eq!(gateway.app().sessions.list(ann, gateway.app().clock.now()).await.unwrap().len(), 1);
    browser.submit("nav a[href$='/account/activity']").await;
    assert!(browser.text("main").await.contains("Session ended"));
    browser.submit("nav a[href$='/admin/users']").await;
    browser.fill("input[name=q]", "bo").await;
    browser.submit("form.search button").await;
    browser.submit(".rows a").await;
    browser.submit("input[value=lock] + button").await;
    assert!(browser.text("main").await.contains("Locked by an operator"));
    assert!(gateway.app().administration.find("bob").await.unwrap().locked);
    browser.submit("nav a[href$='/admin/activity']").await;
    assert!(browser.text("main").await.contains("bob, by ann"));
    browser.close().await;
}
