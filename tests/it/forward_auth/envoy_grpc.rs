//! Envoy's `ext_authz` v3 over gRPC, spoken by a client made from Envoy's own protocol definitions.

use super::{ROUTES, RULES, cookie};
use crate::support::gateway::TestGateway;
use crate::support::within_patience;
use envoy_types::ext_authz::v3::pb::{Address, CheckRequest, HeaderAppendAction, HeaderValueOption, HttpResponse};
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::{self as core, HeaderMap as RawHeaders, HeaderValue as RawHeader, SocketAddress};
use envoy_types::pb::envoy::service::auth::v3::AttributeContext;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer, Request};
use envoy_types::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tonic::transport::{Channel, Endpoint};

/// What Envoy makes of an answer.
#[derive(Debug)]
pub struct Answer {
    /// 200 where the request goes on.
    pub status: i32,
    headers: Vec<HeaderValueOption>,
    pub removed: Vec<String>,
    body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().filter_map(|option| option.header.as_ref()).find(|header| header.key == name);
        found.map(|header| header.value.as_str())
    }
}

/// A gateway that Envoy asks.
pub async fn gateway(more: &str) -> TestGateway {
    let yaml = format!("server: {{ trusted_proxies: [127.0.0.1] }}\nroutes:{ROUTES}{RULES}{more}");
    TestGateway::with(yaml).set("SERVER__EXT_AUTHZ_GRPC", "127.0.0.1:0").user("alice", &["users", "editors"]).start().await
}

pub async fn client(gateway: &TestGateway) -> AuthorizationClient<Channel> {
    let endpoint = Endpoint::from_shared(gateway.ext_authz_origin()).unwrap();
    AuthorizationClient::new(within_patience("a gRPC connection", endpoint.connect()).await.unwrap())
}

/// A request as Envoy tells of it, its client at `client`.
pub fn question(client: &str, method: &str, url: &str, headers: &[(&str, &str)]) -> CheckRequest {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap());
    let pseudo = [(":authority", host), (":method", method), (":path", path), (":scheme", scheme)];
    let http = HttpRequest {
        method: method.to_owned(),
        scheme: scheme.to_owned(),
        host: host.to_owned(),
        path: path.to_owned(),
        headers: headers.iter().chain(&pseudo).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..HttpRequest::default()
    };
    let address = Address::SocketAddress(SocketAddress {
        address: client.to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(12345)),
        ..SocketAddress::default()
    });
    let source = Peer { address: Some(core::Address { address: Some(address) }), ..Peer::default() };
    let request = Request { http: Some(http), ..Request::default() };
    let attributes = AttributeContext { source: Some(source), request: Some(request), ..AttributeContext::default() };
    CheckRequest { attributes: Some(attributes) }
}

pub async fn check(client: &mut AuthorizationClient<Channel>, question: CheckRequest) -> Answer {
    let response = within_patience("an answer", client.check(question)).await.unwrap().into_inner();
    let code = response.status.expect("Envoy goes by the status").code;
    match response.http_response.unwrap() {
        HttpResponse::OkResponse(ok) => {
            assert_eq!(code, 0, "the request goes on");
            Answer { status: 200, headers: ok.headers, removed: ok.headers_to_remove, body: String::new() }
        }
        HttpResponse::DeniedResponse(denied) => {
            assert_ne!(code, 0, "the request is refused");
            Answer { status: denied.status.unwrap().code, headers: denied.headers, removed: Vec::new(), body: denied.body }
        }
        HttpResponse::ErrorResponse(error) => panic!("{error:?}"),
    }
}

/// Issue "a gRPC client for Envoy's protocol"; threats A01 to A05
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_pass_is_named_and_what_the_client_forged_is_taken_away() {
    let gateway = gateway("identity: { also: [remote-user] }").await;
    let cookie = cookie(&gateway, "https").await;
    let mut envoy = client(&gateway).await;
    let cookies = format!("a=b; {cookie}; c=d");
    let headers = [
        ("cookie", cookies.as_str()),
        ("x-user", "root"),
        ("x_user_groups", "admins"),
        ("x.user", "root"),
        ("x-original-url", "/x"),
        ("x-kept", "1"),
    ];
    let answer = check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/x", &headers)).await;
    assert_eq!(answer.status, 200);
    for (name, value) in [("x-user", "alice"), ("x-user-groups", "users,editors"), ("remote-user", "alice"), ("cookie", "a=b; c=d")] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.header("x-user-assertion").unwrap().split('.').count(), 3);
    for option in &answer.headers {
        assert_eq!(option.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd, "{option:?}");
    }
    let mut removed = answer.removed.clone();
    removed.sort();
    assert_eq!(removed, ["x-original-url", "x.user", "x_user_groups"]);

    let only_ours = [("cookie", cookie.as_str())];
    let answer = check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/public", &only_ours)).await;
    assert_eq!((answer.status, answer.header("cookie"), answer.removed.as_slice()), (200, None, &["cookie".to_owned()][..]));
    let answer = check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/public", &[("x-user", "root")])).await;
    assert_eq!((answer.status, answer.header("x-user"), answer.header("remote-user")), (200, Some(""), Some("")));
    let overriding = [("x-http-method-override", "DELETE")];
    let answer = check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/read", &overriding)).await;
    assert_eq!((answer.status, answer.removed.as_slice()), (200, &["x-http-method-override".to_owned()][..]));
}

