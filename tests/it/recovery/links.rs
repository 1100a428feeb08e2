//! What a link is worth, when, and where it leads.

use super::{NEW, ask, can_sign_in, is_dead, link, mailing, next_link, set_password};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::Mailbox;
use crate::support::raw::Raw;
use http::Method;
use portcullis::account::Password;
use portcullis::administration::AddedAccount;
use std::time::Duration;

const YAML: &str = "routes: [{ path: /, upstream: sample }]";

/// threats P07: CVE-2026-124020
#[tokio::test(flavor = "multi_thread")]
async fn whatever_scanners_and_previews_do_with_a_link_spends_nothing() {
    let gateway = mailing(TestGateway::with(YAML)).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let link = link(&gateway, &mut mailbox, "ann@example.com").await;
    let mut scanner = gateway.browser();
    let url = scanner.url(&link);
    for method in [Method::HEAD, Method::GET] {
        let answer = scanner.agent.send(method.clone(), &url, &[("sec-purpose", "prefetch")], "").await;
        assert_eq!((answer.status, answer.location()), (303, "/auth/reset"), "{method}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let form = scanner.url("/auth/reset");
        assert_eq!(scanner.agent.send(method.clone(), &form, &[], "").await.status, 200, "{method}");
    }
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(scanner.agent.send(method.clone(), &url, &[], "").await.status, 405, "{method}");
    }
    let mut browser = gateway.browser();
    assert_eq!(set_password(&mut browser, &link, NEW).await.status, 303);
}

/// S2.2, threats P05
#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_after_its_time_and_at_a_newer_one() {
    let gateway = mailing(TestGateway::with(YAML)).user("ann", &[]).manual_clock().start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut browser = gateway.browser();
    let expired = link(&gateway, &mut mailbox, "ann@example.com").await;
    gateway.advance(Duration::from_mins(29));
    let page = browser.visit(&expired).await;
    assert_eq!(page.status, 200);
    gateway.advance(Duration::from_mins(1));
    assert!(is_dead(&browser.submit(&page, &[("password", NEW)]).await), "a form that was opened in time is too late as well");
    assert!(is_dead(&browser.visit(&expired).await));

    let older = link(&gateway, &mut mailbox, "ann@example.com").await;
    gateway.advance(Duration::from_secs(1));
    let newer = link(&gateway, &mut mailbox, "ann@example.com").await;
    assert!(is_dead(&browser.visit(&older).await));
    let page = browser.visit(&newer).await;
    let mut owner = gateway.browser();
    owner.sign_in("/", "ann", PASSWORD).await;
    let form = owner.open("/auth/account/password").await;
    assert_eq!(owner.submit(&form, &[("current_password", PASSWORD), ("password", NEW)]).await.status, 303);
    assert!(is_dead(&browser.submit(&page, &[("password", "Other-otter-6-harbour")]).await), "the password was changed since");
    assert!(can_sign_in(&gateway, "ann", NEW).await);
    let user = gateway.app().administration.find("ann").await.unwrap();
    assert!(user.reset_requested_at.is_some(), "S2.6: the last attempt is kept");
}

/// Contract 4: `token` as a field is taken too, and what is no token leaves no older one behind.
#[tokio::test(flavor = "multi_thread")]
async fn the_form_may_bring_its_own_token() {
    let gateway = mailing(TestGateway::with(YAML)).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let link = link(&gateway, &mut mailbox, "ann@example.com").await;
    let token = link.split_once('=').unwrap().1;
    let mut browser = gateway.browser();
    for nonsense in ["", "x", "../../etc/passwd", "%00", "%0d%0aSet-Cookie:+a=b", &"A".repeat(44), &format!("{}=", &token[1..])] {
        browser.visit(&link).await;
        let answer = browser.open(&format!("/auth/reset?token={nonsense}")).await;
        assert_eq!((answer.status, answer.location()), (303, "/auth/reset"), "{nonsense}");
        assert!(browser.agent.cookies.get("portcullis-reset").is_none(), "{nonsense}");
        assert!(is_dead(&browser.follow(answer).await), "{nonsense}");
    }
    let login = browser.open("/auth/login").await;
    let csrf = crate::support::form::Form::all(&login.text())[0].values.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let post = async |browser: &mut crate::support::browser::Browser, token: &str| {
        let url = browser.url("/auth/reset");
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
        browser.agent.send(Method::POST, &url, &headers, format!("csrf={csrf}&password={NEW}&token={token}")).await
    };
    assert!(is_dead(&post(&mut browser, "%7B%22%24gt%22%3A%22%22%7D").await), "threats I02");
    assert_eq!(post(&mut browser, token).await.status, 303);
    assert!(browser.agent.cookies.get("portcullis").is_some());
}

