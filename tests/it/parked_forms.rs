//! A form that meets an expired session waits for its sender, and for nobody else.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::chromium::{Chromium, Options};
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::redis_server::RedisServer;
use crate::support::upstream::EchoUpstream;
use http::Method;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// What opens a form that waits.
const COOKIE: &str = "portcullis-form";

/// A form with what is hard to hand on, and what is sent of it.
const FORM: &str = r#"<form method="post" action="/save?id=1&amp;x=%2B"><input name="title" value=""><input name="text" value="">
    <input name="a&quot;&lt;b" value="&quot;&gt;&amp;amp;"></form>"#;
const TYPED: [(&str, &str); 2] = [("title", "half an hour"), ("text", "é & = + \"quoted\" <b>")];

fn builder(upstream: &EchoUpstream) -> Builder {
    upstream.serve("/edit", 200, &[("Content-Type", "text/html")], FORM);
    let yaml =
        format!("routes: [{{ path: /, upstream: \"{0}\", park_forms: true }}, {{ path: /plain, upstream: \"{0}\" }}]", upstream.origin());
    let builder = TestGateway::with(yaml).user("alice", &[]).user("bob", &[]).manual_clock();
    builder.set("SESSIONS__IDLE_TIMEOUT", "30m").set("SESSIONS__LIFETIME", "2h")
}

async fn gateway(upstream: &EchoUpstream) -> TestGateway {
    builder(upstream).set("STORES__SESSIONS", "memory").start().await
}

/// A browser with the form on its screen.
async fn at_the_form(gateway: &TestGateway) -> (Browser, Answer) {
    let mut browser = gateway.browser();
    let page = browser.sign_in("/edit", "alice", PASSWORD).await;
    assert!(page.text().contains("<form"), "{}", page.text());
    (browser, page)
}

/// A browser whose form was sent half an hour too late.
async fn too_late(gateway: &TestGateway) -> Browser {
    let (mut browser, page) = at_the_form(gateway).await;
    gateway.advance(31 * MINUTE);
    let answer = browser.submit(&page, &TYPED).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?rd=%2Fauth%2Fparked"));
    browser
}

async fn sign_in(browser: &mut Browser, username: &str) -> Answer {
    browser.sign_in("/auth/login?rd=/auth/parked", username, PASSWORD).await
}

async fn is_offered(browser: &mut Browser) -> bool {
    match browser.visit("/auth/parked").await.status {
        200 => true,
        404 => false,
        other => panic!("{other}"),
    }
}

