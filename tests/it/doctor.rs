//! `portcullis doctor`, run as an operator runs it against real front proxies with our sample application behind them.

use crate::support::certificate::Certificate;
use crate::support::front_proxy::{RunningProxy, weakened};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::guarded::free_port;
use crate::support::program::{Finished, run, run_with};
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use portcullis::config::load_str;
use portcullis::server::BoundAddress;
use portcullis::snippet::{self, FrontProxy, Wanted};
use std::net::SocketAddr;
use tokio::sync::watch;

const RULES: &str = "access: { rules: [{ path: /public, allow: public }] }\n";

/// The sample application behind a proxy.
struct Fronted {
    proxy: RunningProxy,
    gateway: TestGateway,
    sample: SocketAddr,
    port: u16,
    _stop: watch::Sender<bool>,
}

impl Fronted {
    async fn by(proxy: FrontProxy, change: impl Fn(String) -> String) -> Self {
        let port = free_port();
        let yaml = format!(
            "server: {{ trusted_proxies: [127.0.0.1] }}\nportal: {{ url: \"http://auth.example.test:{port}\" }}\n\
             cookies: {{ domain: example.test }}\nidentity: {{ also: [remote-user] }}\n\
             routes: [{{ host: wiki.example.test, upstream: none }}]\n{RULES}"
        );
        let gateway = TestGateway::with(&yaml).user("ann", &["staff"]).start().await;
        let (stop, stopped) = watch::channel(false);
        let sample = portcullis::sample::serve("/auth", stopped).await.unwrap();
        let settings = load_str(&yaml, gateway.folder(), &[]).unwrap_or_else(|report| panic!("{report}")).settings;
        let application = format!("wiki.example.test=http://{sample}").parse().unwrap();
        let address = Some(snippet::server(&gateway.origin()).unwrap());
        let wanted = Wanted { applications: vec![application], gateway: address, ..Wanted::of(proxy) };
        let text = change(snippet::write(&settings, &wanted).unwrap().text);
        let proxy = RunningProxy::start(proxy, &text, port, None).await;
        Self { proxy, gateway, sample, port, _stop: stop }
    }

    async fn examined(&self, more: &[&str]) -> Finished {
        let url = format!("http://wiki.example.test:{}/", self.port);
        let connect = self.proxy.address().to_string();
        let arguments = ["doctor", url.as_str(), "--connect", connect.as_str(), "--user", "ann"];
        run(self.gateway.folder(), &[&arguments, more].concat(), PASSWORD).await
    }
}

async fn holds(proxy: FrontProxy) {
    let fronted = Fronted::by(proxy, |text| text).await;
    let found = fronted.examined(&[]).await;
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:#?}");
    for check in ["anonymous", "signed in", "forwarded headers", "named by Connection", "paths", "way to the login", "verify endpoints"] {
        assert!(found.stdout.lines().any(|line| line.starts_with("pass") && line.contains(check)), "{check}: {}", found.stdout);
    }
    assert!(!found.stdout.contains("unknown "), "{}", found.stdout);
    let cookie_passes = found.stdout.contains("session cookie reaches the application");
    assert_eq!(cookie_passes, proxy == FrontProxy::Traefik, "{}", found.stdout);
}

async fn names_the_fault(proxy: FrontProxy) {
    let fronted = Fronted::by(proxy, |text| weakened(proxy, &text)).await;
    let upstream = format!("http://{}", fronted.sample);
    let found = fronted.examined(&["--upstream", &upstream]).await;
    assert_eq!((found.code, found.stderr.lines().count()), (Some(1), 1), "{found:#?}");
    let failed = |name: &str| found.stdout.lines().find(|line| line.starts_with("fail") && line.contains(name)).map(str::to_owned);
    let forged = failed("identity headers, anonymous").unwrap_or_else(|| panic!("{}", found.stdout));
    let forged = forged.to_ascii_lowercase();
    assert!(["x-user", "x_user", "x.user", "remote-", "remote_", "x-forwarded-user"].iter().any(|name| forged.contains(name)), "{forged}");
    assert!(failed("the application past the proxy").is_some(), "{}", found.stdout);
    assert!(found.stdout.contains("mend: ") && found.stdout.contains("verdict: does not hold"), "{}", found.stdout);
}

macro_rules! behind {
    ($($name:ident: $proxy:ident),*) => {$(
        mod $name {
            use portcullis::snippet::FrontProxy;

            /// contract 1, threats.md C13
            #[tokio::test]
            async fn our_own_example_holds() {
                super::super::holds(FrontProxy::$proxy).await;
            }

            /// contract 1, threats.md A02, A04
            #[tokio::test]
            async fn a_copy_without_its_stripping_lines_does_not_and_the_fault_is_named() {
                super::super::names_the_fault(FrontProxy::$proxy).await;
            }
        }
    )*};
}

mod each {
    behind! { nginx: Nginx, traefik: Traefik, caddy: Caddy, haproxy: Haproxy, envoy: Envoy }
}

/// contract 1, threats.md groups a and b
#[tokio::test]
async fn our_own_proxy_holds() {
    let yaml = format!("routes: [{{ upstream: sample }}]\n{RULES}");
    let gateway = TestGateway::with(yaml).limited().user("ann", &[]).start().await;
    let found = run(gateway.folder(), &["doctor", &gateway.origin(), "--user", "ann", "--json"], PASSWORD).await;
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:#?}");
    let report: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() == 7 && checks.iter().all(|check| check["verdict"] == "pass"), "{report:#}");
    assert!(!found.stdout.contains("cookie reaches"), "{report:#}");
}