/// Contract 4: only the operator's own act ends a lock by an operator.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_an_operator_locked_gets_no_mail_and_its_link_is_dead() {
    let gateway = mailing(TestGateway::with(YAML)).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut browser = gateway.browser();
    let page = browser.visit(&link(&gateway, &mut mailbox, "ann@example.com").await).await;
    gateway.app().administration.lock("ann").await.unwrap();
    assert!(is_dead(&browser.submit(&page, &[("password", NEW)]).await));
    assert_eq!(ask(&mut browser, "ann@example.com").await.location(), "/auth/forgot?sent");
    assert!(mailbox.rest(&gateway).await.is_empty());
    gateway.app().administration.unlock("ann").await.unwrap();
    assert!(can_sign_in(&gateway, "ann", PASSWORD).await && !can_sign_in(&gateway, "ann", NEW).await);
}

/// threats P01: CVE-2026-26747, CVE-2026-29199
#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_configured_address_whatever_host_a_request_names() {
    let yaml = "portal: { url: 'https://auth.example.com' }\nroutes: [{ path: /, upstream: sample }]";
    let gateway = mailing(TestGateway::with(yaml)).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    for forged in [
        "Host: evil.test\r\n",
        "Host: auth.example.com\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Proto: http\r\nForwarded: host=evil.test\r\n",
        "Host: auth.example.com:8443\r\nX-Original-URL: https://evil.test/auth/forgot\r\n",
    ] {
        let body = r#"{"email":"ann@example.com"}"#;
        let head = format!("POST /api/auth/password-reset/request HTTP/1.1\r\n{forged}Content-Type: application/json\r\n");
        let answer = Raw::exchange(gateway.address(), format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await;
        assert_eq!(answer.status(), 202, "{forged}: {}", answer.text());
        let mail = mailbox.next_to("ann@example.com").await;
        assert!(mail.link().starts_with("https://auth.example.com/auth/reset?token="), "{forged}: {}", mail.link());
        assert!(!mail.raw.contains("evil.test"), "{forged}: {}", mail.raw);
    }
}

/// threats P01, P02: CVE-2026-48710
#[tokio::test(flavor = "multi_thread")]
async fn no_mail_is_sent_for_a_host_that_nobody_configured() {
    let gateway =
        mailing(TestGateway::with("routes: [{ host: auth.test, upstream: sample }, { upstream: sample }]")).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let body = r#"{"email":"ann@example.com"}"#;
    let ask = async |host: &str| {
        let head = format!("POST /api/auth/password-reset/request HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n");
        Raw::exchange(gateway.address(), format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await.status()
    };
    for host in ["auth.test/evil?x", ":abc", "a,b", "auth.test evil", "auth.test:99999", "auth@evil.test", ""] {
        assert_eq!(ask(host).await, 400, "{host}");
    }
    for host in ["evil.test", "auth.test.evil.test", "192.0.2.1"] {
        assert_eq!(ask(host).await, 403, "{host}");
    }
    assert!(mailbox.rest(&gateway).await.is_empty());
    assert_eq!(ask("auth.test").await, 202);
    assert!(mailbox.next_to("ann@example.com").await.link().starts_with("http://auth.test/auth/reset?token="));
}

/// threats P08: CVE-2019-19844, RUSTSEC-2024-0421
#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_to_the_stored_address_only() {
    let gateway = mailing(TestGateway::with(YAML)).user("mike", &[]).user("kim", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let idn = AddedAccount {
        username: "zoe".to_owned(),
        email: "zoe@b\u{fc}cher.example".to_owned(),
        groups: vec![],
        password: Password::new(PASSWORD.to_owned()),
    };
    gateway.app().administration.add(idn).await.unwrap();
    let mut browser = gateway.browser();
    for other in [
        "m\u{131}ke@example.com",
        "\u{212a}im@example.com",
        "k\u{131}m@example.com",
        "mike@ex\u{e0}mple.com",
        "zoe@b\u{fc}cher.example.com",
    ] {
        assert_eq!(ask(&mut browser, other).await.location(), "/auth/forgot?sent", "{other}");
    }
    assert!(mailbox.rest(&gateway).await.is_empty());
    for (typed, stored) in [("MIKE@EXAMPLE.COM", "mike@example.com"), ("zoe@xn--bcher-kva.example", "zoe@xn--bcher-kva.example")] {
        assert_eq!(ask(&mut browser, typed).await.location(), "/auth/forgot?sent", "{typed}");
        next_link(&mut mailbox, stored).await;
    }
}
