//! The real browser against pages of the upstream, under the content security policy of our own pages.

use crate::support::chromium::{Chromium, Options};
use crate::support::upstream::EchoUpstream;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html><html lang=en><head><title>Plain</title><meta name=viewport content="width=device-width">
<link rel=stylesheet href=/style.css><script type=module src=/script.js></script></head>
<body><main><h1>Plain</h1><p id=script>off</p><form action=/next><label>Name <input name=name></label><button>Send</button></form></main></body></html>"#;

const STYLE: &str = ":root { color-scheme: light dark; background: #fff; color: #111 }
@media (prefers-color-scheme: dark) { :root { background: #111; color: #eee } }
@media (max-width: 400px) { h1 { text-transform: uppercase } }";

async fn upstream() -> EchoUpstream {
    let upstream = EchoUpstream::start().await;
    let html = [("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", POLICY)];
    upstream.serve("/page", 200, &html, PAGE);
    upstream.serve("/next", 200, &html, PAGE.replace("Plain", "Next"));
    upstream.serve("/bad", 200, &html, "<!doctype html><title>Bad</title><main><h1>Bad</h1><input></main>");
    upstream.serve("/style.css", 200, &[("Content-Type", "text/css")], STYLE);
    upstream.serve("/script.js", 200, &[("Content-Type", "text/javascript")], "document.querySelector('#script').textContent = 'on'");
    upstream
}

#[tokio::test]
async fn pages_are_seen_in_both_looks_and_widths_and_judged_by_axe() {
    let upstream = upstream().await;
    let browser = Chromium::start(Options::default()).await;
    browser.open(&format!("{}/page", upstream.origin())).await;
    assert_eq!(browser.text("#script").await, "on");
    assert_eq!(browser.evaluate("return getComputedStyle(document.documentElement).backgroundColor").await, "rgb(255, 255, 255)");
    assert_eq!(browser.text("h1").await, "Plain");
    assert_eq!(browser.violations().await, []);
    browser.set_dark(true).await;
    browser.resize(320).await;
    assert_eq!(browser.evaluate("return getComputedStyle(document.documentElement).backgroundColor").await, "rgb(17, 17, 17)");
    assert_eq!(browser.evaluate("return window.innerWidth").await, 320);
    assert_eq!(browser.text("h1").await, "PLAIN");
    assert!(!browser.overflows().await);
    assert_eq!(browser.violations().await, []);
    browser.screenshot("frame").await;
    browser.open(&format!("{}/bad", upstream.origin())).await;
    let rules: Vec<String> = browser.violations().await.into_iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, ["html-has-lang", "label"]);
    browser.close().await;
}

#[tokio::test]
async fn forms_and_history_work_with_scripts_off() {
    let upstream = upstream().await;
    let browser = Chromium::start(Options { javascript: false, width: 320, dark: false }).await;
    let page = format!("http://wiki.example.com:{}/page", upstream.address().port());
    browser.open(&page).await;
    assert_eq!(browser.text("#script").await, "off");
    browser.fill("input[name=name]", "ann").await;
    browser.click("button").await;
    assert_eq!(browser.text("h1").await, "NEXT");
    assert!(browser.url().await.ends_with("/next?name=ann"));
    browser.back().await;
    assert_eq!(browser.url().await, page);
    assert!(upstream.requests().iter().all(|received| received.target() != "/script.js"));
    let titles = browser.client().title().await.unwrap();
    assert_eq!(titles, "Plain");
    browser.close().await;
}
