//! Which route takes a request, which rule decides on it, and how whoever may not pass is told.

use crate::support::agent::{Agent, Answer};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::{Raw, RawResponse};
use crate::support::upstream::EchoUpstream;
use http::Method;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Header names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// Sends a request under any host name.
async fn ask(gateway: &TestGateway, agent: &mut Agent, method: Method, host: &str, path: &str, headers: Headers<'_>) -> Answer {
    let url = format!("{}{path}", gateway.origin_as(host)).parse().unwrap();
    agent.send(method, &url, headers, "").await
}

async fn raw_get(gateway: &TestGateway, host: &str, path: &str, lines: &str) -> RawResponse {
    Raw::exchange(gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n")).await
}

/// Contract 2, `routes`: exact hosts before wildcards before any host, then the longest path, on segment boundaries.
#[tokio::test(flavor = "multi_thread")]
async fn the_most_specific_route_takes_the_request() {
    let upstream = EchoUpstream::start().await;
    let route = |name: &str, place: &str| {
        format!("  - {{ {place} upstream: \"{}\", request_headers: {{ set: {{ X-Route: {name} }} }} }}\n", upstream.origin())
    };
    // From the least specific to the most, since the order must not matter.
    let routes = [
        route("any", "path: /any,"),
        route("any-deep", "path: /any/deep,"),
        route("below", "host: '*.example.com',"),
        route("below-app", "host: '*.example.com', path: /app,"),
        route("deeper", "host: '*.b.example.com',"),
        route("wiki", "host: wiki.example.com, path: /w,"),
        route("wiki-app", "host: wiki.example.com, path: /w/app,"),
    ];
    let yaml = format!("routes:\n{}access: {{ default: public }}", routes.concat());
    let gateway = TestGateway::with(yaml).start().await;
    for (host, path, expected) in [
        ("wiki.example.com", "/w", Some("wiki")),
        ("wiki.example.com", "/w/", Some("wiki")),
        ("wiki.example.com", "/w/x", Some("wiki")),
        ("wiki.example.com", "//w//x", Some("wiki")),
        ("wiki.example.com", "/%77;v=1/x", Some("wiki")),
        ("wiki.example.com", "/w/app", Some("wiki-app")),
        ("wiki.example.com", "/w/app/x?y=/w", Some("wiki-app")),
        ("wiki.example.com", "/w/application", Some("wiki")),
        ("WIKI.Example.COM.:8443", "/w/x", Some("wiki")),
        // Where the routes of the exact host do not reach, those of wider hosts do.
        ("wiki.example.com", "/wide", Some("below")),
        ("wiki.example.com", "/app/x", Some("below-app")),
        ("wiki.example.com", "/W", Some("below")),
        ("a.example.com", "/", Some("below")),
        ("a.example.com", "/app", Some("below-app")),
        ("a.example.com", "/apple", Some("below")),
        ("a.b.example.com", "/app", Some("deeper")),
        ("b.example.com", "/app", Some("below-app")),
        ("example.com", "/any/x", Some("any")),
        ("example.com", "/any/deep/x", Some("any-deep")),
        ("notexample.com", "/anything", None),
        ("example.com", "/", None),
        ("127.0.0.1", "/any", Some("any")),
        ("[::1]:80", "/any", Some("any")),
    ] {
        let before = upstream.seen();
        let status = raw_get(&gateway, host, path, "").await.status();
        let route = (upstream.seen() > before).then(|| upstream.last().head.header("x-route").unwrap().to_owned());
        assert_eq!(route.as_deref(), expected, "{host}{path}");
        assert_eq!(status, if expected.is_some() { 200 } else { 404 }, "{host}{path}");
    }
}

/// Contract 2 and 3.4: what is served nowhere is not found, whoever asks.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_hosts_unknown_paths_and_hosts_for_forward_auth_only_are_not_found() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "routes: [{{ host: app.test, path: /app, upstream: \"{}\" }}, {{ host: verified.test, upstream: none }}]",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).start().await;
    let mut agent = Agent::new();
    for (host, path) in [
        ("other.test", "/app"),
        ("other.test", "/auth/login"),
        ("app.test", "/"),
        ("app.test", "/appx"),
        ("verified.test", "/"),
        ("verified.test", "/x"),
    ] {
        let answer = ask(&gateway, &mut agent, Method::GET, host, path, &[HTML]).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html; charset=utf-8")), "{host}{path}");
        let answer = ask(&gateway, &mut agent, Method::GET, host, path, &[("accept", "*/*")]).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")), "{host}{path}");
    }
    // The gateway's own pages are there on every known host.
    for host in ["app.test", "verified.test"] {
        assert_eq!(ask(&gateway, &mut agent, Method::GET, host, "/auth/login", &[HTML]).await.status, 200, "{host}");
    }
    assert_eq!(upstream.seen(), 0);
}

