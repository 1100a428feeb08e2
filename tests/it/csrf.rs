//! Requests that another site makes a browser send (threats f): nothing of ours is done for them.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::form::Form;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::Method;
use serde_json::json;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

async fn gateway(upstream: &EchoUpstream) -> TestGateway {
    TestGateway::in_front_of(upstream).user("alice", &[]).set("ACCOUNTS__REGISTRATION", "open").start().await
}

/// The body that the page's form at `action` sends with these fields.
fn filled(page: &Answer, fields: &[(&str, &str)]) -> String {
    let forms = Form::all(&page.text());
    forms.iter().find(|form| form.has(&[("csrf", "")])).unwrap_or_else(|| panic!("{}", page.text())).filled(fields)
}

/// Sends a form as a browser would under these headers.
async fn post(browser: &mut Browser, address: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let url = browser.url(address);
    let mut headers = headers.to_vec();
    headers.extend([FORM, ("accept", "text/html")]);
    browser.agent.send(Method::POST, &url, &headers, body.to_owned()).await
}

/// What each form does, and the fields that make it do it.
const FORMS: [(&str, &[(&str, &str)]); 6] = [
    ("/auth/login?switch", &[("username", "alice"), ("password", PASSWORD)]),
    ("/auth/register", &[("username", "mallory"), ("email", "mallory@example.com"), ("password", PASSWORD)]),
    ("/auth/account", &[("username", "mallory"), ("name", "Mallory")]),
    ("/auth/account/password", &[("current_password", PASSWORD), ("password", "Another-horse-8-battery")]),
    ("/auth/account/confirm", &[("password", PASSWORD)]),
    ("/auth/logout", &[]),
];

/// Everything that a form could have changed.
async fn state(gateway: &TestGateway, browser: &mut Browser) -> String {
    let profile = browser.fetch(Method::GET, "/auth/profile").await;
    let accounts = gateway.app().administration.list().await.unwrap();
    let names: Vec<_> = accounts.iter().map(|account| (account.username.as_str(), account.name.as_str(), account.generation)).collect();
    format!("{} {names:?} {:?}", profile.text(), browser.agent.cookies.get("portcullis"))
}

/// threats F01, F05: what browsers say of where a form comes from decides, even where the token is right.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_another_site_sends_does_nothing() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let before = state(&gateway, &mut browser).await;
    let own = gateway.origin();
    let other_port = format!("http://127.0.0.1:{}", gateway.address().port().wrapping_add(1));
    let foreign: [&[(&str, &str)]; 9] = [
        &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
        &[("sec-fetch-site", "same-site"), ("origin", &own)],
        &[("sec-fetch-site", "")],
        &[("origin", "https://evil.test")],
        &[("origin", "null")],
        &[("origin", &other_port)],
        &[("origin", "http://127.0.0.1.evil.test")],
        &[("origin", "http://localhost")],
    ];
    for (page, fields) in FORMS {
        let shown = browser.open(page).await;
        let body = filled(&shown, fields);
        for headers in foreign {
            let answer = post(&mut browser, page, headers, &body).await;
            assert_eq!((answer.status, answer.header("content-type")), (403, Some("text/html; charset=utf-8")), "{page} {headers:?}");
            assert!(answer.text().contains("too old") && !answer.text().contains(PASSWORD), "{page} {headers:?}: {}", answer.text());
        }
    }
    assert_eq!(state(&gateway, &mut browser).await, before);
}

