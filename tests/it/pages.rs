//! Our own pages in a real browser: the way through them with and without scripts, and whether everybody can use them.

mod accessibility;
mod mails;
mod people;
mod recovery;
mod scripts;
mod weight;

use crate::support::chromium::{Chromium, Options};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;

async fn gateway() -> TestGateway {
    let yaml = "accounts: { registration: open }\nroutes: [{ path: /, upstream: sample }]";
    TestGateway::with(yaml).user("ann", &["staff"]).start().await
}

async fn sign_in(browser: &Chromium, origin: &str) {
    browser.open(&format!("{origin}/")).await;
    browser.fill("input[name=username]", "ann").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.submit("form button.button").await;
}

/// Signs in, sees the application, signs out, and is asked again.
async fn check_the_way(javascript: bool) {
    let gateway = gateway().await;
    let browser = Chromium::start(Options { javascript, ..Options::default() }).await;
    let origin = gateway.origin();
    browser.open(&format!("{origin}/")).await;
    assert!(browser.url().await.contains("/auth/login"), "{}", browser.url().await);
    sign_in(&browser, &origin).await;
    assert_eq!(browser.url().await, format!("{origin}/"));
    let shown = browser.text("body").await.to_lowercase();
    assert!(shown.contains("x-user") && shown.contains("ann"), "{shown}");
    browser.open(&format!("{origin}/auth/logout")).await;
    browser.submit("form button.button").await;
    assert!(browser.url().await.contains("/auth/login"), "{}", browser.url().await);
    if javascript {
        check_the_way_back(&browser).await;
    }
    browser.open(&format!("{origin}/")).await;
    assert!(browser.url().await.contains("/auth/login"), "{}", browser.url().await);
    browser.close().await;
}

/// Goes back past the page that asked to sign out. Chromium may bring the application's page back from its back/forward
/// cache, `no-store` or not; the sample's script then fetches it anew. Without scripts nothing but `Clear-Site-Data`
/// would keep Chromium from it, which empties more than it should and is slow.
async fn check_the_way_back(browser: &Chromium) {
    browser.back().await;
    browser.back().await;
    let asked_again = async {
        while !browser.url().await.contains("/auth/login") {
            tokio::task::yield_now().await;
        }
    };
    within_patience("the page that Back leads to is fetched anew", asked_again).await;
    let shown = browser.text("body").await.to_lowercase();
    assert!(!shown.contains("x-user"), "{shown}");
}

/// S1.1, S0.4: the page asked for after the login; the session is gone after the logout.
#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_signs_in_sees_the_application_and_signs_out() {
    check_the_way(true).await;
}

/// S0.5: no page needs scripts.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_works_with_scripts_off() {
    check_the_way(false).await;
}

/// S0.5, contract 4 "CSRF": a plain host name over HTTP is no trustworthy origin, so the browser sends no Fetch Metadata
/// and `Origin` decides. One login opens the other host, too, and the policy of the login page lets the form lead there.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_on_one_host_leads_to_another_under_the_same_domain() {
    let yaml = "cookies: { domain: example.com }\nroutes:\n  - { host: wiki.example.com, upstream: sample }\n  \
        - { host: mail.example.com, upstream: sample }";
    let gateway = TestGateway::with(yaml).user("ann", &[]).start().await;
    let browser = Chromium::start(Options::default()).await;
    let (wiki, mail) = (gateway.origin_as("wiki.example.com"), gateway.origin_as("mail.example.com"));
    browser.open(&format!("{wiki}/auth/login?rd={mail}/inbox")).await;
    assert!(browser.text("main").await.contains("to continue to mail.example.com"));
    browser.fill("input[name=username]", "ann").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.submit("form button.button").await;
    assert_eq!(browser.url().await, format!("{mail}/inbox"));
    assert!(browser.text("main").await.to_lowercase().contains("x-user"));
    browser.open(&format!("{wiki}/")).await;
    assert_eq!(browser.url().await, format!("{wiki}/"));
    browser.close().await;
}

/// Contract 3.6: a frame whose session has ended shows a link that leaves the frame, since the login is shown in none.
/// Only pages of the same origin may show it so.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_without_a_session_shows_the_way_out_of_it() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "routes: [{{ path: /, upstream: \"{0}\" }}, {{ host: other.test, upstream: \"{0}\" }}]\n\
         access: {{ rules: [{{ path: /frames, allow: public }}] }}",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).user("ann", &[]).start().await;
    let html = [("Content-Type", "text/html")];
    upstream.serve("/frames", 200, &html, "<!doctype html><title>Frames</title><iframe src=/part></iframe>");
    upstream.serve("/part", 200, &html, "<!doctype html><title>Part</title><h1>The part</h1>");
    let foreign = format!("<!doctype html><title>Frames</title><iframe src={}/part></iframe>", gateway.origin());
    upstream.serve("/frames/foreign", 200, &html, foreign);
    let browser = Chromium::start(Options::default()).await;
    browser.open(&format!("{}/frames/foreign", gateway.origin_as("other.test"))).await;
    browser.client().clone().enter_frame(0).await.unwrap();
    assert!(!browser.evaluate("return document.documentElement.textContent").await.as_str().unwrap().contains("Sign in"));
    browser.open(&format!("{}/frames", gateway.origin())).await;
    browser.client().clone().enter_frame(0).await.unwrap();
    browser.click("a[target=_top]").await;
    browser.client().clone().enter_parent_frame().await.unwrap();
    browser.fill("input[name=username]", "ann").await;
    assert_eq!(browser.url().await, format!("{}/auth/login", gateway.origin()));
    browser.close().await;
}
