//! Names and flags of our cookies, by scheme and domain (threats S08).

use super::{COOKIE, session_cookie, with_alice};
use crate::support::agent::Answer;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::Method;
use serde_json::json;

/// `Set-Cookie` of the answer, by name, with the value left out.
fn flags(answer: &Answer, name: &str) -> Option<String> {
    let all = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    all.filter_map(|cookie| cookie.split_once('=')).find(|(found, _)| *found == name).map(|(_, rest)| {
        let mut flags: Vec<&str> = rest.split("; ").skip(1).filter(|flag| !flag.starts_with("Max-Age")).collect();
        flags.sort_unstable();
        flags.join("; ")
    })
}

/// Names of all cookies that the answer sets.
fn names(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().split_once('=').unwrap().0).collect()
}

/// The login page and the answer to a login, both asked for under these headers.
async fn answers(gateway: &TestGateway, host: &str, headers: &[(&str, &str)]) -> (Answer, Answer) {
    let mut browser = gateway.browser();
    let page = browser.url(&format!("{}/auth/login", gateway.origin_as(host)));
    let shown = browser.agent.send(Method::GET, &page, headers, "").await;
    let mut headers = headers.to_vec();
    headers.push(("content-type", "application/json"));
    let body = json!({ "username": "alice", "password": PASSWORD }).to_string();
    let signed_in = browser.agent.send(Method::POST, &page, &headers, body).await;
    assert_eq!((shown.status, signed_in.status), (200, 200));
    (shown, signed_in)
}

/// threats S08
#[tokio::test(flavor = "multi_thread")]
async fn over_plain_http_cookies_are_host_only_and_hidden_from_scripts() {
    let (_upstream, gateway) = with_alice().await;
    let (page, login) = answers(&gateway, "127.0.0.1", &[]).await;
    assert_eq!(flags(&page, "portcullis-csrf").unwrap(), "HttpOnly; Path=/; SameSite=Lax");
    assert_eq!(flags(&login, COOKIE).unwrap(), "HttpOnly; Path=/; SameSite=Lax");
    assert_eq!((names(&page), names(&login)), (vec!["portcullis-csrf"], vec![COOKIE, "portcullis-device"]));
}

/// threats S08: the scheme is the client's word only through a proxy that is trusted.
#[tokio::test(flavor = "multi_thread")]
async fn over_https_cookies_are_secure_and_bound_to_the_host() {
    let upstream = EchoUpstream::start().await;
    let https = [("x-forwarded-proto", "https")];
    let trusting = TestGateway::in_front_of(&upstream).user("alice", &[]).set("SERVER__TRUSTED_PROXIES", "[127.0.0.0/8]").start().await;
    let (page, login) = answers(&trusting, "127.0.0.1", &https).await;
    assert_eq!(flags(&page, "__Host-portcullis-csrf").unwrap(), "HttpOnly; Path=/; SameSite=Lax; Secure");
    assert_eq!(flags(&login, "__Host-portcullis").unwrap(), "HttpOnly; Path=/; SameSite=Lax; Secure");
    assert_eq!(names(&login), ["__Host-portcullis", "__Host-portcullis-device"]);
    assert_eq!(flags(&login, "__Host-portcullis-device").unwrap(), "HttpOnly; Path=/; SameSite=Lax; Secure");
    assert_eq!(names(&page).len(), 1);
    let (page, login) = answers(&trusting, "127.0.0.1", &[]).await;
    assert_eq!((names(&page), names(&login)), (vec!["portcullis-csrf"], vec![COOKIE, "portcullis-device"]));
    let doubting = TestGateway::in_front_of(&upstream).user("alice", &[]).start().await;
    let (page, login) = answers(&doubting, "127.0.0.1", &https).await;
    assert_eq!((names(&page), names(&login)), (vec!["portcullis-csrf"], vec![COOKIE, "portcullis-device"]));
}

