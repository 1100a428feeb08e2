//! Addresses that count once a mailed link was opened and its button pressed: after registering, and when changing them.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::{Mailbox, with_mail};
use crate::support::upstream::EchoUpstream;
use http::Method;
use serde_json::json;
use std::time::Duration;

const YAML: &str = "accounts: { registration: open, verify_email: true }\nrate_limit: { attempts: 0, per_client: 0 }\nroutes: [{ path: /, upstream: sample }]";

async fn register(browser: &mut Browser, username: &str, email: &str) -> Answer {
    let page = browser.open("/auth/register?rd=/wiki").await;
    browser.submit(&page, &[("username", username), ("email", email), ("password", PASSWORD)]).await
}

async fn sign_in(browser: &mut Browser, username: &str, password: &str) -> Answer {
    let page = browser.open("/auth/login").await;
    browser.submit(&page, &[("username", username), ("password", password)]).await
}

/// Opens the link and presses its button.
async fn confirm(browser: &mut Browser, link: &str) -> Answer {
    let page = browser.open(link).await;
    assert_eq!(page.status, 200, "{}", page.text());
    browser.submit(&page, &[]).await
}

/// Contract 4, 6; what upstreams are told is contract 3.7.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_confirms_the_address_before_signing_in() {
    let upstream = EchoUpstream::start().await;
    let builder = TestGateway::in_front_of(&upstream).set("ACCOUNTS__REGISTRATION", "open").set("ACCOUNTS__VERIFY_EMAIL", "true");
    let gateway = with_mail(builder).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut browser = gateway.browser();
    let answer = register(&mut browser, "zoe", "zoe@example.com").await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?confirm&rd=%2Fwiki"));
    assert!(browser.follow(answer).await.text().contains("We have sent a link to your address"));
    let mail = mailbox.next_to("zoe@example.com").await;
    assert!(mail.link().starts_with("http://localhost/auth/verify-email?token="), "{}", mail.text);
    let early = sign_in(&mut browser, "zoe", PASSWORD).await;
    assert_eq!(early.status, 403);
    assert!(early.text().contains("First confirm your address") && early.text().contains("value=\"zoe\""), "{}", early.text());
    let another = mailbox.next_to("zoe@example.com").await;
    assert_ne!(another.link(), mail.link());
    let answer = confirm(&mut browser, &mail.link_path()).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?confirmed"));
    assert!(browser.follow(answer).await.text().contains("Your address is confirmed."));
    assert_eq!(browser.open(&another.link_path()).await.status, 200, "its address is the account's; there is nothing to lose");
    browser.sign_in("/", "zoe", PASSWORD).await;
    assert_eq!(upstream.last().head.header("x-user-email"), Some("zoe@example.com"));
}

/// threats.md P07: mail scanners open links, and some press no button.
#[tokio::test(flavor = "multi_thread")]
async fn opening_a_link_spends_nothing_and_its_button_works_once() {
    let gateway = with_mail(TestGateway::with(YAML)).start().await;
    let mut browser = gateway.browser();
    register(&mut browser, "zoe", "zoe@example.com").await;
    let link = Mailbox::of(&gateway).next_to("zoe@example.com").await.link_path();
    for _ in 0..3 {
        let page = gateway.browser().open(&link).await;
        assert!(page.status == 200 && page.text().contains("zoe@example.com"), "{}", page.text());
        assert_eq!(gateway.browser().fetch(Method::HEAD, &link).await.status, 200);
    }
    assert!(!gateway.app().administration.find("zoe").await.unwrap().email_verified);
    let url = browser.url("/auth/verify-email");
    let token = link.rsplit_once('=').unwrap().1;
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    let forged = browser.agent.send(Method::POST, &url, &headers, format!("token={token}")).await;
    assert_eq!(forged.status, 403, "the form of another site confirms nothing");
    assert_eq!(confirm(&mut browser, &link).await.status, 303);
    for address in [link.as_str(), "/auth/verify-email", "/auth/verify-email?token=nonsense"] {
        let dead = browser.open(address).await;
        assert_eq!(dead.status, 400, "{address}");
        assert!(dead.text().contains("This link no longer works"), "{}", dead.text());
    }
}

