//! Forgotten passwords in a real browser.

use super::accessibility::Inspection;
use crate::support::chromium::{Chromium, Options};
use crate::support::gateway::TestGateway;
use crate::support::mailbox::Mailbox;

const NEW: &str = "New-otter-5-harbour";

async fn gateway() -> TestGateway {
    let yaml = "email: { transport: 'file:mails' }\nroutes: [{ path: /, upstream: sample }]";
    TestGateway::with(yaml).user("ann", &[]).limited().start().await
}

/// Asks for a link by the page that is open; path and query of the link.
async fn ask(browser: &Chromium, mailbox: &mut Mailbox) -> String {
    browser.fill("input[name=email]", "ann@example.com").await;
    browser.submit("form button.button").await;
    mailbox.next_to("ann@example.com").await.link_path()
}

async fn check_the_way(javascript: bool) {
    let gateway = gateway().await;
    let mut mailbox = Mailbox::of(&gateway);
    let browser = Chromium::start(Options { javascript, ..Options::default() }).await;
    let origin = gateway.origin();
    browser.open(&format!("{origin}/auth/login")).await;
    browser.click("a[href='/auth/forgot']").await;
    let link = ask(&browser, &mut mailbox).await;
    assert_eq!(browser.url().await, format!("{origin}/auth/forgot?sent"));
    browser.open(&format!("{origin}{link}")).await;
    assert_eq!(browser.url().await, format!("{origin}/auth/reset"), "no token in the address bar");
    assert!(browser.text("main").await.contains("for ann"));
    browser.fill("input[name=password]", NEW).await;
    browser.submit("form button.button").await;
    assert_eq!(browser.url().await, format!("{origin}/"));
    assert!(browser.text("main").await.to_lowercase().contains("x-user"));
    browser.open(&format!("{origin}{link}")).await;
    assert!(browser.text("main").await.contains("This link no longer works"));
    browser.close().await;
}

/// S1.3, S2.5: from the link on the login page to the application.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_sets_a_new_password_by_the_mailed_link() {
    check_the_way(true).await;
}

/// S0.5
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_is_set_with_scripts_off() {
    check_the_way(false).await;
}

/// threats P11: a link that is opened from another site's page, as webmail is, finds its cookie again (`SameSite=Lax`), and
/// neither that site nor the next learns the token from `Referer`.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_on_another_sites_page_leads_to_the_form() {
    let webmail = crate::support::upstream::EchoUpstream::start().await;
    let gateway = gateway().await;
    let mut mailbox = Mailbox::of(&gateway);
    let browser = Chromium::start(Options::default()).await;
    browser.open(&format!("{}/auth/forgot", gateway.origin())).await;
    let link = ask(&browser, &mut mailbox).await;
    let page = format!("<!doctype html><title>Mail</title><a id=link href='{}{link}'>Set a new password</a>", gateway.origin());
    webmail.serve("/inbox", 200, &[("Content-Type", "text/html")], page);
    browser.open(&format!("{}/inbox", webmail.origin().replace("127.0.0.1", "mail.example.com"))).await;
    browser.click("#link").await;
    assert_eq!(browser.url().await, format!("{}/auth/reset", gateway.origin()));
    assert!(browser.text("main").await.contains("for ann"));
    let referrer = browser.evaluate("return document.referrer").await;
    assert!(!referrer.as_str().unwrap().contains("token"), "{referrer}");
    browser.close().await;
}

/// Every state of these pages: no violation of axe-core's rules, light and dark, at 320 and 1280 px.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_forgotten_password_is_accessible() {
    let gateway = gateway().await;
    let mut mailbox = Mailbox::of(&gateway);
    let browser = Chromium::start(Options::default()).await;
    let mut visit = Inspection { browser, origin: gateway.origin(), problems: Vec::new() };
    visit.open("forgot-form", "/auth/forgot").await;
    visit.send(&[("email", "nonsense")]).await;
    assert_eq!(visit.title().await, "Error: Forgot your password? – Portcullis");
    visit.inspect("forgot-wrong").await;
    visit.browser.open(&format!("{}/auth/forgot", visit.origin)).await;
    let link = ask(&visit.browser, &mut mailbox).await;
    visit.inspect("forgot-sent").await;
    visit.open("reset", &link).await;
    visit.send(&[("password", "short")]).await;
    assert_eq!(visit.title().await, "Error: Set a new password – Portcullis");
    visit.inspect("reset-wrong").await;
    visit.open("reset-dead", &format!("/auth/reset?token={}", "A".repeat(43))).await;
    visit.open("reset-nothing", "/auth/reset").await;
    for _ in 0..5 {
        visit.browser.open(&format!("{}/auth/forgot", visit.origin)).await;
        visit.send(&[("email", "bob@example.com")]).await;
    }
    assert_eq!(visit.title().await, "Error: Forgot your password? – Portcullis");
    visit.inspect("forgot-too-many").await;
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}
