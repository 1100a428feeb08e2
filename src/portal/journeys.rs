//! Whole journeys through the portal's router.

use super::testing::site::{Answer, PASSWORD, Site, attribute};
use crate::config::Registration;
use axum::body::Body;
use http::header::SET_COOKIE;
use http::{Method, Request, StatusCode};
use std::time::Duration;
use tower::ServiceExt as _;

/// S0.2, S1.1
#[tokio::test]
async fn signing_in_leads_to_the_page_asked_for() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let answer = browser.sign_in("/auth/login?rd=%2Fwiki%3Fa%3D1%26b%3D2").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/wiki?a=1&b=2"));
    assert!(browser.session_cookie().is_some());
    assert_eq!(browser.sign_in("/auth/login?switch").await.location(), "/landing");
}

#[tokio::test]
async fn who_is_signed_in_skips_the_login_page_unless_they_switch() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    browser.sign_in("/auth/login").await;
    let answer = browser.get("/auth/login?rd=/x").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/x"));
    let answer = browser.get("/auth/login?rd=/x&switch").await;
    assert!(answer.status == StatusCode::OK && answer.body.contains("You are signed in as <strong>alice</strong>"));
}

/// threats.md S01
#[tokio::test]
async fn signing_in_again_replaces_the_session() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    browser.sign_in("/auth/login").await;
    let mut old = site.browser();
    old.jar = browser.jar.clone();
    browser.sign_in("/auth/login?switch").await;
    assert_ne!(browser.session_cookie(), old.session_cookie());
    assert_eq!(old.get("/auth/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(browser.get("/auth/session").await.status, StatusCode::OK);
}

/// S1.2, threats.md G01
#[tokio::test]
async fn a_failed_login_is_the_same_page_whatever_was_wrong() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let wrong = browser.fill("/auth/login", &[("username", "alice"), ("password", "wrong"), ("remember", "on")]).await;
    let unknown = browser.fill("/auth/login", &[("username", "nobody"), ("password", "wrong"), ("remember", "on")]).await;
    assert_eq!((wrong.status, unknown.status), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    assert_eq!(wrong.body.replace("\"alice\"", "NAME"), unknown.body.replace("\"nobody\"", "NAME"));
    assert!(wrong.body.contains("value=\"alice\"") && !wrong.body.contains("wrong\""));
    assert_eq!(wrong.headers["www-authenticate"], "Bearer realm=\"portcullis\"");
}

/// threats.md F01, F02, F05
#[tokio::test]
async fn a_form_of_another_site_or_without_token_does_nothing() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let fields = [("username", "alice"), ("password", PASSWORD)];
    let answer = browser.post("/auth/login", &fields).await;
    assert!(answer.status == StatusCode::FORBIDDEN && answer.body.contains("value=\"alice\"") && !answer.body.contains(PASSWORD));
    assert!(browser.session_cookie().is_none());
    for foreign in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "null"), ("origin", "https://evil.test")]
    {
        browser.headers = vec![("accept", "text/html"), foreign];
        assert_eq!(browser.fill("/auth/login", &fields).await.status, StatusCode::FORBIDDEN, "{foreign:?}");
        assert_eq!(browser.json("/auth/login", &serde_json::json!({})).await.code(), "cross_site", "{foreign:?}");
        assert_eq!(browser.json("/auth/register", &serde_json::json!({})).await.code(), "cross_site", "{foreign:?}");
        assert_eq!(browser.json("/auth/logout", &serde_json::json!({})).await.code(), "cross_site", "{foreign:?}");
    }
    assert!(browser.session_cookie().is_none());
}

