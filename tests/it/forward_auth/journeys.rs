//! The way of a browser behind a front proxy, and of its session.

use super::front::{ALL, Front};
use super::{HTML, RULES, cookie};
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use std::time::Duration;
use url::Url;

/// Contract 5, `portal`: one portal for hosts under one domain, and back at the deep link.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_at_the_portal_and_comes_back_to_the_deep_link_on_another_host() {
    let yaml = format!(
        "server: {{ trusted_proxies: [127.0.0.1] }}\ncookies: {{ domain: example.test }}\nportal: {{ url: 'http://auth.example.test:PORT' }}\n\
         routes:\n  - {{ host: wiki.example.test, upstream: none }}\n  - {{ host: '*.apps.example.test', upstream: none }}\n{RULES}"
    );
    for (front, url) in [
        (Front::Traefik, "http://wiki.example.test:8000/a//b?x=%2F&y=1"),
        (Front::Nginx, "http://wiki.example.test:8000/"),
        (Front::Caddy, "http://deep.x.apps.example.test:8000/page?q=%23"),
    ] {
        // The portal's port is that of the front proxy's listener, which is the same for all hosts.
        let gateway = TestGateway::with(yaml.replace("PORT", "8000")).user("alice", &["users"]).start().await;
        let asked = front.question("GET", url).with(&[HTML]).ask(&gateway).await;
        let login = Url::parse(asked.header("location").unwrap()).unwrap();
        assert_eq!((login.origin().ascii_serialization().as_str(), login.path()), ("http://auth.example.test:8000", "/auth/login"));
        assert_eq!(login.query_pairs().find(|(name, _)| name == "rd").unwrap().1, url);

        let here = gateway.origin_as("auth.example.test");
        let mut browser = Browser::new(&here);
        let page = browser.open(&format!("/auth/login?{}", login.query().unwrap())).await;
        assert_eq!(page.status, 200);
        let answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.location()), (303, url), "{front:?}");

        let cookies = browser.agent.cookies.header(&Url::parse(url).unwrap()).expect("the session is for all hosts of the domain");
        let answer = front.question("GET", url).with(&[HTML, ("Cookie", &cookies)]).ask(&gateway).await;
        assert_eq!((answer.status(), answer.header("x-user")), (200, Some("alice")), "{front:?}");
    }
}

/// Contract 5: without a portal the login is on the original host, and its pages are not to be asked about.
#[tokio::test(flavor = "multi_thread")]
async fn a_front_that_asks_about_the_login_page_itself_is_told_so() {
    let gateway = super::gateway("").await;
    for front in ALL.into_iter().filter(|front| *front != Front::Skipper) {
        let answer = front.question("GET", "https://app.test/auth/login?rd=https://app.test/").with(&[HTML]).ask(&gateway).await;
        assert_eq!((answer.status(), answer.header("location")), (403, None), "{front:?}");
    }
    let answer = Front::Traefik.question("GET", "https://app.test/auth/login").with(&[HTML]).ask(&gateway).await;
    assert!(answer.text().contains("without asking first"), "{}", answer.text());
}

/// Contract 3.10: a verified request is activity.
#[tokio::test(flavor = "multi_thread")]
async fn a_verified_request_keeps_the_session_alive_up_to_its_absolute_end() {
    let yaml = format!(
        "server: {{ trusted_proxies: [127.0.0.1] }}\nsessions: {{ idle_timeout: 10m, lifetime: 1h }}\nstores: {{ sessions: memory }}\n\
         routes: [{{ host: app.test, upstream: none }}]\n{RULES}"
    );
    let gateway = TestGateway::with(yaml).user("alice", &[]).manual_clock().start().await;
    let cookie = cookie(&gateway, "https").await;
    let ask = async |path: &str| {
        let question = Front::Traefik.question("GET", &format!("https://app.test{path}"));
        question.with(&[("Cookie", cookie.as_str())]).ask(&gateway).await
    };
    for minute in (9..60).step_by(9) {
        gateway.advance(Duration::from_mins(9));
        assert_eq!(ask("/").await.status(), 200, "after {minute} minutes");
    }
    gateway.advance(Duration::from_mins(9));
    assert_eq!(ask("/").await.status(), 401, "the absolute end wins");
}

/// Contract 3.9: who signs out, or is locked, is nobody at the next question.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_session_holds_at_the_next_question() {
    let gateway = super::gateway("").await;
    let (first, second) = (cookie(&gateway, "https").await, cookie(&gateway, "https").await);
    let ask = async |path: &str, cookie: &str| {
        let question = Front::Nginx.question("GET", &format!("https://app.test{path}"));
        question.with(&[("Cookie", cookie)]).ask(&gateway).await
    };
    assert_eq!(ask("/admin", &first).await.status(), 403);
    gateway.app().administration.set_groups("alice", &["admins".to_owned()]).await.unwrap();
    assert_eq!(ask("/admin", &first).await.header("x-user-groups"), Some("admins"));
    gateway.app().administration.lock("alice").await.unwrap();
    assert_eq!(ask("/", &first).await.status(), 401);
    assert_eq!(ask("/", &second).await.status(), 401);
    assert_eq!(ask("/public", &second).await.header("x-user"), Some(""));
}
