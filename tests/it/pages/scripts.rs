//! What JavaScript adds to the pages, and how they behave for the keyboard.

use super::{PASSWORD, gateway};
use crate::support::chromium::{Chromium, Options};
use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::key::Key;
use serde_json::json;

async fn active(browser: &Chromium) -> String {
    let script = "const a = document.activeElement; return a.name || a.className || a.textContent.trim() || a.tagName";
    browser.evaluate(script).await.as_str().unwrap().to_owned()
}

/// Presses a key where the focus is.
async fn press(browser: &Chromium, key: Key) {
    let (down, up) = (KeyAction::Down { value: key.into() }, KeyAction::Up { value: key.into() });
    browser.client().perform_actions(KeyActions::new("keyboard".to_owned()).then(down).then(up)).await.unwrap();
}

/// WCAG 2.1.1, 2.4.3, 2.4.7: the form can be filled in by keyboard, in order, and the focus is always seen.
#[tokio::test(flavor = "multi_thread")]
async fn the_login_form_works_by_keyboard_alone() {
    let gateway = gateway().await;
    let browser = Chromium::start(Options::default()).await;
    browser.open(&format!("{}/wiki", gateway.origin())).await;
    let mut order = vec![active(&browser).await];
    for _ in 0..6 {
        press(&browser, Key::Tab).await;
        order.push(active(&browser).await);
        let outline = browser.evaluate("const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]").await;
        assert!(outline[0] != json!("none") && outline[1] != json!("0px"), "{order:?}: {outline}");
    }
    assert_eq!(order, ["username", "password", "Show", "remember", "button", "Forgot your password?", "Create an account"]);
    browser.fill("input[name=username]", "ann").await;
    browser.fill("input[name=password]", PASSWORD).await;
    press(&browser, Key::Enter).await;
    browser.element("nav").await;
    assert_eq!(browser.url().await, format!("{}/wiki", gateway.origin()));
    browser.close().await;
}

/// With scripts a password can be looked at; it is hidden again before the form is sent. An error is announced: the focus
/// is on the summary, and its links lead to the fields.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_can_be_shown_and_an_error_gets_the_focus() {
    let gateway = gateway().await;
    let browser = Chromium::start(Options::default()).await;
    browser.open(&format!("{}/auth/login", gateway.origin())).await;
    let field = async || browser.evaluate("return document.querySelector('#password').type").await;
    let label = async || browser.evaluate("return document.querySelector('.secret button').getAttribute('aria-label')").await;
    browser.fill("#username", "ann").await;
    browser.fill("#password", "wrong").await;
    assert_eq!((field().await, label().await), (json!("password"), json!("Show password")));
    browser.click(".secret button").await;
    assert_eq!((field().await, label().await), (json!("text"), json!("Hide password")));
    browser
        .evaluate("document.forms[0].addEventListener('submit', () => sessionStorage.type = document.querySelector('#password').type)")
        .await;
    browser.submit("form button.button").await;
    assert!(browser.text(".summary").await.contains("The name or the password is wrong"));
    assert_eq!(browser.evaluate("return sessionStorage.type").await, json!("password"));
    assert_eq!(active(&browser).await, "summary");
    assert_eq!(
        browser.evaluate("return [document.querySelector('#username').value, document.querySelector('#password').value]").await,
        json!(["ann", ""])
    );
    browser.open(&format!("{}/auth/register", gateway.origin())).await;
    browser.evaluate("document.forms[0].noValidate = true").await;
    browser.submit("form button.button").await;
    browser.click(".summary a[href='#email']").await;
    assert_eq!(active(&browser).await, "email");
    browser.close().await;
}
