//! Traces of requests that a front proxy asks about.

use super::{PARENT, TRACE, traceparent};
use crate::forward_auth::envoy_grpc::{check, client, question};
use crate::forward_auth::front::ALL;
use crate::support::collector::Collector;
use crate::support::gateway::TestGateway;
use crate::support::raw::Raw;
use tonic::Request;

async fn gateway(collector: &Collector, trusted: &str) -> TestGateway {
    let yaml = format!(
        "server: {{ trusted_proxies: [{trusted}] }}\nroutes: [{{ host: app.test, upstream: none }}]\n\
         access: {{ rules: [{{ path: /public, allow: public }}] }}\ntracing: {{ otlp: '{}' }}",
        collector.url()
    );
    TestGateway::with(yaml).set("SERVER__EXT_AUTHZ_GRPC", "127.0.0.1:0").start().await
}

/// Contract 3.7, 5: at every verify endpoint the trace is read, and the decision is a step of it
#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_a_front_proxy_is_a_step_of_its_trace() {
    let collector = Collector::start().await;
    let gateway = gateway(&collector, "127.0.0.1").await;
    for (number, front) in ALL.into_iter().enumerate() {
        let trace = format!("{:032x}", number + 1);
        let path = format!("/public/{}", front.name());
        let question = front.question("GET", &format!("https://app.test{path}?token=Query-secret-7"));
        let told = traceparent("01").replace(TRACE, &trace);
        let answer = question.with(&[("traceparent", &told), ("tracestate", "a=b")]).ask(&gateway).await;
        assert_eq!((answer.status(), answer.header("traceparent")), (200, None), "{front:?}");
        let spans = collector.trace(&trace).await;
        assert_eq!((spans.len(), spans[0].parent.as_str(), spans[0].state.as_str()), (2, PARENT, "a=b"), "{spans:#?}");
        for (name, value) in
            [("url.path", path.as_str()), ("url.scheme", "https"), ("portcullis.mode", "forward_auth"), ("http.route", "/")]
        {
            assert_eq!(spans[0].tells(name), Some(value), "{front:?}: {spans:#?}");
        }
        assert_eq!((spans[1].parent.as_str(), spans[1].tells("portcullis.rule")), (spans[0].id.as_str(), Some("1")));
    }
    assert!(!format!("{:?}", collector.spans()).contains("secret-7"));
}

/// Contract 5: who may not ask names no trace
#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_a_stranger_is_of_no_trace() {
    let collector = Collector::start().await;
    let gateway = gateway(&collector, "10.0.0.1").await;
    let question = ALL[0].question("GET", "https://app.test/public").with(&[("traceparent", &traceparent("01"))]);
    assert_eq!(question.ask(&gateway).await.status(), 403);
    Raw::exchange(gateway.address(), "GET /auth/login HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    collector.request("/auth/login").await;
    assert!(!collector.spans().iter().any(|span| span.trace == TRACE));
}

/// Contract 5: where Envoy traces, its question is a step of its own; where it does not, its client's request is
#[tokio::test(flavor = "multi_thread")]
async fn a_question_of_envoy_over_grpc_is_a_step_of_its_trace() {
    let collector = Collector::start().await;
    let gateway = gateway(&collector, "127.0.0.1").await;
    let mut envoy = client(&gateway).await;
    let told = traceparent("01");
    let headers = [("traceparent", told.as_str())];
    assert_eq!(check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/public", &headers)).await.status, 200);
    let spans = collector.trace(TRACE).await;
    assert_eq!((spans.len(), spans[0].parent.as_str(), spans[1].tells("portcullis.verdict")), (2, PARENT, Some("public")));
    assert_eq!((spans[0].tells("http.response.status_code"), spans[0].tells("portcullis.mode")), (Some("200"), Some("forward_auth")));

    let own = told.replace(TRACE, &"7".repeat(32));
    let mut asked = Request::new(question("198.51.100.7", "GET", "https://app.test/x", &headers));
    asked.metadata_mut().insert("traceparent", own.parse().unwrap());
    envoy.check(asked).await.unwrap();
    let spans = collector.trace(&"7".repeat(32)).await;
    assert_eq!((spans[0].tells("http.response.status_code"), spans[1].tells("portcullis.verdict")), (Some("401"), Some("unauthorized")));
}
