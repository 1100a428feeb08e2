//! The configuration through its public door: a text and an environment in, settings or problems out.

use super::*;
use crate::policy::Access;
use std::collections::BTreeSet;
use std::path::Path;

const ROUTES: &str = "routes: [{upstream: \"http://127.0.0.1:3000\"}]\n";

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn loaded_with(yaml: &str, pairs: &[(&str, &str)]) -> Loaded {
    load_str(yaml, Path::new("/etc/gate"), &environment(pairs)).unwrap_or_else(|report| panic!("{report}"))
}

/// The settings of a text without a route of its own.
fn settings(yaml: &str) -> Settings {
    loaded_with(&format!("{ROUTES}{yaml}"), &[]).settings
}

/// The problems of a text, each without the file's name.
fn problems_with(yaml: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    match load_str(yaml, Path::new("/etc/gate"), &environment(pairs)) {
        Ok(_) => Vec::new(),
        Err(report) => report.to_string().lines().map(|line| line.trim_start_matches("portcullis.yaml:").to_owned()).collect(),
    }
}

/// A text must have these problems, in this order, and no others; each begins as given.
fn check(yaml: &str, expected: &[&str]) {
    check_with(yaml, &[], expected);
}

fn check_with(yaml: &str, pairs: &[(&str, &str)], expected: &[&str]) {
    let problems = problems_with(yaml, pairs);
    let as_expected = problems.len() == expected.len() && problems.iter().zip(expected).all(|(problem, start)| problem.starts_with(start));
    assert!(as_expected, "{yaml}\n found {problems:#?}\n instead of {expected:#?}");
}

/// Like [`check`], for a text with a route before it, in the first line.
fn check_after_route(yaml: &str, expected: &[&str]) {
    check(&format!("{ROUTES}{yaml}"), expected);
}

fn warnings(yaml: &str) -> Vec<String> {
    let quiet = "server: {listen: [\"127.0.0.1:8080\"]}\n";
    let server = if yaml.contains("server:") { "" } else { quiet };
    loaded_with(&format!("{server}{yaml}"), &[]).warnings.iter().map(ToString::to_string).collect()
}

mod documented_file {
    use super::*;

    fn documented() -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/portcullis.yaml")).unwrap()
    }

    #[test]
    fn the_documented_file_has_exactly_the_defaults() {
        let documented = loaded_with(&documented(), &[]).settings;
        assert_eq!(format!("{documented:#?}"), format!("{:#?}", settings("")));
    }

    #[test]
    fn every_key_that_is_read_stands_in_the_documented_file() {
        let text = documented();
        let everything = "
server: {tls: {certificates: [{}]}}
routes: [{basic_auth: {}}]
access: {rules: [{}]}
";
        let keys = |yaml: &str| {
            let findings = reader::Findings::new(Path::new(""));
            let root = file::parse(yaml).unwrap();
            reader::Section::root(&root, &findings).and_then(check::settings);
            findings.known.into_inner()
        };
        let known: BTreeSet<String> = keys(&text).union(&keys(everything)).cloned().collect();
        assert!(known.len() > 100, "{known:?}");
        for path in known {
            let key = path.rsplit('.').next().unwrap();
            let stands =
                text.match_indices(&format!("{key}:")).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            assert!(stands, "{path} is read, but not documented");
        }
    }

    #[test]
    fn the_minimal_file_and_the_examples_are_valid_and_without_warnings() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        for file in ["minimal.yaml", "examples/hosts.yaml"] {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            let loaded = loaded_with(&text, &[("PORTCULLIS_SECRET", "0123456789012345678901234567890123456789")]);
            assert_eq!(loaded.warnings, [], "{file}");
        }
    }
}

mod places {
    use super::*;

    #[test]
    fn every_problem_is_told_at_once_with_line_column_and_key_in_the_order_of_the_file() {
        check(
            "server:\n  listen: 8080\n  prefix: auth\nsessions: {idle_timeout: soon}\nroutes: [{upstream: \"ftp://x\"}, {path: x}]\n",
            &[
                "2:11: server.listen: a single value stands here, write a list such as [a, b]",
                "3:11: server.prefix: \"auth\" is not a prefix, write for example /auth",
                "4:26: sessions.idle_timeout: \"soon\" is not a duration, write for example 500ms, 90s, 30m",
                "5:21: routes[0].upstream: \"ftp://x\" has another scheme than http, https, h2c and unix, write for example",
                "5:33: routes[1].upstream: is missing, write for example http://127.0.0.1:3000",
                "5:40: routes[1].path: \"x\" is not a path",
            ],
        );
    }