/// Contract 3.4, 3.6 and 3.7: the first rule that matches by host, path, method and network decides.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_rule_that_matches_decides() {
    let upstream = EchoUpstream::start().await;
    let rules = "access:\n  rules:\n\
        \x20   - { host: open.test, allow: public }\n\
        \x20   - { host: '*.closed.test', allow: deny }\n\
        \x20   - { path: /get, method: [GET], allow: public }\n\
        \x20   - { path: /here, network: [127.0.0.0/8], allow: public }\n\
        \x20   - { path: /there, network: [10.0.0.0/8, 2001:db8::/32], allow: public }\n\
        \x20   - { path: /there, allow: deny }\n\
        \x20   - { path: /files/*/raw, allow: public }\n\
        \x20   - { path: /docs/**/index.html, allow: public }\n\
        \x20   - { path_regex: '/api/v[0-9]+/open', allow: public }\n\
        \x20   - { path: /shadow, allow: deny }\n\
        \x20   - { path: /shadow, allow: public }\n\
        \x20   - { path: /factor, allow: mfa }\n\
        \x20   - { path: /staff, group: [staff, admins], allow: authenticated }\n\
        \x20   - { path: /editors, group: [editors], allow: authenticated }\n\
        \x20   - { path: /ann, user: [ANN], allow: authenticated }\n\
        \x20   - { path: /bob, user: [bob], group: [editors], allow: authenticated }\n\
        \x20   - { path: /either, user: [bob], group: [staff], allow: authenticated }\n";
    let routes = format!("routes: [{{ upstream: \"{}\" }}]", upstream.origin());
    let gateway = TestGateway::with(format!("{routes}\n{rules}")).user("ann", &["staff"]).start().await;
    let mut nobody = Agent::new();
    let mut browser = gateway.browser();
    browser.sign_in(&format!("{}/", gateway.origin_as("app.test")), "ann", PASSWORD).await;
    let ann = &mut browser.agent;
    // Method and path, then the status for nobody and for Ann.
    for (method, path, anonymous, signed_in) in [
        (Method::GET, "/", 401, 200),
        (Method::GET, "/get/x", 200, 200),
        (Method::HEAD, "/get", 401, 200),
        (Method::POST, "/get", 401, 200),
        (Method::GET, "/getx", 401, 200),
        (Method::GET, "/here", 200, 200),
        (Method::GET, "/there", 403, 403),
        (Method::GET, "/files/a/raw", 200, 200),
        (Method::GET, "/files/a/b/raw", 401, 200),
        (Method::GET, "/files/raw", 401, 200),
        (Method::GET, "/docs/a/b/index.html", 200, 200),
        (Method::GET, "/docs/a/index.htm", 401, 200),
        (Method::GET, "/api/v12/open", 200, 200),
        (Method::GET, "/api/v12/open/x", 401, 200),
        (Method::GET, "/api/vx/open", 401, 200),
        (Method::GET, "/shadow", 403, 403),
        (Method::GET, "/factor/x", 403, 403),
        (Method::GET, "/staff", 401, 200),
        (Method::GET, "/editors", 401, 403),
        (Method::GET, "/ann", 401, 200),
        (Method::GET, "/bob", 401, 403),
        (Method::GET, "/either", 401, 200),
    ] {
        let before = upstream.seen();
        let answer = ask(&gateway, &mut nobody, method.clone(), "app.test", path, &[]).await;
        assert_eq!(answer.status, anonymous, "{method} {path}, nobody");
        let answer = ask(&gateway, ann, method.clone(), "app.test", path, &[]).await;
        assert_eq!(answer.status, signed_in, "{method} {path}, signed in");
        let passed = [anonymous, signed_in].iter().filter(|status| **status == 200).count();
        assert_eq!(upstream.seen() - before, passed, "{method} {path}");
    }
    assert_eq!(ask(&gateway, &mut nobody, Method::DELETE, "open.test", "/editors", &[]).await.status, 200);
    assert_eq!(ask(&gateway, &mut nobody, Method::GET, "a.closed.test", "/get", &[]).await.status, 403);
    assert_eq!(ask(&gateway, &mut nobody, Method::GET, "closed.test", "/get", &[]).await.status, 200);
}

