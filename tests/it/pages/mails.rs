//! Mails as a mail program that shows HTML shows them, and the demo's list of them.

use super::accessibility::Inspection;
use crate::support::browser::Browser;
use crate::support::chromium::{Chromium, Options};
use crate::support::program::{Program, run};
use tempfile::TempDir;

/// ux.md 1.5: light and dark, on a phone and a desk
#[tokio::test(flavor = "multi_thread")]
async fn every_mail_is_accessible_in_both_looks_and_on_a_phone() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    std::fs::write(folder.path().join("portcullis.yaml"), "routes: [{ upstream: sample }]").unwrap();
    assert_eq!(run(folder.path(), &["mail", "render", "mails"], "").await.code, Some(0));
    let browser = Chromium::start(Options::default()).await;
    let mut visit = Inspection { browser, origin: format!("file://{}/mails/", folder.path().display()), problems: Vec::new() };
    for mail in ["password-reset", "account-locked", "new-sign-in", "confirm-email", "address-taken", "invitation", "test"] {
        visit.open(&format!("mail-{mail}"), &format!("{mail}.html")).await;
    }
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}

/// Contract 1, `demo`
#[tokio::test(flavor = "multi_thread")]
async fn the_demos_list_of_mails_is_accessible() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let mut program = Program::start(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let origin = program.announced(&["url", "username", "password"]).await["url"].trim_end_matches('/').to_owned();
    let browser = Chromium::start(Options::default()).await;
    let mut visit = Inspection { browser, origin: origin.clone(), problems: Vec::new() };
    visit.open("demo-mail-none", "/.demo/mail").await;
    let mut asking = Browser::new(&origin);
    for _ in 0..2 {
        let page = asking.open("/auth/forgot").await;
        assert_eq!(asking.submit(&page, &[("email", "demo@example.com")]).await.status, 303);
        program.announced(&["mail to demo@example.com"]).await;
    }
    visit.open("demo-mail", "/.demo/mail").await;
    assert!(visit.title().await.starts_with("Mails of the demo"), "{}", visit.title().await);
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}