    #[test]
    fn a_misspelt_key_is_an_error_with_a_suggestion() {
        check_after_route("sesions: {}\n", &["2:1: sesions: unknown key; did you mean `sessions`?"]);
        check_after_route("sessions: {idle-timeout: 1m}\n", &["2:12: sessions.idle-timeout: unknown key; did you mean `idle_timeout`?"]);
        check_after_route("cookies: {xyzzy: 1}\n", &["2:11: cookies.xyzzy: unknown key; known here domain, secure"]);
        check(
            "routes: [{upstraem: x}]\n",
            &["1:10: routes[0].upstream: is missing", "1:11: routes[0].upstraem: unknown key; did you mean `upstream`?"],
        );
    }

    #[test]
    fn a_duplicate_key_is_an_error() {
        check_after_route("log: {level: info, level: warn}\n", &["2:20: log.level: this key stands here a second time"]);
        check(&format!("{ROUTES}{ROUTES}"), &["2:1: routes: this key stands here a second time"]);
    }

    #[test]
    fn a_syntax_error_is_told_with_its_place() {
        check("routes: [\n", &["1:9: not valid YAML"]);
        check("a: *b\n", &["1:4: no anchor of that name"]);
    }

    #[test]
    fn a_section_without_keys_has_its_defaults() {
        let empty = settings("server:\nsessions:\naccess:\n  # default: deny\n");
        assert_eq!(format!("{empty:?}"), format!("{:?}", settings("")));
        check("routes: [null]", &["1:10: routes[0]: nothing stands here, write a map"]);
    }

    #[test]
    fn a_key_cannot_break_the_line_of_its_problem() {
        check_after_route("\"a\\nb\\e[31m\": 1", &["2:1: a\\nb\\u{1b}[31m: unknown key; known here"]);
    }

    #[test]
    fn a_file_cut_off_anywhere_is_read_or_reported_and_never_panics() {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/hosts.yaml")).unwrap();
        for end in (0..text.len()).step_by(5) {
            let problems = problems_with(&text[..end], &[("PORTCULLIS_SECRET", "0123456789012345678901234567890123456789")]);
            assert!(problems.iter().all(|problem| problem.contains(": ")), "{problems:?}");
        }
    }

    #[test]
    fn routes_must_be_written() {
        check("", &["1:1: routes: is missing"]);
        check("routes: []", &["1:9: routes: is empty"]);
        check("routes:", &["1:7: routes: nothing stands here"]);
        check("[]", &["1:1: a list stands here"]);
    }
}

mod from_the_environment {
    use super::*;

    #[test]
    fn a_variable_sets_a_key() {
        let loaded = loaded_with(
            &format!("{ROUTES}sessions: {{lifetime: 1h, idle_timeout: 5m}}"),
            &[
                ("PORTCULLIS__SESSIONS__IDLE_TIMEOUT", "10m"),
                ("PORTCULLIS__SERVER__LISTEN", "[127.0.0.1:1, 'unix:/run/x']"),
                ("PORTCULLIS__LOG", "{format: json, level: warn}"),
                ("PORTCULLIS__LOG__LEVEL", "debug"),
                ("PORTCULLIS__LOG__ACCESS", "FALSE"),
                ("PORTCULLIS__ROUTES__0__PATH", "/app"),
                ("PORTCULLIS__ROUTES__1", "{path: /b, upstream: sample}"),
                ("PORTCULLIS__ROUTES__1__BASIC_AUTH__USERNAME", "u"),
                ("PORTCULLIS__ROUTES__1__BASIC_AUTH__PASSWORD", "{p}"),
                ("PORTCULLIS__UI__TITLE", "a: [b ${HOME}"),
                ("PORTCULLIS_CONFIG", "elsewhere.yaml"),
                ("OTHER", "x"),
            ],
        );
        let settings = loaded.settings;
        assert_eq!(settings.sessions.idle_timeout.as_secs(), 600);
        assert_eq!(settings.sessions.lifetime.as_secs(), 3600);
        assert_eq!(settings.server.listen.len(), 2);
        assert!(settings.log.json && settings.log.level == tracing::Level::DEBUG && !settings.log.access);
        assert_eq!(settings.routes.iter().map(|route| route.path.as_str()).collect::<Vec<_>>(), ["/app", "/b"]);
        assert_eq!(settings.routes[1].basic_auth.as_ref().unwrap(), "Basic dTp7cH0=");
        assert_eq!(settings.ui.title, "a: [b ${HOME}");
    }