/// Contract 3.4 and 3.6; `mfa` in a version without second factors
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_pass_is_told_why_and_offered_another_sign_in() {
    let upstream = EchoUpstream::start().await;
    let rules = "access: { rules: [{ path: /deny, allow: deny }, { path: /factor, allow: mfa }, { path: /group, group: [x], allow: authenticated }] }";
    let gateway = TestGateway::with(format!("routes: [{{ upstream: \"{}\" }}]\n{rules}", upstream.origin())).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let page = browser.open("/group/x?a=1&b=2").await;
    assert_eq!(page.status, 403);
    assert!(page.text().contains("href=\"/auth/login?switch&#38;rd=%2Fgroup%2Fx%3Fa%3D1%26b%3D2\""), "{}", page.text());
    assert_eq!((page.header("cache-control"), page.header("www-authenticate")), (Some("no-store"), None));
    let form = browser.url("/group/send");
    let referer = format!("{}/group/form?a=1", gateway.origin());
    for (headers, back) in [(&[HTML, FORM, ("referer", &*referer)][..], "&#38;rd=%2Fgroup%2Fform%3Fa%3D1\""), (&[HTML, FORM], "\"")] {
        let page = browser.agent.send(Method::POST, &form, headers, "a=1").await;
        let link = format!("href=\"/auth/login?switch{back}");
        assert!(
            page.status == 403 && page.text().contains(&link),
            "a form leads back to its page, never to where it was sent: {}",
            page.text()
        );
    }
    let mut api = gateway.api();
    for (path, code) in [("/deny", "urn:portcullis:forbidden"), ("/factor", "urn:portcullis:second_factor_missing")] {
        let answer = api.get(path).await;
        assert_eq!((answer.status, answer.json()["type"].as_str()), (403, Some(code)), "{path}");
        let answer = browser.open(path).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    assert_eq!(upstream.seen(), 0);
}

/// `network` looks at the client that a trusted proxy names, and at nobody's own claim.
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_a_network_sees_through_trusted_proxies_only() {
    let upstream = EchoUpstream::start().await;
    let rules = "access: { rules: [{ path: /in, network: [10.0.0.0/8, '2001:db8::/32'], allow: public }] }";
    let routes = format!("routes: [{{ upstream: \"{}\" }}]", upstream.origin());
    let trusting = TestGateway::with(format!("{routes}\n{rules}\nserver: {{ trusted_proxies: [127.0.0.1] }}")).start().await;
    let wary = TestGateway::with(format!("{routes}\n{rules}")).start().await;
    for (list, status) in [
        ("10.1.2.3", 200),
        ("203.0.113.1, 10.1.2.3", 200),
        ("10.1.2.3, 203.0.113.1", 401),
        ("10.1.2.3, 127.0.0.1", 200),
        ("[2001:db8::1]:1234", 200),
        ("::ffff:10.1.2.3", 200),
        ("10.1.2.3, nonsense", 401),
        ("", 401),
    ] {
        let line = format!("X-Forwarded-For: {list}\r\n");
        assert_eq!(raw_get(&trusting, "app.test", "/in", &line).await.status(), status, "{list:?}");
        assert_eq!(raw_get(&wary, "app.test", "/in", &line).await.status(), 401, "{list:?}");
    }
}

/// S0.5, contract 3.6: only a person who looks at a page is sent to the login.
#[tokio::test(flavor = "multi_thread")]
async fn a_navigation_is_sent_to_the_login_and_all_else_gets_401() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).start().await;
    let mut agent = Agent::new();
    let cases: [(Method, Headers<'_>, u16); 18] = [
        (Method::GET, &[HTML], 302),
        (Method::HEAD, &[HTML], 302),
        (Method::GET, &[("accept", "application/json, Text/HTML;q=0.1")], 302),
        (Method::GET, &[HTML, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")], 302),
        (Method::POST, &[HTML, FORM], 303),
        (Method::POST, &[HTML, ("content-type", "multipart/form-data; boundary=x"), ("sec-fetch-mode", "navigate")], 303),
        (Method::GET, &[], 401),
        (Method::HEAD, &[], 401),
        (Method::GET, &[("accept", "*/*")], 401),
        (Method::GET, &[("accept", "text/*")], 401),
        (Method::GET, &[("accept", "application/json")], 401),
        (Method::GET, &[HTML, ("sec-fetch-mode", "cors")], 401),
        (Method::GET, &[HTML, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], 401),
        (Method::GET, &[HTML, ("x-requested-with", "XMLHttpRequest")], 401),
        (Method::POST, &[HTML, ("content-type", "application/json")], 401),
        (Method::POST, &[HTML], 401),
        (Method::POST, &[FORM], 401),
        (Method::PUT, &[HTML, FORM], 401),
    ];
    for (method, headers, status) in cases {
        let answer = ask(&gateway, &mut agent, method.clone(), "app.test", "/x?y=1", headers).await;
        assert_eq!(answer.status, status, "{method} {headers:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{method} {headers:?}");
        let challenge = (status == 401).then_some("Bearer realm=\"portcullis\"");
        assert_eq!(answer.header("www-authenticate"), challenge, "{method} {headers:?}");
        let location = match status {
            302 => Some("/auth/login?rd=%2Fx%3Fy%3D1"),
            303 => Some("/auth/login"),
            _ => None,
        };
        assert_eq!(answer.header("location"), location, "{method} {headers:?}");
        assert!(method != Method::HEAD || answer.body.is_empty());
    }
    let websocket = "Accept: text/html\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(raw_get(&gateway, "app.test", "/ws", websocket).await.status(), 401);
    assert_eq!(upstream.seen(), 0);
}

/// Contract 3.6
#[tokio::test(flavor = "multi_thread")]
async fn a_401_is_a_page_for_people_and_a_problem_for_programs() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).start().await;
    let mut agent = Agent::new();
    let problem = ask(&gateway, &mut agent, Method::GET, "app.test", "/data", &[("accept", "application/json")]).await;
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    let body = problem.json();
    assert_eq!(
        (body["status"].as_u64(), body["type"].as_str(), body["loginUrl"].as_str()),
        (Some(401), Some("urn:portcullis:unauthorized"), Some("/auth/login"))
    );
    let frame = [HTML, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
    let page = ask(&gateway, &mut agent, Method::GET, "app.test", "/frame", &frame).await;
    assert_eq!((page.status, page.header("content-type")), (401, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("href=\"/auth/login\" target=\"_top\""), "{}", page.text());
    let page = ask(&gateway, &mut agent, Method::GET, "app.test", "/x", &[HTML, ("sec-fetch-mode", "cors")]).await;
    assert!(page.text().contains("href=\"/auth/login\"") && !page.text().contains("_top"), "{}", page.text());
    let begun = raw_get(&gateway, "app.test", "/data", "").await;
    assert_eq!(begun.json()["requestId"].as_str().map(str::len), Some(32));
}

/// S1.1, contract 3.6: the way back is exactly the address that was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_is_the_address_asked_for_byte_by_byte() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("ann", &[]).start().await;
    let longest = format!("/{}", "a".repeat(2048 - "/auth/login?rd=%2F".len()));
    let targets = [
        "/",
        "/x?a=1&b=2",
        "/a%20b/%C3%A9;v=1?q=%2F%26&e=&f",
        "/x?rd=/y&next=https://a/b",
        "/x?a+b=c%2Bd",
        "/x?q={}|^`[]'",
        "/{\"a\"}|^[]'",
        &longest,
    ];
    let login_location = async |target: &str| {
        let answer = raw_get(&gateway, "app.test", target, "Accept: text/html\r\n").await;
        assert_eq!(answer.status(), 302, "{target}");
        answer.header("location").unwrap().to_owned()
    };
    for target in targets {
        let location = login_location(target).await;
        let (path, query) = location.split_once('?').unwrap_or((&location, ""));
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!((path, query), ("/auth/login", vec![("rd".to_owned(), target.to_owned())]));
        assert!(location.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/?=%-_.*+".contains(&byte)), "{location}");
    }
    assert_eq!(login_location(&format!("{longest}a")).await, "/auth/login");
    assert_eq!(login_location(&format!("/?{}", "%20".repeat(4000))).await, "/auth/login");
    // And the sign-in leads there.
    let mut browser = gateway.browser();
    let echo = browser.sign_in("/a%20b/%C3%A9;v=1?q=%2F%26&e=&f", "ann", PASSWORD).await;
    assert_eq!(echo.json()["target"], "/a%20b/%C3%A9;v=1?q=%2F%26&e=&f");
}

/// Contract 3.6: a form that could not be sent leads back to the page that it stood on.
#[tokio::test(flavor = "multi_thread")]
async fn a_posted_form_leads_back_to_the_page_it_stood_on() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).start().await;
    let port = gateway.address().port();
    let mut agent = Agent::new();
    for (referer, location) in [
        (format!("http://app.test:{port}/page?x=1#f"), "/auth/login?rd=%2Fpage%3Fx%3D1"),
        (format!("https://APP.test:{port}/page"), "/auth/login?rd=%2Fpage"),
        (format!("http://app.test:{port}"), "/auth/login?rd=%2F"),
        ("http://app.test/page".to_owned(), "/auth/login"),
        (format!("http://other.test:{port}/page"), "/auth/login"),
        (format!("http://app.test:{port}@other.test/page"), "/auth/login"),
        ("/page".to_owned(), "/auth/login"),
        ("javascript:alert(1)".to_owned(), "/auth/login"),
    ] {
        let answer = ask(&gateway, &mut agent, Method::POST, "app.test", "/form", &[HTML, FORM, ("referer", &referer)]).await;
        assert_eq!((answer.status, answer.location()), (303, location), "{referer}");
    }
    assert_eq!(upstream.seen(), 0);
}

