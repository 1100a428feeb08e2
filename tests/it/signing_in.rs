//! Signing in, staying signed in and signing out, as a browser and its upstream live through it.

mod cookies;
mod expiry;
mod outage;
mod rotation;

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::{HeaderMap, Method};
use serde_json::json;

/// Name of the session cookie over plain HTTP.
const COOKIE: &str = "portcullis";

/// A gateway in front of an upstream, with the account `alice`.
async fn with_alice() -> (EchoUpstream, TestGateway) {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("alice", &["staff", "wiki"]).start().await;
    (upstream, gateway)
}

/// Value of the browser's session cookie.
fn session_cookie(browser: &Browser) -> Option<String> {
    browser.agent.cookies.get(COOKIE).map(|cookie| cookie.value.clone())
}

/// Fills in the login page at `page` and returns the answer.
async fn try_to_sign_in(browser: &mut Browser, page: &str, username: &str, password: &str) -> Answer {
    let page = browser.open(page).await;
    browser.submit(&page, &[("username", username), ("password", password)]).await
}

/// S0.5, S1.1, S0.2
#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_is_asked_to_sign_in_and_comes_back_to_the_page_asked_for() {
    let (upstream, gateway) = with_alice().await;
    let mut browser = gateway.browser();
    let deep = "/wiki/page;v=2?q=a%20b&next=%2F%2Fevil.test";
    let asked = browser.open(deep).await;
    assert_eq!(asked.status, 302);
    let target = asked.target();
    assert_eq!(target.path(), "/auth/login");
    assert_eq!(target.query_pairs().collect::<Vec<_>>(), [("rd".into(), deep.into())]);
    assert_eq!(upstream.seen(), 0, "nothing of an anonymous request may reach the upstream");
    let page = browser.follow(asked).await;
    assert_eq!(page.status, 200);
    let answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, deep));
    let arrived = browser.follow(answer).await;
    assert_eq!((arrived.status, &arrived.json()["target"]), (200, &json!(deep)));
    let head = upstream.last().head;
    assert_eq!((head.header_values("x-user"), head.header("x-user-groups")), (vec!["alice"], Some("staff,wiki")));
    assert_eq!(head.header("x-user-email"), Some("alice@example.com"));
    assert!(head.header("cookie").is_none(), "the gateway's own cookies stay with the gateway");
}

/// S1.1: without a page that was asked for, the landing page.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_opens_the_login_page_itself_lands_on_the_configured_page() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("alice", &[]).set("PORTAL__LANDING", "/dashboard").start().await;
    let answer = try_to_sign_in(&mut gateway.browser(), "/auth/login", "alice", PASSWORD).await;
    assert_eq!((answer.status, answer.location()), (303, "/dashboard"));
}