    #[test]
    fn routes_alone_may_come_from_the_environment() {
        let loaded = loaded_with("", &[("PORTCULLIS__ROUTES", "[{upstream: sample}]")]);
        assert!(matches!(loaded.settings.routes[0].upstream, Upstream::Sample));
    }

    #[test]
    fn an_unknown_variable_is_an_error_with_a_suggestion() {
        check_with(
            ROUTES,
            &[("PORTCULLIS__SESSIONS__IDEL_TIMEOUT", "1m"), ("PORTCULLIS__SESION__X", "1"), ("PORTCULLIS__LOG__", "x")],
            &[
                "PORTCULLIS__LOG__: log.: names no key",
                "PORTCULLIS__SESION__X: sesion: unknown key; did you mean `sessions`?",
                "PORTCULLIS__SESSIONS__IDEL_TIMEOUT: sessions.idel_timeout: unknown key; did you mean `idle_timeout`?",
            ],
        );
    }

    #[test]
    fn a_wrong_value_is_told_with_its_variable() {
        check_with(
            ROUTES,
            &[("PORTCULLIS__SERVER__H2C", "yes"), ("PORTCULLIS__SERVER__LISTEN", "0.0.0.0:80"), ("PORTCULLIS__ROUTES__5__PATH", "/")],
            &[
                "PORTCULLIS__ROUTES__5__PATH: routes.5: there is nothing of that name here",
                "PORTCULLIS__SERVER__H2C: server.h2c: \"yes\" is not a switch, write true or false",
                "PORTCULLIS__SERVER__LISTEN: server.listen: a single value stands here, write a list",
            ],
        );
    }

    /// S4.11
    #[test]
    fn a_value_may_come_from_a_file_without_its_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let secret = "[a: 0123456789012345678901234567890123456789";
        std::fs::write(folder.path().join("secret"), format!("{secret}\n")).unwrap();
        let variables = environment(&[("PORTCULLIS__SECRET__FILE", "secret")]);
        let loaded = load_str(ROUTES, folder.path(), &variables).unwrap();
        let SecretSource::Given(found) = loaded.settings.secret else { panic!("not given") };
        assert_eq!(found.derive("x"), Secret::new(secret.into()).derive("x"));
    }

    /// S4.11
    #[test]
    fn a_secret_taken_for_the_name_of_its_file_is_not_repeated() {
        let problems = problems_with(ROUTES, &[("PORTCULLIS__SECRET__FILE", "hunter2-hunter2-hunter2-hunter2-hunter2")]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("PORTCULLIS__SECRET__FILE: secret: names no existing file"), "{problems:?}");
        assert!(problems[0].contains("name it PORTCULLIS__SECRET") && !problems[0].contains("hunter2"), "{problems:?}");
    }

    #[test]
    fn a_key_is_set_once_only() {
        let both = [("PORTCULLIS__UI__TITLE", "a"), ("PORTCULLIS__UI__TITLE__FILE", "b")];
        check_with(ROUTES, &both, &["PORTCULLIS__UI__TITLE__FILE: ui.title: PORTCULLIS__UI__TITLE is set too"]);
    }

    #[test]
    fn names_in_braces_are_replaced_in_scalars() {
        let yaml = "routes: [{upstream: 'http://${HOST}:${PORT:-3000}'}]
ui: {title: '$${HOST} ${EMPTY:-x} ${EMPTY}y $HOME $'}
sessions: {max_per_user: \"${N}\"}
portal: {url: '${NOWHERE:-null}'}
";
        let settings = loaded_with(yaml, &[("HOST", "app.internal"), ("N", "7"), ("EMPTY", "")]).settings;
        assert_eq!(settings.ui.title, "${HOST} x y $HOME $");
        assert_eq!(settings.sessions.max_per_user, 7);
        assert_eq!(settings.portal.url, None);
        let Upstream::Servers(servers) = &settings.routes[0].upstream else { panic!("servers") };
        assert_eq!(servers[0].address, UpstreamAddress::Tcp { host: "app.internal".into(), port: 3000 });
    }

    #[test]
    fn an_unset_name_without_default_is_an_error() {
        check_after_route("ui: {title: \"${NAME}\"}", &["2:13: ui.title: the environment has no NAME; set it, or write ${NAME:-default}"]);
        check_after_route("ui: {title: \"${a b}\"}", &["2:13: ui.title: `${` begins a variable"]);
        check_after_route("ui: {title: \"${a\"}", &["2:13: ui.title: `${` without `}`"]);
    }

    #[test]
    fn an_override_replaces_a_value_before_its_names_are_looked_up() {
        let loaded = loaded_with(&format!("{ROUTES}ui: {{title: '${{NAME}}'}}"), &[("PORTCULLIS__UI__TITLE", "b")]);
        assert_eq!(loaded.settings.ui.title, "b");
    }
}

