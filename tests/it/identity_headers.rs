//! What reaches the upstream of who asks, and what does not reach it of who claims to be somebody: identity and
//! forwarding headers, cookies, credentials.

use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::message::Head;
use crate::support::raw::{Raw, RawResponse};
use crate::support::upstream::EchoUpstream;
use futures_util::future::join_all;
use serde_json::json;
use std::collections::HashSet;

/// Separators that servers are known to take for `-` in a header's name: every character a name may hold.
const SEPARATORS: &str = "!#$%&'*+-.^_`|~";

/// Names that say who somebody is, ours and the peers'.
const IDENTITY: [&str; 17] = [
    "X-User",
    "X-User-Id",
    "X-User-Email",
    "X-User-Name",
    "X-User-Groups",
    "X-User-Assertion",
    "Remote-User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Name",
    "X-Forwarded-User",
    "X-Forwarded-Groups",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User",
    "X-Auth-Request-Groups",
    "X-Auth-Request-Email",
];

/// A gateway with one user, who is signed in.
struct Site {
    upstream: EchoUpstream,
    gateway: TestGateway,
    cookie: String,
}

impl Site {
    /// `route` and `more` are added to the only route and to the configuration.
    async fn start(route: &str, more: &str) -> Self {
        let upstream = EchoUpstream::start().await;
        let routes = format!("routes: [{{ path: /, upstream: \"{}\", {route} }}]", upstream.origin());
        let rules = "access: { rules: [{ path: /public, allow: public }] }";
        let gateway = TestGateway::with(format!("{routes}\n{rules}\n{more}")).user("ann", &["staff", "editors"]).start().await;
        let cookie = sign_in(&gateway, "ann").await;
        Self { upstream, gateway, cookie }
    }

    /// A request for `path` with these header lines.
    async fn ask(&self, path: &str, lines: &str) -> RawResponse {
        Raw::exchange(self.gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n")).await
    }

    /// The same with the session, and what reached the upstream of it.
    async fn forwarded(&self, path: &str, lines: &str) -> Head {
        let before = self.upstream.seen();
        let answer = self.ask(path, &format!("{lines}Cookie: {}\r\n", self.cookie)).await;
        assert_eq!((answer.status(), self.upstream.seen()), (200, before + 1), "{lines:?}: {}", answer.text());
        self.upstream.last().head
    }
}

/// Signs in and gives the session as a pair for `Cookie`.
async fn sign_in(gateway: &TestGateway, username: &str) -> String {
    let mut api = gateway.api();
    let answer = api.post("/auth/login", &json!({ "username": username, "password": PASSWORD })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    format!("portcullis={}", api.agent.cookies.get("portcullis").unwrap().value)
}

/// A header line with this value for each name.
fn lines(names: impl IntoIterator<Item = String>, value: &str) -> String {
    names.into_iter().fold(String::new(), |lines, name| lines + &name + ": " + value + "\r\n")
}

/// The headers whose names could be taken for one of these, as a server that folds names would see them.
fn taken_for<'a>(head: &'a Head, names: &[&str]) -> Vec<&'a (String, String)> {
    let fold = |name: &str| name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let names: Vec<String> = names.iter().map(|name| fold(name)).collect();
    head.headers.iter().filter(|(name, _)| names.contains(&fold(name))).collect()
}

/// C3, contract 3.7
#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_is_told_who_asks() {
    let site = Site::start("", "").await;
    let head = site.forwarded("/x?y", "").await;
    assert_eq!(head.header_values("x-user"), ["ann"]);
    assert_eq!(head.header_values("x-user-email"), ["ann@example.com"]);
    assert_eq!(head.header_values("x-user-groups"), ["staff,editors"]);
    assert_eq!(head.header_values("x-user-name").len(), 1);
    let account = site.gateway.app().accounts.list(None, 1).await.unwrap().remove(0);
    assert_eq!(head.header_values("x-user-id"), [account.id.to_string()]);
    assert_eq!(head.header_values("x-user-assertion").len(), 1);
    assert_eq!(taken_for(&head, &IDENTITY).len(), 6, "{head:?}");
    assert_eq!(site.forwarded("/public/x", "").await.header_values("x-user"), ["ann"]);
}

