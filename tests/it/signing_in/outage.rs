//! The session store fails: what is protected stays shut, and nobody is told to sign in again (threats B22).

use super::{csrf, session_cookie, try_to_sign_in};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::Method;
use rusqlite::Connection;
use serde_json::json;

/// Takes the table of sessions away, as another program or a broken disk could, or gives it back.
fn rename_table(gateway: &TestGateway, from: &str, to: &str) {
    let connection = Connection::open(gateway.folder().join("portcullis.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA busy_timeout = 5000; ALTER TABLE {from} RENAME TO {to};")).unwrap();
}

/// Contract 3.9, 4; threats B22
#[tokio::test(flavor = "multi_thread")]
async fn while_the_session_store_fails_everything_protected_is_unavailable_and_nothing_is_lost() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "sessions: {{ cache: 0s }}\nroutes: [{{ path: /, upstream: \"{}\" }}]\naccess: {{ rules: [{{ path: /public, allow: public }}] }}",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let cookie = session_cookie(&browser);
    let (logout, password) = (browser.open("/auth/logout").await, browser.open("/auth/account/password").await);
    let seen = upstream.seen();

    rename_table(&gateway, "sessions", "elsewhere");
    for page in ["/", "/auth/account", "/auth/account/password", "/auth/logout", "/auth/login", "/auth/session", "/auth/profile"] {
        let answer = browser.open(page).await;
        assert_eq!(answer.status, 503, "{page}");
        assert!(answer.header("retry-after").is_some() && answer.header("location").is_none(), "{page}");
    }
    assert_eq!(browser.fetch(Method::GET, "/data").await.status, 503);
    assert_eq!(upstream.seen(), seen, "what cannot be decided is not let through");
    assert_eq!(browser.open("/public/page").await.status, 200);
    assert!(upstream.last().head.header("x-user").is_none());
    assert_eq!(gateway.browser().open("/").await.status, 302, "who has no cookie is nobody, store or not");

    let answer = browser.submit(&logout, &[("csrf", &csrf(&logout))]).await;
    assert_eq!(answer.status, 503, "what did not end is not said to have ended");
    let answer = browser.submit(&password, &[("current_password", PASSWORD), ("password", "Another-horse-8-battery")]).await;
    assert_eq!(answer.status, 503);
    assert_eq!(session_cookie(&browser), cookie);
    let mut other = gateway.browser();
    let answer = try_to_sign_in(&mut other, "/auth/login", "alice", PASSWORD).await;
    assert!(answer.status == 503 && answer.header("retry-after").is_some() && session_cookie(&other).is_none(), "{}", answer.status);
    assert!(answer.text().contains("try again") && answer.text().contains("value=\"alice\""), "{}", answer.text());
    let answer = gateway.api().post("/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await;
    assert_eq!((answer.status, &answer.json()["type"]), (503, &json!("urn:portcullis:unavailable")));

    rename_table(&gateway, "elsewhere", "sessions");
    assert_eq!(browser.open("/").await.status, 200, "the same session goes on");
    assert_eq!(try_to_sign_in(&mut other, "/auth/login", "alice", PASSWORD).await.status, 303);
}
