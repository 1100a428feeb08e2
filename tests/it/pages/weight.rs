//! What the login page costs a visitor.

use crate::support::chromium::{Chromium, Options};
use crate::support::gateway::TestGateway;

/// What the page has asked for so far, itself first: the end of each address and the bytes that were sent for it.
const LOADED: &str = "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .map(entry => [entry.name, entry.transferSize])";

/// Issue "Must hold": at most 3 requests and 15 kB, compressed, in all. The icon is a `data:` address; the browser says
/// so by not asking the gateway for one.
#[tokio::test(flavor = "multi_thread")]
async fn the_login_page_takes_three_requests_and_less_than_fifteen_kilobytes() {
    let yaml = "accounts: { registration: open }\nroutes: [{ host: wiki.example.com, upstream: sample }]";
    let gateway = TestGateway::with(yaml).start().await;
    let browser = Chromium::start(Options { width: 800, ..Options::default() }).await;
    browser.open(&format!("{}/handbook", gateway.origin_as("wiki.example.com"))).await;
    let loaded = browser.evaluate(LOADED).await;
    let loaded: Vec<(&str, u64)> =
        loaded.as_array().unwrap().iter().map(|entry| (entry[0].as_str().unwrap(), entry[1].as_u64().unwrap())).collect();
    assert_eq!(loaded.len(), 3, "page, style, script: {loaded:?}");
    assert!(loaded.iter().all(|(_, bytes)| *bytes > 0), "every one counts: {loaded:?}");
    assert!(loaded.iter().map(|(_, bytes)| bytes).sum::<u64>() < 15_000, "{loaded:?}");
    let icon = browser.evaluate("return document.querySelector('link[rel=icon]').href").await;
    assert!(icon.as_str().unwrap().starts_with("data:image/svg+xml"), "{icon}");
    // The second visit takes style and script from the browser's cache.
    browser.open(&format!("{}/auth/login", gateway.origin_as("wiki.example.com"))).await;
    let again = browser.evaluate(LOADED).await;
    let from_cache = again.as_array().unwrap().iter().filter(|entry| entry[1].as_u64() == Some(0)).count();
    assert_eq!(from_cache, 2, "{again}");
    picture(&browser).await;
    browser.close().await;
}

/// The pictures in the README.
async fn picture(browser: &Chromium) {
    browser.client().back().await.unwrap();
    browser.resize_to(800, 640).await;
    for (name, dark) in [("readme-login-light", false), ("readme-login-dark", true)] {
        browser.set_dark(dark).await;
        browser.screenshot(name).await;
    }
}