/// Contract 3.2; threats A01, A02, A04, A05
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_to_be_somebody_is_dropped_in_every_spelling_on_every_path() {
    let site = Site::start("", "").await;
    for separator in SEPARATORS.chars() {
        let spelt = |name: &str| name.replace('-', &separator.to_string());
        let spellings = IDENTITY.iter().flat_map(|name| [spelt(name), spelt(name).to_lowercase(), spelt(name).to_uppercase()]);
        let lines = lines(spellings, "root");
        let head = site.forwarded("/x", &lines).await;
        assert!(taken_for(&head, &IDENTITY).iter().all(|(_, value)| value != "root"), "{separator}: {head:?}");
        assert_eq!(head.header_values("x-user"), ["ann"], "{separator}");
        let answer = site.ask("/public/x", &lines).await;
        assert_eq!(answer.status(), 200);
        let head = site.upstream.last().head;
        assert_eq!(taken_for(&head, &IDENTITY), Vec::<&(String, String)>::new(), "{separator}");
    }
    // Two lines under one name, and an empty one, are no way round either.
    let head = site.forwarded("/x", "X-User: root\r\nX-User: admin\r\nx-user:\r\n").await;
    assert_eq!(head.header_values("x-user"), ["ann"]);
    assert_eq!(site.ask("/x", "X-User: ann\r\nX-User-Groups: staff\r\n").await.status(), 401);
}

/// Contract 3.2; threats B17
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_name_another_address_never_pass() {
    let site = Site::start("", "server: { trusted_proxies: [127.0.0.0/8] }").await;
    for separator in SEPARATORS.chars() {
        let names =
            ["X-Original-URL", "X-Original-URI", "X-Original-Host", "X-Rewrite-URL"].map(|name| name.replace('-', &separator.to_string()));
        let lines = lines(names, "/admin");
        let head = site.forwarded("/x", &lines).await;
        assert!(head.headers.iter().all(|(_, value)| value != "/admin"), "{head:?}");
    }
}

/// Contract 3.2: where a rule names methods, no header makes another method of the one that was judged.
#[tokio::test(flavor = "multi_thread")]
async fn a_method_override_is_dropped_where_the_deciding_rule_names_methods() {
    let upstream = EchoUpstream::start().await;
    let routes = format!("routes: [{{ upstream: \"{}\" }}]", upstream.origin());
    let rules = "access: { rules: [{ path: /any, allow: public }, { method: [GET, POST], allow: public }] }";
    let gateway = TestGateway::with(format!("{routes}\n{rules}")).start().await;
    let lines = "X-HTTP-Method-Override: DELETE\r\nX_HTTP_Method: DELETE\r\nX-Method.Override: DELETE\r\n";
    for (path, left) in [("/any", 3), ("/other", 0)] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n{lines}\r\n");
        assert_eq!(Raw::exchange(gateway.address(), request).await.status(), 200);
        let kept = upstream.last().head.headers.iter().filter(|(_, value)| value == "DELETE").count();
        assert_eq!(kept, left, "{path}");
    }
}

