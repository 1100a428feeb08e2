//! What is refused before anything else looks at it: raw bytes in, a status and a closed connection out, and nothing
//! at the upstream.

use crate::support::agent::Agent;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::{Raw, RawResponse};
use crate::support::raw_h2::{self, Outcome, RawH2};
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use std::time::{Duration, Instant};

/// Everything below `/public` is open to all, `/admin` to a group that nobody is in, the rest to whoever signed in.
const RULES: &str = "access: { rules: [{ path: /public, allow: public }, { path: /admin, group: [admins], allow: authenticated }] }";

async fn guarded(upstream: &EchoUpstream, more: &str) -> TestGateway {
    let routes = format!("routes: [{{ host: app.test, path: /, upstream: \"{}\" }}]", upstream.origin());
    TestGateway::with(format!("{routes}\n{RULES}\n{more}")).start().await
}

/// Sends bytes and reads one answer, after which the connection must be closed.
async fn answered_and_closed(gateway: &TestGateway, request: &[u8]) -> RawResponse {
    let mut raw = gateway.raw().await;
    raw.send(request).await;
    let response = raw.response().await;
    assert_eq!(raw.closed().await, 0, "more than one answer to {:?}", String::from_utf8_lossy(request));
    response
}

/// Fails unless every request is answered with its status and the connection closed, and none reaches the upstream.
async fn assert_refused<R: AsRef<[u8]>>(gateway: &TestGateway, upstream: &EchoUpstream, status: u16, requests: &[R]) {
    let mut wrong = Vec::new();
    for request in requests {
        let request = request.as_ref();
        let answer = answered_and_closed(gateway, request).await;
        let shown = String::from_utf8_lossy(&request[..request.len().min(120)]).into_owned();
        if answer.status() != status {
            wrong.push(format!("{} for {shown:?}", answer.status()));
        }
        assert_eq!(answer.header("server"), None, "{shown:?}");
    }
    assert!(wrong.is_empty(), "expected {status}, got\n{}", wrong.join("\n"));
    assert_eq!(upstream.seen(), 0);
}

/// A request to the open part of the site with this start line.
fn line(start: &str) -> String {
    format!("{start}\r\nHost: app.test\r\n\r\n")
}

/// A `POST` to the open part of the site with these header lines, and a second request behind it.
fn framed(lines: &str) -> String {
    format!("POST /public HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n\r\n0\r\n\r\nGET /public/smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n")
}

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

/// Contract 3.1; threats B16, H13
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_missing_doubled_or_malformed_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let hosts = [
        "",
        "app.test/",
        "app.test/evil?x",
        "app.test?x",
        "app.test#x",
        "app.test,b",
        "app .test",
        "u@app.test",
        "app.test:",
        "app.test:0",
        "app.test:abc",
        "app.test:99999",
        "app..test",
        ".app.test",
        "[::1",
        "[::g]",
        "1.2.3",
        "0x7f.1",
        "app.test:80:80",
        "a%2eb",
        "\u{e9}.test",
    ];
    let mut requests: Vec<String> = hosts.iter().map(|host| format!("GET /public HTTP/1.1\r\nHost: {host}\r\n\r\n")).collect();
    requests.push("GET /public HTTP/1.1\r\n\r\n".to_owned());
    requests.push("GET /public HTTP/1.0\r\n\r\n".to_owned());
    requests.push("GET /public HTTP/1.1\r\nHost: app.test\r\nHost: app.test\r\n\r\n".to_owned());
    requests.push("GET /public HTTP/1.1\r\nHost: app.test\r\nhost: other.test\r\n\r\n".to_owned());
    requests.push("GET http://app.test/public HTTP/1.1\r\n\r\n".to_owned());
    assert_refused(&gateway, &upstream, 400, &requests).await;
    assert_refused(
        &gateway,
        &upstream,
        404,
        &["GET /public HTTP/1.1\r\nHost: other.test\r\n\r\n", "GET /auth/login HTTP/1.1\r\nHost: x\r\n\r\n"],
    )
    .await;
}

/// Contract 3.1; threats H01, H02, H04
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_could_be_framed_in_two_ways_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let lines = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: 0x5",
        "Content-Length: -5",
        "Content-Length: 1e1",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 12345678901234567890",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding:",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "X: y\r\n Transfer-Encoding: chunked",
    ];
    let mut requests: Vec<String> = lines.iter().map(|lines| framed(lines)).collect();
    requests.push(framed("Transfer-Encoding: chunked").replace("HTTP/1.1\r\nHost", "HTTP/1.0\r\nHost"));
    assert_refused(&gateway, &upstream, 400, &requests).await;
}

