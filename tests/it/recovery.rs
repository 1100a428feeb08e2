//! Forgotten passwords, from the page that asks for a link to the new password. Mails are read from the folder that they are
//! written to.

mod api;
mod limits;
mod links;
mod secrecy;

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::mailbox::Mailbox;
use crate::support::program::Program;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use futures_util::future::join_all;
use http::Method;
use rustix::process::Signal;
use std::time::Duration;
use tempfile::TempDir;

const NEW: &str = "New-otter-5-harbour";

/// With mail, and without a memory of sessions that have ended.
fn mailing(builder: Builder) -> Builder {
    builder.set("EMAIL__TRANSPORT", "file:mails").set("SESSIONS__CACHE", "0s")
}

/// Asks for a link, as whoever forgot their password does.
async fn ask(browser: &mut Browser, address: &str) -> Answer {
    let page = browser.open("/auth/forgot").await;
    browser.submit(&page, &[("email", address)]).await
}

/// Path and query of the next link to this address.
async fn next_link(mailbox: &mut Mailbox, address: &str) -> String {
    loop {
        let mail = mailbox.next_to(address).await;
        if mail.text.contains("/auth/reset?token=") {
            return mail.link_path();
        }
    }
}

/// Asks for a link and waits for it.
async fn link(gateway: &TestGateway, mailbox: &mut Mailbox, address: &str) -> String {
    let asked = ask(&mut gateway.browser(), address).await;
    assert_eq!((asked.status, asked.location()), (303, "/auth/forgot?sent"));
    next_link(mailbox, address).await
}

/// Opens a link and sets the password; a redirect is returned, not followed.
async fn set_password(browser: &mut Browser, link: &str, password: &str) -> Answer {
    let page = browser.visit(link).await;
    assert_eq!(page.status, 200, "{}", page.text());
    browser.submit(&page, &[("password", password)]).await
}

async fn can_sign_in(gateway: &TestGateway, username: &str, password: &str) -> bool {
    let mut browser = gateway.browser();
    let page = browser.open("/auth/login").await;
    browser.submit(&page, &[("username", username), ("password", password)]).await.status == 303
}

/// Whether the page says that the link is dead.
fn is_dead(answer: &Answer) -> bool {
    answer.status == 400 && answer.text().contains("This link no longer works") && answer.text().contains("/auth/forgot")
}

