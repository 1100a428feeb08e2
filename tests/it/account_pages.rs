//! One's own account: profile and password, as the upstream comes to know of them.

use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway, account};
use crate::support::upstream::EchoUpstream;
use http::Method;
use serde_json::json;

const HOSTILE: &str = "\"><svg onload=alert(1)>'&amp;{{7*7}}";

async fn signed_in(upstream: &EchoUpstream) -> (TestGateway, Browser) {
    let gateway = TestGateway::in_front_of(upstream).user("alice", &["staff"]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    (gateway, browser)
}

/// S4.7, contract 3.9: what was changed stands in the very next request's headers, in this session and every other one.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_profile_reaches_the_application_at_once() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut browser) = signed_in(&upstream).await;
    let mut elsewhere = gateway.browser();
    elsewhere.sign_in("/", "alice", PASSWORD).await;
    let page = browser.open("/auth/account").await;
    let fields = [("username", "Alicia"), ("name", "Alice Liddéll, 100%"), ("avatar_url", "https://example.com/a.png")];
    let answer = browser.submit(&page, &fields).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account?saved"));
    let saved = browser.follow(answer).await.text();
    assert!(saved.contains("Your profile is saved.") && saved.contains("value=\"Alicia\"") && saved.contains("Liddéll"), "{saved}");
    for browser in [&mut browser, &mut elsewhere] {
        browser.open("/").await;
        let head = upstream.last().head;
        assert_eq!((head.header("x-user"), head.header("x-user-groups")), (Some("Alicia"), Some("staff")));
        assert_eq!(head.header("x-user-name"), Some("Alice Lidd%C3%A9ll, 100%25"));
    }
    let profile = browser.fetch(Method::GET, "/auth/profile").await.json();
    assert_eq!((&profile["username"], &profile["avatarUrl"]), (&json!("Alicia"), &json!("https://example.com/a.png")));
    let mut again = gateway.browser();
    let page = again.open("/auth/login").await;
    assert_eq!(again.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await.status, 401, "the old name is no name any more");
    assert_eq!(again.submit(&page, &[("username", "alicia"), ("password", PASSWORD)]).await.status, 303);
}

/// S4.7, S4.9; threats I05, I08, I13, E01
#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_cannot_be_taken_is_shown_again_and_changes_nothing() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut browser) = signed_in(&upstream).await;
    gateway.app().administration.add(account("bob", &[])).await.unwrap();
    let page = browser.open("/auth/account").await;
    for (field, value, status) in [
        ("username", "BOB", 409),
        ("username", "admin", 400),
        ("username", "a", 400),
        ("username", "\u{430}lice", 400),
        ("name", "a\r\nX-Role: admin", 400),
        ("name", "a\u{202e}b", 400),
        ("name", "a\u{1b}[31m", 400),
        ("name", "a\0", 400),
        ("avatar_url", "http://example.com/a.png", 400),
        ("avatar_url", "javascript:alert(1)", 400),
        ("avatar_url", "https://user:pass@example.com/", 400),
    ] {
        let answer = browser.submit(&page, &[(field, value)]).await;
        assert_eq!(answer.status, status, "{field} {value:?}");
        assert!(
            answer.text().contains(&format!("id=\"{field}-problem\"")) && answer.text().contains("<title>Error: "),
            "{field} {value:?}"
        );
    }
    let long = "x".repeat(10_000);
    assert_eq!(browser.submit(&page, &[("name", &long)]).await.status, 400);
    let profile = browser.fetch(Method::GET, "/auth/profile").await.json();
    assert_eq!((&profile["username"], &profile["name"], &profile["avatarUrl"]), (&json!("alice"), &json!(null), &json!(null)));
    // What the form does not hold cannot be set by it.
    let body = crate::support::form::Form::all(&page.text())[0].filled(&[("name", "Alice")]);
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    let more = format!("{body}&email=mallory%40example.com&groups=admins&id=0&locked=true");
    assert_eq!(browser.agent.send(Method::POST, &page.url, &headers, more).await.status, 303);
    let profile = browser.fetch(Method::GET, "/auth/profile").await.json();
    assert_eq!(
        (&profile["email"], &profile["groups"], &profile["name"]),
        (&json!("alice@example.com"), &json!(["staff"]), &json!("Alice"))
    );
}

/// threats I07: markup in any value is text wherever it is shown: on the page, in the error, in the header of the application.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_shown_as_text() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut browser) = signed_in(&upstream).await;
    let escaped = |text: &str, page: &str| {
        assert!(!text.contains("<svg") || !text.contains("onload") || !text.contains("<svg onload"), "{page}: {text}");
        assert!(text.contains("&#60;svg onload") || text.contains("&lt;svg onload"), "{page}: {text}");
    };
    let page = browser.open("/auth/account").await;
    let answer = browser.submit(&page, &[("name", HOSTILE)]).await;
    assert_eq!(answer.status, 303, "a display name is anybody's own business");
    escaped(&browser.follow(answer).await.text(), "account");
    browser.open("/").await;
    assert_eq!(upstream.last().head.header("x-user-name"), Some(HOSTILE), "ASCII without % goes as it is");
    for (field, value) in [("username", HOSTILE), ("avatar_url", HOSTILE)] {
        let answer = browser.submit(&page, &[(field, value)]).await;
        assert_eq!(answer.status, 400);
        escaped(&answer.text(), field);
    }
    let mut stranger = gateway.browser();
    let login = stranger.open("/auth/login?rd=/%22%3E%3Csvg%20onload=alert(1)%3E").await;
    assert!(!login.text().contains("<svg onload"), "{}", login.text());
    let answer = stranger.submit(&login, &[("username", HOSTILE), ("password", "x")]).await;
    assert_eq!(answer.status, 401);
    escaped(&answer.text(), "login");
    let nowhere = stranger.open("/auth/%22%3E%3Csvg%20onload=alert(1)%3E").await;
    assert!(nowhere.status == 404 && !nowhere.text().contains("onload"), "{}", nowhere.text());
}

