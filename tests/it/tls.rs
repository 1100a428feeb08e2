//! TLS on both sides: certificates by name and protocols by ALPN towards clients, verified names towards upstreams.

use crate::support::certificate::Certificate;
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use portcullis::server::BoundAddress;
use rustls_pki_types::ServerName;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const HSTS: Option<&str> = Some("max-age=31536000");

/// A gateway with a plain and a TLS listener and these certificates.
fn with_tls(upstream: &EchoUpstream, certificates: &[&Certificate], more: &str) -> Builder {
    let listed: Vec<String> = certificates
        .iter()
        .map(|files| format!("{{ certificate: \"{}\", key: \"{}\" }}", files.chain.display(), files.key.display()))
        .collect();
    TestGateway::with(format!(
        "server: {{ tls: {{ listen: ['127.0.0.1:0'], certificates: [{}] }}, {more} }}\n\
         routes: [{{ host: one.test, upstream: \"{app}\" }}, {{ host: '*.two.test', upstream: \"{app}\" }}]\n\
         access: {{ rules: [{{ path: /public, allow: public }}] }}",
        listed.join(", "),
        app = upstream.origin()
    ))
}

fn tls_address(gateway: &TestGateway) -> SocketAddr {
    let speaks_tls = |address: &&BoundAddress| matches!(address, BoundAddress::Tcp(_, true));
    gateway.addresses().iter().find(speaks_tls).and_then(BoundAddress::tcp).unwrap()
}

async fn connect(address: SocketAddr, name: &str, trusted: &Certificate, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let connector = TlsConnector::from(trusted.client_config(protocols));
    connector.connect(ServerName::try_from(name.to_owned()).unwrap(), TcpStream::connect(address).await?).await
}

/// `server.tls`
#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_chosen_by_name_and_the_protocol_by_the_client() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = EchoUpstream::start().await;
    let (one, two) = (Certificate::new(folder.path(), &["one.test"]), Certificate::new(folder.path(), &["two.test", "*.two.test"]));
    let gateway = with_tls(&upstream, &[&one, &two], "").start().await;
    let address = tls_address(&gateway);
    for (name, certificate) in [("one.test", &one), ("two.test", &two), ("a.two.test", &two)] {
        for (offered, chosen) in [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)] {
            let stream = connect(address, name, certificate, offered).await.unwrap();
            let protocol = stream.get_ref().1.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned());
            assert_eq!(protocol.as_deref(), chosen, "{name} {offered:?}");
        }
    }
    assert!(connect(address, "one.test", &two, &[]).await.is_err());
    // A name that nobody has gets the first certificate, which the client may refuse.
    assert!(connect(address, "three.test", &one, &[]).await.is_err());
    let mut raw = Raw::over(connect(address, "one.test", &one, &["http/1.1"]).await.unwrap());
    raw.send("GET /public HTTP/1.1\r\nHost: one.test\r\nX-Forwarded-Proto: http\r\n\r\n").await;
    assert_eq!(raw.response().await.json()["target"], "/public");
    assert_eq!(upstream.last().head.header("x-forwarded-proto"), Some("https"));
    // The same connection is guarded like a plain one.
    raw.send("GET public HTTP/1.1\r\nHost: one.test\r\n\r\n").await;
    assert_eq!(raw.response().await.status(), 400);
}

/// Contract 4, cookies: over TLS the session is in a `__Host-` cookie; HTTP/2 end to end
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_signs_in_over_http_2_and_tls() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = EchoUpstream::start().await;
    let one = Certificate::new(folder.path(), &["one.test"]);
    let gateway = with_tls(&upstream, &[&one], "").user("ann", &[]).start().await;
    let origin = format!("https://one.test:{}", tls_address(&gateway).port());
    let mut browser = crate::support::browser::Browser::new(&origin);
    let echo = browser.sign_in("/x?y", "ann", PASSWORD).await;
    assert_eq!((echo.json()["target"].as_str(), echo.version), (Some("/x?y"), http::Version::HTTP_2));
    let cookie = browser.agent.cookies.get("__Host-portcullis").unwrap();
    assert!(cookie.secure && cookie.http_only && cookie.host_only);
    assert!(browser.agent.cookies.names().iter().all(|name| name.starts_with("__Host-")), "{:?}", browser.agent.cookies.names());
    assert_eq!(upstream.last().head.header("x-user"), Some("ann"));
}

