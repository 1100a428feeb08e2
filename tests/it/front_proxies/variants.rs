//! Other ways to set a front proxy up: TLS, and no host for the portal.

use super::wanted;
use crate::support::browser::Browser;
use crate::support::certificate::Certificate;
use crate::support::front_proxy::{Files, RunningProxy};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::guarded::free_port;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use http::Method;
use portcullis::config::load_str;
use portcullis::snippet::{self, FrontProxy, Wanted};

/// contract 4, 5: the scheme of the original URL names the cookies
#[tokio::test]
async fn behind_tls_at_nginx_the_cookies_are_secure_and_the_application_sees_https() {
    let wiki = EchoUpstream::start().await;
    let port = free_port();
    let yaml = format!(
        r#"
server: {{ trusted_proxies: [127.0.0.1] }}
portal: {{ url: "https://auth.example.test:{port}" }}
cookies: {{ domain: example.test }}
routes: [{{ host: wiki.example.test, upstream: none }}]
"#
    );
    let gateway = TestGateway::with(&yaml).user("ann", &[]).start().await;
    let certificate = Certificate::new(gateway.folder(), &["auth.example.test", "wiki.example.test"]);
    let settings = load_str(&yaml, gateway.folder(), &[]).unwrap().settings;
    let text = snippet::write(&settings, &wanted(FrontProxy::Nginx, &wiki, gateway.address().port())).unwrap().text;
    let files = Files { chain: &certificate.chain, key: &certificate.key };
    let _proxy = RunningProxy::start(FrontProxy::Nginx, &text, port, Some(files)).await;

    let mut browser = Browser::new(&format!("https://wiki.example.test:{port}"));
    let page = browser.sign_in("/deep?x=1", "ann", PASSWORD).await;
    assert_eq!((page.status, page.url.path()), (200, "/deep"), "{}", page.text());
    assert!(browser.agent.cookies.get("__Secure-portcullis").is_some(), "{:?}", browser.agent.cookies.names());
    let head = wiki.last().head;
    assert_eq!((head.header_values("x-forwarded-proto"), head.header_values("x-user")), (vec!["https"], vec!["ann"]));
    assert_eq!(head.header("cookie"), None);
}

/// contract 5: without `portal.url` each host has the login under its own name
#[tokio::test]
async fn without_a_portal_each_host_has_its_own_login() {
    let wiki = EchoUpstream::start().await;
    let yaml = "{ server: { trusted_proxies: [127.0.0.1] }, routes: [{ host: wiki.example.test, upstream: none }] }";
    let gateway = TestGateway::with(yaml).user("ann", &[]).start().await;
    let certificate = Certificate::new(gateway.folder(), &["wiki.example.test"]);
    let both = gateway.folder().join("both.pem");
    std::fs::write(&both, [certificate.chain, certificate.key].map(|file| std::fs::read_to_string(file).unwrap()).concat()).unwrap();
    let settings = load_str(yaml, gateway.folder(), &[]).unwrap().settings;
    let text = snippet::write(&settings, &wanted(FrontProxy::Haproxy, &wiki, gateway.address().port())).unwrap().text;
    let (port, plain) = (free_port(), free_port());
    let tls = format!("bind 127.0.0.1:{port} ssl crt {}", both.display());
    let text = text.replace("bind :443 ssl crt /etc/haproxy/certs/", &tls).replace("bind :80\n", &format!("bind 127.0.0.1:{plain}\n"));
    let files = Files { chain: &both, key: &both };
    let _proxy = RunningProxy::start(FrontProxy::Haproxy, &text, port, Some(files)).await;

    let origin = format!("https://wiki.example.test:{port}");
    let mut browser = Browser::new(&origin);
    let answer = browser.open("/deep?x=1").await;
    assert!(answer.location().starts_with(&format!("{origin}/auth/login?rd=")), "{}", answer.location());
    let page = browser.sign_in("/deep?x=1", "ann", PASSWORD).await;
    assert_eq!((page.status, page.url.as_str()), (200, format!("{origin}/deep?x=1").as_str()));
    assert!(browser.agent.cookies.get("__Host-portcullis").is_some(), "{:?}", browser.agent.cookies.names());
    let head = wiki.last().head;
    assert_eq!((head.header_values("x-user"), head.header_values("x-forwarded-proto")), (vec!["ann"], vec!["https"]));
    let to_tls = browser.open(&format!("http://wiki.example.test:{plain}/deep?x=1")).await;
    assert_eq!(to_tls.status, 308);
}