/// Contract 6
#[tokio::test(flavor = "multi_thread")]
async fn programs_are_told_that_the_address_must_be_confirmed() {
    let gateway = with_mail(TestGateway::with(YAML)).user("alice", &[]).start().await;
    let mut api = gateway.api();
    let body = json!({ "username": "zoe", "email": "zoe@example.com", "password": PASSWORD });
    let made = api.post("/auth/register", &body).await;
    assert_eq!((made.status, &made.json()["verificationRequired"]), (201, &json!(true)));
    assert_eq!(made.json()["user"]["username"], "zoe");
    let refused = api.post("/auth/login", &json!({ "username": "zoe", "password": PASSWORD })).await;
    assert_eq!((refused.status, &refused.json()["type"]), (403, &json!("urn:portcullis:email_unverified")));
    assert!(refused.header("set-cookie").is_none());
    let wrong = api.post("/auth/login", &json!({ "username": "zoe", "password": "wrong" })).await;
    assert_eq!((wrong.status, &wrong.json()["type"]), (401, &json!("urn:portcullis:invalid_credentials")), "no oracle");
    assert_eq!(api.post("/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await.status, 200, "made by an operator");
}

/// threats.md G02: same answer, and the owner is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_is_answered_like_a_new_one_and_its_owner_gets_a_mail() {
    let gateway = with_mail(TestGateway::with(YAML)).user("alice", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let taken = register(&mut gateway.browser(), "bob", "ALICE@example.com").await;
    let new = register(&mut gateway.browser(), "carol", "carol@example.com").await;
    assert_eq!((taken.status, taken.location(), taken.text()), (new.status, new.location(), new.text()));
    let names = |answer: &Answer| answer.headers.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&taken), names(&new));
    let mails = mailbox.rest(&gateway).await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    let told = mails.iter().find(|mail| mail.to == "alice@example.com").unwrap();
    assert!(!told.text.contains("bob") && !told.text.contains("verify-email"), "{}", told.text);
    assert!(told.text.contains("127.0.0.1"), "who asked: {}", told.text);
    assert!(mails.iter().any(|mail| mail.to == "carol@example.com" && mail.text.contains("/auth/verify-email?token=")));
}

async fn signed_in(gateway: &TestGateway) -> Browser {
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    browser
}

async fn change(browser: &mut Browser, address: &str, password: &str) -> Answer {
    let page = browser.open("/auth/account/email").await;
    browser.submit(&page, &[("email", address), ("current_password", password)]).await
}

async fn alice_with_mail() -> (EchoUpstream, TestGateway, Mailbox) {
    let upstream = EchoUpstream::start().await;
    let gateway = with_mail(TestGateway::in_front_of(&upstream)).user("alice", &[]).user("bob", &[]).start().await;
    let mailbox = Mailbox::of(&gateway);
    (upstream, gateway, mailbox)
}

/// Contract 4; S4.7: the address cannot be changed directly.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_counts_once_its_link_was_used_and_the_old_one_is_told() {
    let (upstream, gateway, mut mailbox) = alice_with_mail().await;
    let mut browser = signed_in(&gateway).await;
    let answer = change(&mut browser, "zoe@example.org", PASSWORD).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account/email?sent"));
    let page = browser.follow(answer).await;
    assert!(page.text().contains("alice@example.com") && page.text().contains("zoe@example.org"), "{}", page.text());
    let mail = mailbox.next_to("zoe@example.org").await;
    browser.open("/").await;
    assert_eq!(upstream.last().head.header("x-user-email"), Some("alice@example.com"), "not yet");
    let answer = confirm(&mut browser, &mail.link_path()).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account/email?confirmed"));
    assert!(browser.follow(answer).await.text().contains("Your address is confirmed."));
    browser.open("/").await;
    assert_eq!(upstream.last().head.header("x-user-email"), Some("zoe@example.org"), "the session knows");
    let told = mailbox.next_to("alice@example.com").await;
    assert!(!told.text.contains("zoe@example.org"), "{}", told.text);
    assert_eq!(gateway.api().post("/auth/login", &json!({ "email": "zoe@example.org", "password": PASSWORD })).await.status, 200);
    assert_eq!(gateway.api().post("/auth/login", &json!({ "email": "alice@example.com", "password": PASSWORD })).await.status, 401);
}

/// Another browser, for instance of a phone, may open the link; it is not signed in by that.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_in_any_browser_and_signs_nobody_in() {
    let (_upstream, gateway, mut mailbox) = alice_with_mail().await;
    let mut browser = signed_in(&gateway).await;
    change(&mut browser, "zoe@example.org", PASSWORD).await;
    let link = mailbox.next_to("zoe@example.org").await.link_path();
    let mut phone = gateway.browser();
    let answer = confirm(&mut phone, &link).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?confirmed"));
    assert!(phone.agent.cookies.get("portcullis").is_none());
    change(&mut browser, "zoe2@example.org", PASSWORD).await;
    let link = mailbox.next_to("zoe2@example.org").await.link_path();
    let mut bob = gateway.browser();
    bob.sign_in("/", "bob", PASSWORD).await;
    let answer = confirm(&mut bob, &link).await;
    assert_eq!(answer.location(), "/auth/login?switch&confirmed");
    assert!(bob.follow(answer).await.text().contains("You are signed in as <strong>bob</strong>"));
    assert_eq!(gateway.app().administration.find("alice").await.unwrap().email.as_str(), "zoe2@example.org");
}

