//! Traces: which trace a request belongs to, what the upstream is told of it, and the spans that a collector gets.

mod collectors;
mod questions;

use crate::support::collector::Collector;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::message::Head;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// As a proxy in front writes it.
fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

/// A gateway with two routes whose traces go to the collector; `more` is more configuration.
async fn gateway(upstream: &EchoUpstream, collector: &Collector, more: &str) -> TestGateway {
    let origin = upstream.origin();
    let routes =
        format!("routes: [{{ host: other.test, upstream: \"{origin}\" }}, {{ host: app.test, path: /app, upstream: \"{origin}\" }}]");
    let rules = "access: { rules: [{ path: /never, allow: deny }, { path: /app/public, allow: public }] }";
    let yaml = format!("{routes}\n{rules}\ntracing: {{ otlp: '{}' }}\n{more}", collector.url());
    TestGateway::with(yaml).user("alice", &[]).start().await
}

const TRUSTING: &str = "server: { trusted_proxies: [127.0.0.1] }";

/// Sends a request and gives what the upstream received.
async fn forwarded(gateway: &TestGateway, upstream: &EchoUpstream, target: &str, lines: &str) -> Head {
    let answer = Raw::exchange(gateway.address(), format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    upstream.last().head
}

/// The trace and the span in a `traceparent`.
fn ids(head: &Head) -> (String, String) {
    let values = head.header_values("traceparent");
    let [value] = values[..] else { panic!("{values:?}") };
    let fields: Vec<&str> = value.split('-').collect();
    assert_eq!((fields.len(), fields[0], fields[1].len(), fields[2].len()), (4, "00", 32, 16), "{value}");
    (fields[1].to_owned(), fields[2].to_owned())
}

/// Contract 3.7; ux 49: a trusted proxy's trace goes on through us to the upstream, and the spans say so
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_step_of_its_trace_between_the_proxy_in_front_and_the_upstream() {
    let (upstream, collector) = (EchoUpstream::start().await, Collector::start().await);
    let gateway = gateway(&upstream, &collector, TRUSTING).await;
    let lines = format!("traceparent: {}\r\ntracestate: a=b\r\ntracestate: c=d\r\nX-Request-Id: from-the-proxy\r\n", traceparent("01"));
    let head = forwarded(&gateway, &upstream, "/app/public/x?token=Query-secret-7", &lines).await;
    assert_eq!(head.header_values("tracestate"), ["a=b", "c=d"]);
    let (trace, asked) = ids(&head);
    let spans = collector.trace(TRACE).await;
    let [request, decision, upstream_span] = &spans[..] else { panic!("{spans:#?}") };

    assert_eq!((trace.as_str(), asked.as_str()), (TRACE, upstream_span.id.as_str()));
    assert_eq!(head.header("traceparent"), Some(format!("00-{TRACE}-{asked}-01").as_str()));
    assert_eq!((request.parent.as_str(), request.state.as_str(), request.flags), (PARENT, "a=b,c=d", 0x301), "the parent is remote");
    assert_eq!((&decision.parent, &upstream_span.parent), (&request.id, &request.id));
    assert_eq!([request.kind, decision.kind, upstream_span.kind], [2, 1, 3]);
    assert_eq!([&request.name, &decision.name, &upstream_span.name], ["GET /app", "decide", "upstream"]);
    for (name, value) in [
        ("http.request.method", "GET"),
        ("url.path", "/app/public/x"),
        ("url.scheme", "http"),
        ("http.route", "/app"),
        ("server.address", "app.test"),
        ("http.response.status_code", "200"),
        ("portcullis.mode", "proxy"),
        ("portcullis.decision", "public"),
        ("portcullis.request_id", "from-the-proxy"),
    ] {
        assert_eq!(request.tells(name), Some(value), "{name}: {request:#?}");
    }
    for (name, value) in [("portcullis.verdict", "public"), ("portcullis.rule", "2"), ("portcullis.route", "2")] {
        assert_eq!(decision.tells(name), Some(value), "{name}: {decision:#?}");
    }
    assert_eq!(upstream_span.tells("http.response.status_code"), Some("200"));
    assert_eq!(upstream_span.tells("portcullis.upstream"), Some(upstream.address().to_string().as_str()));
    let stored: f64 = decision.tells("portcullis.store.duration").unwrap().parse().unwrap();
    let nanos = |seconds: f64| std::time::Duration::from_secs_f64(seconds).as_nanos();
    assert!(nanos(stored) <= u128::from(decision.ended - decision.begun) + 1000, "{decision:#?}");
    assert!(request.begun <= decision.begun && decision.ended <= upstream_span.begun && upstream_span.ended <= request.ended, "{spans:#?}");
    assert!(!spans.iter().any(|span| span.failed));
    let resource = collector.resource();
    assert_eq!(resource.get("service.name").map(String::as_str), Some("portcullis"));
    assert!(resource.contains_key("service.version") && resource.contains_key("service.instance.id"), "{resource:?}");
}

/// Contract 2; threats fact 5: strangers name no trace of ours
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_neither_chooses_a_trace_nor_keeps_one_from_being_recorded() {
    let (upstream, collector) = (EchoUpstream::start().await, Collector::start().await);
    let gateway = gateway(&upstream, &collector, "").await;
    for flags in ["00", "01"] {
        let lines = format!("traceparent: {}\r\ntracestate: a=b\r\n", traceparent(flags));
        let head = forwarded(&gateway, &upstream, "/app/public", &lines).await;
        let (trace, asked) = ids(&head);
        assert!(trace != TRACE && head.header("traceparent").unwrap().ends_with("-01"), "{head:?}");
        assert_eq!(head.header("tracestate"), None);
        let spans = collector.trace(&trace).await;
        assert_eq!((spans[0].parent.as_str(), spans[0].state.as_str(), spans[2].id.as_str()), ("", "", asked.as_str()));
        assert_eq!(spans[0].flags, 0x101, "it has no parent elsewhere");
    }
    assert!(!collector.spans().iter().any(|span| span.trace == TRACE));
}

/// Contract 3.7; Trace Context, section 3.3: what is malformed is as if it were not there, and its `tracestate` with it
#[tokio::test(flavor = "multi_thread")]
async fn what_a_trusted_proxy_garbles_begins_a_new_trace() {
    let (upstream, collector) = (EchoUpstream::start().await, Collector::start().await);
    let gateway = gateway(&upstream, &collector, TRUSTING).await;
    let good = traceparent("01");
    let zero = good.replace(TRACE, &"0".repeat(32));
    let (upper, short, future) = (good.to_uppercase(), &good[..54], good.replacen("00", "ff", 1));
    let doubled = format!("{good}\r\ntraceparent: {good}");
    for odd in [zero.as_str(), &upper, short, &future, &doubled, "", "x"] {
        let head = forwarded(&gateway, &upstream, "/app/public", &format!("traceparent: {odd}\r\ntracestate: a=b\r\n")).await;
        let (trace, _) = ids(&head);
        assert!(!trace.eq_ignore_ascii_case(TRACE) && trace != "0".repeat(32), "{odd:?}: {trace}");
        assert_eq!(head.header("tracestate"), None, "{odd:?}");
    }
    let head = forwarded(&gateway, &upstream, "/app/public", "tracestate: a=b\r\n").await;
    assert_eq!(head.header("tracestate"), None, "what is of no trace");
}

/// Contract 3.7: whether a trace is recorded is decided where it began
#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_the_proxy_in_front_does_not_record_is_passed_on_untouched_and_not_recorded() {
    let (upstream, collector) = (EchoUpstream::start().await, Collector::start().await);
    let gateway = gateway(&upstream, &collector, TRUSTING).await;
    let lines = format!("traceparent: {}\r\ntracestate: a=b\r\n", traceparent("00"));
    let head = forwarded(&gateway, &upstream, "/app/public/quiet", &lines).await;
    assert_eq!(head.header_values("traceparent"), [traceparent("00")]);
    assert_eq!(head.header_values("tracestate"), ["a=b"]);
    forwarded(&gateway, &upstream, "/app/public/loud", "").await;
    collector.request("/app/public/loud").await;
    assert!(!collector.spans().iter().any(|span| span.trace == TRACE));
}

