//! When sessions end by themselves. The clock is the test's; sessions are in memory, where activity counts at once (on
//! disk it is written behind the request).

use super::{COOKIE, try_to_sign_in};
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::Method;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

async fn gateway(upstream: &EchoUpstream) -> TestGateway {
    let builder = TestGateway::in_front_of(upstream).user("alice", &[]).manual_clock().set("STORES__SESSIONS", "memory");
    builder.set("SESSIONS__IDLE_TIMEOUT", "30m").set("SESSIONS__LIFETIME", "2h").set("SESSIONS__REMEMBER_FOR", "30d").start().await
}

async fn signed_in(gateway: &TestGateway) -> Browser {
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    browser
}

async fn is_alive(browser: &mut Browser) -> bool {
    match browser.open("/").await.status {
        200 => true,
        302 => false,
        other => panic!("{other}"),
    }
}

/// S0.4, threats S10: disuse ends it, activity keeps it, and the absolute end comes all the same.
#[tokio::test(flavor = "multi_thread")]
async fn activity_extends_a_session_up_to_its_absolute_end() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let (mut active, mut idle) = (signed_in(&gateway).await, signed_in(&gateway).await);
    gateway.advance(29 * MINUTE);
    assert!(is_alive(&mut active).await);
    gateway.advance(MINUTE);
    assert!(!is_alive(&mut idle).await, "30 minutes without a request");
    for minutes in [58, 87, 116] {
        gateway.advance(28 * MINUTE);
        assert!(is_alive(&mut active).await, "{minutes} minutes after the login, never idle for half an hour");
        gateway.advance(MINUTE);
    }
    gateway.advance(3 * MINUTE);
    assert!(!is_alive(&mut active).await, "two hours after the login, however active");
}

/// Contract 3.10: our pages are activity, `/session` is not.
#[tokio::test(flavor = "multi_thread")]
async fn asking_how_long_a_session_lasts_does_not_extend_it() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = signed_in(&gateway).await;
    gateway.advance(20 * MINUTE);
    let session = browser.fetch(Method::GET, "/auth/session").await.json();
    assert_eq!((&session["idleIn"], &session["expiresIn"]), (&600.into(), &6_000.into()));
    assert_eq!(session["user"]["username"], "alice");
    gateway.advance(9 * MINUTE);
    assert_eq!(browser.fetch(Method::GET, "/auth/session").await.json()["idleIn"], 60);
    assert_eq!(browser.open("/auth/account").await.status, 200);
    assert_eq!(browser.fetch(Method::GET, "/auth/session").await.json()["idleIn"], 1_800);
    gateway.advance(30 * MINUTE);
    assert_eq!(browser.fetch(Method::GET, "/auth/session").await.status, 401);
    assert!(!is_alive(&mut browser).await);
}

/// The login page says for how long, and the cookie and the session last just as long.
#[tokio::test(flavor = "multi_thread")]
async fn a_remembered_session_lasts_for_the_time_configured_used_or_not() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut plain = gateway.browser();
    assert_eq!(try_to_sign_in(&mut plain, "/auth/login", "alice", PASSWORD).await.status, 303);
    assert!(!plain.agent.cookies.get(COOKIE).unwrap().persistent, "ends with the browser");
    let mut remembered = gateway.browser();
    let page = remembered.open("/auth/login").await;
    assert!(page.text().contains("30 days"));
    let answer = remembered.submit(&page, &[("username", "alice"), ("password", PASSWORD), ("remember", "on")]).await;
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("portcullis=") && cookie.contains("; Max-Age=2592000")), "{cookies:?}");
    gateway.advance(29 * 24 * 60 * MINUTE);
    assert!(is_alive(&mut remembered).await);
    assert!(!is_alive(&mut plain).await);
    gateway.advance(25 * 60 * MINUTE);
    assert!(!is_alive(&mut remembered).await, "30 days after the login, though it was used yesterday");
}