/// threats S08: a cookie of the other scheme's name is not read.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_read_from_the_cookie_of_its_scheme_only() {
    let upstream = EchoUpstream::start().await;
    let builder = TestGateway::in_front_of(&upstream).user("alice", &[]).set("SERVER__TRUSTED_PROXIES", "[127.0.0.0/8]");
    let gateway = builder.start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let value = session_cookie(&browser).unwrap();
    let status = async |name: &str, proto: &str| {
        let (url, cookie) = (gateway.browser().url("/data"), format!("{name}={value}"));
        let headers = [("cookie", cookie.as_str()), ("x-forwarded-proto", proto)];
        gateway.browser().agent.send(Method::GET, &url, &headers, "").await.status
    };
    assert_eq!((status(COOKIE, "http").await, status("__Host-portcullis", "https").await), (200, 200));
    for (name, proto) in [(COOKIE, "https"), ("__Host-portcullis", "http"), ("__Secure-portcullis", "https")] {
        assert_eq!(status(name, proto).await, 401, "{name} over {proto}");
    }
}

/// threats S08: with `cookies.domain` one login opens all hosts under it; the CSRF cookie stays with its host.
#[tokio::test(flavor = "multi_thread")]
async fn one_login_opens_every_host_under_the_cookie_domain() {
    let upstream = EchoUpstream::start().await;
    let origin = upstream.origin();
    let yaml = format!(
        "cookies: {{ domain: example.com }}\nserver: {{ trusted_proxies: [127.0.0.0/8] }}\nroutes:\n  - {{ host: wiki.example.com, upstream: \"{origin}\" }}\n  \
         - {{ host: mail.example.com, upstream: \"{origin}\" }}\n  - {{ host: other.test, upstream: \"{origin}\" }}"
    );
    let gateway = TestGateway::with(yaml).user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    let wiki = gateway.origin_as("wiki.example.com");
    browser.sign_in(&format!("{wiki}/start"), "alice", PASSWORD).await;
    let cookie = browser.agent.cookies.get(COOKIE).unwrap();
    assert_eq!((cookie.domain.as_str(), cookie.host_only), ("example.com", false));
    assert!(browser.agent.cookies.get("portcullis-csrf").unwrap().host_only);
    assert_eq!(browser.open(&format!("{}/inbox", gateway.origin_as("mail.example.com"))).await.status, 200);
    assert_eq!(browser.open(&format!("{}/", gateway.origin_as("other.test"))).await.status, 302);
    let (page, login) = answers(&gateway, "wiki.example.com", &[("x-forwarded-proto", "https")]).await;
    assert_eq!(flags(&page, "__Host-portcullis-csrf").unwrap(), "HttpOnly; Path=/; SameSite=Lax; Secure");
    assert_eq!(flags(&login, "__Secure-portcullis").unwrap(), "Domain=example.com; HttpOnly; Path=/; SameSite=Lax; Secure");
    // Signing out anywhere signs out everywhere.
    let page = browser.open(&format!("{}/auth/logout", gateway.origin_as("mail.example.com"))).await;
    assert_eq!(browser.submit(&page, &[("csrf", &super::csrf(&page))]).await.status, 303);
    assert!(session_cookie(&browser).is_none());
    assert_eq!(browser.open(&format!("{wiki}/start")).await.status, 302);
}

/// threats S11, S14: nonsense in the cookie is refused before the store is asked, and harms nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_cookie_is_nobody() {
    let (upstream, gateway) = with_alice().await;
    let long = "A".repeat(8_000);
    for value in ["", "*", "x%0d%0aFLUSHALL", "../../etc/passwd", "{\"$gt\":\"\"}", &"=".repeat(64), &long] {
        let mut raw = gateway.raw().await;
        raw.send(format!("GET / HTTP/1.1\r\nHost: {}\r\nCookie: {COOKIE}={value}\r\n\r\n", gateway.address())).await;
        assert_eq!(raw.response().await.status(), 401, "{}", &value[..value.len().min(40)]);
    }
    let mut raw = gateway.raw().await;
    raw.send(format!("GET / HTTP/1.1\r\nHost: {}\r\nCookie: {COOKIE}={}\r\n\r\n", gateway.address(), "A".repeat(20_000))).await;
    assert_eq!(raw.response().await.status(), 431);
    assert_eq!(upstream.seen(), 0);
}