/// contract 5: Envoy's gRPC beside its HTTP flavour
#[tokio::test]
async fn envoy_asks_by_grpc_where_the_gateway_listens_for_it() {
    let wiki = EchoUpstream::start().await;
    let port = free_port();
    let yaml = format!(
        r#"
server: {{ trusted_proxies: [127.0.0.1], ext_authz_grpc: "127.0.0.1:0" }}
portal: {{ url: "http://auth.example.test:{port}" }}
cookies: {{ domain: example.test }}
routes: [{{ host: wiki.example.test, upstream: none }}]
access: {{ rules: [{{ path: /public, allow: public }}] }}
"#
    );
    let gateway = TestGateway::with(&yaml).user("ann", &[]).start().await;
    let listen = gateway.ext_authz_origin().trim_start_matches("http://").to_owned();
    let settings = load_str(&yaml, gateway.folder(), &[("PORTCULLIS__SERVER__EXT_AUTHZ_GRPC".into(), listen)]).unwrap().settings;
    let text = snippet::write(&settings, &wanted(FrontProxy::Envoy, &wiki, gateway.address().port())).unwrap().text;
    assert!(text.contains("grpc_service"), "{text}");
    let proxy = RunningProxy::start(FrontProxy::Envoy, &text, port, None).await;

    let mut browser = Browser::new(&format!("http://wiki.example.test:{port}"));
    assert_eq!(browser.fetch(Method::GET, "/deep").await.status, 401);
    let page = browser.sign_in("/deep?x=%2F1", "ann", PASSWORD).await;
    assert_eq!((page.status, wiki.last().target()), (200, "/deep?x=%2F1"), "{}", page.text());
    let head = wiki.last().head;
    assert_eq!((head.header_values("x-user"), head.header("cookie")), (vec!["ann"], None));
    let forged = "X-User: root\r\nX_User: root\r\nX.User: root\r\nX-Forwarded-For: 1.2.3.4\r\nX-Original-URL: /public\r\n";
    let request = format!("GET /public/x HTTP/1.1\r\nHost: wiki.example.test:{port}\r\n{forged}\r\n");
    assert_eq!(Raw::exchange(proxy.address(), request).await.status(), 200);
    let head = wiki.last().head;
    let forged = |value: &str| ["root", "1.2.3.4", "/public"].contains(&value);
    assert!(!head.headers.iter().any(|(_, value)| forged(value)), "{head:?}");

    let seen = wiki.seen();
    gateway.stop().await;
    assert!(browser.open("/deep").await.status >= 500 && browser.open("/public/x").await.status >= 500);
    assert_eq!(wiki.seen(), seen);
}

/// Exact hosts, hosts below a domain, any host, paths on segment boundaries, sockets, and what goes through the gateway.
pub async fn hosts(proxy: FrontProxy) {
    let (exact, below, any) = (EchoUpstream::start().await, EchoUpstream::start().await, EchoUpstream::start().await);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("app.sock");
    let on_socket = EchoUpstream::start_unix(&socket);
    let port = free_port();
    // Traefik reaches no sockets.
    let reaches_sockets = proxy != FrontProxy::Traefik;
    let files = if reaches_sockets { format!("unix:{}", socket.display()) } else { exact.origin() };
    let yaml = format!(
        r#"
server: {{ trusted_proxies: [127.0.0.1] }}
portal: {{ url: "http://auth.example.test:{port}" }}
cookies: {{ domain: example.test }}
routes:
  - {{ host: wiki.example.test, path: /w, upstream: "{}" }}
  - {{ host: wiki.example.test, path: /w/files, upstream: "{files}" }}
  - {{ host: "*.apps.example.test", upstream: "{}" }}
  - {{ host: "*.apps.example.test", path: /cut, upstream: "{}", strip_prefix: true }}
  - {{ path: /, upstream: "{}" }}
access: {{ default: public }}
"#,
        exact.origin(),
        below.origin(),
        below.origin(),
        any.origin()
    );
    let gateway = TestGateway::with(&yaml).start().await;
    let settings = load_str(&yaml, gateway.folder(), &[]).unwrap().settings;
    let reached = Wanted { applications: Vec::new(), ..wanted(proxy, &exact, gateway.address().port()) };
    let text = snippet::write(&settings, &reached).unwrap().text;
    let proxy = RunningProxy::start(proxy, &text, port, None).await;

    let files = if reaches_sockets { &on_socket } else { &exact };
    for (host, path, upstream, target) in [
        ("wiki.example.test", "/w", &exact, "/w"),
        ("WIKI.example.test", "/w/x?y=1", &exact, "/w/x?y=1"),
        ("wiki.example.test", "/w/files", files, "/w/files"),
        ("wiki.example.test", "/w/files/a", files, "/w/files/a"),
        ("wiki.example.test", "/w/filesystem", &exact, "/w/filesystem"),
        ("wiki.example.test", "/wide", &any, "/wide"),
        ("a.apps.example.test", "/", &below, "/"),
        ("a.b.apps.example.test", "/x", &below, "/x"),
        ("a.apps.example.test", "/cut/x", &below, "/x"),
        ("apps.example.test", "/x", &any, "/x"),
        ("elsewhere.test", "/x", &any, "/x"),
    ] {
        let seen = upstream.seen();
        let answer = Raw::exchange(proxy.address(), format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n")).await;
        assert_eq!((answer.status(), upstream.seen()), (200, seen + 1), "{host}{path}: {}", answer.text());
        assert_eq!(upstream.last().target(), target, "{host}{path}");
    }
}