/// threats F02: without the token, with one of another browser, and with a cookie that was not ours when the token was
/// made, nothing is done; the page comes back with a fresh token and what was typed.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_this_browsers_token_does_nothing() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let before = state(&gateway, &mut browser).await;
    let mut attacker = gateway.browser();
    let foreign_token = filled(&attacker.open("/auth/login").await, &[]);
    let foreign_token = foreign_token.split('&').find(|pair| pair.starts_with("csrf=")).unwrap();
    for (page, fields) in FORMS {
        let own = filled(&browser.open(page).await, fields);
        let bare: Vec<&str> = own.split('&').filter(|pair| !pair.starts_with("csrf=")).collect();
        for token in ["", "csrf=", "csrf=AAAA", foreign_token, "csrf[]=x"] {
            let body = [&bare[..], &[token]].concat().join("&");
            let answer = post(&mut browser, page, &[("sec-fetch-site", "same-origin")], &body).await;
            assert_eq!(answer.status, 403, "{page} {token}");
            if page.contains("login") {
                assert!(answer.text().contains("value=\"alice\""), "what was typed is kept: {}", answer.text());
                assert!(!answer.text().contains(PASSWORD), "but not the password");
            }
        }
    }
    assert_eq!(state(&gateway, &mut browser).await, before);
    // The answer holds all it takes to send the form again.
    let refused = post(&mut browser, "/auth/login?rd=/wiki", &[], "username=alice&rd=%2Fwiki").await;
    let answer = browser.submit(&refused, &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/wiki"));
}

/// threats F05: no `Origin` and no Fetch Metadata, as from an old browser or a program: the token alone decides.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_of_its_origin_needs_the_token_all_the_same() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = gateway.browser();
    let body = filled(&browser.open("/auth/login").await, &[("username", "alice"), ("password", PASSWORD)]);
    for headers in [&[][..], &[("origin", gateway.origin().as_str())], &[("origin", &gateway.origin().replace("http:", "https:"))]] {
        assert_eq!(post(&mut browser, "/auth/login", headers, &body).await.status, 303, "{headers:?}");
    }
    browser.agent.cookies.remove("portcullis-csrf");
    assert_eq!(post(&mut browser, "/auth/login", &[], &body).await.status, 403, "a token is nothing without its cookie");
}

/// Contract 4: tokens are good in all tabs, also after a login, and pages do not disturb each other.
#[tokio::test(flavor = "multi_thread")]
async fn forms_in_several_tabs_stay_valid() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = gateway.browser();
    let (first, second) = (browser.open("/auth/login?rd=/one").await, browser.open("/auth/login?rd=/two").await);
    assert_eq!(browser.submit(&second, &[("username", "alice"), ("password", PASSWORD)]).await.location(), "/two");
    let account = browser.open("/auth/account").await;
    assert_eq!(browser.submit(&first, &[("username", "alice"), ("password", PASSWORD)]).await.location(), "/one");
    assert_eq!(browser.submit(&account, &[("name", "Alice")]).await.status, 303);
}

/// threats F02: nothing changes by GET or HEAD, whatever the query says.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_does_anything_when_it_is_only_asked_for() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let before = state(&gateway, &mut browser).await;
    for (page, fields) in FORMS {
        let token = filled(&browser.open(page).await, fields);
        for method in [Method::GET, Method::HEAD] {
            let separator = if page.contains('?') { '&' } else { '?' };
            let url = browser.url(&format!("{page}{separator}{token}"));
            let answer = browser.agent.send(method.clone(), &url, &[("accept", "text/html")], "").await;
            assert!(matches!(answer.status, 200 | 303), "{method} {page}: {}", answer.status);
            assert!(!answer.text().contains(PASSWORD), "{method} {page}: a password in the query is not shown");
        }
    }
    assert_eq!(state(&gateway, &mut browser).await, before);
}