/// Issue, as above; contract 5
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_pass_is_answered_as_over_http() {
    let gateway = gateway("").await;
    let cookie = cookie(&gateway, "https").await;
    let mut envoy = client(&gateway).await;
    let html = ("accept", "text/html");
    let signed_in = ("cookie", cookie.as_str());
    let login = "https://app.test/auth/login";
    let deep = "https://app.test/auth/login?rd=https%3A%2F%2Fapp.test%2Fa%3Fb";
    for (method, url, headers, status, location) in [
        ("GET", "https://app.test/a?b", &[html][..], 302, Some(deep)),
        ("POST", "https://app.test/a?b", &[html, ("content-type", "application/x-www-form-urlencoded")], 303, Some(login)),
        ("GET", "https://app.test/a?b", &[("accept", "*/*")], 401, None),
        ("GET", "https://app.test/a?b", &[html, ("upgrade", "websocket")], 401, None),
        ("GET", "https://app.test/admin", &[html, signed_in], 403, None),
        ("GET", "https://app.test/never", &[html], 403, None),
        ("GET", "https://other.test/public", &[], 403, None),
        ("PURGE", "https://app.test/public", &[], 403, None),
        ("", "https://app.test/public", &[], 400, None),
        ("GET", "ftp://app.test/public", &[], 400, None),
        ("GET", "://app.test/public", &[], 400, None),
        ("GET", "https:///public", &[], 400, None),
        ("GET", "https://app.test, b.test/public", &[], 400, None),
        ("GET", "https://app.test/public/../admin", &[], 400, None),
        ("GET", "https://app.test/public%00", &[], 400, None),
    ] {
        let answer = check(&mut envoy, question("198.51.100.7", method, url, headers)).await;
        assert_eq!((answer.status, answer.header("location")), (status, location), "{method} {url} {headers:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("x-user"), None);
    }
    let answer = check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/a", &[])).await;
    let problem: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.header("content-type"), problem["loginUrl"].as_str()), (Some("application/problem+json"), Some(login)));
    let nothing = check(&mut envoy, CheckRequest::default()).await;
    assert_eq!(nothing.status, 400);
}

/// Threats C01: Envoy says itself who its client is, and what the request says of others counts behind a trusted one only.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_say_where_it_is() {
    let gateway = gateway("").await;
    let mut envoy = client(&gateway).await;
    for (source, forwarded, status) in [
        ("203.0.113.9", None, 200),
        ("198.51.100.7", None, 401),
        ("198.51.100.7", Some("203.0.113.9"), 401),
        ("203.0.113.9", Some("198.51.100.7"), 200),
        ("127.0.0.1", Some("203.0.113.9, 198.51.100.7"), 401),
        ("127.0.0.1", Some("198.51.100.7, 203.0.113.9"), 200),
        ("", Some("203.0.113.9"), 400),
    ] {
        let headers: Vec<_> = forwarded.map(|value| ("x-forwarded-for", value)).into_iter().collect();
        let answer = check(&mut envoy, question(source, "GET", "https://app.test/metrics", &headers)).await;
        assert_eq!(answer.status, status, "{source} {forwarded:?}");
    }
}

/// Envoy may send headers as bytes in a list instead, doubled ones apart.
#[tokio::test(flavor = "multi_thread")]
async fn headers_are_read_in_both_of_envoys_ways() {
    let gateway = gateway("").await;
    let cookie = cookie(&gateway, "https").await;
    let mut envoy = client(&gateway).await;
    let raw = |name: &str, value: &str| RawHeader { key: name.to_owned(), raw_value: value.as_bytes().to_vec(), ..RawHeader::default() };
    for (lines, status) in [(vec![raw("cookie", &cookie)], 200), (vec![raw("cookie", &cookie), raw("cookie", "__Host-portcullis=x")], 401)]
    {
        let mut question = question("198.51.100.7", "GET", "https://app.test/", &[]);
        let http = question.attributes.as_mut().unwrap().request.as_mut().unwrap().http.as_mut().unwrap();
        http.headers.clear();
        http.header_map = Some(RawHeaders { headers: lines });
        assert_eq!(check(&mut envoy, question).await.status, status);
    }
}

/// Contract 5: proxies that are not trusted are not answered.
#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_proxies_are_connected_with() {
    let yaml = format!("server: {{ trusted_proxies: [10.0.0.0/8] }}\nroutes:{ROUTES}{RULES}");
    let gateway = TestGateway::with(yaml).set("SERVER__EXT_AUTHZ_GRPC", "127.0.0.1:0").start().await;
    let mut envoy = AuthorizationClient::new(Endpoint::from_shared(gateway.ext_authz_origin()).unwrap().connect_lazy());
    let asked = question("198.51.100.7", "GET", "https://app.test/public", &[]);
    let refused = within_patience("an end of the connection", envoy.check(asked)).await;
    assert!(refused.is_err(), "{refused:?}");
}

/// Contract 2, `SIGTERM`: a stop does not wait for what Envoy keeps open.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_connections_that_ask_nothing() {
    let gateway = gateway("").await;
    let mut envoy = client(&gateway).await;
    assert_eq!(check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/public", &[])).await.status, 200);
    within_patience("the stop", gateway.stop()).await;
    assert!(envoy.check(question("198.51.100.7", "GET", "https://app.test/public", &[])).await.is_err());
}

/// Contract 5: a proxy that is trusted no longer is answered no longer, over a connection that is open either
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_trusted_no_longer_is_not_answered() {
    let gateway = gateway("").await;
    let mut client = client(&gateway).await;
    let asked = || question("192.0.2.7", "GET", "http://app.test/", &[]);
    check(&mut client, asked()).await;
    gateway.reload_with(format!("server: {{ trusted_proxies: [10.9.8.7] }}\nroutes:{ROUTES}{RULES}")).await;
    let refused = within_patience("an answer", client.check(asked())).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied, "{refused}");
}