mod secrets {
    use super::*;

    /// S4.11
    #[test]
    fn no_error_repeats_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "hunter2").unwrap();
        let from = |pairs: &[(&str, &str)], yaml: &str| load_str(yaml, folder.path(), &environment(pairs)).unwrap_err().to_string();
        let yaml = format!(
            "{ROUTES}secret: hunter2
secret_previous: [hunter2]
stores: {{users: 'mongodb://root:hunter2@db/x', sessions: 'redis://:hunter2@cache'}}
email: {{password: hunter2, username: hunter2, transport: 'smtp://u:hunter2@mail', extra: hunter2}}
tokens: hunter2
"
        );
        let reports = [
            from(&[], &yaml),
            from(&[], "routes: [{upstream: 'http://u:hunter2@app', basic_auth: {username: 'hunter2:', password: \"hunter2\\n\"}}]"),
            from(&[], "routes: [{upstream: sample, basic_auth: 'u:hunter2@x'}]\nstores: {users: 'hunter2', sessions: 'sqlite://hunter2'}"),
            from(
                &[("X", "hunter2")],
                "routes: [{upstream: '${X}', path: '${X}'}]\nlog: {level: '${X}'}\nsecret: '${X}'\nserver: {h2c: '${X}', listen: ['${X}']}",
            ),
            from(
                &[
                    ("PORTCULLIS__SECRET", "hunter2"),
                    ("PORTCULLIS__EMAIL__PASSWORD", "hunter2"),
                    ("PORTCULLIS__STORES__USERS", "mongodb://a:hunter2@b"),
                ],
                ROUTES,
            ),
            from(
                &[
                    ("PORTCULLIS__SERVER__H2C__FILE", "file"),
                    ("PORTCULLIS__EMAIL__PASSWORD__FILE", "file"),
                    ("PORTCULLIS__SECRT__FILE", "file"),
                ],
                ROUTES,
            ),
        ];
        for report in reports {
            assert!(!report.contains("hunter2"), "{report}");
        }
    }

    #[test]
    fn settings_do_not_show_secrets_either() {
        let yaml =
            "routes: [{upstream: sample, basic_auth: {username: u, password: hunter2}}]\nsecret: hunter2-hunter2-hunter2-hunter2-hunter2\n";
        let settings = loaded_with(yaml, &[]).settings;
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("dTpodW50ZXIy"), "{shown}");
        assert_eq!(settings.routes[0].basic_auth.as_ref().unwrap(), "Basic dTpodW50ZXIy");
    }

    #[test]
    fn a_secret_has_32_bytes_or_is_made_beside_the_embedded_stores() {
        check_after_route("secret: 0123456789012345678901234567890", &["2:9: secret: has 31 bytes, at least 32 are needed"]);
        check_after_route("secret_previous: short", &["2:18: secret_previous: has 5 bytes"]);
        assert!(matches!(settings("secret: 01234567890123456789012345678901").secret, SecretSource::Given(_)));
        let SecretSource::File(path) = settings("stores: {users: 'sqlite:data/users.db', sessions: memory}").secret else {
            panic!("no file")
        };
        assert_eq!(path, Path::new("/etc/gate/data/portcullis.secret"));
    }
}

