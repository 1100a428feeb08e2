//! Mails: what they are like, and that each arrives.

use crate::support::gateway::TestGateway;
use crate::support::mailbox::{Mailbox, with_mail};
use portcullis::mail::Letter;

const PLAIN: &str = "routes: [{ path: /, upstream: sample }]";

/// Contract 4, Mails: text and HTML, `Message-ID`, `Auto-Submitted`
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_the_headers_that_programs_go_by_and_two_texts() {
    let gateway = with_mail(TestGateway::with(PLAIN)).start().await;
    gateway.app().outbox.post(&Letter::Test { address: "Ann@Example.com".to_owned() }).await.unwrap();
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
    let client = portcullis::client::Client::default();
    let asked = portcullis::mail::Asked::by(&client, gateway.app().clock.now());
    let letter = Letter::AddressTaken { address: "nobody@example.com".to_owned(), base: None, asked };
    gateway.app().outbox.post(&letter).await.unwrap();
    assert!(Mailbox::of(&gateway).rest(&gateway).await.is_empty());
}
