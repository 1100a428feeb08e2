//! Where a login leads (threats d): through the page's query, the form it makes of it and the answer to that form.

use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use url::Url;
use url::form_urlencoded::Serializer;

async fn gateway() -> (EchoUpstream, TestGateway) {
    let upstream = EchoUpstream::start().await;
    let origin = upstream.origin();
    let yaml = format!(
        r#"
        cookies: {{ domain: example.com }}
        portal: {{ landing: /landing }}
        routes:
          - {{ host: auth.example.com, upstream: "{origin}" }}
          - {{ host: app.test, upstream: "{origin}" }}
          - {{ host: "*.apps.example.com", upstream: "{origin}" }}
          - {{ host: "*.foreign.test", upstream: "{origin}" }}
        "#
    );
    (upstream, TestGateway::with(yaml).user("alice", &[]).start().await)
}

/// `rd` rows of the threat list, and their kin. `PORT` is the gateway's.
const HOSTILE: &[&str] = &[
    "https://evil.test",
    "http://evil.test:PORT/",
    "//evil.test",
    "//evil.test:PORT/",
    "///evil.test",
    "/\\evil.test",
    "\\/evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "/\n\\evil.test",
    "/\r\n/evil.test",
    "\t//evil.test",
    "http:evil.test",
    "http:/evil.test",
    "http:///evil.test",
    "http:\\\\evil.test",
    "/%09/evil.test",
    "/%0a/evil.test",
    "/%5cevil.test",
    "/%2fevil.test",
    "http://auth.example.com@evil.test",
    "http://auth.example.com:PORT@evil.test",
    "http://auth.example.com:x@evil.test/",
    "http://user@auth.example.com:PORT/",
    "http://evil.test#auth.example.com:PORT",
    "http://evil.test?auth.example.com:PORT",
    "http://evil.test\\auth.example.com:PORT",
    "http://notexample.com:PORT",
    "http://example.com.evil.test:PORT",
    "http://auth.example.com.evil.test:PORT",
    "http://auth.example.com%2eevil.test:PORT/",
    "http://auth.example.com%00.evil.test:PORT/",
    "http://auth.example.com%2fevil.test:PORT/",
    "http://evil.test\u{ad}:PORT/",
    "http://evil\u{3002}test:PORT/",
    "http://\u{ff41}pp.te\u{17f}t.evil:PORT/",
    "http://x.foreign.test:PORT/",
    "http://other.example.com:PORT/",
    "http://example.com:PORT/",
    "https://app.test/",
    "https://app.test:PORT/",
    "http://app.test/",
    "http://app.test:1/",
    "http://app.test:PORT//evil.test",
    "ftp://app.test:PORT/",
    "ws://app.test:PORT/",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,x",
    "vbscript:x",
    "/.//evil.test",
    "/..//evil.test",
    "/a/..//evil.test",
    "/%2e//evil.test",
    "/x\r\nSet-Cookie: a=b",
    "/x\0",
    " //evil.test",
    "\u{3000}//evil.test",
    "\u{a0}//evil.test",
    "\u{feff}//evil.test",
    "evil.test",
    "@evil.test",
    "?x",
    "#x",
    "",
];

/// Rows that stay, and how they are written.
const KEPT: &[(&str, &str)] = &[
    ("/app?x=%2F%2Fevil#f", "/app?x=%2F%2Fevil#f"),
    ("/a//b/?q=//x", "/a//b/?q=//x"),
    ("/x?rd=https://evil.test", "/x?rd=https://evil.test"),
    ("/caf\u{e9}", "/caf%C3%A9"),
    ("http://app.test:PORT/p", "http://app.test:PORT/p"),
    ("http://APP.test:PORT/p", "http://app.test:PORT/p"),
    ("http://x.apps.example.com:PORT/p?q#f", "http://x.apps.example.com:PORT/p?q#f"),
    ("http://auth.example.com:PORT/here", "http://auth.example.com:PORT/here"),
];

/// threats R01 to R43: where the login would lead is read from the redirect of a browser that is signed in already, which
/// is decided by the same words as the form; a few go through the form as well, below.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_leads_elsewhere_leads_to_the_landing_page() {
    let (_upstream, gateway) = gateway().await;
    let (base, port) = (gateway.origin_as("auth.example.com"), gateway.address().port().to_string());
    let mut browser = Browser::new(&base);
    browser.sign_in("/auth/login", "alice", PASSWORD).await;
    for rd in HOSTILE {
        let rd = rd.replace("PORT", &port);
        for field in ["rd", "redirect_uri"] {
            let query = Serializer::new(String::new()).append_pair(field, &rd).finish();
            let answer = browser.open(&format!("/auth/login?{query}")).await;
            assert_eq!((answer.status, answer.location()), (303, "/landing"), "{rd:?}");
            assert!(answer.header("set-cookie").is_none(), "{rd:?}");
        }
    }
    for (rd, expected) in KEPT {
        let query = Serializer::new(String::new()).append_pair("rd", &rd.replace("PORT", &port)).finish();
        let answer = browser.open(&format!("/auth/login?{query}")).await;
        assert_eq!((answer.status, answer.location()), (303, expected.replace("PORT", &port).as_str()), "{rd:?}");
    }
}