/// Contract 3.1; threats H05, H08
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_head_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let heads = [
        "GET /public HTTP/1.1\nHost: app.test\n\n",
        "GET /public HTTP/1.1\r\nHost: app.test\nX: y\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\rX: y\r\n\r\n",
        "GET /public HTTP/1.1\r\n Host: app.test\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX: a\r\n folded\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX-A : b\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX A: b\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nno colon\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\n: empty\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX: a\0b\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nX: a\x1b[31m\r\n\r\n",
        "GET /public HTTP/1.1\r\nHost: app.test\r\nAuthorization: Basic \u{e9}\r\n\r\n",
        "GET /public HTTP/1.2\r\nHost: app.test\r\n\r\n",
        "GET /public HTTP/2.0\r\nHost: app.test\r\n\r\n",
        "GET /public HTTP/0.9\r\nHost: app.test\r\n\r\n",
        "GET /public\r\nHost: app.test\r\n\r\n",
        "GET  /public HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "GET /public HTTP/1.1 \r\nHost: app.test\r\n\r\n",
        " GET /public HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "GET /public x HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "G(T /public HTTP/1.1\r\nHost: app.test\r\n\r\n",
    ];
    assert_refused(&gateway, &upstream, 400, &heads).await;
}

/// Contract 3.1; threats H07, H10
#[tokio::test(flavor = "multi_thread")]
async fn only_100_continue_can_be_expected_and_no_protocol_but_websocket_is_upgraded_to() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let expecting = ["y 100-continue", "100-continue, x", "200-ok"]
        .map(|value| format!("POST /public HTTP/1.1\r\nHost: app.test\r\nExpect: {value}\r\nContent-Length: 1\r\n\r\na"));
    assert_refused(&gateway, &upstream, 417, &expecting).await;
    let upgrade = "GET /public HTTP/1.1\r\nHost: app.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = Raw::exchange(gateway.address(), upgrade).await;
    assert_eq!(answer.status(), 200);
    let head = upstream.last().head;
    assert_eq!((head.header("upgrade"), head.header("http2-settings")), (None, None), "{head:?}");
}

/// Contract 3.1; threats B20, H11
#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_listed_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let methods = ["TRACE", "FOO", "get", "PROPFIND", "M-SEARCH", "GETT", "PRI"];
    assert_refused(&gateway, &upstream, 405, &methods.map(|method| line(&format!("{method} /public HTTP/1.1")))).await;
    let connect = answered_and_closed(&gateway, b"CONNECT app.test:80 HTTP/1.1\r\nHost: app.test:80\r\n\r\n").await;
    assert!(matches!(connect.status(), 400 | 405), "{}", connect.status());
    for method in ["OPTIONS", "PUT", "PATCH", "DELETE"] {
        assert_eq!(Raw::exchange(gateway.address(), line(&format!("{method} /public HTTP/1.1"))).await.status(), 200, "{method}");
    }
}

/// Contract 2, `server.methods`
#[tokio::test(flavor = "multi_thread")]
async fn more_methods_are_let_through_where_they_are_listed() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { methods: [GET, PROPFIND] }").await;
    assert_eq!(Raw::exchange(gateway.address(), line("PROPFIND /public HTTP/1.1")).await.status(), 200);
    let refused = answered_and_closed(&gateway, line("POST /public HTTP/1.1").as_bytes()).await;
    assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, PROPFIND")), "RFC 9110 section 15.5.6");
    assert_eq!(upstream.seen(), 1);
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

/// Contract 3.1; threats S14, H14
#[tokio::test(flavor = "multi_thread")]
async fn heads_beyond_the_limits_are_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let long = "a".repeat(70_000);
    let fields = |count: usize| format!("GET /public HTTP/1.1\r\nHost: app.test\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert_refused(&gateway, &upstream, 414, &[line(&format!("GET /public?{long} HTTP/1.1")), line(&format!("{long} / HTTP/1.1"))]).await;
    let headers = [
        format!("GET /public HTTP/1.1\r\nHost: app.test\r\nX: {long}\r\n\r\n"),
        format!("GET /public HTTP/1.1\r\nHost: app.test\r\nCookie: a={long}\r\n\r\n"),
        format!("GET /public HTTP/1.1\r\nHost: app.test\r\n{long}: x\r\n\r\n"),
    ];
    assert_refused(&gateway, &upstream, 431, &headers).await;
    assert_refused(&gateway, &upstream, 400, &[fields(256), fields(300)]).await;
    assert_eq!(Raw::exchange(gateway.address(), fields(255)).await.status(), 200);
    let largest = format!("GET /public HTTP/1.1\r\nHost: app.test\r\nX: {}\r\n\r\n", "a".repeat(16_000));
    assert_eq!(Raw::exchange(gateway.address(), largest).await.status(), 200);
}

