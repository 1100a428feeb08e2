//! Mails given to a real mail server, and what becomes of them when it does not take them.

use super::{PLAIN, test_to};
use crate::support::certificate::Certificate;
use crate::support::gateway::{Builder, TestGateway};
use crate::support::mail_sink::MailSink;
use crate::support::mailbox::Mailbox;
use crate::support::program::{Finished, run_with};
use crate::support::{until, within_patience};
use portcullis::mail::Letter;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A gateway on a manual clock that gives its mails to this server.
pub(super) fn sending_to(sink: &MailSink) -> Builder {
    let transport = format!("{}?tls=none", sink.url("smtp", "127.0.0.1"));
    TestGateway::with(PLAIN).manual_clock().set("EMAIL__TRANSPORT", &transport).set("PORTAL__URL", "http://localhost")
}

/// Waits until something was said to the server.
pub(super) async fn heard(sink: &MailSink, words: &str) {
    until(words, async || sink.wire().contains(words)).await;
}

/// Moves the clock a little again and again until no letter waits.
pub(super) async fn advance_until_none_waits(gateway: &TestGateway, by: Duration) {
    within_patience("no letter to wait", async {
        while gateway.app().outbox.depth().await.unwrap() > 0 {
            gateway.advance(by);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// S4.10, threats.md E02
#[tokio::test(flavor = "multi_thread")]
async fn a_server_gets_one_message_for_one_recipient() {
    let sink = MailSink::start();
    let gateway = sending_to(&sink).set("UI__TITLE", "\". MAIL FROM:<x@y>\"").start().await;
    let link = "https://localhost/x\r\n.\r\nMAIL FROM:<evil@evil.test>\r\nRCPT TO:<evil@evil.test>\r\n".to_owned();
    let until = gateway.app().clock.now();
    gateway.app().outbox.post(&Letter::Invitation { address: "ann@bücher.example".to_owned(), link, until }).await.unwrap();
    let mail = sink.mailbox().next().await;
    assert_eq!(mail.to, "ann@xn--bcher-kva.example");
    let wire = sink.wire();
    assert!(wire.starts_with("EHLO localhost\r\n") && wire.contains("MAIL FROM:<no-reply@localhost>"), "{wire}");
    assert!(mail.text.replace('\r', "").contains("\n.\nMAIL FROM:<evil@evil.test>"), "it is the text's: {}", mail.raw);
    assert!(wire.contains("RCPT TO:<ann@xn--bcher-kva.example>"), "{wire}");
}

/// S1.7, threats.md E04: a server that is down, or says "later", gets the mail when it is back, and once
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_once_when_the_server_is_back() {
    let mut sink = MailSink::start();
    sink.set_mode("refuse 451");
    let gateway = sending_to(&sink).start().await;
    gateway.app().outbox.post(&test_to("ann@example.com")).await.unwrap();
    heard(&sink, "RCPT TO").await;
    sink.stop();
    for _ in 0..5 {
        gateway.advance(Duration::from_mins(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(gateway.app().outbox.depth().await.unwrap(), 1);
    sink.set_mode("ok");
    sink.start_again();
    advance_until_none_waits(&gateway, Duration::from_mins(1)).await;
    let mut mailbox = sink.mailbox();
    assert_eq!(mailbox.next().await.to, "ann@example.com");
    gateway.advance(Duration::from_hours(25));
    assert!(mailbox.rest(&gateway).await.is_empty());
}

/// S1.7, contract 4: erased when given up
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_a_day_is_given_up() {
    let sink = MailSink::start();
    sink.set_mode("refuse 450");
    let gateway = sending_to(&sink).start().await;
    gateway.app().outbox.post(&test_to("ann@example.com")).await.unwrap();
    // Small steps: the pauses between attempts are minutes, and a day must not pass before the second.
    within_patience("a second attempt", async {
        while sink.wire().matches("RCPT TO").count() < 2 {
            gateway.advance(Duration::from_mins(1));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    advance_until_none_waits(&gateway, Duration::from_mins(30)).await;
    sink.set_mode("ok");
    gateway.app().outbox.post(&test_to("bob@example.com")).await.unwrap();
    let mut mailbox = sink.mailbox();
    assert_eq!(mailbox.next().await.to, "bob@example.com");
    assert!(mailbox.rest(&gateway).await.is_empty());
}

/// S1.7, threats.md E04: what a server refuses for good is not offered again
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_refused_for_good_is_given_up_at_once() {
    let sink = MailSink::start();
    sink.set_mode("refuse 550");
    let gateway = sending_to(&sink).start().await;
    gateway.app().outbox.post(&test_to("ann@example.com")).await.unwrap();
    assert!(sink.mailbox().rest(&gateway).await.is_empty());
    sink.set_mode("ok");
    gateway.app().outbox.post(&test_to("bob@example.com")).await.unwrap();
    assert_eq!(sink.mailbox().next().await.to, "bob@example.com");
    assert_eq!(sink.wire().matches("RCPT TO:<ann").count(), 1);
}

/// threats.md E04: a server that hangs holds up neither whoever posts a letter nor a stop
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_holds_up_nobody() {
    let sink = MailSink::start();
    sink.set_mode("hang");
    let gateway = sending_to(&sink).start().await;
    gateway.app().outbox.post(&test_to("ann@example.com")).await.unwrap();
    heard(&sink, "RCPT TO").await;
    let begun = Instant::now();
    for _ in 0..10 {
        gateway.app().outbox.post(&test_to("bob@example.com")).await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let begun = Instant::now();
    gateway.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// A server that proves itself by a certificate for `names`, and one that the program is told to trust it by.
struct Secured {
    folder: TempDir,
    certificate: Certificate,
}

const LOGIN: &str = "gate:Correct-horse-7-battery";

impl Secured {
    fn by_certificate_for(name: &str) -> Self {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let certificate = Certificate::new(folder.path(), &[name]);
        Self { folder, certificate }
    }

    fn sink(&self, kind: &str) -> MailSink {
        MailSink::start_with_tls(kind, &self.certificate, &["--login", LOGIN])
    }

    /// `portcullis mail test` with a login, trusting the certificate.
    async fn mail_test(&self, transport: &str, password: &str) -> Finished {
        let yaml = "portal: { url: 'http://localhost' }\nserver: { listen: ['127.0.0.1:0'] }\nroutes: [{ upstream: sample }]\n\
                    email: { from: gate@example.com, username: gate }\n";
        std::fs::write(self.folder.path().join("portcullis.yaml"), yaml).unwrap();
        let trusted = self.certificate.chain.to_str().unwrap();
        let environment =
            [("SSL_CERT_FILE", trusted), ("PORTCULLIS__EMAIL__TRANSPORT", transport), ("PORTCULLIS__EMAIL__PASSWORD", password)];
        let finished = run_with(self.folder.path(), &["mail", "test", "ann@example.com"], &environment, "").await;
        assert!(!finished.stderr.contains("Correct-horse") && !finished.stdout.contains("Correct-horse"), "{finished:?}");
        assert!(!self.folder.path().join("portcullis.db").exists(), "a test of mail needs no store");
        finished
    }
}

/// Contract 1, `mail test`; contract 2, `smtp://` and `smtps://`
#[tokio::test(flavor = "multi_thread")]
async fn mail_test_signs_in_over_starttls_and_over_tls_at_once() {
    let secured = Secured::by_certificate_for("localhost");
    for (kind, scheme) in [("starttls", "smtp"), ("implicit", "smtps")] {
        let sink = secured.sink(kind);
        let finished = secured.mail_test(&sink.url(scheme, "localhost"), "Correct-horse-7-battery").await;
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "sent to ann@example.com\n"), "{finished:?}");
        assert_eq!(sink.mailbox().next().await.to, "ann@example.com");
        assert!(sink.wire().contains("AUTH "), "{}", sink.wire());
    }
}

/// Contract 1, `mail test`: it says what the server said
#[tokio::test(flavor = "multi_thread")]
async fn mail_test_says_why_a_mail_was_not_taken() {
    let secured = Secured::by_certificate_for("localhost");
    let sink = secured.sink("starttls");
    let transport = sink.url("smtp", "localhost");
    let wrong = secured.mail_test(&transport, "Wrong-horse-7-battery").await;
    assert_eq!((wrong.code, wrong.stderr.lines().count()), (Some(1), 1), "{wrong:?}");
    assert!(wrong.stderr.contains("535") && wrong.stderr.contains("email.username"), "{wrong:?}");
    sink.set_mode("refuse 550");
    let refused = secured.mail_test(&transport, "Correct-horse-7-battery").await;
    assert!(refused.code == Some(1) && refused.stderr.contains("550") && refused.stderr.contains("not this one"), "{refused:?}");
    assert!(!refused.stderr.contains('\x1b'), "{refused:?}");
    drop(sink);
    let down = secured.mail_test(&transport, "Correct-horse-7-battery").await;
    assert!(down.code == Some(1) && down.stderr.contains("refused") && down.stderr.lines().count() == 1, "{down:?}");
    let none = secured.mail_test("null", "Correct-horse-7-battery").await;
    assert!(none.code == Some(1) && none.stderr.contains("email.transport"), "{none:?}");
    let address = secured.mail_test("smtp://localhost:1", "x").await;
    assert_eq!(address.code, Some(1), "{address:?}");
}

/// threats.md E05, V12.3.2: a network that strips STARTTLS gets neither the login nor the mail
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_starttls_gets_no_credentials_and_no_mail() {
    let secured = Secured::by_certificate_for("localhost");
    let sink = MailSink::start_with(&["--login", LOGIN]);
    let finished = secured.mail_test(&sink.url("smtp", "localhost"), "Correct-horse-7-battery").await;
    assert!(finished.code == Some(1) && finished.stderr.contains("STARTTLS"), "{finished:?}");
    let wire = sink.wire();
    assert!(wire.starts_with("EHLO ") && !wire.contains("AUTH") && !wire.contains("MAIL"), "{wire}");
}

/// threats.md E05, RUSTSEC-2026-0141: a certificate of another name, though its authority is trusted
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_hosts_certificate_gets_no_credentials_and_no_mail() {
    let secured = Secured::by_certificate_for("other.test");
    for (kind, scheme) in [("starttls", "smtp"), ("implicit", "smtps")] {
        let sink = secured.sink(kind);
        let finished = secured.mail_test(&sink.url(scheme, "localhost"), "Correct-horse-7-battery").await;
        assert!(finished.code == Some(1) && finished.stderr.contains("certificate"), "{finished:?}");
        let wire = sink.wire();
        assert!(!wire.contains("AUTH") && !wire.contains("MAIL"), "{wire}");
    }
}

/// Contract 4: of several gateways on one store, one sends each letter
#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_on_one_store_send_each_letter_once() {
    let sink = MailSink::start();
    let store = TempDir::with_prefix("portcullis-test-").unwrap();
    let database = format!("sqlite:{}", store.path().join("users.db").display());
    let gateway =
        || sending_to(&sink).set("STORES__USERS", &database).set("SECRET", "a secret for both, long enough for all of it").start();
    let (one, other) = (gateway().await, gateway().await);
    for number in 0..20 {
        let gateway = if number % 2 == 0 { &one } else { &other };
        gateway.app().outbox.post(&test_to(&format!("user{number}@example.com"))).await.unwrap();
    }
    let mut mailbox: Mailbox = sink.mailbox();
    let mut recipients: Vec<_> = mailbox.rest(&one).await.into_iter().map(|mail| mail.to).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!((recipients.len(), sink.wire().matches("RCPT TO").count()), (20, 20));
}