/// threats R40: two destinations are none.
#[tokio::test(flavor = "multi_thread")]
async fn two_destinations_are_as_good_as_none() {
    let (_upstream, gateway) = gateway().await;
    let mut browser = Browser::new(&gateway.origin_as("auth.example.com"));
    browser.sign_in("/auth/login", "alice", PASSWORD).await;
    for query in
        ["rd=/ok&rd=//evil.test", "rd=//evil.test&rd=/ok", "rd=/ok&rd=/ok", "rd=/ok&redirect_uri=/ok", "redirect_uri=/a&redirect_uri=/b"]
    {
        assert_eq!(browser.open(&format!("/auth/login?{query}")).await.location(), "/landing", "{query}");
    }
}

/// threats d: the whole way through the page and its form, and the value that the form carries is judged again.
#[tokio::test(flavor = "multi_thread")]
async fn the_form_leads_where_the_page_was_asked_to_lead_and_nowhere_else() {
    let (_upstream, gateway) = gateway().await;
    let (base, port) = (gateway.origin_as("auth.example.com"), gateway.address().port().to_string());
    let hostile = ["https://evil.test", "//evil.test", "/\\evil.test", "/%2fevil.test", "javascript:alert(1)", "\"><svg onload=alert(1)>"];
    let rows = hostile.iter().map(|rd| (*rd, "/landing")).chain(KEPT.iter().copied());
    for (rd, expected) in rows {
        let (rd, expected) = (rd.replace("PORT", &port), expected.replace("PORT", &port));
        let mut browser = Browser::new(&base);
        let query = Serializer::new(String::new()).append_pair("rd", &rd).finish();
        let page = browser.open(&format!("/auth/login?{query}")).await;
        assert!(!page.text().contains("evil.test") || expected.contains("evil"), "{rd:?} is not repeated: {}", page.text());
        let answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.location()), (303, expected.as_str()), "{rd:?}");
    }
    for rd in ["https://evil.test", "//evil.test", "/.//evil.test"] {
        let mut browser = Browser::new(&base);
        let page = browser.open("/auth/login?rd=/ok").await;
        let answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD), ("rd", rd)]).await;
        assert_eq!(answer.location(), "/landing", "a form field is judged like the query: {rd}");
    }
}

/// threats d: a deep link whose own path looks like another host never becomes one.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_a_strange_path_is_asked_for_and_come_back_to_on_this_host() {
    let (_upstream, gateway) = gateway().await;
    let base = gateway.origin_as("auth.example.com");
    for path in ["//evil.test/x", "/x//evil.test", "/@evil.test", "/x?rd=//evil.test&redirect_uri=//evil.test", "/http://evil.test"] {
        let mut raw = gateway.raw().await;
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: auth.example.com:{}\r\nAccept: text/html\r\n\r\n", gateway.address().port())).await;
        let answer = raw.response().await;
        assert_eq!(answer.status(), 302, "{path}");
        let login = Url::parse(&base).unwrap().join(answer.header("location").unwrap()).unwrap();
        assert_eq!((login.host_str(), login.path()), (Some("auth.example.com"), "/auth/login"), "{path}");
        let mut browser = Browser::new(&base);
        let page = browser.open(login.as_str()).await;
        let answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await;
        assert_eq!(answer.target().host_str(), Some("auth.example.com"), "{path}: {}", answer.location());
    }
}

/// Contract 3.6: a form that was being filled in when the session ended leads back to the page it stood on, if that is here.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_sent_too_late_leads_back_to_its_own_page() {
    let (upstream, gateway) = gateway().await;
    let base = gateway.origin_as("auth.example.com");
    let mut browser = Browser::new(&base);
    let url = browser.url("/save");
    for (referer, expected) in [
        (format!("{base}/edit?page=1"), "/auth/login?rd=%2Fedit%3Fpage%3D1"),
        ("https://evil.test/".to_owned(), "/auth/login"),
        (String::new(), "/auth/login"),
    ] {
        let headers = [
            ("accept", "text/html"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("referer", referer.as_str()),
        ];
        let answer = browser.agent.send(http::Method::POST, &url, &headers, "a=b").await;
        assert_eq!((answer.status, answer.location()), (303, expected), "{referer}");
    }
    assert_eq!(upstream.seen(), 0);
}