/// threats.md F02: a form already open in another tab stays valid
#[tokio::test]
async fn a_token_is_valid_in_all_tabs() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let first = attribute(&browser.get("/auth/login").await.body, "value").unwrap();
    browser.get("/auth/register").await;
    browser.sign_in("/auth/login").await;
    let answer = browser.post("/auth/login", &[("csrf", &first), ("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
}

/// S0.1
#[tokio::test]
async fn registering_by_form_never_signs_in_and_never_tells_a_taken_address() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    let fields = |name, email| [("username", name), ("email", email), ("password", PASSWORD)];
    let new = browser.fill("/auth/register?rd=/x", &fields("bob", "bob@example.com")).await;
    assert_eq!((new.status, new.location()), (StatusCode::SEE_OTHER, "/auth/login?registered&rd=%2Fx"));
    assert!(browser.session_cookie().is_none());
    let taken = browser.fill("/auth/register?rd=/x", &fields("carol", "alice@example.com")).await;
    assert_eq!((taken.status, taken.location()), (new.status, new.location()));
    let name = browser.fill("/auth/register", &fields("Alice", "dave@example.com")).await;
    assert!(name.status == StatusCode::CONFLICT && name.body.contains("id=\"username-problem\"") && name.body.contains("dave@example.com"));
    let weak = browser.fill("/auth/register", &[("username", "x"), ("email", "nonsense"), ("password", "short")]).await;
    assert_eq!(weak.status, StatusCode::BAD_REQUEST);
    for field in ["username", "email", "password"] {
        assert!(weak.body.contains(&format!("id=\"{field}-problem\"")), "{field}: {}", weak.body);
    }
}

#[tokio::test]
async fn closed_registration_is_no_page_and_a_clear_refusal() {
    let site = Site::with(|settings| settings.accounts.registration = Registration::Closed);
    let mut browser = site.browser();
    assert_eq!(browser.get("/auth/register").await.status, StatusCode::NOT_FOUND);
    assert!(!browser.get("/auth/login").await.body.contains("/auth/register"));
    let answer = site.register("alice").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "registration_closed"));
}

/// S3.1, S3.4, S4.11
#[tokio::test]
async fn programs_register_sign_in_read_the_profile_and_sign_out_by_json() {
    let site = Site::new();
    let registered = site.register("alice").await;
    assert_eq!(registered.status, StatusCode::CREATED);
    assert!(registered.headers.get(SET_COOKIE).is_none());
    let user = registered.json()["user"].clone();
    let keys: Vec<_> = user.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["avatarUrl", "createdAt", "email", "groups", "id", "name", "username"]);
    assert_eq!(user["createdAt"], "2023-11-14T22:13:20Z");
    let mut program = site.program();
    for name in [
        serde_json::json!({ "username": "alice", "password": PASSWORD }),
        serde_json::json!({ "email": "alice@example.com", "password": PASSWORD }),
    ] {
        let answer = program.json("/auth/login", &name).await;
        assert!(answer.status == StatusCode::OK && answer.json()["user"] == user, "{}", answer.body);
    }
    assert_eq!(program.get("/auth/profile").await.json(), user);
    let session = program.get("/auth/session").await.json();
    assert_eq!((&session["user"], &session["expiresIn"], &session["idleIn"]), (&user, &43_200.into(), &1_800.into()));
    assert_eq!(program.send(Method::POST, "/auth/logout", None, String::new()).await.status, StatusCode::NO_CONTENT);
    let answer = program.get("/auth/profile").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "unauthorized"));
}

/// S4.9, threats.md F04
#[tokio::test]
async fn what_a_program_sends_wrong_is_told_by_status_and_code() {
    let site = Site::with_alice().await;
    let mut program = site.program();
    let check = |answer: Answer, status: u16, code: &str| {
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{}", answer.body);
        answer
    };
    check(program.json("/auth/login", &serde_json::json!({ "username": "alice", "password": "wrong" })).await, 401, "invalid_credentials");
    check(program.json("/auth/login", &serde_json::json!({ "username": "alice" })).await, 400, "invalid_request");
    check(
        program.json("/auth/login", &serde_json::json!({ "username": "alice", "password": PASSWORD, "admin": true })).await,
        400,
        "invalid_request",
    );
    check(site.register("alice").await, 409, "username_taken");
    let body = serde_json::json!({ "email": "alice@example.com", "password": PASSWORD });
    let answer = check(program.json("/auth/register", &body).await, 409, "email_taken");
    assert_eq!(answer.json()["errors"][0]["field"], "email");
    let body = serde_json::json!({ "email": "eve@example.com", "password": "short" });
    let answer = check(program.json("/auth/register", &body).await, 400, "validation");
    assert_eq!(answer.json()["errors"][0]["field"], "password");
    for content_type in ["text/plain", "multipart/form-data; boundary=x", "application/jsonx"] {
        let answer = program.send(Method::POST, "/auth/login", Some(content_type), "{}".into()).await;
        check(answer, 415, "unsupported_media_type");
    }
    check(program.send(Method::POST, "/auth/login", Some("application/json"), "{".into()).await, 400, "invalid_request");
    check(program.send(Method::POST, "/auth/login", Some("application/json"), "x".repeat(70_000)).await, 413, "payload_too_large");
}

