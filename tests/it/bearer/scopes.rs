//! Where a personal token may be used.

use super::{HTML, Site, bearer};
use crate::support::raw::Raw;
use portcullis::token::Scope;

const CHALLENGE: &str = "Bearer realm=\"portcullis\", error=\"insufficient_scope\"";

fn scope(host: Option<&str>, path: Option<&str>, methods: &[&str]) -> Scope {
    let methods = methods.iter().map(|method| (*method).to_owned()).collect();
    Scope { host: host.map(str::to_owned), path: path.map(str::to_owned), methods }
}

impl Site {
    async fn is_out_of_scope(&self, line: &str, token: &str) {
        for also in ["", HTML] {
            let before = self.upstream.seen();
            let answer = self.ask(line, &format!("{}{also}", bearer(token))).await;
            assert_eq!((answer.status(), answer.header("www-authenticate")), (403, Some(CHALLENGE)), "{line}");
            assert_eq!((answer.header("location"), self.upstream.seen()), (None, before), "{line}");
        }
    }
}

/// Issue "scoped by host, path prefix, methods"; threats B04, B05, B07, B13, B14
#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_its_path_as_rules_see_it_and_nothing_beside_it() {
    let site = Site::start().await;
    let token = site.personal_for(scope(None, Some("/wiki"), &[]), None).await;
    for path in ["/wiki", "/wiki/", "/wiki/a?x=/other", "//wiki/a", "/wiki;v=1/a", "/%77iki", "/wiki/%2561"] {
        let line = format!("PUT {path}");
        let head = site.forwarded(&line, &format!("{}Content-Length: 0\r\n", bearer(&token))).await;
        assert_eq!((head.start_word(1), head.header("x-user")), (path, Some("ann")));
    }
    for path in ["/", "/wikis", "/wiki.bak", "/Wiki", "/%2577iki", "/a/wiki", "/;x/wikis", "/public/page", "/never", "/admin"] {
        site.is_out_of_scope(&format!("GET {path}"), &token).await;
    }
    for path in ["/wiki/../admin", "/wiki/%2e%2e/admin", "/wiki%2fx", "/wiki\\x"] {
        assert_eq!(site.status(&format!("GET {path}"), &token).await, 400, "{path}");
    }
    let answer = site.ask("GET /auth/profile", &bearer(&token)).await;
    assert_eq!((answer.status(), answer.json()["type"].as_str()), (403, Some("urn:portcullis:insufficient_scope")));
}

/// Issue "scoped by host"; threats B17
#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_a_host_opens_that_host_alone() {
    let site = Site::start().await;
    let token = site.personal_for(scope(Some("Wiki.example.com"), None, &[]), None).await;
    let ask = async |host: &str, more: &str| {
        let request = format!("GET /page HTTP/1.1\r\nHost: {host}\r\n{}{more}\r\n", bearer(&token));
        Raw::exchange(site.gateway.address(), request).await.status()
    };
    for host in ["wiki.example.com", "WIKI.example.com:8080", "wiki.example.com."] {
        assert_eq!(ask(host, "").await, 200, "{host}");
    }
    for host in ["app.test", "example.com", "x.wiki.example.com", "wiki.example.com.evil.test"] {
        assert_eq!(ask(host, "X-Forwarded-Host: wiki.example.com\r\n").await, 403, "{host}");
    }
}

/// Issue "scoped by methods"; threats B17, B20
#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_reading_cannot_be_made_to_write() {
    let site = Site::start().await;
    let token = site.personal_for(scope(None, None, &["GET"]), None).await;
    let wide = site.personal().await;
    let overrides = "X-HTTP-Method-Override: DELETE\r\nX-HTTP-Method: DELETE\r\nX_Method_Override: DELETE\r\n";
    let head = site.forwarded("GET /page", &format!("{}{overrides}", bearer(&token))).await;
    assert_eq!((head.header("x-http-method-override"), head.header("x-http-method"), head.header("x_method_override")), (None, None, None));
    let head = site.forwarded("GET /page", &format!("{}{overrides}", bearer(&wide))).await;
    assert_eq!(head.header("x-http-method-override"), Some("DELETE"), "as for anybody whom no method is named for");
    let mut raw = site.gateway.raw().await;
    raw.send(format!("HEAD /page HTTP/1.1\r\nHost: app.test\r\n{}\r\n", bearer(&token))).await;
    assert_eq!(raw.response_to_head().await.status(), 200, "HEAD is less than GET");
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        site.is_out_of_scope(&format!("{method} /page"), &token).await;
    }
}