/// threats F01, F04: JSON needs no token, but no type that a foreign form can send is taken for it, and what a browser
/// calls cross-site is refused.
#[tokio::test(flavor = "multi_thread")]
async fn json_is_taken_as_json_only_and_never_from_another_site() {
    let upstream = EchoUpstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let before = state(&gateway, &mut browser).await;
    let login = json!({ "username": "alice", "password": PASSWORD }).to_string();
    let register = json!({ "username": "mallory", "email": "mallory@example.com", "password": PASSWORD }).to_string();
    for (page, body) in [("/auth/login", &login), ("/auth/register", &register), ("/auth/logout", &"{}".to_owned())] {
        let url = browser.url(page);
        for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json2", "text/json", "application/xml", "*/*", ""] {
            let answer = browser.agent.send(Method::POST, &url, &[("content-type", kind)], body.clone()).await;
            assert_eq!((answer.status, &answer.json()["type"]), (415, &json!("urn:portcullis:unsupported_media_type")), "{page} {kind:?}");
        }
        let foreign: [&[(&str, &str)]; 4] = [
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://sub.evil.test")],
            &[("origin", "https://evil.test")],
            &[("origin", "null")],
        ];
        for headers in foreign {
            let headers = [headers, &[("content-type", "application/json")]].concat();
            let answer = browser.agent.send(Method::POST, &url, &headers, body.clone()).await;
            assert_eq!((answer.status, &answer.json()["type"]), (403, &json!("urn:portcullis:cross_site")), "{page} {headers:?}");
            assert!(answer.header("access-control-allow-origin").is_none());
        }
        let form = post(&mut browser, page, &[], body).await;
        assert_eq!(form.status, 403, "JSON that says it is a form lacks the token: {page}");
    }
    assert_eq!(state(&gateway, &mut browser).await, before);
    let url = browser.url("/auth/logout");
    let foreign = browser.agent.send(Method::POST, &url, &[("sec-fetch-site", "cross-site")], "").await;
    assert_eq!(foreign.status, 403, "an empty body is no way around it");
    assert_eq!(state(&gateway, &mut browser).await, before);
}

/// threats F07: nothing frames us, runs in us or learns where the visitor came from, on any page and any refusal.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_our_own_carries_the_protective_headers() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "accounts: {{ registration: open }}\nroutes: [{{ path: /app, upstream: \"{}\" }}]\naccess: {{ rules: [{{ path: /app/deny, allow: deny }}] }}",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    let strangers =
        ["/auth/login", "/auth/login?rd=/app", "/auth/register", "/auth/forgot", "/auth/logout", "/auth/none", "/nowhere", "/app"];
    let users = ["/auth/account", "/auth/account/password", "/auth/logout", "/auth/session", "/profile", "/app/deny", "/app/close"];
    for page in strangers {
        check_headers(&browser.open(page).await, page);
    }
    browser.sign_in("/auth/login", "alice", PASSWORD).await;
    for page in users {
        check_headers(&browser.open(page).await, page);
    }
    check_headers(&browser.fetch(Method::DELETE, "/auth/login").await, "DELETE /auth/login");
    check_headers(&gateway.api().post("/auth/login", &json!({})).await, "POST /auth/login");
    check_headers(&gateway.api().get("/app").await, "GET /app as a program");
}

/// threats F07: over HTTPS browsers are told to stay there, by pages, redirects and refusals alike; over HTTP never.
#[tokio::test(flavor = "multi_thread")]
async fn over_https_every_answer_of_our_own_keeps_browsers_there() {
    let yaml = "server: { trusted_proxies: [127.0.0.0/8] }\ncookies: { secure: true }\nroutes: [{ path: /, upstream: sample }]";
    let fixed = TestGateway::with(yaml).start().await;
    let mut browser = fixed.browser();
    for page in ["/auth/login", "/", "/auth/nowhere", "/auth/session", "/.well-known/change-password"] {
        let answer = browser.open(page).await;
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{page}");
    }
    let plain = TestGateway::with("routes: [{ path: /, upstream: sample }]").start().await;
    for page in ["/auth/login", "/", "/auth/nowhere"] {
        assert_eq!(plain.browser().open(page).await.header("strict-transport-security"), None, "{page}");
    }
}

fn check_headers(answer: &Answer, page: &str) {
    let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{page}: no {name} on {}", answer.status)).to_owned();
    assert_eq!(header("cache-control"), "no-store", "{page}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{page}");
    assert_eq!(header("referrer-policy"), "same-origin", "{page}");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{page}");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-"), "{page}: {policy}");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{page}: {policy}");
    assert!(policy.contains("form-action 'self'") || page.contains("rd="), "{page}: {policy}");
    assert!(answer.header("server").is_none_or(|server| !server.contains(char::is_numeric)), "{page}: no versions");
}
