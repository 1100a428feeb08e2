//! Mails: what they are like, and that each arrives.

mod command;
mod outage;
mod smtp;

use crate::support::gateway::TestGateway;
use crate::support::mailbox::{Mailbox, with_mail};
use portcullis::client::Client;
use portcullis::mail::{Asked, Letter};

const PLAIN: &str = "routes: [{ path: /, upstream: sample }]";

fn test_to(address: &str) -> Letter {
    Letter::Test { address: address.to_owned() }
}

/// Contract 4, Mails: text and HTML, `Message-ID`, `Auto-Submitted`
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_the_headers_that_programs_go_by_and_two_texts() {
    let gateway = with_mail(TestGateway::with(PLAIN)).start().await;
    gateway.app().outbox.post(&test_to("Ann@Example.com")).await.unwrap();
    let mail = Mailbox::of(&gateway).next().await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("Ann@example.com", "Portcullis: a test"));
    assert!(mail.text.contains("This is a test"), "{}", mail.text);
    assert!(mail.html.contains("This is a test"), "{}", mail.html);
    for (name, value) in [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All"), ("MIME-Version", "1.0")] {
        assert_eq!(mail.header(name), [value], "{}", mail.raw);
    }
    let id = mail.header("Message-ID");
    assert!(id.len() == 1 && id[0].ends_with("@localhost>"), "{id:?}");
    assert!(mail.raw.contains("Date: ") && mail.raw.contains("From: Portcullis <no-reply@localhost>"), "{}", mail.raw);
    assert!(!mail.raw.contains("In-Reply-To"), "{}", mail.raw);
}

/// Contract 4: a letter for nobody costs the same and becomes no mail
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_for_nobody_is_dropped() {
    let gateway = with_mail(TestGateway::with(PLAIN)).start().await;
    let asked = Asked::by(&Client::default(), gateway.app().clock.now());
    let letter = Letter::AddressTaken { address: "nobody@example.com".to_owned(), base: None, asked };
    gateway.app().outbox.post(&letter).await.unwrap();
    assert!(Mailbox::of(&gateway).rest(&gateway).await.is_empty());
}

/// Contract 4: who asked is told, without a word that the asker chose
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_says_who_asked_in_words_of_ours() {
    let gateway = with_mail(TestGateway::with(PLAIN)).user("ann", &[]).manual_clock().start().await;
    let ann = gateway.app().administration.find("ann").await.unwrap();
    let user_agent = "Mozilla/5.0 (X11; Linux x86_64; https://evil.test <b>) Firefox/140.0\u{202e}".to_owned();
    let client = Client { address: Some([203, 0, 113, 7].into()), user_agent, ..Client::default() };
    let asked = Asked::by(&client, gateway.app().clock.now());
    gateway.app().outbox.post(&Letter::NewSignIn { account: ann.id, asked }).await.unwrap();
    let mail = Mailbox::of(&gateway).next().await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ann@example.com", "Portcullis: a new sign-in"));
    for text in [&mail.text, &mail.html] {
        for told in ["Hello ann,", "203.0.113.7", "Firefox on Linux", "1 January 2030, 00:00 UTC"] {
            assert!(text.contains(told), "{told} in {text}");
        }
        assert!(!text.contains("evil") && !text.contains('\u{202e}'), "{text}");
    }
}

/// Contract 4: no user-chosen text outside the recipient's own mail; whoever registers chooses a name, not who reads it
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_greeted_by_name_until_the_address_is_known_to_be_theirs() {
    let gateway = with_mail(TestGateway::with(PLAIN)).set("ACCOUNTS__REGISTRATION", "open").start().await;
    let stranger = serde_json::json!({ "username": "visit-evil.test", "email": "ann@example.com", "password": "Correct-horse-7-battery" });
    assert_eq!(gateway.api().post("/auth/register", &stranger).await.status, 201);
    let account = gateway.app().administration.find("ann@example.com").await.unwrap();
    let asked = Asked::by(&Client::default(), gateway.app().clock.now());
    gateway.app().outbox.post(&Letter::PasswordChanged { account: account.id, asked }).await.unwrap();
    let mail = Mailbox::of(&gateway).next().await;
    assert!(mail.text.starts_with("Hello,") && !mail.raw.contains("evil"), "{}", mail.raw);
}

/// S2.6: the account keeps its lock, though no mail can tell of it
#[tokio::test(flavor = "multi_thread")]
async fn an_account_knows_until_when_it_is_locked_also_where_there_is_no_mail() {
    let gateway = TestGateway::with(PLAIN).user("ann", &[]).manual_clock().start().await;
    let (ann, now) = (gateway.app().administration.find("ann").await.unwrap(), gateway.app().clock.now());
    let until = now.plus(std::time::Duration::from_mins(5));
    let asked = Asked::by(&Client::default(), now);
    gateway.app().outbox.post(&Letter::NewSignIn { account: ann.id, asked: asked.clone() }).await.unwrap();
    gateway.app().outbox.post(&Letter::AccountLocked { account: Some(ann.id), until, asked }).await.unwrap();
    assert!(Mailbox::of(&gateway).rest(&gateway).await.is_empty());
    assert_eq!(gateway.app().administration.find("ann").await.unwrap().locked_until, Some(until));
}