/// contract 1: a certificate that nobody vouches for ends it, before a password is sent
#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_verified() {
    let folder = tempfile::tempdir().unwrap();
    let files = Certificate::new(folder.path(), &["wiki.example.test"]);
    let (chain, key) = (files.chain.display().to_string(), files.key.display());
    let yaml = format!(
        "server: {{ tls: {{ listen: ['127.0.0.1:0'], certificates: [{{ certificate: \"{chain}\", key: \"{key}\" }}] }} }}\n\
         routes: [{{ upstream: sample }}]\n{RULES}"
    );
    let gateway = TestGateway::with(yaml).user("ann", &[]).start().await;
    let speaks_tls = |address: &&BoundAddress| matches!(address, BoundAddress::Tcp(_, true));
    let address = gateway.addresses().iter().find(speaks_tls).and_then(BoundAddress::tcp).unwrap();
    let url = format!("https://wiki.example.test:{}/page", address.port());
    let connect = address.to_string();
    let arguments = ["doctor", url.as_str(), "--connect", connect.as_str(), "--user", "ann"];
    let found = run_with(gateway.folder(), &arguments, &[("SSL_CERT_FILE", chain.as_str())], PASSWORD).await;
    assert_eq!((found.code, found.stderr.as_str()), (Some(0), ""), "{found:#?}");
    let found = run(gateway.folder(), &arguments, PASSWORD).await;
    assert_eq!((found.code, found.stdout.as_str(), found.stderr.lines().count()), (Some(1), "", 1), "{found:#?}");
    assert!(found.stderr.contains("certificate"), "{}", found.stderr);
}

/// contract 1: what cannot be seen is no pass
#[tokio::test]
async fn an_application_that_shows_nothing_is_unknown_which_is_no_pass() {
    let mute = served(Router::new().fallback(async || "nothing to see")).await;
    let gateway = TestGateway::with(format!("routes: [{{ upstream: \"{mute}\" }}]\n")).user("ann", &[]).start().await;
    for user in [&[][..], &["--user", "ann", "--echo", "/page"]] {
        let found = run(gateway.folder(), &[&["doctor", &gateway.origin()], user].concat(), PASSWORD).await;
        assert_eq!(found.code, Some(1), "{found:#?}");
        assert!(found.stdout.lines().any(|line| line.starts_with("unknown  identity headers")), "{}", found.stdout);
        assert!(!found.stdout.contains("\nfail"), "{}", found.stdout);
    }
}

/// threats.md B04, C01, C08: a gate that asks for one spelling only, believes visitors and lets them ask
#[tokio::test]
async fn a_careless_gate_fails_each_check_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for (follows, said) in [(false, "X-Forwarded-Host or Forwarded is believed"), (true, "the proxy followed it")] {
        let careless = served(Router::new().fallback(move |request: Request| async move { careless(&request, follows) })).await;
        let found = run(folder.path(), &["doctor", &careless], "").await;
        assert_eq!(found.code, Some(1), "{found:#?}");
        for (check, seen) in [
            ("identity headers, anonymous", "x-user"),
            ("forwarded headers", "x-forwarded-for"),
            ("paths and methods", "GET //portcullis-doctor reaches the application without a login"),
            ("the way to the login", said),
            ("verify endpoints", "/auth/verify answers a visitor with 200"),
        ] {
            let line = found.stdout.lines().find(|line| line.starts_with(&format!("fail     {check}")));
            assert!(line.is_some_and(|line| line.contains(seen)), "{check}: {}", found.stdout);
        }
    }
}

fn careless(request: &Request, follows: bool) -> Response {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("here.test");
    match request.uri().path() {
        "/portcullis-doctor" if follows && header("accept") == "text/html" => "the login page".into_response(),
        "/portcullis-doctor" => {
            (StatusCode::FOUND, [("location", format!("http://{}/auth/login", header("x-forwarded-host")))]).into_response()
        }
        path if path.starts_with("/auth/verify") => "may pass".into_response(),
        _ => format!("{:?}", request.headers()).into_response(),
    }
}

/// Where these pages are served.
async fn served(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    origin
}

/// What is refused for being too much is no proof of anything.
#[tokio::test]
async fn a_server_that_takes_no_more_requests_ends_it() {
    let busy = served(Router::new().fallback(async || StatusCode::TOO_MANY_REQUESTS)).await;
    let folder = tempfile::tempdir().unwrap();
    let found = run(folder.path(), &["doctor", &busy], "").await;
    assert_eq!((found.code, found.stdout.as_str(), found.stderr.lines().count()), (Some(1), "", 1), "{found:#?}");
    assert!(found.stderr.contains("429"), "{}", found.stderr);
}

/// contract 1: errors are one sentence
#[tokio::test]
async fn where_nobody_answers_or_nobody_may_sign_in_is_one_sentence() {
    let gateway = TestGateway::with("routes: [{ upstream: sample }]\n").user("ann", &[]).start().await;
    let dead = format!("http://127.0.0.1:{}/", free_port());
    for (arguments, password, code, named) in [
        (vec!["doctor", &dead], "", 1, "does not answer"),
        (vec!["doctor", &gateway.origin(), "--user", "ann"], "wrong-horse-1-Battery", 1, "cannot sign in"),
        (vec!["doctor", &gateway.origin(), "--user", "ann"], "", 1, "password"),
        (vec!["doctor", "ftp://wiki.example.com/"], "", 2, "http"),
    ] {
        let found = run(gateway.folder(), &arguments, password).await;
        assert_eq!((found.code, found.stdout.as_str()), (Some(code), ""), "{found:#?}");
        assert!(found.stderr.contains(named) && !found.stderr.contains("wrong-horse"), "{}", found.stderr);
        assert!(code == 2 || found.stderr.lines().count() == 1, "{}", found.stderr);
    }
}