/// Contract 3.11
#[tokio::test(flavor = "multi_thread")]
async fn protected_answers_stay_out_of_shared_caches() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!("routes: [{{ upstream: \"{}\" }}]\naccess: {{ rules: [{{ path: /public, allow: public }}] }}", upstream.origin());
    let gateway = TestGateway::with(yaml).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let html = ("Content-Type", "text/html; charset=utf-8");
    let css = ("Content-Type", "text/css");
    let cases: [(Headers<'_>, Option<&str>, &str); 10] = [
        (&[html], None, "private, no-store"),
        (&[("Content-Type", "TEXT/HTML")], None, "private, no-store"),
        (&[css], None, "private, no-cache"),
        (&[], None, "private, no-cache"),
        (&[css], Some("public, max-age=60"), "private, max-age=60"),
        (&[css], Some("max-age=60, S-MaxAge=600, immutable"), "private, max-age=60, immutable"),
        (&[css], Some("private, max-age=5"), "private, max-age=5"),
        (&[html], Some("max-age=60"), "max-age=60"),
        (&[html], Some("no-store"), "no-store"),
        (&[css], Some("Public"), "private"),
    ];
    for (number, (headers, given, expected)) in cases.into_iter().enumerate() {
        let mut all = headers.to_vec();
        all.extend(given.map(|given| ("Cache-Control", given)));
        upstream.serve(&format!("/{number}"), 200, &all, "x");
        upstream.serve(&format!("/public/{number}"), 200, &all, "x");
        let answer = browser.open(&format!("/{number}")).await;
        assert_eq!(answer.header("cache-control"), Some(expected), "{headers:?} {given:?}");
        assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1);
        let answer = browser.open(&format!("/public/{number}")).await;
        assert_eq!(answer.header("cache-control"), given, "{headers:?} {given:?}");
    }
}