/// S0.6, S1.3, S2.5, S4.6; threats P13, S01, S04
#[tokio::test(flavor = "multi_thread")]
async fn whoever_forgot_their_password_sets_a_new_one_by_a_mailed_link_and_is_signed_in() {
    let upstream = EchoUpstream::start().await;
    let gateway = mailing(TestGateway::in_front_of(&upstream)).user("ann", &["staff"]).user("bob", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let (mut elsewhere, mut here) = (gateway.browser(), gateway.browser());
    elsewhere.sign_in("/", "ann", PASSWORD).await;
    here.sign_in("/", "bob", PASSWORD).await;
    let bobs = here.agent.cookies.get("portcullis").unwrap().value.clone();

    let login = here.open("/auth/login?switch").await;
    assert!(login.text().contains(r#"href="/auth/forgot""#));
    let answer = ask(&mut here, " Ann@Example.com ").await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/forgot?sent"));
    assert!(here.follow(answer).await.text().contains("If there is an account with that address"));

    let link = next_link(&mut mailbox, "ann@example.com").await;
    let opened = here.open(&link).await;
    assert_eq!((opened.status, opened.location()), (303, "/auth/reset"));
    let page = here.follow(opened).await;
    assert!(page.text().contains(r#"value="ann" autocomplete="username" hidden"#), "{}", page.text());
    assert!(page.text().contains(r#"autocomplete="new-password""#) && !page.text().contains(link.split_once('=').unwrap().1));
    let answer = here.submit(&page, &[("password", NEW)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/"));
    assert!(here.agent.cookies.get("portcullis-reset").is_none());
    let anns = here.agent.cookies.get("portcullis").unwrap().value.clone();
    assert_ne!(anns, bobs);
    here.follow(answer).await;
    assert_eq!(upstream.last().head.header("x-user"), Some("ann"));

    assert_eq!(elsewhere.open("/").await.status, 302, "every other session has ended");
    let url = here.url("/auth/session");
    let mut former = gateway.browser();
    former.agent.cookies.plant(&url, "portcullis", &bobs);
    assert_eq!(former.open("/").await.status, 302, "the one that was replaced, too");
    assert!(!can_sign_in(&gateway, "ann", PASSWORD).await && can_sign_in(&gateway, "ann", NEW).await);
    let told = mailbox.next_to("ann@example.com").await;
    assert!(told.subject.to_lowercase().contains("password"), "{}", told.subject);
    assert!(is_dead(&here.visit(&link).await));
}

/// Contract 1, `demo`: the whole way with nothing installed.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_demo_a_password_is_set_by_the_mail_that_it_shows() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let mut program = Program::start(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let announced = program.announced(&["url", "password"]).await;
    let mut browser = Browser::new(&announced["url"]);
    assert_eq!(ask(&mut browser, "demo@example.com").await.location(), "/auth/forgot?sent");
    let mail = within_patience("the mail", async {
        loop {
            let mails = browser.open("/.demo/mail").await.text();
            if let Some((_, rest)) = mails.split_once("/auth/reset?token=") {
                return format!("/auth/reset?token={}", &rest[..43]);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let link = mail.await;
    assert_eq!(set_password(&mut browser, &link, NEW).await.location(), "/");
    assert_eq!(browser.open("/").await.status, 200);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await, Some(0));
}

/// threats P04, ASVS V15.4.2
#[tokio::test(flavor = "multi_thread")]
async fn of_50_forms_with_one_token_at_once_exactly_one_sets_its_password() {
    let upstream = EchoUpstream::start().await;
    let gateway = mailing(TestGateway::in_front_of(&upstream)).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut browser = gateway.browser();
    let page = browser.visit(&link(&gateway, &mut mailbox, "ann@example.com").await).await;
    let posts = (0..50).map(|number| {
        let (origin, cookies, page) = (gateway.origin(), browser.agent.cookies.clone(), page.clone());
        async move {
            let mut browser = Browser::new(&origin);
            browser.agent.cookies = cookies;
            let answer = browser.submit(&page, &[("password", &format!("{NEW}-{number}"))]).await;
            (number, answer.status, browser.agent.cookies.get("portcullis").is_some())
        }
    });
    let answers = join_all(posts).await;
    let winners: Vec<_> = answers.iter().filter(|(_, status, _)| *status == 303).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|(_, status, signed_in)| *signed_in == (*status == 303)), "{answers:?}");
    assert!(can_sign_in(&gateway, "ann", &format!("{NEW}-{}", winners[0].0)).await);
}

/// S0.6: what is wrong is told, and the link goes on working.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_not_good_enough_is_told_and_spends_nothing() {
    let gateway = mailing(TestGateway::with("routes: [{ path: /, upstream: sample }]")).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut browser = gateway.browser();
    let page = browser.visit(&link(&gateway, &mut mailbox, "ann@example.com").await).await;
    for bad in ["", "short", "Password1"] {
        let answer = browser.submit(&page, &[("password", bad)]).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.text().contains(r#"id="password-problem""#) && !answer.text().contains("Password1"), "{}", answer.text());
    }
    assert_eq!(browser.submit(&page, &[("password", NEW)]).await.status, 303);
}

/// threats F01, F02: another site must not make a browser set a password, or ask for mails.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_not_from_our_page_does_nothing() {
    let gateway = mailing(TestGateway::with("routes: [{ path: /, upstream: sample }]")).user("ann", &[]).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut browser = gateway.browser();
    let link = link(&gateway, &mut mailbox, "ann@example.com").await;
    let token = link.split_once('=').unwrap().1;
    browser.visit(&link).await;
    let body = format!("password={NEW}&token={token}");
    for (address, body) in [("/auth/reset", body.as_str()), ("/auth/forgot", "email=ann%40example.com")] {
        for headers in
            [[("sec-fetch-site", "cross-site"), ("accept", "text/html")], [("sec-fetch-site", "same-origin"), ("accept", "text/html")]]
        {
            let headers = [headers[0], headers[1], ("content-type", "application/x-www-form-urlencoded")];
            let url = browser.url(address);
            let answer = browser.agent.send(Method::POST, &url, &headers, body.to_owned()).await;
            assert_eq!(answer.status, 403, "{address} {headers:?}");
        }
        let url = browser.url(address);
        let answer = browser.agent.send(Method::POST, &url, &[("content-type", "application/json")], "{}").await;
        assert_eq!(answer.status, 415, "{address}");
    }
    assert!(can_sign_in(&gateway, "ann", PASSWORD).await);
    let rest = mailbox.rest(&gateway).await;
    assert!(rest.iter().all(|mail| !mail.text.contains("/auth/reset")), "no other mail was asked for");
}

/// ux.md, contract 2: a site that sends no mail says whom to ask, and promises nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_site_without_mail_says_whom_to_ask() {
    let gateway = TestGateway::with("routes: [{ path: /, upstream: sample }]").user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    for page in ["/auth/forgot", "/auth/forgot?sent"] {
        let answer = browser.open(page).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("Ask its administrator") && !answer.text().contains("<form"), "{}", answer.text());
    }
}
