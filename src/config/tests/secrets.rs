//! What messages and settings never show.

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
stores: {{users: 'mongodb://root:hun/hunter2@db/x', sessions: 'redis://:hunter2@cache'}}
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
    let yaml = "routes: [{upstream: sample, basic_auth: {username: u, password: hunter2}}]\nsecret: hunter2-hunter2-hunter2-hunter2-hunter2
stores: {users: 'mongodb://root:hunter2@db/x'}\n";
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
    check_after_route(
        "stores: {users: 'mongodb://localhost'}",
        &["1:1: secret: is missing, and with a store on a network it must be given"],
    );
    let SecretSource::File(path) = settings("stores: {users: 'sqlite:data/users.db', sessions: memory}").secret else { panic!("no file") };
    assert_eq!(path, Path::new("/etc/gate/data/portcullis.secret"));
}