mod sections {
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
        let UserStore::Sqlite(users) = &settings.stores.users;
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
            &["2:32: server.listen[1]: is listed twice", "3:17: admin.listen: is an address of server.listen too"],
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
        check_after_route(
            "server: {trusted_proxies: [proxy.local]}",
            &["2:28: server.trusted_proxies[0]: \"proxy.local\" is not a network"],
        );
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
            ("server: {ext_authz_grpc: '127.0.0.1:1'}", "server.ext_authz_grpc: this version lacks"),
            ("server: {watch: true}", "server.watch: this version lacks"),
            ("stores: {users: 'mongodb://x'}", "stores.users: this version lacks accounts on MongoDB"),
            ("stores: {sessions: 'redis://x'}", "stores.sessions: this version lacks sessions on Redis"),
            ("stores: {redis_prefix: x}", "stores.redis_prefix: this version lacks Redis, so only the default \"\" is accepted"),
            ("accounts: {registration: invite}", "accounts.registration: this version lacks invitations"),
            ("accounts: {verify_email: true}", "accounts.verify_email: this version lacks"),
            ("accounts: {require_mfa_for: [a]}", "accounts.require_mfa_for: this version lacks"),
            ("accounts: {lockout: {failures: 3}}", "accounts.lockout.failures: this version lacks lockouts, so only the default 10"),
            ("accounts: {reset: {url: 'https://x'}}", "accounts.reset.url: this version lacks"),
            ("rate_limit: {attempts: 9}", "rate_limit.attempts: this version lacks rate limits, so only the default 5 or 0"),
            ("tokens: {algorithm: HS256}", "tokens.algorithm: this version lacks"),
            ("mfa: {totp: false}", "mfa.totp: this version lacks"),
            ("mfa: null", "mfa: this version lacks"),
            ("email: {transport: log}", "email.transport: this version lacks"),
            ("api: {allowed_origins: ['https://x']}", "api.allowed_origins: this version lacks"),
            ("access: {tests: [{}]}", "access.tests: this version lacks"),
            ("audit: {retention: 1d}", "audit.retention: this version lacks"),
            ("tracing: {otlp: x}", "tracing.otlp: this version lacks"),
        ];
        for (yaml, expected) in lacking {
            let problems = problems_with(&format!("{ROUTES}{yaml}"), &[]);
            assert!(problems.len() == 1 && problems[0].contains(expected), "{yaml}: {problems:?}");
        }
        check("routes: [{upstream: sample, park_forms: true}]", &["1:41: routes[0].park_forms: this version lacks"]);
        check_after_route("tokens: {acess: 15m}", &["2:10: tokens.acess: unknown key; did you mean `access`?"]);
        settings("rate_limit: {attempts: 0, per_client: 0, per: 900s}\ntokens: {access: 15m}\naudit: {}");
    }
}

mod routing {
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
}

mod access_rules {
    use super::*;

    fn check_rule(rule: &str, expected: &[&str]) {
        check_after_route(&format!("access: {{rules: [{rule}]}}"), expected);
    }

    #[test]
    fn rules_are_read() {
        let yaml = "access: {default: deny, rules: [{host: '*.a.test', path: /x/**, method: [GET], network: [10.0.0.0/8], group: [staff], user: [Alice], allow: mfa}]}";
        let settings = settings(yaml);
        let rule = &settings.policy.rules[0];
        assert_eq!(settings.policy.default, Access::Deny);
        assert_eq!((rule.groups.clone(), rule.users.clone(), rule.allow), (vec!["staff".into()], vec!["alice".into()], Access::Mfa));
        assert_eq!(settings.accounts.reserved_usernames, ["alice"]);
    }

    #[test]
    fn rules_that_contradict_themselves_are_told() {
        check_rule("{path: /}", &["2:18: access.rules[0].allow: is missing, allowed are public, authenticated, mfa, deny"]);
        check_rule("{allow: pubic}", &["2:26: access.rules[0].allow: \"pubic\" is not allowed; did you mean `public`?"]);
        check_rule("{group: [a], allow: public}", &["2:26: access.rules[0].group: says who is let in"]);
        check_rule("{user: [al], allow: deny}", &["2:25: access.rules[0].user: says who is let in"]);
        check_rule("{path: /, path_regex: /, allow: deny}", &["2:40: access.rules[0].path_regex: stands beside `path`"]);
        check_rule("{path_regex: '(', allow: deny}", &["2:31: access.rules[0].path_regex: not a usable pattern"]);
        check_rule("{path: x, allow: deny}", &["2:25: access.rules[0].path: "]);
        check_rule("{method: [PURGE], allow: deny}", &["2:27: access.rules[0].method: PURGE is not among server.methods"]);
        check_rule("{user: ['a b'], allow: mfa}", &["2:26: access.rules[0].user[0]: \"a b\" is not a user name"]);
        check_rule("{group: staff, allow: mfa}", &["2:26: access.rules[0].group: a single value stands here, write a list"]);
    }