/// `server.timeouts.header`: in total, not per read; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_dribbles_in_is_given_up_at_one_total_deadline() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { timeouts: { header: 300ms } }").await;
    let mut raw = gateway.raw().await;
    let begun = Instant::now();
    raw.send("GET /public HTTP/1.1\r\nHost: app.test\r\nX: ").await;
    let mut answer = None;
    // Every byte comes well within the deadline, the whole head never does.
    while answer.is_none() && begun.elapsed() < Duration::from_secs(10) {
        raw.try_send("a").await;
        answer = tokio::time::timeout(Duration::from_millis(50), raw.response()).await.ok();
    }
    assert_eq!(answer.expect("an answer while it dribbles").status(), 408);
    assert!(begun.elapsed() >= Duration::from_millis(300) && begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(upstream.seen(), 0);
}

/// `server.timeouts.header` and `idle`; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed_at_once_and_between_requests() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { timeouts: { header: 300ms, idle: 1s } }").await;
    let mut silent = gateway.raw().await;
    assert_eq!(silent.closed().await, 0);
    let mut idle = gateway.raw().await;
    for _ in 0..2 {
        idle.send(line("GET /public HTTP/1.1")).await;
        assert_eq!(idle.response().await.status(), 200);
    }
    assert_eq!(idle.closed().await, 0);
    assert_eq!(upstream.seen(), 2);
}

/// The second request on a connection has a deadline and a guard of its own; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn later_requests_on_a_connection_are_guarded_like_the_first() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { timeouts: { header: 300ms } }").await;
    for (second, status) in [("GET admin HTTP/1.1\r\nHost: app.test\r\n\r\n", 400), ("GET /public HTTP/1.1\r\nHost: app", 408)] {
        let mut raw = gateway.raw().await;
        raw.send(line("GET /public HTTP/1.1")).await;
        assert_eq!(raw.response().await.status(), 200);
        raw.send(second).await;
        assert_eq!(raw.response().await.status(), status, "{second:?}");
        assert_eq!(raw.closed().await, 0);
    }
    assert_eq!(upstream.seen(), 2);
}

/// Requests that come together are answered in order or the connection closes; none is judged by another's head.
#[tokio::test(flavor = "multi_thread")]
async fn a_pipelined_request_is_judged_on_its_own() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let mut raw = gateway.raw().await;
    raw.send([line("GET /public/one HTTP/1.1"), line("GET /admin HTTP/1.1"), line("GET /public/../admin HTTP/1.1")].concat()).await;
    assert_eq!(raw.response().await.status(), 200);
    raw.closed().await;
    let targets: Vec<String> = upstream.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(targets, ["/public/one"]);
}

/// A body that nobody read is no next request; threats H01
#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_a_refused_request_is_not_taken_for_a_request() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let hidden = line("GET /public/smuggled HTTP/1.1");
    let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    let declared = format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len());
    for path in ["/admin", "/auth/login", "/auth/nowhere", "/public/status/204"] {
        for body in [&declared, &format!("Transfer-Encoding: chunked\r\n\r\n{chunk}")] {
            let mut raw = gateway.raw().await;
            raw.send(format!("POST {path} HTTP/1.1\r\nHost: app.test\r\nContent-Type: text/plain\r\n{body}")).await;
            raw.response().await;
            // Whatever follows on this connection, it is an answer to what was asked next.
            raw.try_send(line("GET /auth/session HTTP/1.1")).await;
            if let Some(answer) = raw.try_response().await {
                assert_eq!(answer.status(), 401, "{path}");
            }
        }
    }
    assert!(upstream.requests().iter().all(|request| request.target() != "/public/smuggled"), "{:?}", upstream.requests());
}

