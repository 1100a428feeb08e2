//! A forgotten password while the mail server, or the gateway itself, is away: the link arrives all the same, and once.

use super::smtp::{advance_until_none_waits, heard, sending_to};
use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::PASSWORD;
use crate::support::mail_sink::MailSink;
use crate::support::program::{Program, run};
use portcullis::app::App;
use portcullis::clock::{Clock, ManualClock, SystemClock};
use portcullis::config::load_str;
use rustix::process::Signal;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NEW_PASSWORD: &str = "Another-horse-8-battery";

async fn forget(browser: &mut Browser, address: &str) -> Answer {
    let page = browser.open("/auth/forgot").await;
    browser.submit(&page, &[("email", address)]).await
}

/// S1.7, S4.10, threats.md E04
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_asked_for_while_the_mail_server_was_down_arrives_once_and_works() {
    let mut sink = MailSink::start();
    sink.stop();
    let gateway = sending_to(&sink).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    let answer = forget(&mut browser, "ann@example.com").await;
    assert_eq!((answer.status, answer.location()), (303.try_into().unwrap(), "/auth/forgot?sent"));
    gateway.advance(Duration::from_hours(3));
    sink.start_again();
    advance_until_none_waits(&gateway, Duration::from_mins(1)).await;
    let mut mailbox = sink.mailbox();
    let mail = mailbox.next().await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ann@example.com", "Portcullis: set a new password"));
    let page = browser.visit(&mail.link_path()).await;
    let done = browser.submit(&page, &[("password", NEW_PASSWORD)]).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(browser.open("/auth/session").await.status, 200);
    let told: Vec<_> = mailbox.rest(&gateway).await.into_iter().map(|mail| mail.subject).collect();
    assert_eq!(told, ["Portcullis: your password was changed"]);
}

/// threats.md E04, V6.3.8: nothing of the mail server shows in the answer, and nothing of who has an account
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_the_same_and_as_fast_whatever_the_mail_server_does() {
    let mut sink = MailSink::start();
    let gateway = sending_to(&sink).set("ACCOUNTS__RESET__REQUESTS_PER_HOUR", "100").user("ann", &[]).start().await;
    let mut answers = Vec::new();
    for mode in ["ok", "refuse 451", "refuse 550", "hang", "silent", "down"] {
        if mode == "down" {
            sink.stop();
        }
        sink.set_mode(mode);
        for address in ["ann@example.com", "nobody@example.com"] {
            let mut browser = gateway.browser();
            let page = browser.open("/auth/forgot").await;
            let begun = Instant::now();
            let answer = browser.submit(&page, &[("email", address)]).await;
            assert!(begun.elapsed() < Duration::from_secs(2), "{mode} {address}: {:?}", begun.elapsed());
            let shown = browser.follow(answer.clone()).await;
            answers.push((answer.status, answer.location().to_owned(), shown.status, shown.text()));
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

/// Contract 4: queued durably; the letter was being sent when the gateway was killed
#[tokio::test(flavor = "multi_thread")]
async fn a_link_arrives_though_the_gateway_was_killed_between_request_and_delivery() {
    let sink = MailSink::start();
    sink.set_mode("hang");
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let yaml = format!(
        "server: {{ listen: ['127.0.0.1:0'], threads: 1 }}\nadmin: {{ listen: '127.0.0.1:0' }}\nportal: {{ url: 'http://localhost' }}\n\
         email: {{ transport: '{}?tls=none' }}\nroutes: [{{ upstream: sample }}]\n",
        sink.url("smtp", "127.0.0.1")
    );
    std::fs::write(folder.path().join("portcullis.yaml"), &yaml).unwrap();
    let added = run(folder.path(), &["user", "add", "ann", "--email", "ann@example.com"], &format!("{PASSWORD}\n")).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    let mut program = Program::start(folder.path(), &["serve"]);
    let origin = program.announced(&["listening", "admin"]).await["listening"].clone();
    assert_eq!(forget(&mut Browser::new(&origin), "ann@example.com").await.status, 303);
    heard(&sink, "RCPT TO:<ann@example.com>").await;
    program.signal(Signal::KILL);
    program.ended().await;

    sink.set_mode("ok");
    let settings = load_str(&yaml, folder.path(), &[]).unwrap().settings;
    let clock = Arc::new(ManualClock::at(SystemClock.now().plus(Duration::from_mins(1))));
    let again = App::open(Arc::new(settings), clock).unwrap();
    again.start().unwrap();
    let mail = sink.mailbox().next().await;
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ann@example.com", "Portcullis: set a new password"));
    assert_eq!(mail.token().len(), 43);
}