    /// An empty condition would match everything, and an empty list of names let everyone in.
    #[test]
    fn an_empty_condition_is_an_error_rather_than_absent() {
        for key in ["host", "path", "path_regex", "method", "network", "group", "user"] {
            for value in ["null", "[]", "''"] {
                let problems = problems_with(&format!("{ROUTES}access: {{rules: [{{{key}: {value}, allow: mfa}}]}}"), &[]);
                assert!(problems.len() == 1 && problems[0].contains(&format!("access.rules[0].{key}: ")), "{key} {value} {problems:?}");
            }
        }
    }
}

mod risky_settings {
    use super::*;

    fn check_warning(yaml: &str, key: &str) {
        let found = warnings(yaml);
        assert!(found.len() == 1 && found[0].contains(&format!(": {key}: ")), "{yaml}: {found:#?}");
    }

    #[test]
    fn risky_settings_are_warned_of_and_accepted() {
        let with = |yaml: &str| format!("{ROUTES}{yaml}");
        assert_eq!(warnings(ROUTES), [""; 0]);
        check_warning(&with("access: {default: public}"), "access.default");
        check_warning(&with("access: {default: mfa}"), "access.default");
        check_warning(&with("access: {rules: [{path: /x, allow: mfa}]}"), "access.rules[0].allow");
        check_warning(&with("accounts: {registration: open}"), "accounts.registration");
        check_warning(&with("log: {level: trace}"), "log.level");
        check_warning(&with("admin: {listen: '0.0.0.0:9091'}"), "admin.listen");
        check_warning(&with("server: {listen: ['0.0.0.0:8080']}"), "server.listen");
        check_warning(&with("server: {trusted_proxies: ['0.0.0.0/0']}"), "server.trusted_proxies");
        check_warning(&with("access: {rules: [{group: [admins], allow: authenticated}]}"), "access.rules[0]");
        check_warning("routes: [{host: a.test, upstream: sample}]\naccess: {rules: [{host: b.test, allow: deny}]}", "access.rules[0]");
        check_warning("routes: [{host: a.test, upstream: sample}]\ncookies: {domain: b.test}", "routes[0]");
        check_warning(&with("access: {rules: [{path: /a, allow: public}, {path: /a/b, allow: deny}]}"), "access.rules[1]");
    }

    #[test]
    fn open_registration_is_no_risk_where_groups_decide() {
        let yaml = "accounts: {registration: open}\naccess: {default: deny, rules: [{group: [staff], allow: authenticated}]}";
        assert_eq!(warnings(&format!("{ROUTES}{yaml}")), [""; 0]);
    }

    #[test]
    fn a_rule_that_decides_sometimes_is_not_warned_of() {
        let rules = "[{path: /a, method: [GET], allow: public}, {path: /a, allow: deny}, {path: /ab, network: [10.0.0.0/8], allow: public}, {path: /ab, allow: deny}]";
        assert_eq!(warnings(&format!("{ROUTES}access: {{rules: {rules}}}")), [""; 0]);
    }

    #[test]
    fn an_upstream_that_is_the_gateway_itself_is_an_error() {
        check("routes: [{upstream: 'http://localhost:8080'}]", &["1:10: routes[0]: the upstream is an address that the gateway itself"]);
    }

    #[test]
    fn a_forward_auth_host_must_share_the_portals_login() {
        let yaml = |host: &str| {
            format!("routes: [{{host: {host}, upstream: none}}]\nportal: {{url: 'https://auth.a.test'}}\ncookies: {{domain: a.test}}")
        };
        check(&yaml("x.a.test"), &[]);
        check(&yaml("b.test"), &["1:10: routes[0]: a host for forward-auth only must"]);
    }
}

mod loading {
    use super::*;

    #[test]
    fn a_missing_file_is_told_in_one_sentence() {
        let report = load(Path::new("/nonexistent/portcullis.yaml")).unwrap_err().to_string();
        assert!(report.starts_with("/nonexistent/portcullis.yaml: no such file; name one with --config"), "{report}");
    }

    #[test]
    fn what_cannot_be_a_configuration_is_not_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.yaml");
        for (content, expected) in [(vec![b'#'; 2 << 20], "too large for a configuration"), (vec![0xff, 0xfe], "not UTF-8 text")] {
            std::fs::write(&path, content).unwrap();
            let report = load(&path).unwrap_err().to_string();
            assert!(report.contains(expected) && report.lines().count() == 1, "{report}");
        }
        assert!(load(folder.path()).unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn problems_name_the_file_as_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gate.yaml");
        std::fs::write(&path, "routes: 1").unwrap();
        let report = load(&path).unwrap_err().to_string();
        assert!(report.starts_with(&format!("{}:1:9: routes: ", path.display())), "{report}");
    }
}