/// `server.limits.own_body`, contract 3.1; threats H17
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_too_large_is_refused_without_being_read() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    let head = "POST /auth/login HTTP/1.1\r\nHost: app.test\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let lengths = [64 * 1024 + 1, 1 << 20, 10 << 20].map(async |length: usize| {
        // Nothing of the body is sent, and still the answer comes.
        let answer = answered_and_closed(&gateway, format!("{head}Content-Length: {length}\r\n\r\n").as_bytes()).await;
        assert_eq!(answer.status(), 413, "{length}");
    });
    futures_util::future::join_all(lengths).await;
    let mut raw = gateway.raw().await;
    raw.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let begun = Instant::now();
    // A chunked body without an end is answered soon after the limit and not taken for ever.
    while raw.try_send(&chunk).await {
        assert!(begun.elapsed() < Duration::from_secs(15), "it is still taken");
    }
    assert_eq!(upstream.seen(), 0);
}

/// `server.limits.own_body`; threats H17
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_sent_whole_although_too_large_gets_its_answer() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "").await;
    for length in [1_usize << 20, 10 << 20] {
        let body = format!("username=ann&password={}", "a".repeat(length));
        let mut client = Agent::new();
        let url = format!("{}/auth/login", gateway.origin_as("app.test")).parse().unwrap();
        let begun = Instant::now();
        let answer = client.send(http::Method::POST, &url, &[("content-type", "application/x-www-form-urlencoded")], body).await;
        assert_eq!(answer.status, 413, "{length}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    }
}

/// `server.limits.proxied_body`, contract 3.1
#[tokio::test(flavor = "multi_thread")]
async fn a_declared_body_above_the_limit_never_reaches_the_upstream() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { limits: { proxied_body: 1KiB } }").await;
    let request = |length: usize| format!("POST /public HTTP/1.1\r\nHost: app.test\r\nContent-Length: {length}\r\n\r\n");
    assert_refused(&gateway, &upstream, 413, &[request(1025), request(1 << 30)]).await;
    let answer = Raw::exchange(gateway.address(), request(1024) + &"a".repeat(1024)).await;
    assert_eq!(answer.json()["body"]["length"], 1024);
}

/// Cookies that are no cookies of ours are no session, whatever their bytes; threats S05, S07, S11, A08
#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_is_not_beyond_doubt_is_no_session() {
    let upstream = EchoUpstream::start().await;
    let routes = format!("routes: [{{ path: /, upstream: \"{}\" }}]", upstream.origin());
    let gateway = TestGateway::with(routes).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "ann", PASSWORD).await;
    let before = upstream.seen();
    let good = browser.agent.cookies.get("portcullis").unwrap().value.clone();
    let other = format!("{}A", &good[..good.len() - 1]);
    let ask = async |cookies: &[u8]| {
        let request = [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n".as_slice(), cookies, b"\r\n\r\n"].concat();
        Raw::exchange(gateway.address(), request).await.status()
    };
    assert_eq!(ask(format!("Cookie: a=b; portcullis={good}").as_bytes()).await, 200);
    assert_eq!(ask(format!("Cookie: portcullis={good}; portcullis={good}").as_bytes()).await, 200);
    let doubtful = [
        format!("Cookie: portcullis={good}x"),
        format!("Cookie: portcullis={other}x"),
        format!("Cookie: portcullis={good}; portcullis={other}x"),
        format!("Cookie: portcullis={other}x; portcullis={good}"),
        format!("Cookie: portcullis={good}\r\nCookie: portcullis="),
        format!("Cookie: Portcullis={good}"),
        format!("Cookie: __Host-portcullis={good}"),
        format!("Cookie: __Secure-portcullis={good}"),
        format!("Cookie: portcullis=\"{good}\""),
        format!("Cookie: =portcullis={good}"),
        format!("Cookie: a=b, portcullis={good}"),
        format!("Cookie: \u{2000}portcullis={good}"),
        "Cookie: portcullis=*".to_owned(),
        "Cookie: portcullis=".to_owned(),
        format!("Cookie: portcullis={}", "a".repeat(8000)),
    ];
    for cookies in doubtful {
        assert_eq!(ask(cookies.as_bytes()).await, 401, "{cookies:?}");
    }
    assert_eq!(ask(b"Cookie: portcullis=\xff\xfe").await, 401);
    assert_eq!(upstream.seen(), before + 2);
}

