//! What each section takes, and its defaults.

use super::*;

#[test]
fn defaults_are_those_of_the_contract() {
    let settings = settings("");
    assert_eq!(settings.server.listen, [ListenAddress::Tcp("0.0.0.0:8080".parse().unwrap())]);
    assert_eq!(settings.admin, Some(ListenAddress::Tcp("127.0.0.1:9091".parse().unwrap())));
    assert_eq!(settings.server.limits.header, 16_384);
    assert_eq!(settings.server.limits.proxied_body, 1 << 30);
    assert_eq!(settings.server.timeouts.drain.as_secs(), 25);
    assert_eq!(settings.sessions.idle_timeout.as_secs(), 1800);
    assert_eq!(settings.sessions.lifetime.as_secs(), 43_200);
    assert_eq!(settings.sessions.remember_for.as_secs(), 2_592_000);
    assert_eq!(settings.policy.default, Access::Authenticated);
    assert_eq!(settings.accounts.registration, Registration::Closed);
    let UserStore::Sqlite(users) = &settings.stores.users else { panic!("not embedded") };
    assert_eq!(users, Path::new("/etc/gate/portcullis.db"));
    assert_eq!(settings.routes[0].read_timeout.as_secs(), 60);
}

#[test]
fn listeners_are_addresses_or_sockets_each_once() {
    check_after_route(
        "server: {listen: [localhost, 8080, 'unix:', '0.0.0.0:1', '0.0.0.0:1', '0.0.0.0:0', '0.0.0.0:0']}\nadmin: {listen: '0.0.0.0:1'}",
        &[
            "2:19: server.listen[0]: \"localhost\" is not an address to listen at",
            "2:30: server.listen[1]: \"8080\" is not an address to listen at",
            "2:36: server.listen[2]: \"unix:\" is not an address to listen at",
        ],
    );
    check_after_route(
        "server: {listen: ['0.0.0.0:1', '0.0.0.0:1', '0.0.0.0:0', '0.0.0.0:0']}\nadmin: {listen: '0.0.0.0:1'}",
        &["2:32: server.listen[1]: is listed twice", "3:17: admin.listen: is an address of the gateway's too"],
    );
    check_after_route("server: {listen: []}", &["2:18: server.listen: nothing to listen at"]);
    assert_eq!(settings("admin: {listen: null}").admin, None);
}

#[test]
fn trace_and_connect_are_never_let_through() {
    check_after_route(
        "server: {methods: [GET, TRACE, CONNECT, get]}",
        &[
            "2:25: server.methods[1]: TRACE is never",
            "2:32: server.methods[2]: CONNECT is never",
            "2:41: server.methods[3]: \"get\" is not a method",
        ],
    );
    assert_eq!(settings("server: {methods: [GET, PROPFIND]}").server.methods.len(), 2);
}

#[test]
fn prefixes_are_plain_paths() {
    for prefix in ["/", "/auth/", "auth", "/a//b", "/../x", "/a b", "/api", "/.well-known/x", "/é", "''"] {
        check_after_route(&format!("server: {{prefix: {prefix}}}"), &["2:18: server.prefix: "]);
    }
    assert_eq!(settings("server: {prefix: /a/b-c}").server.prefix, "/a/b-c");
}

#[test]
fn trusted_proxies_are_networks_or_unix() {
    let server = settings("server: {trusted_proxies: [10.1.2.3/8, '::1', unix]}").server;
    assert!(server.trusted_proxies.unix);
    assert_eq!(server.trusted_proxies.networks, ["10.0.0.0/8".parse().unwrap(), "::1/128".parse::<IpNet>().unwrap()]);
    check_after_route("server: {trusted_proxies: [proxy.local]}", &["2:28: server.trusted_proxies[0]: \"proxy.local\" is not a network"]);
}

#[test]
fn numbers_sizes_and_words_say_what_is_allowed() {
    check_after_route(
        "server: {threads: 0, limits: {header: 64KB, own_body: 1, connections: many}, timeouts: {idle: 0}}\nlog: {level: inf, format: [x]}\n",
        &[
            "2:19: server.threads: \"0\" is not a number of threads, write auto or a number from 1 to 1024",
            "2:39: server.limits.header: \"64KB\" is not a size, write for example 64KiB",
            "2:55: server.limits.own_body: 1 bytes is out of range, allowed are 1024 to",
            "2:71: server.limits.connections: \"many\" is not allowed, write a number from 1 to 1000000",
            "2:95: server.timeouts.idle: must be longer than 0",
            "3:14: log.level: \"inf\" is not allowed; did you mean `info`? allowed are error, warn",
            "3:27: log.format: a list stands here, allowed are text, json",
        ],
    );
}

#[test]
fn portal_and_cookies_fit_together() {
    let settings = settings("portal: {url: 'https://Auth.Example.com:8443'}\ncookies: {domain: example.com}");
    let url = settings.portal.url.unwrap();
    assert_eq!((url.https, url.host.as_str(), url.port), (true, "auth.example.com", 8443));
    assert_eq!(settings.cookies.secure, Some(true));
    check_after_route("portal: {url: 'https://a.test/x'}", &["2:15: portal.url: \"https://a.test/x\" is not the address of a site"]);
    check_after_route("portal: {landing: //evil.test}", &["2:19: portal.landing: "]);
    check_after_route(
        "cookies: {domain: com, secure: false}",
        &["2:19: cookies.domain: \"com\" is not a domain", "2:32: cookies.secure: \"false\" is not allowed"],
    );
    check_after_route(
        "portal: {url: 'https://a.test'}\ncookies: {domain: b.test}",
        &["3:19: cookies.domain: portal.url's host a.test is not under b.test"],
    );
}

