//! Routes and upstreams.

use super::*;

fn route(yaml: &str) -> Route {
    loaded_with(&format!("routes: [{yaml}]"), &[]).settings.routes.remove(0)
}

fn server(text: &str) -> (String, u16, UpstreamScheme) {
    let Upstream::Servers(servers) = route(&format!("{{upstream: '{text}'}}")).upstream else { panic!("servers") };
    match servers[0].address.clone() {
        UpstreamAddress::Tcp { host, port } => (host, port, servers[0].scheme),
        UpstreamAddress::Unix(path) => (path.display().to_string(), 0, servers[0].scheme),
    }
}

#[test]
fn upstreams_are_servers_sockets_or_words() {
    assert_eq!(server("http://127.0.0.1:3000"), ("127.0.0.1".into(), 3000, UpstreamScheme::Http));
    assert_eq!(server("https://app.internal/"), ("app.internal".into(), 443, UpstreamScheme::Https));
    assert_eq!(server("h2c://[::1]:50051"), ("::1".into(), 50051, UpstreamScheme::H2c));
    assert_eq!(server("unix:run/app.sock"), ("/etc/gate/run/app.sock".into(), 0, UpstreamScheme::Http));
    assert!(matches!(route("{upstream: none}").upstream, Upstream::None));
    assert!(matches!(route("{upstream: ['http://a', 'http://b']}").upstream, Upstream::Servers(servers) if servers.len() == 2));
}

#[test]
fn what_an_upstream_cannot_be_is_told() {
    for (upstream, reason) in [
        ("'http://a/path'", "\"http://a/path\" has a path or query"),
        ("'http://a?x'", "\"http://a?x\" has a path or query"),
        ("'http://u:p@a'", "the value has a user name or password"),
        ("'http://a b'", "\"http://a b\" has no usable host and port"),
        ("'http://'", "\"http://\" has no usable host"),
        ("'http://a:0'", "\"http://a:0\" has no usable host"),
        ("'127.0.0.1:3000'", "\"127.0.0.1:3000\" is not an upstream"),
        ("'unix:'", "\"unix:\" is not the path of a socket"),
        ("[]", "is empty"),
        ("['http://a', 'http://a']", "lists a server twice"),
        ("{}", "a map stands here"),
    ] {
        check(&format!("routes: [{{upstream: {upstream}}}]"), &[&format!("1:21: routes[0].upstream: {reason}")]);
    }
    check("routes: [{upstream: [sample]}]", &["1:22: routes[0].upstream[0]: \"sample\" stands alone"]);
}

#[test]
fn paths_are_prefixes_on_segment_boundaries() {
    assert_eq!(route("{path: /wiki/, upstream: sample}").path, "/wiki");
    for path in ["wiki", "/a//b", "/a/../b", "/a/*", "/a?b", "/a%41", "'/a;b'", "'/a\\b'", "''"] {
        check(&format!("routes: [{{upstream: sample, path: {path}}}]"), &["1:35: routes[0].path: "]);
    }
    for path in ["/auth", "/auth/x", "/api/auth"] {
        check(&format!("routes: [{{upstream: sample, path: {path}}}]"), &["1:35: routes[0].path: lies under the gateway's own pages"]);
    }
    assert_eq!(route("{path: /authors, upstream: sample}").path, "/authors");
}

#[test]
fn one_host_and_path_leads_to_one_upstream() {
    let twice = "{host: A.test, path: /x, upstream: sample}, {host: a.test, path: /x/, upstream: sample}";
    check(&format!("routes: [{twice}]"), &["1:54: routes[1]: has the host and path of routes[0]"]);
    let wrong = "{upstream: sample}, {host: 'http://a', upstream: sample}, {path: x, upstream: sample}";
    check(&format!("routes: [{wrong}]"), &["1:37: routes[1].host: ", "1:75: routes[2].path: "]);
    check("routes: [{host: 'http://a', upstream: sample}]", &["1:17: routes[0].host: \"http://a\" is not a host"]);
}

/// threats.md A
#[test]
fn a_route_cannot_set_what_speaks_of_the_user_or_frames_the_message() {
    let set = |name: &str| format!("routes: [{{upstream: sample, request_headers: {{set: {{{name}: x}}}}}}]");
    for name in
        ["X-User", "x_user", "Remote-User", "Host", "Content-Length", "Transfer-Encoding", "Connection", "Cookie", "X-Forwarded-For"]
    {
        check(&set(name), &["1:53: routes[0].request_headers.set."]);
    }
    check(&set("'a b'"), &["1:53: routes[0].request_headers.set.a b: is not the name of a header"]);
    check("routes: [{upstream: sample, response_headers: {set: {Set-Cookie: a=b}, remove: [Content-Length]}}]", &["1:54: ", "1:81: "]);
    let changes = route("{upstream: sample, request_headers: {set: {X-Tenant: acme}, remove: [X-Debug]}}").request_headers;
    assert_eq!((changes.set[0].0.as_str(), changes.remove[0].as_str()), ("x-tenant", "x-debug"));
    check(
        "routes: [{upstream: sample, request_headers: {set: {X-A: \"a\\nb\", x-a: b, X-B: 1, X-B: 2}}}]",
        &[
            "1:58: routes[0].request_headers.set.X-A: ",
            "1:66: routes[0].request_headers.set.x-a: x-a is set twice",
            "1:82: routes[0].request_headers.set.X-B: this key stands here a second time",
        ],
    );
}

#[test]
fn websocket_origins_are_written_as_browsers_send_them() {
    let origins = route("{upstream: sample, websocket_origins: ['HTTPS://App.Example.com:443/', 'http://b:8080']}").websocket_origins;
    assert_eq!(origins, ["https://app.example.com", "http://b:8080"]);
    for origin in ["'*'", "app.example.com", "https://a/b", "https://*.a.test", "'null'"] {
        check(&format!("routes: [{{upstream: sample, websocket_origins: [{origin}]}}]"), &["1:49: routes[0].websocket_origins[0]: "]);
    }
}

#[test]
fn tls_settings_need_a_tls_upstream_and_come_in_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["a.test".into()]).unwrap();
    std::fs::write(folder.path().join("c.pem"), made.cert.pem()).unwrap();
    let load = |yaml: &str| load_str(&format!("routes: [{yaml}]"), folder.path(), &[]).map_err(|report| report.to_string());
    assert!(load("{upstream: 'https://a', upstream_tls: {ca: c.pem}}").is_ok());
    assert!(load("{upstream: 'http://a', upstream_tls: {ca: c.pem}}").unwrap_err().contains("no effect on an upstream without https"));
    assert!(
        load("{upstream: 'https://a', upstream_tls: {certificate: c.pem}}").unwrap_err().contains("key: is missing beside certificate")
    );
}