/// What `Connection` nominates is a hop's own; what we vouch for is not the client's to nominate; threats A07, A08
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_header_cannot_nominate_the_identity_away() {
    let site = Site::start("", "").await;
    let nominations = [
        "close, X-User",
        "x-user, x-user-groups, x-user-email, x-user-id, x-user-name",
        "keep-alive\r\nConnection: X-User",
        "\"X-User\"",
        "Cookie",
        "cookie, x-user",
        "Authorization",
        "X-Forwarded-For",
        "X-Forwarded-Proto, X-Forwarded-Host",
        "X-Request-Id, traceparent",
        "Host",
        "Content-Length, Transfer-Encoding",
        ", ,",
        "X-User;q=1",
    ];
    for nomination in nominations {
        let before = site.upstream.seen();
        let answer = site.ask("/x", &format!("Connection: {nomination}\r\nCookie: {}\r\n", site.cookie)).await;
        assert_eq!(answer.header("server"), None, "{nomination:?}");
        if site.upstream.seen() == before {
            assert_eq!(answer.status(), 400, "{nomination:?}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{nomination:?}");
            continue;
        }
        let head = site.upstream.last().head;
        assert_eq!(taken_for(&head, &IDENTITY).len(), 6, "{nomination:?}: {head:?}");
        assert_eq!((head.header("x-user"), head.header("host")), (Some("ann"), Some("app.test")), "{nomination:?}");
        assert_eq!(head.header("x-forwarded-for"), Some("127.0.0.1"), "{nomination:?}");
        assert_eq!(head.header("cookie"), None, "{nomination:?}");
    }
    for nomination in ["Cookie", "X-User", "Authorization"] {
        let before = site.upstream.seen();
        let lines = format!("Connection: {nomination}\r\nX-User: root\r\nAuthorization: Basic cm9vdDpyb290\r\n");
        assert_eq!(site.ask("/x", &lines).await.status(), 401, "{nomination}");
        assert_eq!(site.upstream.seen(), before);
    }
    let head = site.forwarded("/x", "Connection: X-Mine, close\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n").await;
    assert_eq!((head.header("x-mine"), head.header("keep-alive")), (None, None), "{head:?}");
}

/// Contract 3.2: our cookies stay with us, others stay byte for byte.
#[tokio::test(flavor = "multi_thread")]
async fn no_cookie_of_ours_reaches_the_upstream_and_others_arrive_as_they_were_sent() {
    let site = Site::start("", "").await;
    let session = &site.cookie;
    let cases: [(String, Option<&str>); 9] = [
        (format!("Cookie: {session}\r\n"), None),
        (format!("Cookie: a=1; {session}; b=\"2 3\"; c\r\n"), Some("a=1; b=\"2 3\"; c")),
        (format!("Cookie: {session};a=1;b=2\r\n"), Some("a=1; b=2")),
        (format!("Cookie: a=1\r\nCookie: {session}\r\nCookie: b=2\r\n"), Some("a=1; b=2")),
        (format!("Cookie: portcullis-csrf=x; {session}; __Host-portcullis=y; __Secure-portcullis=z; __Host-portcullis-csrf=w\r\n"), None),
        (format!("Cookie: portcullis-device=x; portcullis-reset=y; {session}; k=v\r\n"), Some("k=v")),
        (format!("Cookie: portcullisx=1; xportcullis=2; {session}; Portcullis=3\r\n"), Some("portcullisx=1; xportcullis=2; Portcullis=3")),
        (format!("Cookie: a=%20; b==; {session}; =c; d=e,f\r\n"), Some("a=%20; b==; =c; d=e,f")),
        (format!("Cookie:  {session} ; a=1\r\n"), Some("a=1")),
    ];
    for (lines, expected) in cases {
        assert_eq!(site.ask("/x", &lines).await.status(), 200, "{lines:?}");
        let head = site.upstream.last().head;
        assert_eq!(head.header_values("cookie"), expected.into_iter().collect::<Vec<_>>(), "{lines:?}");
    }
    // Untouched where none of ours is among them, on a public path without a session too.
    assert_eq!(site.ask("/public", "Cookie: a=1;b=2 ;  c=\"\r\n").await.status(), 200);
    assert_eq!(site.upstream.last().head.header("cookie"), Some("a=1;b=2 ;  c=\""));
    assert_eq!(site.ask("/public", "Cookie: a=1; portcullis=made-up\r\n").await.status(), 200);
    assert_eq!(site.upstream.last().head.header("cookie"), Some("a=1"));
}