/// What is sent by hand: the headers of a form's navigation, but for `changes`.
async fn post(browser: &mut Browser, target: &str, changes: &[(&str, &str)], body: String) -> Answer {
    let mut headers = vec![
        ("accept", "text/html"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    headers.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    headers.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let url = browser.url(target);
    browser.agent.send(Method::POST, &url, &headers, body).await
}

async fn check_that_it_is_sent_again(gateway: &TestGateway, upstream: &EchoUpstream) {
    let (mut timely, form) = at_the_form(gateway).await;
    assert_eq!(timely.submit(&form, &TYPED).await.status, 200);
    let expected = upstream.last();
    let mut browser = too_late(gateway).await;
    let page = sign_in(&mut browser, "alice").await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("12 characters") && page.text().contains("/save"), "{}", page.text());
    assert!(page.header("cache-control").is_some_and(|value| value.contains("no-store")));
    assert!(!page.header("content-security-policy").unwrap().contains("form-action"), "the application may redirect to elsewhere");
    assert!(browser.agent.cookies.get(COOKIE).is_none(), "spent");
    let seen = upstream.seen();
    assert_eq!(browser.submit(&page, &[]).await.status, 200);
    let received = upstream.last();
    assert_eq!((received.method(), received.target()), ("POST", "/save?id=1&x=%2B"));
    assert_eq!(received.body, expected.body);
    assert_eq!(received.head.header("x-user"), Some("alice"));
    assert_eq!(upstream.seen(), seen + 1);
    assert!(!is_offered(&mut browser).await, "once");
}

/// Issue "parked form": kept, offered after login, and sent as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_met_an_expired_session_is_sent_again_after_the_login() {
    let upstream = EchoUpstream::start().await;
    check_that_it_is_sent_again(&gateway(&upstream).await, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_waits_in_sqlite_too() {
    let upstream = EchoUpstream::start().await;
    check_that_it_is_sent_again(&builder(&upstream).start().await, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_waits_in_redis_too() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start_durable());
    let secret = "not-much-of-a-secret-but-long-enough-for-tests";
    let gateway = builder(&upstream).set("SECRET", secret).set("STORES__SESSIONS", &redis.url()).start().await;
    check_that_it_is_sent_again(&gateway, &upstream).await;
}

/// A form is shown once: what nobody sees must not use that up (RFC 9110 section 9.2.1).
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_looks_at_costs_no_form() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = too_late(&gateway).await;
    let url = browser.url("/auth/login");
    let body = serde_json::json!({ "username": "alice", "password": PASSWORD }).to_string();
    let json = [("content-type", "application/json")];
    assert_eq!(browser.agent.send(Method::POST, &url, &json, body).await.status, 200);
    let url = browser.url("/auth/parked");
    assert_eq!(browser.agent.send(Method::HEAD, &url, &[], "").await.status, 404);
    for unseen in [("sec-purpose", "prefetch"), ("sec-fetch-dest", "image"), ("sec-fetch-site", "cross-site")] {
        assert_eq!(browser.agent.send(Method::GET, &url, &[unseen], "").await.status, 404, "{unseen:?}");
    }
    assert!(is_offered(&mut browser).await);
}

/// Another user, another browser, too late: gone.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_its_sender_is_offered_a_form_and_not_for_long() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = too_late(&gateway).await;
    let stolen = browser.agent.cookies.get(COOKIE).unwrap().value.clone();
    assert_eq!(sign_in(&mut browser, "bob").await.status, 404);
    let url = browser.url("/");
    browser.agent.cookies.plant(&url, COOKIE, &stolen);
    browser.agent.cookies.remove("portcullis");
    assert_eq!(sign_in(&mut browser, "alice").await.status, 404, "bob's asking has thrown it away");

    let _sender = too_late(&gateway).await;
    assert_eq!(sign_in(&mut gateway.browser(), "alice").await.status, 404, "another browser");

    let mut late = too_late(&gateway).await;
    gateway.advance(10 * MINUTE);
    assert_eq!(sign_in(&mut late, "alice").await.status, 404, "after ten minutes");
    assert_eq!(upstream.requests().iter().filter(|request| request.method() == "POST").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_form_of_a_browser_is_the_one_that_is_offered() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let (mut browser, _) = at_the_form(&gateway).await;
    gateway.advance(31 * MINUTE);
    for body in ["first=1", "second=22"] {
        assert_eq!(post(&mut browser, "/save", &[], body.to_owned()).await.location(), "/auth/login?rd=%2Fauth%2Fparked");
    }
    let page = sign_in(&mut browser, "alice").await.text();
    assert!(page.contains("second") && !page.contains("first"), "{page}");
}

/// Only what a same-origin form of a page sends, with a cookie of ours, on a route that says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_form_of_a_page_here_is_not_kept() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let (mut browser, _) = at_the_form(&gateway).await;
    gateway.advance(31 * MINUTE);
    let short = || "a=b".to_owned();
    let refused = [
        post(&mut browser, "/plain/save", &[], short()).await,
        post(&mut browser, "/save", &[("sec-fetch-site", "cross-site")], short()).await,
        post(&mut browser, "/save", &[("sec-fetch-site", "same-site")], short()).await,
        post(&mut browser, "/save", &[("sec-fetch-site", "")], short()).await,
        post(&mut browser, "/save", &[("sec-fetch-mode", "cors")], short()).await,
        post(&mut browser, "/save", &[("content-type", "multipart/form-data; boundary=x")], short()).await,
        post(&mut browser, "/save", &[("content-type", "text/plain")], short()).await,
        post(&mut browser, "/save", &[], "a".repeat((64 << 10) + 1)).await,
        post(&mut browser, "/save", &[], "a=%ff".to_owned()).await,
        post(&mut gateway.browser(), "/save", &[], short()).await,
    ];
    for (index, answer) in refused.iter().enumerate() {
        assert!([303, 401].contains(&answer.status) && answer.header("set-cookie").is_none(), "{index}: {answer:?}");
        assert!(answer.header("location").is_none_or(|to| !to.contains("parked")), "{index}");
    }
    let mut forger = gateway.browser();
    let url = forger.url("/");
    forger.agent.cookies.plant(&url, "portcullis", &"A".repeat(64));
    assert_eq!(post(&mut forger, "/save", &[], short()).await.location(), "/auth/login");
    let answer = post(&mut browser, "/save", &[], "a".repeat(64 << 10)).await;
    assert_eq!(answer.location(), "/auth/login?rd=%2Fauth%2Fparked", "the largest that is kept");
}

