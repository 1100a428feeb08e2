//! What is refused before anything else looks at it: raw bytes in, a status and a closed connection out, and nothing
//! at the upstream.

mod bodies;
mod heads;
mod http2;
mod targets;

use crate::support::gateway::TestGateway;
use crate::support::raw::RawResponse;
use crate::support::upstream::EchoUpstream;

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