/// Contract 3.2; threats A11
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_cannot_set_our_cookies() {
    let site = Site::start("", "").await;
    let names = "portcullis=x&portcullis-csrf=x&portcullis-device=x&__Host-portcullis=x&__Secure-portcullis=x&__Host-portcullis-csrf=x&%20portcullis=x";
    let answer = site.ask("/public/set-cookie", "").await;
    assert_eq!(answer.head.header_values("set-cookie"), Vec::<&str>::new());
    let answer = site.ask(&format!("/public/set-cookie?a=1%3B%20Path%3D/&{names}&portcullisx=2&b=3"), "").await;
    assert_eq!(answer.head.header_values("set-cookie"), ["a=1; Path=/", "portcullisx=2", "b=3"]);
    let answer = site.ask("/public/headers?X-User=root&Set-Cookie=portcullis%3Dx", &format!("Cookie: {}\r\n", site.cookie)).await;
    assert_eq!(answer.head.header_values("set-cookie"), Vec::<&str>::new());
    assert_eq!(site.forwarded("/x", "").await.header_values("x-user"), ["ann"]);
}

/// Contract 3.5: what is not ours is no credential, and is passed on untouched.
#[tokio::test(flavor = "multi_thread")]
async fn authorization_is_passed_on_untouched_and_never_a_credential() {
    let site = Site::start("", "").await;
    let basic = "Basic YW5uOkNvcnJlY3QtaG9yc2UtNy1iYXR0ZXJ5";
    for value in [basic, "Bearer abc.def.ghi", "Digest username=\"a\", realm=\"b\"", "custom", "Negotiate ===="] {
        let line = format!("Authorization: {value}\r\n");
        assert_eq!(site.forwarded("/x", &line).await.header_values("authorization"), [value]);
        assert_eq!(site.ask("/public/x", &line).await.status(), 200);
        assert_eq!(site.upstream.last().head.header_values("authorization"), [value]);
        assert_eq!(site.ask("/x", &line).await.status(), 401, "{value}");
    }
}

/// `routes[].basic_auth`; C6
#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_application_gets_the_basic_auth_it_wants_and_not_the_clients() {
    let site = Site::start("basic_auth: { username: legacy, password: \"p:w\" }", "").await;
    for lines in ["", "Authorization: Bearer abc\r\n", "authorization: a\r\nAuthorization: b\r\n"] {
        assert_eq!(site.forwarded("/x", lines).await.header_values("authorization"), ["Basic bGVnYWN5OnA6dw=="], "{lines:?}");
    }
}

/// Contract 2 and 3.2: nobody is believed by default; threats fact 5
#[tokio::test(flavor = "multi_thread")]
async fn forwarding_headers_of_an_untrusted_peer_are_replaced_by_what_is_known() {
    let site = Site::start("", "").await;
    let claims = "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\nX-Forwarded-Port: 1\r\n\
        X-Forwarded-Prefix: //evil\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nX_Forwarded_For: 10.0.0.2\r\nX.Real.Ip: 10.0.0.2\r\n\
        X-Request-Id: chosen\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n";
    let head = site.forwarded("/x", claims).await;
    let left: Vec<&str> =
        head.headers.iter().map(|(_, value)| value.as_str()).filter(|value| value.contains("10.0.0") || value.contains("evil")).collect();
    assert_eq!(left, Vec::<&str>::new(), "{head:?}");
    assert_eq!(head.header_values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(head.header_values("x-forwarded-proto"), ["http"]);
    assert_eq!(head.header_values("x-forwarded-host"), ["app.test"]);
    assert_eq!(head.header("x-forwarded-port"), None);
    let id = head.header("x-request-id").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let trace = head.header("traceparent").unwrap();
    assert!(trace.len() == 55 && !trace.contains("0af7651916cd43dd"), "{trace}");
    assert_eq!(head.header("tracestate"), None);
}

/// `server.trusted_proxies`
#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_believed_about_client_and_scheme_but_not_about_the_host() {
    let site = Site::start("", "server: { trusted_proxies: [127.0.0.0/8] }").await;
    let claims = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: evil.test\r\n\
        X-Request-Id: from-the-proxy.1\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=b\r\n";
    let head = site.forwarded("/x", claims).await;
    assert_eq!(head.header_values("x-forwarded-for"), ["198.51.100.7, 203.0.113.9, 127.0.0.1"]);
    assert_eq!(head.header_values("x-forwarded-host"), ["app.test"]);
    assert_eq!(head.header_values("x-request-id"), ["from-the-proxy.1"]);
    assert_eq!(head.header_values("tracestate"), ["a=b"]);
    assert!(head.header("traceparent").unwrap().contains("0af7651916cd43dd"));
    // Over https the session is in another cookie, so this one is nobody's.
    let secure = site.ask("/x", &format!("X-Forwarded-Proto: https\r\nCookie: {}\r\n", site.cookie)).await;
    assert_eq!(secure.status(), 401);
    let value = site.cookie.split_once('=').unwrap().1;
    let secure = site.ask("/x", &format!("X-Forwarded-Proto: https\r\nCookie: __Host-portcullis={value}\r\n")).await;
    assert_eq!((secure.status(), site.upstream.last().head.header("x-forwarded-proto")), (200, Some("https")));
    for odd in ["javascript", "http,https", "https\r\nX-Forwarded-Proto: http", ""] {
        site.forwarded("/x", &format!("X-Forwarded-Proto: {odd}\r\n")).await;
        assert_eq!(site.upstream.last().head.header_values("x-forwarded-proto"), ["http"], "{odd:?}");
    }
    let odd = site.forwarded("/x", "X-Request-Id: a b\"c\r\n").await;
    assert_eq!(odd.header("x-request-id").map(str::len), Some(32));
}