/// S3.1, contract 4: `GET /profile` is ours where no route covers it.
#[tokio::test(flavor = "multi_thread")]
async fn the_profile_is_at_its_short_address_unless_a_route_covers_it() {
    let upstream = EchoUpstream::start().await;
    let yaml =
        format!("routes: [{{ host: api.test, path: /v1, upstream: \"{0}\" }}, {{ host: app.test, upstream: \"{0}\" }}]", upstream.origin());
    let gateway = TestGateway::with(yaml).user("ann", &[]).start().await;
    let mut agent = Agent::new();
    assert_eq!(ask(&gateway, &mut agent, Method::GET, "api.test", "/profile", &[]).await.status, 401);
    assert_eq!(ask(&gateway, &mut agent, Method::POST, "api.test", "/profile", &[]).await.status, 404);
    assert_eq!(ask(&gateway, &mut agent, Method::GET, "api.test", "/profile/x", &[]).await.status, 404);
    let mut browser = gateway.browser();
    for host in ["api.test", "app.test"] {
        browser.sign_in(&format!("{}/auth/account", gateway.origin_as(host)), "ann", PASSWORD).await;
    }
    let profile = ask(&gateway, &mut browser.agent, Method::GET, "api.test", "/profile", &[]).await;
    assert_eq!((profile.status, profile.json()["username"].as_str()), (200, Some("ann")));
    assert_eq!(upstream.seen(), 0);
    let covered = ask(&gateway, &mut browser.agent, Method::GET, "app.test", "/profile", &[]).await;
    assert_eq!(covered.json()["target"], "/profile");
}