/// Only a session that ended by itself, a day ago at most, tells whose a form is.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_ended_or_is_long_over_keeps_no_form() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let is_kept = async |browser: &mut Browser| post(browser, "/save", &[], "a=b".to_owned()).await.location().contains("parked");
    let alice = gateway.app().administration.find("alice").await.unwrap().id;
    let (mut ended, _) = at_the_form(&gateway).await;
    gateway.app().sessions.end_all(alice, None).await.unwrap();
    assert!(!is_kept(&mut ended).await);
    gateway.advance(31 * MINUTE);
    assert!(!is_kept(&mut ended).await, "not later, either");

    let (mut signed_out, _) = at_the_form(&gateway).await;
    let cookie = signed_out.agent.cookies.get("portcullis").unwrap().value.clone();
    let page = signed_out.open("/auth/logout").await;
    assert_eq!(signed_out.submit(&page, &[]).await.status, 303);
    let url = signed_out.url("/");
    signed_out.agent.cookies.plant(&url, "portcullis", &cookie);
    gateway.advance(31 * MINUTE);
    assert!(!is_kept(&mut signed_out).await, "signed out");

    let (mut revoked_late, _) = at_the_form(&gateway).await;
    gateway.advance(31 * MINUTE);
    gateway.app().sessions.end_all(alice, None).await.unwrap();
    assert!(!is_kept(&mut revoked_late).await, "ended after it had expired");

    let (mut long_over, _) = at_the_form(&gateway).await;
    gateway.advance(30 * MINUTE + 23 * HOUR);
    assert!(is_kept(&mut long_over).await);
    gateway.advance(HOUR);
    assert!(!is_kept(&mut long_over).await, "a day");
}

/// No violation of axe-core's rules at 320 px, in both looks; the browser itself sends the form.
#[tokio::test(flavor = "multi_thread")]
async fn the_offer_is_accessible_and_a_browser_sends_the_form_as_it_was() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let browser = Chromium::start(Options { width: 320, ..Options::default() }).await;
    let sign_in = async || {
        browser.fill("input[name=username]", "alice").await;
        browser.fill("input[name=password]", PASSWORD).await;
        browser.submit("form button.button").await;
    };
    let long = "a_name_that_is_much_longer_than_a_small_screen_is_wide_and_has_no_gap_to_break_it_at_all";
    let form = format!(
        r#"<form method="post" action="/save"><input name="title"><input name="{long}"><button class="button">Save</button></form>"#
    );
    upstream.serve("/page", 200, &[("Content-Type", "text/html")], form);
    browser.open(&format!("{}/page", gateway.origin())).await;
    sign_in().await;
    browser.fill("input[name=title]", "half an hour").await;
    gateway.advance(31 * MINUTE);
    browser.submit("form button").await;
    sign_in().await;
    assert!(browser.text("main").await.contains("12 characters"), "{}", browser.text("main").await);
    for dark in [false, true] {
        browser.set_dark(dark).await;
        browser.screenshot(&format!("parked-320-{dark}")).await;
        assert!(browser.violations().await.is_empty(), "{:?}", browser.violations().await);
        assert!(!browser.overflows().await);
    }
    assert!(browser.complaints().await.is_empty());
    browser.submit("form button.button").await;
    let sent: Vec<_> = upstream.requests().into_iter().filter(|request| request.method() == "POST").map(|request| request.body).collect();
    assert_eq!(sent, [format!("title=half+an+hour&{long}=").into_bytes()]);
    browser.close().await;
}