/// What a trusted proxy writes has one spelling; any other is its client's, passed through; threats A04, fact 3
#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_odd_spellings_of_forwarding_headers_are_dropped() {
    let site = Site::start("", "server: { trusted_proxies: [127.0.0.0/8] }").await;
    for separator in SEPARATORS.chars().filter(|separator| *separator != '-') {
        let names = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Real-IP"];
        let lines = lines(names.map(|name| name.replace('-', &separator.to_string())), "evil");
        let head = site.forwarded("/x", &lines).await;
        assert!(head.headers.iter().all(|(_, value)| value != "evil"), "{separator}: {head:?}");
    }
}

/// `identity.also`: the peers' names, for applications that were set up for them; C6
#[tokio::test(flavor = "multi_thread")]
async fn the_names_of_other_gateways_are_written_where_asked_for() {
    let site = Site::start("", "identity: { also: [remote-user, x-forwarded-user, x-auth-request] }").await;
    let forged = "Remote-User: root\r\nX-Forwarded-User: root\r\nX_Auth_Request_User: root\r\n";
    let head = site.forwarded("/x", forged).await;
    for (name, value) in [
        ("remote-user", "ann"),
        ("remote-groups", "staff,editors"),
        ("remote-email", "ann@example.com"),
        ("x-forwarded-user", "ann"),
        ("x-forwarded-groups", "staff,editors"),
        ("x-forwarded-email", "ann@example.com"),
        ("x-forwarded-preferred-username", "ann"),
        ("x-auth-request-user", "ann"),
        ("x-auth-request-groups", "staff,editors"),
        ("x-auth-request-email", "ann@example.com"),
        ("x-auth-request-preferred-username", "ann"),
        ("x-user", "ann"),
    ] {
        assert_eq!(head.header_values(name), [value], "{name}");
    }
    assert!(head.headers.iter().all(|(_, value)| value != "root"), "{head:?}");
    assert_eq!(site.ask("/public", forged).await.status(), 200);
    assert_eq!(taken_for(&site.upstream.last().head, &IDENTITY), Vec::<&(String, String)>::new());
}

