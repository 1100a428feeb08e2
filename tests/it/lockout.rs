//! Accounts that are locked for a time after too many failures: what the owner, the attacker and the mailbox see of it.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{Builder, PASSWORD, TestGateway, account};
use crate::support::mailbox::{Mailbox, with_mail};
use crate::support::upstream::EchoUpstream;
use http::Method;
use portcullis::audit::{Action, Filter};
use serde_json::json;
use std::time::Duration;

const NEW: &str = "Another-horse-8-battery";

/// A gateway with the usual limits that mails, believes of this machine whom it speaks for, and whose clock stands still.
fn locking(upstream: &EchoUpstream) -> Builder {
    let gateway = TestGateway::in_front_of(upstream).limited().manual_clock().set("SERVER__TRUSTED_PROXIES", "[127.0.0.1]");
    with_mail(gateway)
}

/// A sign-in by JSON from this address, with a browser that has no cookies.
async fn login(gateway: &TestGateway, from: &str, username: &str, password: &str) -> Answer {
    let url = gateway.browser().url("/auth/login");
    let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
    let body = json!({ "username": username, "password": password }).to_string();
    gateway.api().agent.send(Method::POST, &url, &headers, body).await
}

/// Ten guesses, each from another address.
async fn attack(gateway: &TestGateway, username: &str) {
    for number in 0..10 {
        assert_eq!(login(gateway, &format!("198.51.100.{number}"), username, "guess").await.status, 401, "{number}");
    }
}

async fn fill_in(browser: &mut Browser, username: &str, password: &str) -> Answer {
    let page = browser.open("/auth/login?switch").await;
    browser.submit(&page, &[("username", username), ("password", password)]).await
}

/// S2.4, threats G07, G08: an attacker from anywhere neither gets in nor keeps the owner out.
#[tokio::test(flavor = "multi_thread")]
async fn an_attacker_has_an_account_locked_and_its_owner_goes_on() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).user("alice", &[]).start().await;
    let mut owner = gateway.browser();
    owner.sign_in("/", "alice", PASSWORD).await;

    attack(&gateway, "alice").await;
    let refused = login(&gateway, "203.0.113.9", "alice", PASSWORD).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("60")), "also with the right password");
    assert_eq!(refused.header("ratelimit-policy"), Some("\"lockout\";q=10;w=900"));
    assert_eq!(owner.open("/").await.status, 200, "the session that lives goes on");
    assert_eq!(fill_in(&mut owner, "alice", PASSWORD).await.status, 303, "and the browser signs in again");
    assert_eq!(fill_in(&mut gateway.browser(), "alice", PASSWORD).await.status, 429);

    gateway.advance(Duration::from_mins(1));
    assert_eq!(login(&gateway, "203.0.113.9", "alice", PASSWORD).await.status, 200);
}

/// S2.4, ASVS V6.3.8
#[tokio::test(flavor = "multi_thread")]
async fn each_lock_lasts_longer_and_a_name_that_nobody_has_is_locked_alike() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).user("alice", &[]).start().await;
    for lasts in [60, 300, 900, 3_600, 3_600] {
        let mut refusals = Vec::new();
        for name in ["alice", "nobod"] {
            attack(&gateway, name).await;
            let by_json = login(&gateway, "203.0.113.9", name, "guess").await;
            let by_form = fill_in(&mut gateway.browser(), name, "guess").await;
            assert_eq!((by_json.header("retry-after"), by_form.status), (Some(&*lasts.to_string()), 429), "{name}");
            let headers = by_form.header("ratelimit").map(str::to_owned);
            refusals.push((by_json.json(), headers, by_form.body.len(), by_form.headers.len()));
        }
        assert_eq!(refusals[0], refusals[1]);
        gateway.advance(Duration::from_secs(lasts));
    }
}

/// S2.4: the owner learns of each lock once; a name that nobody has is mailed to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_mailed_and_an_operator_sees_the_lock() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).user("alice", &[]).start().await;
    let mut mails = Mailbox::of(&gateway);
    attack(&gateway, "nobody").await;
    attack(&gateway, "alice").await;
    for _ in 0..20 {
        assert_eq!(login(&gateway, "203.0.113.9", "alice", "guess").await.status, 429);
    }
    let mail = mails.next().await;
    assert_eq!(mail.to, "alice@example.com");
    assert!(mail.text.contains("198.51.100.9"), "who tried last: {}", mail.text);
    let rest = mails.rest(&gateway).await;
    assert!(rest.is_empty(), "{:?}", rest.iter().map(|mail| &mail.subject).collect::<Vec<_>>());
    let alice = gateway.app().administration.find("alice").await.unwrap();
    assert!(!alice.locked && alice.locked_until.is_some());

    gateway.app().administration.unlock("alice").await.unwrap();
    assert_eq!(gateway.app().administration.find("alice").await.unwrap().locked_until, None);
    assert_eq!(login(&gateway, "203.0.113.99", "alice", PASSWORD).await.status, 200, "an operator's unlock lifts it");
}

/// threats N11, S08: the cookie of one's own browser is no key to another's account.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_known_to_one_account_is_nobody_to_another() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).user("alice", &[]).user("bob", &[]).start().await;
    let mut bob = gateway.browser();
    bob.sign_in("/", "bob", PASSWORD).await;
    let cookie = bob.agent.cookies.get("portcullis-device").expect("a cookie by which the browser is known").clone();
    attack(&gateway, "alice").await;
    attack(&gateway, "bob").await;
    assert_eq!(fill_in(&mut bob, "alice", PASSWORD).await.status, 429);
    assert_eq!(fill_in(&mut bob, "bob", PASSWORD).await.status, 303);
    // A made-up or foreign cookie is none.
    for value in ["", "x", &cookie.value[1..], &cookie.value.to_lowercase()] {
        let mut thief = gateway.browser();
        let url = thief.url("/");
        thief.agent.cookies.plant(&url, "portcullis-device", value);
        assert_eq!(fill_in(&mut thief, "bob", PASSWORD).await.status, 429, "{value:?}");
    }
}

