//! `portcullis mail render` and the demo's catcher.

use crate::support::browser::Browser;
use crate::support::program::{Program, address, run};
use crate::support::raw::Raw;
use crate::support::within_patience;
use rustix::process::Signal;
use tempfile::TempDir;

/// Contract 1, `mail render`
#[tokio::test(flavor = "multi_thread")]
async fn mail_render_writes_every_mail_as_text_and_as_html() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    std::fs::write(folder.path().join("portcullis.yaml"), "ui: { title: Wiki }\nroutes: [{ upstream: sample }]").unwrap();
    let rendered = run(folder.path(), &["mail", "render", "out/mails"], "").await;
    assert_eq!((rendered.code, rendered.stdout.as_str()), (Some(0), "9 mails written to out/mails\n"), "{rendered:?}");
    let read = |name: &str| std::fs::read_to_string(folder.path().join("out/mails").join(name)).unwrap();
    assert!(read("password-reset.txt").contains("https://auth.example.com/auth/reset?token="), "{}", read("password-reset.txt"));
    assert!(read("invitation.html").contains("invited to make an account at Wiki"), "{}", read("invitation.html"));
    assert_eq!(std::fs::read_dir(folder.path().join("out/mails")).unwrap().count(), 18);
    assert!(!folder.path().join("portcullis.db").exists(), "pictures of mails need no store");
    let refused = run(folder.path(), &["mail", "render", "portcullis.yaml"], "").await;
    assert_eq!((refused.code, refused.stderr.lines().count()), (Some(1), 1), "{refused:?}");
}

/// Contract 1, `demo`: mails are printed, and listed to this machine under a name of its own
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_its_mails_and_lists_them() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let mut program = Program::start(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let printed = program.announced(&["url", "username", "password"]).await;
    let url = printed["url"].trim_end_matches('/').to_owned();
    let mut browser = Browser::new(&url);
    assert!(browser.open("/.demo/mail").await.text().contains("There is none yet"));
    let page = browser.open("/auth/forgot").await;
    assert_eq!(browser.submit(&page, &[("email", "demo@example.com")]).await.status, 303);
    let mail = program.announced(&["mail to demo@example.com"]).await;
    assert!(mail.contains_key("mail to demo@example.com"));
    let listed = within_patience("the mail to be listed", async {
        loop {
            let page = browser.open("/.demo/mail").await;
            if page.text().contains("Portcullis: set a new password") {
                return page;
            }
        }
    })
    .await;
    let text = listed.text();
    let link = text.split('"').find(|part| part.contains("/auth/reset?token=")).unwrap_or_else(|| panic!("no link in {text}"));
    assert!(link.starts_with(&url), "{link} leads to {url}");
    let form = browser.visit(link).await;
    assert!(form.status == 200 && form.text().contains("for <strong>demo</strong>"), "{}", form.text());
    for host in ["evil.test", "192.0.2.1"] {
        let answer = Raw::exchange(address(&url), format!("GET /.demo/mail HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status(), 404, "{host}");
    }
    program.signal(Signal::INT);
    assert_eq!(program.ended().await, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