/// Contract 3.4: on the portal's host `/` is the account page, unless a route covers it.
#[tokio::test(flavor = "multi_thread")]
async fn the_portals_own_host_leads_to_the_account() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!("portal: {{ url: 'http://auth.test:80' }}\nroutes: [{{ host: app.test, upstream: \"{}\" }}]", upstream.origin());
    let gateway = TestGateway::with(yaml).start().await;
    let root = raw_get(&gateway, "auth.test", "/", "Accept: text/html\r\n").await;
    assert_eq!((root.status(), root.header("location")), (302, Some("/auth/account")));
    assert_eq!(raw_get(&gateway, "auth.test", "/other", "").await.status(), 404);
    assert_eq!(raw_get(&gateway, "auth.test", "/auth/login", "Accept: text/html\r\n").await.status(), 200);
    assert_eq!(raw_get(&gateway, "app.test", "/", "").await.status(), 401);
}

/// `server.prefix`
#[tokio::test(flavor = "multi_thread")]
async fn own_pages_live_under_the_configured_prefix() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).set("SERVER__PREFIX", "/_gate/x").user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    let login = browser.open("/auth/login").await;
    assert_eq!((login.status, login.location()), (302, "/_gate/x/login?rd=%2Fauth%2Flogin"));
    assert_eq!(browser.sign_in("/auth/login", "ann", PASSWORD).await.json()["target"], "/auth/login");
}