#[test]
fn certificates_are_read_and_must_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    for name in ["a", "b"] {
        let made = rcgen::generate_simple_self_signed(vec!["a.test".into()]).unwrap();
        write(&format!("{name}.pem"), made.cert.pem());
        write(&format!("{name}.key"), made.signing_key.serialize_pem());
    }
    let load = |certificate: &str, key: &str| {
        let yaml = format!("{ROUTES}server: {{tls: {{certificates: [{{certificate: {certificate}, key: {key}}}]}}}}");
        load_str(&yaml, folder.path(), &[])
    };
    let tls = load("a.pem", "a.key").unwrap().settings.server.tls.unwrap();
    assert_eq!((tls.hsts.as_secs(), tls.redirect_http, tls.listen.len()), (31_536_000, true, 1));
    let problem = |certificate, key| load(certificate, key).unwrap_err().to_string();
    assert!(problem("a.pem", "b.key").contains("it is another certificate's key"), "{}", problem("a.pem", "b.key"));
    assert!(problem("a.key", "a.key").contains("certificates[0].certificate: holds no certificate"));
    assert!(problem("a.pem", "a.pem").contains("certificates[0].key: holds no private key"));
    assert!(problem("c.pem", "a.key").contains("cannot be read"));
    check_after_route("server: {tls: {}}", &["2:15: server.tls.certificates: is missing"]);
}

#[test]
fn identity_headers_have_names_of_their_own() {
    check_after_route(
        "identity: {headers: {user: Host, id: 'a b', email: X-User-Name}, also: [remote-usr]}",
        &[
            "2:21: identity.headers.name: has the name of `email`, give each a name of its own",
            "2:28: identity.headers.user: host has a meaning of its own",
            "2:38: identity.headers.id: \"a b\" is not the name of a header",
            "2:73: identity.also[0]: \"remote-usr\" is not allowed; did you mean `remote-user`?",
        ],
    );
    assert_eq!(settings("identity: {headers: {assertion: null}}").identity.assertion, None);
}

#[test]
fn what_a_later_version_has_is_accepted_at_its_default_only() {
    let lacking = [
        ("server: {watch: true}", "server.watch: this version lacks"),
        ("accounts: {require_mfa_for: [a]}", "accounts.require_mfa_for: this version lacks"),
        ("mfa: {totp: false}", "mfa.totp: this version lacks"),
        ("mfa: null", "mfa: this version lacks"),
    ];
    for (yaml, expected) in lacking {
        let problems = problems_with(&format!("{ROUTES}{yaml}"), &[]);
        assert!(problems.len() == 1 && problems[0].contains(expected), "{yaml}: {problems:?}");
    }
    check_after_route("tokens: {acess: 15m}", &["2:10: tokens.acess: unknown key; did you mean `access`?"]);
    settings("rate_limit: {attempts: 0, per_client: 0, per: 900s}\ntokens: {access: 15m}\naudit: {}");
}

#[test]
fn sessions_in_redis_need_an_address_that_can_be_read_and_a_secret_that_is_written() {
    let secret = "secret: 01234567890123456789012345678901";
    let written = settings(&format!("{secret}\nstores: {{sessions: 'rediss://:p@cache', redis_prefix: 'portcullis:'}}")).stores;
    let SessionStoreKind::Redis(address) = written.sessions else { panic!("not Redis") };
    assert_eq!((address.to_string().as_str(), written.redis_prefix.as_str()), ("rediss://cache:6379/0", "portcullis:"));
    check_after_route(&format!("{secret}\nstores: {{sessions: 'redis://a,b'}}"), &["3:20: stores.sessions: names several servers"]);
    check_after_route(
        &format!("{secret}\nstores: {{redis_prefix: 'x y'}}"),
        &["3:24: stores.redis_prefix: \"x y\" is not a prefix of keys"],
    );
    check_after_route("stores: {sessions: 'redis://cache'}", &["1:1: secret: is missing, and with a store on a network it must be given"]);
}

#[test]
fn traces_go_to_a_collector_over_grpc() {
    let collector = |text: &str| settings(&format!("tracing: {{otlp: '{text}'}}")).tracing.otlp.unwrap().to_string();
    assert_eq!(settings("").tracing.otlp, None);
    assert_eq!(collector("http://otel"), "http://otel:4317");
    assert_eq!(collector("https://Collector.example.com:443/"), "https://collector.example.com:443");
    assert_eq!(collector("http://[::1]:55680"), "http://[::1]:55680");
    for (text, expected) in [
        ("localhost:4317", "\"localhost:4317\" is no address of a collector; write null, http://host:4317 or https://host:4317"),
        ("grpc://otel:4317", "\"grpc://otel:4317\" has another scheme than http and https"),
        ("http://otel:4318", "\"http://otel:4318\" is where collectors speak OTLP over HTTP, and spans are sent over gRPC"),
        ("http://otel:4317/v1/traces", "\"http://otel:4317/v1/traces\" has a path or query"),
        ("http://otel:x", "\"http://otel:x\" has no usable host and port"),
        ("http://me:word-7@otel", "holds a login, which OTLP has no place for; write null"),
    ] {
        check_after_route(&format!("tracing: {{otlp: '{text}'}}"), &[&format!("2:17: tracing.otlp: {expected}")]);
    }
}
