//! Our own pages in a real browser: the way through them with and without scripts, and whether everybody can use them.

use crate::support::chromium::{Chromium, Options};
use crate::support::gateway::{PASSWORD, TestGateway};

async fn gateway() -> TestGateway {
    let yaml = "accounts: { registration: open }\nroutes: [{ path: /, upstream: sample }]";
    TestGateway::with(yaml).user("ann", &["staff"]).start().await
}

async fn sign_in(browser: &Chromium, origin: &str) {
    browser.open(&format!("{origin}/")).await;
    browser.fill("input[name=username]", "ann").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click("form button.button").await;
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
    browser.click("form button.button").await;
    assert!(browser.url().await.contains("/auth/login"), "{}", browser.url().await);
    browser.open(&format!("{origin}/")).await;
    assert!(browser.url().await.contains("/auth/login"), "{}", browser.url().await);
    browser.close().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_in_both_looks_and_widths() {
    let gateway = gateway().await;
    let browser = Chromium::start(Options::default()).await;
    let origin = gateway.origin();
    let mut problems = Vec::new();
    for signed_in in [false, true] {
        let pages: &[&str] = if signed_in {
            &["/auth/account", "/auth/account/password", "/auth/logout", "/auth/login?switch", "/"]
        } else {
            &["/auth/login", "/auth/login?rd=/wiki", "/auth/register", "/auth/forgot", "/auth/logout", "/auth/nowhere"]
        };
        if signed_in {
            sign_in(&browser, &origin).await;
        }
        for page in pages {
            for (width, dark) in [(320, false), (320, true), (1280, false), (1280, true)] {
                browser.resize(width).await;
                browser.set_dark(dark).await;
                browser.open(&format!("{origin}{page}")).await;
                let look = if dark { "dark" } else { "light" };
                browser.screenshot(&format!("{}-{width}-{look}", page.trim_matches('/').replace(['/', '?', '='], "-"))).await;
                let violations = browser.violations().await;
                if !violations.is_empty() || browser.overflows().await {
                    problems.push(format!("{page} at {width} px, {look}: {violations:?}, overflows: {}", browser.overflows().await));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.close().await;
}