/// Contract 3.1 over HTTP/2; threats B01, B05, H13
#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_guarded_like_http_1() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { h2c: true }").await;
    let get = |path: &'static str| vec![(":method", "GET"), (":scheme", "http"), (":authority", "app.test"), (":path", path)];
    assert_eq!(raw_h2::exchange(gateway.address(), &get("/public/a?b=c")).await, Outcome::Status(200));
    assert_eq!((upstream.seen(), upstream.last().target()), (1, "/public/a?b=c"));
    let with = |extra: (&'static str, &'static str)| {
        let mut fields = get("/public");
        fields.push(extra);
        fields
    };
    let mut bad = vec![
        with(("host", "other.test")),
        with(("host", "app.test:81")),
        with(("transfer-encoding", "chunked")),
        with(("connection", "x-user")),
        with(("upgrade", "websocket")),
        with(("te", "gzip")),
        with(("X-Upper", "case")),
        with(("x-a", "b\r\nx-user: root")),
        with(("x-a", "b\0c")),
        with(("x-a b", "c")),
        with(("content-length", "+5")),
        with(("authorization", "Basic \u{e9}")),
        with((":path", "/admin")),
        with((":path", "/public")),
        with((":unknown", "x")),
        vec![(":method", "GET"), (":scheme", "http"), (":path", "/public")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "app.test")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "other.test"), (":path", "/public")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "app.test/evil"), (":path", "/public")],
        vec![(":method", "GET"), (":scheme", "http"), (":authority", "u@app.test"), (":path", "/public")],
        vec![(":method", "TRACE"), (":scheme", "http"), (":authority", "app.test"), (":path", "/public")],
        vec![(":method", "get"), (":scheme", "http"), (":authority", "app.test"), (":path", "/public")],
        vec![(":method", "CONNECT"), (":authority", "app.test:80")],
    ];
    bad.extend(
        [
            "admin",
            "",
            "*",
            "http://app.test/public",
            "/public/../admin",
            "/%2e%2e/admin",
            "/public\\x",
            "/public%00",
            "/public/%",
            "/pub lic",
            "/public/\u{e9}",
            "//%61dmin",
        ]
        .into_iter()
        .map(get),
    );
    for fields in bad {
        let outcome = raw_h2::exchange(gateway.address(), &fields).await;
        assert!(outcome.is_refusal(), "{outcome:?} for {fields:?}");
        assert_eq!(upstream.seen(), 1, "{fields:?}");
    }
}

/// A request whose body is not as long as it says is none; threats (table of Pingora's behaviour)
#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_body_of_another_length_than_declared_is_refused() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { h2c: true }").await;
    let mut raw = RawH2::connect(gateway.address()).await;
    let fields = [(":method", "POST"), (":scheme", "http"), (":authority", "app.test"), (":path", "/public"), ("content-length", "5")];
    raw.headers(1, &fields, false).await;
    raw.data(1, b"more than five", true).await;
    assert!(raw.outcome(1).await.is_refusal());
    let complete = upstream.requests().iter().any(|request| request.complete);
    assert!(!complete, "{:?}", upstream.requests());
}

/// `server.timeouts.header`: on HTTP/2 from the handshake to the first request; threats H16
#[tokio::test(flavor = "multi_thread")]
async fn an_http_2_connection_without_a_request_is_closed() {
    let upstream = EchoUpstream::start().await;
    let gateway = guarded(&upstream, "server: { h2c: true, timeouts: { header: 300ms, idle: 1s } }").await;
    let mut silent = RawH2::connect(gateway.address()).await;
    within_patience("a silent HTTP/2 connection to close", silent.closed()).await;
    // An unfinished preface is no connection either.
    let mut raw = gateway.raw().await;
    raw.send("PRI * HTTP/2.0\r\n").await;
    raw.closed().await;
    assert_eq!(upstream.seen(), 0);
}

/// Contract 3.1: what never became a request is refused in the form that the client asked for, too.
#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_with_a_page_where_a_person_asks() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).start().await;
    let refused = async |accept: &str| {
        let request = format!("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\nAccept: {accept}\r\n\r\n");
        let answer = Raw::exchange(gateway.address(), request).await;
        (answer.status(), answer.header("content-type").unwrap_or_default().to_owned())
    };
    assert_eq!(refused("text/html,*/*").await, (400, "text/html; charset=utf-8".to_owned()));
    assert_eq!(refused("*/*").await, (400, "application/problem+json".to_owned()));
    assert_eq!(upstream.seen(), 0);
}
