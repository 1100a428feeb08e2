//! Other ways to set a front proxy up: TLS, and no host for the portal.

use super::wanted;
use crate::support::browser::Browser;
use crate::support::certificate::Certificate;
use crate::support::front_proxy::{Files, RunningProxy};
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::guarded::free_port;
use crate::support::upstream::EchoUpstream;
use portcullis::config::load_str;
use portcullis::snippet::{self, FrontProxy};

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
    let yaml =
        "{ server: { trusted_proxies: [127.0.0.1] }, cookies: { secure: false }, routes: [{ host: wiki.example.test, upstream: none }] }";
    let gateway = TestGateway::with(yaml).user("ann", &[]).start().await;
    let settings = load_str(yaml, gateway.folder(), &[]).unwrap().settings;
    for proxy in [FrontProxy::Traefik, FrontProxy::Haproxy] {
        let port = free_port();
        let text = snippet::write(&settings, &wanted(proxy, &wiki, gateway.address().port())).unwrap().text;
        let text = text.replace("bind :80\n", &format!("bind :{port}\n"));
        let _proxy = RunningProxy::start(proxy, &text, port, None).await;
        let mut browser = Browser::new(&format!("http://wiki.example.test:{port}"));
        let answer = browser.open("/deep?x=1").await;
        assert!(answer.location().starts_with(&format!("http://wiki.example.test:{port}/auth/login?rd=")), "{}", answer.location());
        let page = browser.sign_in("/deep?x=1", "ann", PASSWORD).await;
        assert_eq!((page.status, page.url.as_str()), (200, format!("http://wiki.example.test:{port}/deep?x=1").as_str()));
        assert_eq!(wiki.last().head.header_values("x-user"), ["ann"]);
    }
}