/// A new password makes all other browsers strangers again; the one that set it is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_what_browsers_prove() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).user("alice", &[]).start().await;
    let (mut here, mut elsewhere) = (gateway.browser(), gateway.browser());
    elsewhere.sign_in("/", "alice", PASSWORD).await;
    here.sign_in("/", "alice", PASSWORD).await;
    let page = here.open("/auth/account/password").await;
    assert_eq!(here.submit(&page, &[("current_password", PASSWORD), ("password", NEW)]).await.status, 303);
    attack(&gateway, "alice").await;
    assert_eq!(fill_in(&mut elsewhere, "alice", NEW).await.status, 429);
    assert_eq!(fill_in(&mut here, "alice", NEW).await.status, 303);
}

/// threats G08: whoever can read the owner's mail gets in by a new password, lock or not.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_account_is_opened_by_a_reset() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).user("alice", &[]).start().await;
    attack(&gateway, "alice").await;
    let mut browser = gateway.browser();
    let page = browser.open("/auth/forgot").await;
    assert_eq!(browser.submit(&page, &[("email", "alice@example.com")]).await.status, 303);
    let mut mails = Mailbox::of(&gateway);
    let link = loop {
        let mail = mails.next_to("alice@example.com").await;
        if mail.text.contains("/reset") {
            break mail.link_path();
        }
    };
    let page = browser.visit(&link).await;
    let answer = browser.submit(&page, &[("password", NEW)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(login(&gateway, "203.0.113.9", "alice", NEW).await.status, 200, "the new password ends the lock for everyone");
}

/// A sign-in with a browser that has not been seen before is told to the owner; one with the browser that registered is not.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_told_of_a_sign_in_with_a_new_browser() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).set("ACCOUNTS__REGISTRATION", "open").start().await;
    let mut mails = Mailbox::of(&gateway);
    let mut own = gateway.browser();
    let page = own.open("/auth/register").await;
    let answer = own.submit(&page, &[("username", "alice"), ("email", "alice@example.com"), ("password", PASSWORD)]).await;
    own.follow(answer).await;
    assert_eq!(fill_in(&mut own, "alice", PASSWORD).await.status, 303);
    assert_eq!(mails.rest(&gateway).await.len(), 0, "it is the browser that registered");
    assert_eq!(fill_in(&mut gateway.browser(), "alice", PASSWORD).await.status, 303);
    let mail = mails.next().await;
    assert!(mail.to == "alice@example.com" && mail.subject.to_lowercase().contains("sign-in"), "{}", mail.subject);
    assert_eq!(fill_in(&mut own, "alice", PASSWORD).await.status, 303);
    assert_eq!(mails.rest(&gateway).await.len(), 0);
}

/// Registering with a taken address answers as with a new one, the browser's cookie included.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_with_a_taken_address_leaves_the_same_cookies() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).set("ACCOUNTS__REGISTRATION", "open").user("alice", &[]).start().await;
    let mut left = Vec::new();
    for (name, email) in [("carl", "carl@example.com"), ("dora", "alice@example.com")] {
        let mut browser = gateway.browser();
        let page = browser.open("/auth/register").await;
        let answer = browser.submit(&page, &[("username", name), ("email", email), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.location()), (303, "/auth/login?registered"), "{name}");
        let cookie = browser.agent.cookies.get("portcullis-device").unwrap().value.len();
        left.push((answer.headers.len(), browser.agent.cookies.names().len(), cookie));
    }
    assert_eq!(left[0], left[1]);
}

/// ASVS V16.3.1
#[tokio::test(flavor = "multi_thread")]
async fn every_sign_in_and_every_failure_is_recorded_with_its_reason() {
    let upstream = EchoUpstream::start().await;
    let gateway = locking(&upstream).user("alice", &[]).start().await;
    gateway.app().administration.add(account("lydia", &[])).await.unwrap();
    gateway.app().administration.lock("lydia").await.unwrap();
    for (from, name, password) in [
        ("192.0.2.1", "alice", PASSWORD),
        ("192.0.2.1", "alice", "wrong"),
        ("192.0.2.1", "nobody", "wrong"),
        ("192.0.2.1", "lydia", PASSWORD),
    ] {
        login(&gateway, from, name, password).await;
    }
    for _ in 0..5 {
        login(&gateway, "192.0.2.2", "alice", "wrong").await;
    }
    for number in 0..5 {
        login(&gateway, &format!("192.0.2.1{number}"), "alice", "wrong").await;
    }
    let records = gateway.app().audit.list(Filter::default(), 100).await.unwrap();
    let signing_in = records.iter().rev().filter(|record| matches!(record.action, Action::Login | Action::Lockout));
    let told: Vec<_> = signing_in.map(|record| (&*record.actor.name, record.reason.as_deref().unwrap_or("success"))).collect();
    assert_eq!(
        &told[..4],
        [("alice", "success"), ("alice", "invalid_credentials"), ("nobody", "invalid_credentials"), ("lydia", "locked")]
    );
    assert_eq!(told[4..13], [("alice", "invalid_credentials"); 9]);
    assert!(told[13..].contains(&("", "too_many_failures")) && told[13..].contains(&("alice", "locked_out")), "{told:?}");
    let lockout = records.iter().find(|record| record.action == Action::Lockout).unwrap();
    assert_eq!(lockout.subject.as_ref().map(|subject| &*subject.name), Some("alice"));
}
