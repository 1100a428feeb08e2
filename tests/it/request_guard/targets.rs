//! What the start line of an HTTP/1 request may ask for, and under which spellings.

use super::{assert_refused, guarded, line};
use crate::support::gateway::TestGateway;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;

/// Contract 3.1; threats B01, B02
#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_no_path_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let targets = [
        "admin",
        "public",
        "?x",
        "@h/admin",
        "foo:bar",
        ":80/admin",
        "*",
        "http://other.test/public",
        "http://app.test@other.test/public",
        "http://u@app.test/public",
        "http:///public",
        "ftp://app.test/public",
        "http://app.test?x",
        "http:/public",
    ];
    assert_refused(&gateway, &upstream, 400, &targets.map(|target| line(&format!("GET {target} HTTP/1.1")))).await;
}

/// Contract 3.1; threats B05, B10, B11
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_servers_read_in_different_ways_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let targets = [
        "/public/../admin",
        "/./admin",
        "/public/..",
        "/%2e%2e/admin",
        "/public/.%2E/admin",
        "/public/%2e/x",
        "/public/..;/admin",
        "/public/..;x=1/admin",
        "/public/%2e%2e%3b/admin",
        "/admin%00",
        "/public%00.css",
        "/public/%0a",
        "/public/%7f",
        "/public%2f..%2fadmin",
        "/public%2fx",
        "/public%5c..%5cadmin",
        "/public\\..\\admin",
        "/public/%",
        "/public/%4",
        "/public/%zz",
        "/admin#/public/x",
        "/public#",
        "/public?x#y",
        "/#/../admin",
        "/public/<b>",
        "/public/`id`",
        "/public?q=\"x\"",
        "/public?q=<script>",
    ];
    let mut requests: Vec<Vec<u8>> = targets.iter().map(|target| line(&format!("GET {target} HTTP/1.1")).into_bytes()).collect();
    for raw in [&b"\0"[..], b"\t", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xc3\xa9"] {
        for target in [[b"/public/".as_slice(), raw].concat(), [b"/public?".as_slice(), raw].concat()] {
            requests.push([b"GET ".as_slice(), &target, b" HTTP/1.1\r\nHost: app.test\r\n\r\n"].concat());
        }
    }
    assert_refused(&gateway, &upstream, 400, &requests).await;
}

/// Contract 3.1; threats B04, B07, B08, B13, B14, B17, B19, B20
#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_protected_path_reaches_the_upstream_without_a_session() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let paths = [
        "/admin",
        "//admin",
        "///admin",
        "/admin//",
        "/%61dmin",
        "/%2561dmin",
        "/%252e%252e/admin",
        "/public/%252e%252e/%2e%2e%2fadmin",
        "/admin%23/public/x",
        "/publicsecret",
        "/public.bak",
        "/public%20",
        "/PUBLIC",
        "/admin;x=1",
        "/admin/;/",
        "/;/admin",
        "/admin?/../public",
        "/;public",
        "/;/public%3b",
    ];
    for path in paths {
        // Only some of them are ambiguous, but all of them are refused in one way or the other.
        let answer = Raw::exchange(gateway.address(), line(&format!("GET {path} HTTP/1.1"))).await;
        let expected: &[u16] = if path == "/;/public%3b" { &[200] } else { &[400, 401] };
        assert!(expected.contains(&answer.status()), "{} for {path}", answer.status());
    }
    // What normalises to an open path is open, and arrives as it was sent.
    assert_eq!((upstream.seen(), upstream.last().target()), (1, "/;/public%3b"));
    let names = ["X-Forwarded-Uri", "X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Forwarded-Path", "X-Accel-Redirect"];
    for name in names {
        let answer = Raw::exchange(gateway.address(), format!("GET /admin HTTP/1.1\r\nHost: app.test\r\n{name}: /public/\r\n\r\n")).await;
        assert_eq!(answer.status(), 401, "{name}");
    }
    for name in
        ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Forwarded-Host", "X-User", "Remote-User", "X-Forwarded-Method"]
    {
        let answer = Raw::exchange(gateway.address(), format!("GET /admin HTTP/1.1\r\nHost: app.test\r\n{name}: root\r\n\r\n")).await;
        assert_eq!(answer.status(), 401, "{name}");
    }
    assert_eq!(upstream.seen(), 1);
}

/// Contract 3.1: the gateway's own paths are found under every spelling, so that none of them is proxied.
#[tokio::test(flavor = "multi_thread")]
async fn own_pages_cannot_be_spelt_past_the_gateway() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!("routes: [{{ upstream: \"{}\" }}]\naccess: {{ default: public }}", upstream.origin());
    let gateway = TestGateway::with(yaml).start().await;
    for path in
        ["/auth/login", "//auth/login", "/%61uth/login", "/auth;x/login", "/auth//login", "/auth", "/auth/", "/auth/nowhere", "/api/auth/x"]
    {
        Raw::exchange(gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n")).await;
        assert_eq!(upstream.seen(), 0, "{path}");
    }
    for path in ["/authx", "/api/authx", "/apiauth"] {
        let answer = Raw::exchange(gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n")).await;
        assert_eq!(answer.status(), 200, "{path}");
    }
}

/// RFC 9110 section 8.6: `HEAD` is told the length that `GET` would have had, on our own pages, too.
#[tokio::test(flavor = "multi_thread")]
async fn head_of_an_own_page_is_answered_as_get() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    for path in ["/auth/login", "/auth/nothing", "/auth/session", "/protected"] {
        let shown = Raw::exchange(gateway.address(), line(&format!("GET {path} HTTP/1.1"))).await;
        let mut raw = gateway.raw().await;
        raw.send(line(&format!("HEAD {path} HTTP/1.1"))).await;
        let head = raw.response_to_head().await;
        assert_eq!((head.status(), head.body.len()), (shown.status(), 0), "{path}");
        assert_eq!(head.header("content-length"), Some(shown.body.len().to_string().as_str()), "{path}");
    }
}

/// Contract 3.1: `*` is for OPTIONS, and it asks the gateway, which answers.
#[tokio::test(flavor = "multi_thread")]
async fn options_of_the_server_itself_are_answered_without_asking_an_upstream() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let answer = Raw::exchange(gateway.address(), line("OPTIONS * HTTP/1.1")).await;
    assert_eq!((answer.status(), answer.header("allow")), (204, Some("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")));
    assert_eq!(answer.header("cache-control"), Some("no-store"), "it is an answer of our own");
    assert_eq!(upstream.seen(), 0);
}

/// Contract 3.1: absolute form is taken where it names the host asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_url_of_the_host_asked_for_is_taken_as_its_path() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let answer = Raw::exchange(gateway.address(), line("GET http://APP.test/public/a?b=c HTTP/1.1")).await;
    assert_eq!((answer.status(), upstream.last().target()), (200, "/public/a?b=c"));
    assert_eq!(upstream.last().head.header_values("host"), ["app.test"]);
    let answer = Raw::exchange(gateway.address(), line("GET http://app.test/admin HTTP/1.1")).await;
    assert_eq!((answer.status(), upstream.seen()), (401, 1));
}