/// threats.md G02, ASVS V6.2.3
#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_the_current_password_and_tells_nothing_of_others() {
    let (_upstream, gateway, mut mailbox) = alice_with_mail().await;
    let mut browser = signed_in(&gateway).await;
    mailbox.rest(&gateway).await;
    for (address, password, status, field) in [
        ("zoe@example.org", "wrong", 401, "current_password"),
        ("zoe@example.org", "", 401, "current_password"),
        ("Alice@Example.com", PASSWORD, 400, "email"),
        ("nonsense", PASSWORD, 400, "email"),
        ("", PASSWORD, 400, "email"),
    ] {
        let answer = change(&mut browser, address, password).await;
        assert_eq!(answer.status, status, "{address}");
        assert!(answer.text().contains(&format!("id=\"{field}-problem\"")) && !answer.text().contains(PASSWORD), "{}", answer.text());
    }
    assert!(mailbox.rest(&gateway).await.is_empty());
    let page = browser.open("/auth/account/email").await;
    let mut stranger = gateway.browser();
    let login = stranger.open("/auth/account/email").await;
    assert_eq!((login.status, login.location()), (302, "/auth/login?rd=%2Fauth%2Faccount%2Femail"));
    let form = crate::support::form::Form::all(&page.text()).into_iter().find(|form| form.has(&[("email", "")])).unwrap();
    let forged = form.filled(&[("csrf", "x"), ("email", "zoe@example.org"), ("current_password", PASSWORD)]);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    assert_eq!(browser.agent.send(Method::POST, &page.url, &headers, forged).await.status, 403);
    let taken = change(&mut browser, "bob@example.com", PASSWORD).await;
    let free = change(&mut browser, "zoe@example.org", PASSWORD).await;
    assert_eq!((taken.status, taken.location(), taken.text()), (free.status, free.location(), free.text()));
    let mails = mailbox.rest(&gateway).await;
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(!mails.iter().any(|mail| mail.to == "bob@example.com" && mail.text.contains("verify-email")), "{mails:?}");
}

/// threats.md P05
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_address_ends_reset_links_that_went_to_the_old_one() {
    let (_upstream, gateway, mut mailbox) = alice_with_mail().await;
    let mut stranger = gateway.browser();
    let page = stranger.open("/auth/forgot").await;
    stranger.submit(&page, &[("email", "alice@example.com")]).await;
    let reset = mailbox.next_to("alice@example.com").await.link_path();
    let mut browser = signed_in(&gateway).await;
    change(&mut browser, "zoe@example.org", PASSWORD).await;
    confirm(&mut browser, &mailbox.next_to("zoe@example.org").await.link_path()).await;
    assert_eq!(stranger.visit(&reset).await.status, 400);
}

/// An address that was never confirmed can be, where that is not asked for, too.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_confirmed_the_address_asks_for_a_link_and_not_for_too_many() {
    let gateway = with_mail(TestGateway::with(YAML)).set("ACCOUNTS__VERIFY_EMAIL", "false").start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut browser = gateway.browser();
    register(&mut browser, "zoe", "zoe@example.com").await;
    browser.sign_in("/", "zoe", PASSWORD).await;
    mailbox.rest(&gateway).await;
    let page = browser.open("/auth/account/email").await;
    assert!(page.text().contains("not confirmed"), "{}", page.text());
    for _ in 0..5 {
        let answer = browser.submit(&page, &[]).await;
        assert_eq!((answer.status, answer.location()), (303, "/auth/account/email?sent"));
    }
    let sixth = browser.submit(&page, &[]).await;
    assert_eq!(sixth.status, 429);
    let wait: u64 = sixth.header("retry-after").unwrap().parse().unwrap();
    assert!((3000..=3600).contains(&wait), "{wait}");
    let mails = mailbox.rest(&gateway).await;
    assert_eq!(mails.len(), 5);
    confirm(&mut browser, &mails[0].link_path()).await;
    let page = browser.open("/auth/account/email").await;
    assert!(!page.text().contains("not confirmed"), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mail_the_page_says_whom_to_ask() {
    let gateway = TestGateway::with("routes: [{ path: /, upstream: sample }]").user("alice", &[]).start().await;
    let mut browser = signed_in(&gateway).await;
    let page = browser.open("/auth/account/email").await;
    assert!(page.status == 200 && page.text().contains("Ask its administrator"), "{}", page.text());
    assert!(!page.text().contains("<form"));
}

/// A link is alive for a day, wherever the clock says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_a_day_old_is_answered_with_what_to_do() {
    let gateway = with_mail(TestGateway::with(YAML)).manual_clock().start().await;
    let mut browser = gateway.browser();
    register(&mut browser, "zoe", "zoe@example.com").await;
    let link = Mailbox::of(&gateway).next_to("zoe@example.com").await.link_path();
    let page = browser.open(&link).await;
    gateway.advance(Duration::from_hours(24));
    let late = browser.submit(&page, &[]).await;
    assert_eq!(late.status, 400);
    assert!(late.text().contains("sign in: you get a new link"), "{}", late.text());
}