/// Contract 4; ASVS V6.2.3: the current password is asked for, whatever else is right.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_changes_only_for_who_knows_the_current_one() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut browser) = signed_in(&upstream).await;
    let page = browser.open("/auth/account/password").await;
    assert!(page.text().contains("autocomplete=\"username\"") && page.text().contains("autocomplete=\"new-password\""));
    for (current, new, status, field) in [
        ("wrong", "Another-horse-8-battery", 401, "current_password"),
        ("", "Another-horse-8-battery", 401, "current_password"),
        (PASSWORD, "short", 400, "password"),
        (PASSWORD, "alice@example.com", 400, "password"),
        (PASSWORD, "Password1", 400, "password"),
        (PASSWORD, "", 400, "password"),
    ] {
        let answer = browser.submit(&page, &[("current_password", current), ("password", new)]).await;
        assert_eq!(answer.status, status, "{current:?} {new:?}");
        assert!(answer.text().contains(&format!("id=\"{field}-problem\"")), "{new:?}: {}", answer.text());
        assert!(!answer.text().contains(PASSWORD) && (new.len() < 6 || !answer.text().contains(&format!("value=\"{new}\""))));
    }
    assert_eq!(gateway.api().post("/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await.status, 200);
    assert_eq!(browser.open("/").await.status, 200, "nothing has ended");
    let found = browser.open("/.well-known/change-password").await;
    assert_eq!((found.status, found.location()), (302, "/auth/account/password"));
}

/// threats G14, S4.2: passwords are taken exactly as they are, whatever they are made of.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_any_characters_works_by_form_and_by_json() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut browser) = signed_in(&upstream).await;
    let mut current = PASSWORD.to_owned();
    for new in ["  Outer-blanks-1  ", "Pferd-Ümläut-1-🐎🔋", "Zeichen+&=%25;-1\"<>'", "Nul\0inside-123"] {
        let page = browser.open("/auth/account/password").await;
        let answer = browser.submit(&page, &[("current_password", &current), ("password", new)]).await;
        assert_eq!(answer.status, 303, "{new:?}");
        let mut api = gateway.api();
        assert_eq!(api.post("/auth/login", &json!({ "username": "alice", "password": new })).await.status, 200, "{new:?}");
        let trimmed = new.trim();
        if trimmed != new {
            assert_eq!(api.post("/auth/login", &json!({ "username": "alice", "password": trimmed })).await.status, 401, "{new:?}");
        }
        current = new.to_owned();
    }
}

/// Contract 4: nobody is asked to sign in first and comes back; a locked account's session is over, at once.
#[tokio::test(flavor = "multi_thread")]
async fn account_pages_are_for_users_only() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut browser) = signed_in(&upstream).await;
    let mut stranger = gateway.browser();
    for page in ["/auth/account", "/auth/account/password"] {
        let answer = stranger.open(page).await;
        assert_eq!(answer.status, 302);
        assert_eq!(answer.location(), format!("/auth/login?rd={}", page.replace('/', "%2F")));
    }
    for address in ["/auth/profile", "/auth/session"] {
        let answer = stranger.fetch(Method::GET, address).await;
        assert_eq!((answer.status, answer.header("content-type")), (401, Some("application/problem+json")));
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    let account = browser.open("/auth/account").await;
    gateway.app().administration.lock("alice").await.unwrap();
    assert_eq!(browser.submit(&account, &[("name", "Alice")]).await.status, 303);
    assert_eq!(browser.open("/").await.status, 302);
    gateway.app().administration.unlock("alice").await.unwrap();
    browser.sign_in("/", "alice", PASSWORD).await;
    gateway.app().administration.delete("alice").await.unwrap();
    assert_eq!(browser.open("/auth/account").await.status, 302);
    assert_eq!(browser.fetch(Method::GET, "/auth/profile").await.status, 401);
    assert_eq!(browser.open("/").await.status, 302);
}

/// Contract 4, `accounts.rename`
#[tokio::test(flavor = "multi_thread")]
async fn a_name_stays_where_users_may_not_change_theirs() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("alice", &[]).set("ACCOUNTS__RENAME", "false").start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let page = browser.open("/auth/account").await;
    assert!(!page.text().contains("name=\"username\""));
    let body = format!("{}&username=mallory", crate::support::form::Form::all(&page.text())[0].filled(&[("name", "Alice")]));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    browser.agent.send(Method::POST, &page.url, &headers, body).await;
    browser.open("/").await;
    assert_eq!((upstream.last().head.header("x-user"), upstream.last().head.header("x-user-name")), (Some("alice"), Some("Alice")));
}
