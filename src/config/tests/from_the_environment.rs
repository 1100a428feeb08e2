//! Overrides, values from files and `${NAME}`.

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
    assert!(settings.log.json && settings.log.level == ::tracing::Level::DEBUG && !settings.log.access);
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
