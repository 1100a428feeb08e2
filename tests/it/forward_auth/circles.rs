//! Redirect circles, which every peer's users know: the login's own page breaks them and names the cause.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use http::Method;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef";

/// Fails unless the answer is the page that breaks the circle, and names this cause.
fn assert_broken(answer: &Answer, cause: &str) {
    assert_eq!((answer.status, answer.headers.get("location")), (400, None), "{}", answer.text());
    let text = answer.text();
    assert!(text.contains("goes round in a circle") && text.contains(&format!("<dt>{cause}</dt>")), "{cause}: {text}");
}

/// Issue "a loop is broken by a page that names the likely cause": the portal's cookie does not reach the application, so
/// that the portal sends the browser on and the application sends it back, without a hand.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_sent_to_and_fro_is_stopped_and_told_of_the_cookie_domain() {
    let yaml = "portal: { url: 'http://auth.example.test' }\nroutes: [{ host: wiki.test, upstream: sample }]";
    let gateway = TestGateway::with(yaml).user("alice", &[]).manual_clock().start().await;
    let mut browser = Browser::new(&gateway.origin_as("auth.example.test"));
    let login = "/auth/login?rd=http%3A%2F%2Fwiki.test%2Fdeep%3Fx";
    let page = browser.open(login).await;
    let mut answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await;
    let mut rounds = 0;
    while answer.status == 303 {
        assert_eq!(answer.location(), "http://wiki.test/deep?x");
        rounds += 1;
        assert!(rounds < 8, "a browser gives up after 20 redirects, two each round");
        answer = browser.open(login).await;
    }
    assert_broken(&answer, "Cookie domain");
    assert!(answer.text().contains("href=\"http://wiki.test/deep?x\""), "{}", answer.text());
    assert_eq!(browser.open("/auth/login?rd=http%3A%2F%2Fwiki.test%2Felsewhere").await.status, 303, "other places are none of it");
    assert_eq!(browser.open("/auth/login?switch&rd=http%3A%2F%2Fwiki.test%2Fdeep%3Fx").await.status, 200, "there is a way out");
    gateway.advance(std::time::Duration::from_mins(3));
    assert_eq!(browser.open(login).await.status, 303, "what was long ago is no circle");
}

/// Issue, as above: a second gateway under the same name knows nothing of the first one's secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_must_sign_in_again_and_again_is_told_of_the_second_gateway() {
    let yaml = |secret: &str| format!("secret: {secret}\nroutes: [{{ host: app.test, upstream: sample }}]");
    let one = TestGateway::with(yaml(SECRET)).user("alice", &[]).start().await;
    let other = TestGateway::with(yaml(&SECRET.to_uppercase())).user("alice", &[]).start().await;
    let (here, there) = (one.origin_as("app.test"), other.origin_as("app.test"));
    let mut browser = Browser::new(&here);
    // A balancer that sends forms to one and pages to the other; the jar does not tell ports apart, as browsers do not.
    for _ in 0..3 {
        let page = browser.open("/auth/login?rd=%2Fdeep").await;
        let answer = if page.status == 303 { page } else { browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await };
        assert_eq!(answer.status, 303, "{}", answer.text());
        let asked = browser.open(&format!("{there}/deep")).await;
        assert_eq!((asked.status, asked.location()), (302, "/auth/login?rd=%2Fdeep"));
    }
    assert_broken(&browser.open(&format!("{there}/auth/login?rd=%2Fdeep")).await, "A second gateway with another secret");
}

/// Issue, as above: cookies for HTTPS only and a browser that comes over plain HTTP. It keeps no cookie of ours at all, so
/// that already the form tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_keeps_no_cookie_over_plain_http_is_told_to_use_https() {
    let gateway =
        TestGateway::with("cookies: { secure: true }\nroutes: [{ host: app.test, upstream: sample }]").user("alice", &[]).start().await;
    let mut browser = Browser::new(&gateway.origin_as("app.test"));
    let page = browser.open("/auth/login?rd=%2Fdeep").await;
    let answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("over HTTPS only") && answer.text().contains("X-Forwarded-Proto"), "{}", answer.text());
}

/// A browser that keeps the session, and one whose session ended for a reason, see nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_out_and_in_again_is_not_taken_for_a_circle() {
    let gateway = TestGateway::with("routes: [{ host: app.test, upstream: sample }]").user("alice", &[]).start().await;
    let mut browser = Browser::new(&gateway.origin_as("app.test"));
    for _ in 0..4 {
        let page = browser.sign_in("/", "alice", PASSWORD).await;
        assert_eq!(page.status, 200);
        let url = browser.url("/auth/logout");
        let json = [("content-type", "application/json")];
        assert_eq!(browser.agent.send(Method::POST, &url, &json, "{}").await.status, 204);
    }
}