/// Contract 3.7: where nothing is exported, no span that nobody has stands between the proxy's and the upstream's
#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_a_trace_is_passed_on_as_it_came_or_begun() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).set("ACCESS__DEFAULT", "public").set("SERVER__TRUSTED_PROXIES", "[127.0.0.1]");
    let gateway = gateway.start().await;
    let head = forwarded(&gateway, &upstream, "/app", &format!("traceparent: {}\r\ntracestate: a=b\r\n", traceparent("01"))).await;
    assert_eq!((head.header_values("traceparent"), head.header_values("tracestate")), (vec![traceparent("01").as_str()], vec!["a=b"]));
    let (first, second) = (forwarded(&gateway, &upstream, "/app", "").await, forwarded(&gateway, &upstream, "/app", "").await);
    assert!(ids(&first).0 != ids(&second).0 && first.header("traceparent").unwrap().ends_with("-00"), "{first:?}");
}

/// Issue "a span per decision with the rule and the store time"; threats K07: what is refused or ours is traced as well, and
/// no span holds anything that opens something
#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_our_own_pages_are_traced_and_no_secret_is() {
    let (upstream, collector) = (EchoUpstream::start().await, Collector::start().await);
    let gateway = gateway(&upstream, &collector, "").await;
    let mut browser = gateway.browser();
    let login = format!("{}/auth/login?rd=/app/x&password=Query-secret-7", gateway.origin_as("app.test"));
    let page = browser.open(&login).await;
    let answer = browser.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookie = browser.agent.cookies.get("portcullis").unwrap().value.clone();
    let csrf = browser.agent.cookies.get("portcullis-csrf").unwrap().value.clone();
    let app = gateway.origin_as("app.test");
    let headers = [("authorization", "Bearer Header-secret-7")];
    for (path, status) in [("/app/x?token=Query-secret-7", 200), ("/app/status/500", 500), ("/app/close", 502)] {
        let answer = browser.agent.send(http::Method::GET, &format!("{app}{path}").parse().unwrap(), &headers, "Body-secret-7").await;
        assert_eq!(answer.status, status, "{path}");
    }
    let denied = Raw::exchange(gateway.address(), "GET /never HTTP/1.1\r\nHost: other.test\r\n\r\n").await;
    let anonymous = Raw::exchange(gateway.address(), "GET /app HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    let nowhere = Raw::exchange(gateway.address(), "GET /nowhere HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!((denied.status(), anonymous.status(), nowhere.status()), (403, 401, 404));

    let login = collector.request("/auth/login").await;
    assert_eq!((login.len(), login[0].name.as_str(), login[0].tells("portcullis.decision")), (1, "GET /auth", Some("own")));
    for (path, verdict, rule, status, failed) in [
        ("/app/x", "allow", "default", "200", false),
        ("/app/status/500", "allow", "default", "500", true),
        ("/app/close", "allow", "default", "502", true),
        ("/never", "forbidden", "1", "403", false),
        ("/app", "unauthorized", "default", "401", false),
    ] {
        let spans = collector.request(path).await;
        assert_eq!((spans[0].tells("http.response.status_code"), spans[0].failed), (Some(status), failed), "{spans:#?}");
        assert_eq!((spans[1].tells("portcullis.verdict"), spans[1].tells("portcullis.rule")), (Some(verdict), Some(rule)), "{spans:#?}");
        assert!(spans[2..].iter().all(|upstream| upstream.failed == failed), "{spans:#?}");
        assert_eq!(spans.len() > 2, verdict == "allow", "{spans:#?}");
    }
    assert_eq!(collector.request("/nowhere").await.len(), 1, "nothing was decided");
    let all = format!("{:?}", collector.spans());
    for secret in [PASSWORD, "secret-7", &cookie, &csrf] {
        assert!(!all.contains(secret), "{secret} is in a span: {all}");
    }
}
