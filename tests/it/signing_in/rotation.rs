//! Ids: each session has a new one, nobody chooses one, and what is replaced is dead.

use super::{COOKIE, session_cookie, try_to_sign_in, with_alice};
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::Method;

const NEW_PASSWORD: &str = "Another-horse-8-battery";

/// A second browser with the cookies of the first: what a thief would have.
fn thief(gateway: &TestGateway, of: &Browser) -> Browser {
    let mut thief = gateway.browser();
    thief.agent.cookies = of.agent.cookies.clone();
    thief
}

/// threats S02: a session cookie that somebody planted is never adopted, whatever it looks like.
#[tokio::test(flavor = "multi_thread")]
async fn a_planted_cookie_does_not_become_the_session() {
    let (upstream, gateway) = with_alice().await;
    let mut attacker = gateway.browser();
    attacker.sign_in("/", "alice", PASSWORD).await;
    let alive = session_cookie(&attacker).unwrap();
    let seen = upstream.seen();
    for planted in ["chosen", &"A".repeat(64), &format!("{}A", &alive[..63]), "*", "\"quoted\""] {
        let mut victim = gateway.browser();
        let url = victim.url("/");
        victim.agent.cookies.plant(&url, COOKIE, planted);
        assert_eq!(victim.open("/").await.status, 302, "{planted}");
        let answer = try_to_sign_in(&mut victim, "/auth/login", "alice", PASSWORD).await;
        assert_eq!(answer.status, 303);
        let given = session_cookie(&victim).unwrap();
        assert!(given != planted && given.len() == 64, "{given}");
    }
    assert_eq!(upstream.seen(), seen);
}

/// threats S01: login rotates the id, and the session it replaces is dead on the server.
#[tokio::test(flavor = "multi_thread")]
async fn signing_in_again_gives_a_new_id_and_ends_the_old_session() {
    let (_upstream, gateway) = with_alice().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let before = session_cookie(&browser);
    let mut thief = thief(&gateway, &browser);
    let answer = try_to_sign_in(&mut browser, "/auth/login?switch", "alice", PASSWORD).await;
    assert_eq!(answer.status, 303);
    assert_ne!(session_cookie(&browser), before);
    assert_eq!(thief.open("/").await.status, 302);
    // A login that fails leaves the session that is there.
    assert_eq!(try_to_sign_in(&mut browser, "/auth/login?switch", "alice", "wrong").await.status, 401);
    assert_eq!(browser.open("/").await.status, 200);
}

/// threats S01, S04: a new password renews this session and ends every other one.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_renews_this_session_and_ends_the_others() {
    let (_upstream, gateway) = with_alice().await;
    let (mut here, mut elsewhere) = (gateway.browser(), gateway.browser());
    here.sign_in("/", "alice", PASSWORD).await;
    elsewhere.sign_in("/", "alice", PASSWORD).await;
    let (before, mut thief) = (session_cookie(&here), thief(&gateway, &here));
    let page = here.open("/auth/account/password").await;
    let answer = here.submit(&page, &[("current_password", PASSWORD), ("password", NEW_PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account?password-changed"));
    assert_ne!(session_cookie(&here), before);
    assert_eq!(here.open("/").await.status, 200);
    assert_eq!(elsewhere.open("/").await.status, 302);
    assert_eq!(thief.open("/").await.status, 302);
    assert_eq!(try_to_sign_in(&mut gateway.browser(), "/auth/login", "alice", PASSWORD).await.status, 401);
    assert_eq!(try_to_sign_in(&mut gateway.browser(), "/auth/login", "alice", NEW_PASSWORD).await.status, 303);
}

/// threats S05, S07: two different session cookies are none, in either order and on one line or two; names and values
/// are compared byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn two_different_session_cookies_count_as_none() {
    let (upstream, gateway) = with_alice().await;
    let (mut alice, mut other) = (gateway.browser(), gateway.browser());
    alice.sign_in("/", "alice", PASSWORD).await;
    other.sign_in("/", "alice", PASSWORD).await;
    let (good, also_good) = (session_cookie(&alice).unwrap(), session_cookie(&other).unwrap());
    let seen = upstream.seen();
    let status = async |lines: &[&str]| {
        let mut raw = gateway.raw().await;
        let cookies = lines.join("\r\nCookie: ");
        raw.send(format!("GET /data HTTP/1.1\r\nHost: {}\r\nCookie: {cookies}\r\n\r\n", gateway.address())).await;
        raw.response().await.status()
    };
    let one = |value: &str| format!("{COOKIE}={value}");
    let (good, also_good, bad) = (one(&good), one(&also_good), one("bad"));
    for lines in [
        &[format!("{good}; {bad}")][..],
        &[format!("{bad}; {good}")],
        &[format!("{good}; {also_good}")],
        &[good.clone(), bad.clone()],
        &[bad, good.clone()],
        &[good.replacen("portcullis", "Portcullis", 1)],
        &[good.replacen('=', "\u{a0}=", 1)],
        &[format!("\u{2000}{good}")],
        &[format!("={good}")],
        &[good.replacen('=', "=\"", 1) + "\""],
        &[format!("__Host-{good}")],
        &[format!("__Secure-{good}")],
    ] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(status(&lines).await, 401, "{lines:?}");
    }
    assert_eq!(upstream.seen(), seen);
    for line in [good.clone(), format!("{good}; {good}"), format!("a=b;{good}; c"), format!("$Version=1; {good}")] {
        assert_eq!(status(&[&line]).await, 200, "{line}");
    }
}

/// Contract 2, `sessions.max_per_user`: the oldest gives way.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_sessions_than_configured_live_at_once() {
    let upstream = EchoUpstream::start().await;
    let builder = TestGateway::in_front_of(&upstream).user("alice", &[]).manual_clock();
    let gateway = builder.set("SESSIONS__MAX_PER_USER", "2").start().await;
    let mut browsers = Vec::new();
    for _ in 0..3 {
        let mut browser = gateway.browser();
        assert_eq!(try_to_sign_in(&mut browser, "/auth/login", "alice", PASSWORD).await.status, 303);
        gateway.advance(std::time::Duration::from_secs(1));
        browsers.push(browser);
    }
    let mut alive = Vec::new();
    for browser in &mut browsers {
        alive.push(browser.fetch(Method::GET, "/data").await.status);
    }
    assert_eq!(alive, [401, 200, 200]);
}
