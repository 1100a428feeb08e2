//! A configuration that cannot be used costs nothing that was there before.

use super::{get, marked};
use crate::support::certificate::Certificate;
use crate::support::gateway::TestGateway;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use portcullis::reload::NotReloaded;

/// Contract 2: a bad file and a failing test of the policy keep what was in force; every problem is told with its place.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_keeps_what_is_in_force() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "one", "")).start().await;
    let two = marked(&upstream, "two", "{ path: /closed, allow: deny }");
    let cases = [
        (format!("{two}ui: {{ titel: x, accent: red }}"), vec!["portcullis.yaml:3:7: ui.titel: ", "portcullis.yaml:3:25: ui.accent: "]),
        (two.replace("] }\n", "], tests: [{ url: 'https://app.test/closed', expect: public }] }\n"), vec!["portcullis.yaml:2:"]),
        (format!("{two}ui: {{ css: no-such-file.css }}"), vec!["portcullis.yaml:3:12: ui.css: "]),
        (format!("{two}server: ["), vec!["portcullis.yaml:"]),
    ];
    for (yaml, places) in cases {
        let refused = gateway.try_reload_with(yaml.clone()).await.unwrap_err();
        let NotReloaded::Wrong(report) = &refused else { panic!("{yaml}: {refused}") };
        let told: Vec<String> = report.0.iter().map(ToString::to_string).collect();
        assert!(told.len() == places.len() && told.iter().zip(&places).all(|(told, place)| told.starts_with(place)), "{yaml}: {told:#?}");
        let answer = Raw::exchange(gateway.address(), get("/closed")).await;
        assert_eq!((answer.status(), answer.header("x-mark")), (200, Some("one")), "{yaml}");
    }
    gateway.reload_with(two).await;
    assert_eq!(Raw::exchange(gateway.address(), get("/closed")).await.status(), 403);
}

/// What is found only when it is taken up: nothing of it takes effect.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_keeps_what_is_in_force() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = EchoUpstream::start().await;
    let certificate = Certificate::new(folder.path(), &["one.test"]);
    let yaml = |mark: &str| {
        format!(
            "server: {{ tls: {{ redirect_http: false, listen: ['127.0.0.1:0'], certificates: [{{ certificate: '{}', key: '{}' }}] }} }}\n{}",
            certificate.chain.display(),
            certificate.key.display(),
            marked(&upstream, mark, "")
        )
    };
    let gateway = TestGateway::with(yaml("one")).start().await;
    std::fs::write(&certificate.chain, "no certificate").unwrap();
    let refused = gateway.try_reload_with(yaml("two")).await.unwrap_err();
    assert!(refused.to_string().contains("server.tls.certificates[0].certificate: holds no certificate"), "{refused}");
    std::fs::remove_file(&certificate.chain).unwrap();
    let refused = gateway.try_reload_with(yaml("two")).await.unwrap_err();
    assert!(refused.to_string().contains("server.tls.certificates[0].certificate: "), "{refused}");
    let _renewed = Certificate::new(folder.path(), &["one.test"]);
    // A logo may be too large only for whoever serves it.
    let logo = folder.path().join("logo.png");
    std::fs::write(&logo, vec![0; 2 << 20]).unwrap();
    let refused = gateway.try_reload_with(marked(&upstream, "two", "") + &format!("ui: {{ logo: '{}' }}", logo.display())).await;
    assert!(matches!(&refused, Err(NotReloaded::Unusable(reason)) if reason.contains("ui.logo")), "{refused:?}");
    assert_eq!(Raw::exchange(gateway.address(), get("/")).await.header("x-mark"), Some("one"));
}

/// Keys that cannot change are named, keep their value, and keep nothing else from changing.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_change_is_named_and_stays_and_the_rest_takes_effect() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "one", "")).start().await;
    let more = "server: { threads: 7 }\nstores: { users: 'sqlite:elsewhere.db' }\nlog: { format: json }";
    let reloaded = gateway.reload_with(marked(&upstream, "two", "") + more).await;
    assert_eq!(reloaded.later, ["server.threads", "stores.users", "log.format"]);
    assert_eq!(Raw::exchange(gateway.address(), get("/")).await.header("x-mark"), Some("two"));
    assert!(!gateway.folder().join("elsewhere.db").exists());
}

/// While it stops, it does not change any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_takes_nothing_up() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "one", "")).start().await;
    let live = gateway.live().clone();
    gateway.stop().await;
    let reloader = portcullis::reload::Reloader::new(live);
    let refused = reloader.reload(|| panic!("nothing is read")).await;
    assert_eq!(refused, Err(NotReloaded::Stopping));
}