/// `identity.headers`
#[tokio::test(flavor = "multi_thread")]
async fn renamed_identity_headers_are_guarded_like_the_default_ones() {
    let site = Site::start("", "identity: { headers: { user: X-Who, groups: X-Teams } }").await;
    let forged = "X-Who: root\r\nX_Who: root\r\nx.teams: root\r\nX-User: root\r\nX-User-Groups: root\r\n";
    let head = site.forwarded("/x", forged).await;
    assert_eq!((head.header_values("x-who"), head.header_values("x-teams")), (vec!["ann"], vec!["staff,editors"]));
    assert_eq!((head.header("x-user"), head.header("x-user-groups")), (None, None));
    assert!(head.headers.iter().all(|(_, value)| value != "root"), "{head:?}");
    assert_eq!(site.ask("/public", forged).await.status(), 200);
    assert_eq!(taken_for(&site.upstream.last().head, &["x-who", "x-teams", "x-user", "x-user-groups"]).len(), 0);
}

/// `routes[].request_headers` and `response_headers`
#[tokio::test(flavor = "multi_thread")]
async fn headers_are_set_and_removed_both_ways_as_the_route_says() {
    let route = "request_headers: { set: { X-Fixed: one, Accept-Encoding: identity }, remove: [User-Agent, X-Gone] }, \
        response_headers: { set: { X-Frame-Options: DENY, X-Echo: ours }, remove: [X-Powered-By] }";
    let site = Site::start(route, "").await;
    let head = site.forwarded("/x", "X-Fixed: theirs\r\nx-fixed: again\r\nUser-Agent: me\r\nX-Gone: 1\r\nAccept-Encoding: br\r\n").await;
    assert_eq!((head.header_values("x-fixed"), head.header_values("accept-encoding")), (vec!["one"], vec!["identity"]));
    assert_eq!((head.header("user-agent"), head.header("x-gone")), (None, None));
    let answer = site.ask("/public/headers?X-Powered-By=PHP&X-Echo=theirs&X-Kept=1", "").await;
    assert_eq!((answer.header("x-frame-options"), answer.header("x-powered-by"), answer.header("x-kept")), (Some("DENY"), None, Some("1")));
    assert_eq!(answer.head.header_values("x-echo"), ["ours"]);
}

/// Contract 3.7; threats A10
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_plain_ascii_is_percent_encoded() {
    let site = Site::start("", "").await;
    let mut browser = site.gateway.browser();
    let page = browser.sign_in("/auth/account", "ann", PASSWORD).await;
    assert_eq!(browser.submit(&page, &[("name", "Zoë 100%, \"a\"")]).await.status, 303);
    let echo = browser.open("/x").await.json();
    let names: Vec<&str> = echo["headers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pair| pair[0] == "x-user-name" || pair[0] == "X-User-Name")
        .map(|pair| pair[1].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Zo%C3%AB 100%25, \"a\""]);
}

/// One user's request never carries another's identity; threats A14
#[tokio::test(flavor = "multi_thread")]
async fn many_users_at_once_are_never_mixed_up() {
    let upstream = EchoUpstream::start().await;
    let names = ["ann", "bob", "cem", "dot"];
    let gateway = names.iter().fold(TestGateway::in_front_of(&upstream), |builder, name| builder.user(name, &[name])).start().await;
    let sessions = join_all(names.map(|name| sign_in(&gateway, name))).await;
    let ask = async |index: usize| {
        let (name, cookie) = (names[index % names.len()], &sessions[index % names.len()]);
        let mut raw = gateway.raw().await;
        for request in 0..10 {
            raw.send(format!("GET /{index}/{request} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n")).await;
            let echo = raw.response().await.json();
            let told = |header: &str| {
                let pairs = echo["headers"].as_array().unwrap().iter();
                let values: Vec<String> = pairs
                    .filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(header))
                    .map(|pair| pair[1].as_str().unwrap().to_owned())
                    .collect();
                values.join("|")
            };
            assert_eq!(echo["target"], format!("/{index}/{request}"));
            assert_eq!((told("x-user").as_str(), told("x-user-groups").as_str()), (name, name));
        }
    };
    join_all((0..40).map(ask)).await;
    let ids: HashSet<String> = upstream.requests().iter().map(|request| request.head.header("x-request-id").unwrap().to_owned()).collect();
    assert_eq!((upstream.seen(), ids.len()), (400, 400));
}