/// `server.tls.hsts`; threats F07
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_over_tls_asks_for_tls_from_now_on() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = EchoUpstream::start().await;
    let one = Certificate::new(folder.path(), &["one.test"]);
    let gateway = with_tls(&upstream, &[&one], "").set("SERVER__TLS__REDIRECT_HTTP", "false").start().await;
    for (path, status) in [("/public", 200), ("/x", 302), ("/auth/login", 200), ("/auth/nowhere", 404), ("/public%2f", 400)] {
        let mut raw = Raw::over(connect(tls_address(&gateway), "one.test", &one, &[]).await.unwrap());
        let request = format!("GET {path} HTTP/1.1\r\nHost: one.test\r\nAccept: text/html\r\n\r\n");
        raw.send(&request).await;
        let answer = raw.response().await;
        assert_eq!(answer.status(), status, "{path}");
        if status != 400 {
            assert_eq!(answer.header("strict-transport-security"), HSTS, "{path}");
        }
        let plain = Raw::exchange(gateway.address(), &request).await;
        assert_eq!((plain.status(), plain.header("strict-transport-security")), (status, None), "{path}");
    }
}

/// `server.tls.redirect_http`
#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_sent_to_https() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = EchoUpstream::start().await;
    let one = Certificate::new(folder.path(), &["one.test"]);
    let gateway = with_tls(&upstream, &[&one], "").start().await;
    for target in ["/", "/public/a%20b;c?d=%2F&e", "/auth/login?rd=/x"] {
        for method in ["GET", "POST"] {
            let answer = Raw::exchange(gateway.address(), format!("{method} {target} HTTP/1.1\r\nHost: one.test:8080\r\n\r\n")).await;
            assert_eq!((answer.status(), answer.header("location")), (308, Some(format!("https://one.test{target}").as_str())));
        }
    }
    let unknown = Raw::exchange(gateway.address(), "GET /x HTTP/1.1\r\nHost: evil.test\r\n\r\n").await;
    assert_eq!((unknown.status(), unknown.header("location")), (404, None));
    assert_eq!(upstream.seen(), 0);
    // Where a trusted proxy is in front, the scheme is its affair.
    let behind = with_tls(&upstream, &[&one], "trusted_proxies: [127.0.0.1]").start().await;
    let answer = Raw::exchange(behind.address(), "GET /public HTTP/1.1\r\nHost: one.test\r\nX-Forwarded-Proto: https\r\n\r\n").await;
    assert_eq!((answer.status(), upstream.seen()), (200, 1));
}

/// `upstream: https://…`, `upstream_tls.ca`: the name is verified, and nothing is sent to who cannot prove it.
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_over_tls_must_prove_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (right, other) = (Certificate::new(folder.path(), &["localhost"]), Certificate::new(folder.path(), &["other.test"]));
    let (proven, posing) = (EchoUpstream::start_tls(right.server_config()).await, EchoUpstream::start_tls(other.server_config()).await);
    let route = |path: &str, upstream: &EchoUpstream, tls: &str| {
        format!("  - {{ path: {path}, upstream: \"https://localhost:{}\", {tls} }}\n", upstream.address().port())
    };
    let ca = |certificate: &Certificate| format!("upstream_tls: {{ ca: \"{}\" }}", certificate.chain.display());
    let yaml = [
        route("/right", &proven, &ca(&right)),
        route("/wrong-name", &posing, &ca(&other)),
        route("/wrong-authority", &proven, &ca(&other)),
        route("/no-authority", &proven, ""),
    ];
    let gateway = TestGateway::with(format!("routes:\n{}access: {{ default: public }}", yaml.concat())).start().await;
    let get = |path: &str| Raw::exchange(gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"));
    for _ in 0..2 {
        assert_eq!(get("/right/x").await.json()["target"], "/right/x");
    }
    assert_eq!(proven.last().head.header("host"), Some("app.test"));
    for path in ["/wrong-name", "/wrong-authority", "/no-authority"] {
        assert_eq!(get(path).await.status(), 502, "{path}");
    }
    assert_eq!((proven.seen(), posing.seen()), (2, 0));
}