/// S0.4, threats.md F02
#[tokio::test]
async fn signing_out_asks_first_and_then_ends_the_session() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    browser.sign_in("/auth/login").await;
    assert!(browser.get("/auth/logout").await.body.contains("<strong>alice</strong>"));
    assert_eq!(browser.post("/auth/logout", &[]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.send(Method::POST, "/auth/logout", None, String::new()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/auth/account").await.status, StatusCode::OK);
    let mut stolen = site.browser();
    stolen.jar = browser.jar.clone();
    let answer = browser.fill("/auth/logout", &[]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/auth/login?signed-out"));
    assert!(browser.session_cookie().is_none() && answer.headers.get("clear-site-data").is_none());
    assert!(browser.get("/auth/login?signed-out").await.body.contains("You are signed out."));
    assert_eq!(stolen.get("/auth/session").await.status, StatusCode::UNAUTHORIZED);
    assert!(browser.get("/auth/logout").await.body.contains("You are signed out"));
}

/// threats.md B22
#[tokio::test]
async fn a_store_that_does_not_answer_is_an_outage_and_no_invitation_to_sign_in() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    browser.sign_in("/auth/login").await;
    browser.store_is_down = true;
    for page in ["/auth/account", "/auth/account/password", "/auth/logout", "/auth/login", "/auth/profile", "/auth/session"] {
        let answer = browser.get(page).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{page}");
        assert!(answer.headers.contains_key("retry-after"), "{page}");
    }
    browser.store_is_down = false;
    let csrf = attribute(&browser.get("/auth/logout").await.body, "value").unwrap();
    browser.store_is_down = true;
    let answer = browser.post("/auth/logout", &[("csrf", &csrf)]).await;
    assert!(answer.status == StatusCode::SERVICE_UNAVAILABLE && browser.session_cookie().is_some());
}

/// S4.7
#[tokio::test]
async fn users_change_their_profile() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    assert_eq!(browser.get("/auth/account").await.location(), "/auth/login?rd=%2Fauth%2Faccount");
    browser.sign_in("/auth/login").await;
    let fields = [("username", "alicia"), ("name", "Alice Liddell"), ("avatar_url", "https://example.com/a.png")];
    let answer = browser.fill("/auth/account", &fields).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/auth/account?saved"));
    let profile = browser.get("/auth/profile").await.json();
    assert_eq!(
        (&profile["username"], &profile["name"], &profile["avatarUrl"]),
        (&"alicia".into(), &"Alice Liddell".into(), &"https://example.com/a.png".into())
    );
    let answer = browser.fill("/auth/account", &[("username", "alicia"), ("name", ""), ("avatar_url", "http://example.com/a.png")]).await;
    assert!(answer.status == StatusCode::BAD_REQUEST && answer.body.contains("value=\"http://example.com/a.png\""), "{}", answer.body);
    site.register("bob").await;
    assert_eq!(browser.fill("/auth/account", &[("username", "BOB")]).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_name_stays_where_users_may_not_change_theirs() {
    let site = Site::with(|settings| settings.accounts.rename = false);
    site.register("alice").await;
    let mut browser = site.browser();
    browser.sign_in("/auth/login").await;
    assert_eq!(browser.fill("/auth/account", &[("username", "root2"), ("name", "A")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/auth/profile").await.json()["username"], "alice");
}

/// threats.md S04
#[tokio::test]
async fn a_new_password_renews_this_session_and_ends_the_others() {
    let site = Site::with_alice().await;
    let (mut here, mut elsewhere) = (site.browser(), site.browser());
    here.sign_in("/auth/login").await;
    elsewhere.sign_in("/auth/login").await;
    let before = here.session_cookie().cloned();
    let page = "/auth/account/password";
    let wrong = here.fill(page, &[("current_password", "wrong"), ("password", "Another-horse-8")]).await;
    assert!(wrong.status == StatusCode::UNAUTHORIZED && wrong.body.contains("id=\"current_password-problem\""));
    let weak = here.fill(page, &[("current_password", PASSWORD), ("password", "short")]).await;
    assert!(weak.status == StatusCode::BAD_REQUEST && weak.body.contains("id=\"password-problem\""), "{}", weak.body);
    let answer = here.fill(page, &[("current_password", PASSWORD), ("password", "Another-horse-8")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/auth/account?password-changed"));
    assert_ne!(here.session_cookie().cloned(), before);
    assert_eq!(here.get("/auth/session").await.status, StatusCode::OK);
    assert_eq!(elsewhere.get("/auth/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn only_a_remembered_session_outlives_the_browser() {
    let site = Site::with_alice().await;
    let session_cookie = |answer: &Answer| {
        let mut cookies = answer.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned());
        cookies.find(|cookie| cookie.starts_with("portcullis=")).unwrap()
    };
    let plain = site.browser().sign_in("/auth/login").await;
    assert!(!session_cookie(&plain).contains("Max-Age"));
    let fields = [("username", "alice"), ("password", PASSWORD), ("remember", "on")];
    let remembered = site.browser().fill("/auth/login", &fields).await;
    assert!(session_cookie(&remembered).contains("Max-Age=2592000"));
}

#[tokio::test]
async fn asking_for_the_session_never_extends_it() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    browser.sign_in("/auth/login").await;
    site.clock.advance(Duration::from_mins(29));
    assert_eq!(browser.get("/auth/session").await.json()["idleIn"], 60);
    site.clock.advance(Duration::from_mins(1));
    assert_eq!(browser.get("/auth/session").await.status, StatusCode::UNAUTHORIZED);
}

/// threats.md F07, S08
#[tokio::test]
async fn every_page_carries_the_protective_headers() {
    let site = Site::with(|settings| settings.cookies.secure = Some(true));
    let mut browser = site.browser();
    browser.origin = "https://app.test";
    for page in [
        "/auth/login",
        "/auth/register",
        "/auth/logout",
        "/auth/forgot",
        "/auth/account",
        "/auth/profile",
        "/auth/nothing",
        "/.well-known/change-password",
    ] {
        let answer = browser.get(page).await;
        let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(header("cache-control"), "no-store", "{page}");
        assert!(header("content-security-policy").contains("form-action 'self'; frame-ancestors 'none'; base-uri 'none'"), "{page}");
        assert_eq!(header("strict-transport-security"), "max-age=31536000", "{page}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{page}");
        assert_eq!((header("x-content-type-options"), header("referrer-policy")), ("nosniff".into(), "same-origin".into()), "{page}");
    }
    assert!(browser.jar.contains_key("__Host-portcullis-csrf"));
}

#[tokio::test]
async fn a_form_may_only_leave_for_the_page_that_was_asked_for() {
    let site = Site::new();
    let mut browser = site.browser();
    let mut policy = async |page| browser.get(page).await.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy("/auth/login").await.contains("form-action 'self'"));
    assert!(policy("/auth/login?rd=//evil.test").await.contains("form-action 'self'"));
    assert!(!policy("/auth/login?rd=/x").await.contains("form-action"));
    assert!(policy("/auth/register?rd=/x").await.contains("form-action 'self'"));
}

#[tokio::test]
async fn what_is_not_in_the_route_table_is_refused_in_the_same_design() {
    let site = Site::new();
    let mut browser = site.browser();
    for page in ["/auth/nothing", "/auth/assets/nothing.css", "/nothing"] {
        let answer = browser.get(page).await;
        assert!(answer.status == StatusCode::NOT_FOUND && answer.body.contains("<h1>Page not found</h1>"), "{page}");
    }
    let answer = browser.send(Method::DELETE, "/auth/login", None, String::new()).await;
    assert!(answer.status == StatusCode::METHOD_NOT_ALLOWED && answer.body.contains("<h1>Method not allowed</h1>"));
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
    for (page, location) in
        [("/auth", "/auth/account"), ("/auth/", "/auth/account"), ("/.well-known/change-password", "/auth/account/password")]
    {
        let answer = browser.get(page).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::FOUND, location), "{page}");
    }
    assert!(browser.get("/auth/forgot").await.body.contains("administrator"));
}

/// The login page, its style sheet and its script: at most 3 requests and 15 kB.
#[tokio::test]
async fn the_login_page_is_light() {
    let site = Site::new();
    let mut browser = site.browser();
    let page = browser.get("/auth/login").await;
    let linked: Vec<String> = page.body.split('"').filter(|text| text.starts_with("/auth/assets/")).map(str::to_owned).collect();
    assert_eq!(linked.len(), 2, "{linked:?}");
    browser.headers.push(("accept-encoding", "gzip"));
    let mut bytes = page.body.len();
    for asset in linked {
        let request = Request::get(&asset).header("accept-encoding", "gzip").body(Body::empty()).unwrap();
        let response = site.router().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip");
        bytes += axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().len();
    }
    assert!(bytes < 15_000, "{bytes} bytes");
}
