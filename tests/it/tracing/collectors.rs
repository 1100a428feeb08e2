//! Collectors that do not do their part, and the end of the gateway: requests never notice.

use super::{TRUSTING, forwarded, gateway, traceparent};
use crate::support::collector::{Collector, Mood};
use crate::support::gateway::TestGateway;
use crate::support::served::Served;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Issue "collector down never slows or fails a request"
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_while_the_collector_hangs_or_refuses_and_their_spans_come_later() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let (upstream, collector) = (EchoUpstream::start().await, Collector::start_in(mood).await);
        let gateway = gateway(&upstream, &collector, TRUSTING).await;
        forwarded(&gateway, &upstream, "/app/public/first", "").await;
        collector.called(1).await;
        for _ in 0..100 {
            forwarded(&gateway, &upstream, "/app/public/more", &format!("traceparent: {}\r\n", traceparent("01"))).await;
        }
        assert_eq!(collector.spans(), []);
        collector.be(Mood::Takes);
        assert_eq!(collector.request("/app/public/first").await.len(), 3, "{mood:?}");
        collector.request("/app/public/more").await;
    }
}

/// Issue "collector down never slows or fails a request"
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_starts_answers_and_stops_without_its_collector() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).set("ACCESS__DEFAULT", "public").set("TRACING__OTLP", &format!("http://{nobody}"));
    let gateway = gateway.start().await;
    for _ in 0..20 {
        forwarded(&gateway, &upstream, "/app", "").await;
    }
    within_patience("the gateway to stop", gateway.stop()).await;
}

/// Issue "flushed within a bounded time at stop"
#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_last_is_sent_before_the_program_ends() {
    for mood in [Mood::Takes, Mood::Hangs] {
        let collector = Collector::start_in(mood).await;
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let configuration = format!(
            "server: {{ listen: ['127.0.0.1:0'] }}\nadmin: {{ listen: '127.0.0.1:0' }}\n\
             routes: [{{ upstream: sample }}]\ntracing: {{ otlp: '{}' }}\n",
            collector.url()
        );
        let served = Served::start(folder.path(), &configuration).await;
        let url = format!("{}/auth/login", served.origin).parse().unwrap();
        let page = crate::support::agent::Agent::new().send(http::Method::GET, &url, &[], "").await;
        assert_eq!(page.status, 200);
        let log = served.log().await;
        let paths: Vec<String> = collector.spans().iter().filter_map(|span| span.tells("url.path").map(str::to_owned)).collect();
        match mood {
            Mood::Takes => assert_eq!(paths, ["/auth/login"], "{log}"),
            _ => assert!(paths.is_empty() && log.contains("traces were not sent before the end"), "{log}"),
        }
    }
}