/// S1.2
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_leaves_the_visitor_on_the_page_with_the_name_kept() {
    let (upstream, gateway) = with_alice().await;
    let mut browser = gateway.browser();
    let page = browser.visit("/wiki?q=1").await;
    let answer = browser.submit(&page, &[("username", "alice"), ("password", "Wrong-horse-7-battery"), ("remember", "on")]).await;
    let text = answer.text();
    assert_eq!((answer.status, answer.header("content-type")), (401, Some("text/html; charset=utf-8")));
    assert!(text.contains("<title>Error: Sign in") && text.contains("role=\"alert\"") && text.contains("is wrong"), "{text}");
    assert!(text.contains("value=\"alice\"") && text.contains("value=\"on\" checked"), "{text}");
    assert!(!text.contains("Wrong-horse"), "a password is never sent back");
    assert!(session_cookie(&browser).is_none());
    // The same form goes on to the page that was asked for.
    let answer = browser.submit(&answer, &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/wiki?q=1"));
    assert_eq!(upstream.seen(), 0);
}

/// S1.2, threats G01, I11: neither status nor headers nor length tell whether an account exists.
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_is_answered_exactly_as_a_wrong_password() {
    let (_upstream, gateway) = with_alice().await;
    gateway.app().administration.add(crate::support::gateway::account("lydia", &[])).await.unwrap();
    gateway.app().administration.lock("lydia").await.unwrap();
    let mut browser = gateway.browser();
    let known = try_to_sign_in(&mut browser, "/auth/login", "alice", "wrong").await;
    for (name, password) in [("nobod", "wrong"), ("lydia", PASSWORD)] {
        let answer = try_to_sign_in(&mut browser, "/auth/login", name, password).await;
        assert_eq!((answer.status, lasting_headers(&answer)), (401, lasting_headers(&known)), "{name}");
        assert_eq!(answer.text().replace(name, "alice"), known.text(), "{name}");
    }
    for (name, password) in [("' OR 1=1 --", "1"), ("a\0b\r\n", PASSWORD), ("", ""), ("\u{202e}ecila", PASSWORD), ("{\"$ne\":null}", "{}")]
    {
        assert_eq!(try_to_sign_in(&mut browser, "/auth/login", name, password).await.status, 401, "{name:?}");
    }
    let mut api = gateway.api();
    let known = api.post("/auth/login", &json!({ "username": "alice", "password": "wrong" })).await;
    for body in [
        json!({ "username": "nobody", "password": "wrong" }),
        json!({ "email": "nobody@example.com", "password": "wrong" }),
        json!({ "username": "lydia", "password": PASSWORD }),
        json!({ "username": "' OR 1=1 --", "password": "' OR 1=1 --" }),
        json!({ "username": "a\u{0}", "password": "\u{0}" }),
    ] {
        let answer = api.post("/auth/login", &body).await;
        assert_eq!((answer.status, answer.json(), lasting_headers(&answer)), (401, known.json(), lasting_headers(&known)), "{body}");
    }
}

/// Headers that do not differ from request to request.
fn lasting_headers(answer: &Answer) -> HeaderMap {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    headers.remove("x-request-id");
    headers
}

/// S0.2, S3.1
#[tokio::test(flavor = "multi_thread")]
async fn the_address_signs_in_as_well_as_the_name_in_any_case() {
    let (upstream, gateway) = with_alice().await;
    for identifier in ["alice@example.com", "ALICE@Example.COM", "Alice", " alice "] {
        let mut browser = gateway.browser();
        let answer = try_to_sign_in(&mut browser, "/auth/login?rd=/x", identifier, PASSWORD).await;
        assert_eq!(answer.status, 303, "{identifier}");
        browser.follow(answer).await;
        assert_eq!(upstream.last().head.header("x-user"), Some("alice"), "{identifier}");
    }
}

/// Contract 4: who is signed in goes on, unless they want to be someone else.
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_in_visitor_passes_the_login_page_unless_they_switch() {
    let (upstream, gateway) = with_alice().await;
    gateway.app().administration.add(crate::support::gateway::account("bob", &[])).await.unwrap();
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let passed = browser.open("/auth/login?rd=/wiki").await;
    assert_eq!((passed.status, passed.location()), (303, "/wiki"));
    let page = browser.open("/auth/login?switch&rd=/wiki").await;
    assert!(page.status == 200 && page.text().contains("alice"), "{}", page.text());
    let before = session_cookie(&browser);
    let answer = browser.submit(&page, &[("username", "bob"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/wiki"));
    browser.follow(answer).await;
    assert_eq!(upstream.last().head.header("x-user"), Some("bob"));
    assert_ne!(session_cookie(&browser), before);
}

/// Contract 3.6: a navigation is redirected, everything else is told 401 with a challenge that opens no password box.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_without_a_session_is_told_so_and_not_redirected() {
    let (upstream, gateway) = with_alice().await;
    let answer = gateway.api().get("/data").await;
    assert_eq!((answer.status, answer.header("content-type")), (401, Some("application/problem+json")));
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"portcullis\""));
    assert_eq!(answer.json()["loginUrl"], "/auth/login");
    let fetched = gateway.browser().fetch(Method::GET, "/data").await;
    assert_eq!(fetched.status, 401);
    assert_eq!(upstream.seen(), 0);
}

/// S0.4, threats F02: asking changes nothing, and afterwards the cookie is dead wherever a copy of it is.
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_on_the_server() {
    let (_upstream, gateway) = with_alice().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let mut copy = gateway.browser();
    copy.agent.cookies = browser.agent.cookies.clone();
    let asked = browser.open("/auth/logout").await;
    assert!(asked.status == 200 && asked.text().contains("alice"));
    assert_eq!(browser.open("/").await.status, 200, "GET only asks");
    let answer = browser.submit(&asked, &[("csrf", &csrf(&asked))]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?signed-out"));
    assert!(answer.header("clear-site-data").is_none());
    assert!(session_cookie(&browser).is_none());
    assert!(browser.follow(answer).await.text().contains("You are signed out."));
    assert_eq!(copy.open("/").await.status, 302);
    assert_eq!(copy.fetch(Method::GET, "/auth/session").await.status, 401);
}

/// S0.4: what Back may show is what may be kept, and of a private page nothing may.
#[tokio::test(flavor = "multi_thread")]
async fn no_private_page_may_be_stored() {
    let (upstream, gateway) = with_alice().await;
    upstream.serve("/page", 200, &[("Content-Type", "text/html")], "<p>private");
    upstream.serve("/shared", 200, &[("Content-Type", "text/html"), ("Cache-Control", "public, max-age=60")], "<p>private");
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let control = async |browser: &mut Browser, page| browser.open(page).await.header("cache-control").unwrap().to_owned();
    assert_eq!(control(&mut browser, "/page").await, "private, no-store");
    assert_eq!(control(&mut browser, "/data").await, "private, no-cache");
    let shared = control(&mut browser, "/shared").await;
    assert!(shared.contains("private") && !shared.contains("public"), "{shared}");
    for page in ["/auth/account", "/auth/account/password", "/auth/logout", "/auth/login?switch", "/auth/profile", "/auth/session"] {
        assert_eq!(control(&mut browser, page).await, "no-store", "{page}");
    }
}

/// S3.1, S3.2: the whole way by JSON, as a single-page application or a script goes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_registers_signs_in_reads_its_profile_and_signs_out() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!("accounts: {{ registration: open }}\nroutes: [{{ path: /app, upstream: \"{}\" }}]", upstream.origin());
    let gateway = TestGateway::with(yaml).start().await;
    let mut api = gateway.api();
    let registered = api.post("/auth/register", &json!({ "email": "ada@example.com", "password": PASSWORD })).await;
    assert_eq!((registered.status, &registered.json()["user"]["username"]), (201, &json!("ada")));
    assert!(api.agent.cookies.get(COOKIE).is_none(), "registering never signs in");
    let user = registered.json()["user"].clone();
    let answer = api.post("/auth/login", &json!({ "email": "ada@example.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, &answer.json()["user"]), (200, &user));
    assert_eq!(api.get("/app/data").await.status, 200);
    for profile in ["/auth/profile", "/profile"] {
        assert_eq!(api.get(profile).await.json(), user, "{profile}");
    }
    assert_eq!(api.send(Method::POST, "/auth/logout", None).await.status, 204);
    for address in ["/auth/profile", "/profile", "/app/data", "/auth/session"] {
        assert_eq!(api.get(address).await.status, 401, "{address}");
    }
    assert_eq!(api.send(Method::POST, "/auth/logout", None).await.status, 204, "nobody can be signed out again");
}

/// The token in a page's form.
fn csrf(page: &Answer) -> String {
    let forms = crate::support::form::Form::all(&page.text());
    let value = forms.iter().flat_map(|form| &form.values).find(|(name, _)| name == "csrf");
    value.unwrap_or_else(|| panic!("no token in {}", page.text())).1.clone()
}
