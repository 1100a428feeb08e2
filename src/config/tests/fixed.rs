//! What a running gateway keeps, whatever its configuration says now.

use super::*;

const SECRET: &str = "secret: 0123456789012345678901234567890123456789\n";

fn loaded(yaml: &str, folder: &Path) -> Settings {
    load_str(&format!("{ROUTES}{yaml}"), folder, &[]).unwrap_or_else(|report| panic!("{report}")).settings
}

fn with_certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["a.test".into()]).unwrap();
    std::fs::write(folder.join("c.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("k.pem"), made.signing_key.serialize_pem()).unwrap();
}

fn tls(listen: &str, more: &str) -> String {
    format!("tls: {{listen: ['{listen}'], certificates: [{{certificate: c.pem, key: k.pem}}], {more}}}")
}

/// contract 2: every other key takes effect
#[test]
fn what_is_fixed_stays_and_is_named_and_all_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    with_certificate(folder.path());
    let running = format!("server: {{listen: ['127.0.0.1:1'], {}}}\n{SECRET}ui: {{title: Old}}", tls("127.0.0.1:2", "hsts: 1d"));
    let changed = format!(
        "server: {{listen: ['127.0.0.1:3'], ext_authz_grpc: '127.0.0.1:4', threads: 3, {}}}\nadmin: {{listen: null}}\n\
         sessions: {{cache: 1s, lifetime: 1h}}\nsecret: {}\nsecret_previous: {}\n\
         stores: {{users: 'sqlite:other.db', sessions: memory, redis_prefix: x}}\nlog: {{format: json, level: debug}}\nui: {{title: New}}",
        tls("127.0.0.1:5", "hsts: 2d"),
        "1".repeat(40),
        "2".repeat(40)
    );
    let (running, changed) = (loaded(&running, folder.path()), loaded(&changed, folder.path()));
    let (kept, later) = changed.keep_what_is_fixed(&running);
    let expected = [
        "server.listen",
        "server.tls.listen",
        "server.ext_authz_grpc",
        "server.threads",
        "admin.listen",
        "sessions.cache",
        "secret",
        "secret_previous",
        "stores.users",
        "stores.sessions",
        "stores.redis_prefix",
        "log.format",
    ];
    assert_eq!(later, expected);
    let shown = |settings: &Settings| format!("{:?} {:?} {:?}", settings.stores, settings.admin, settings.server.listen);
    assert_eq!((shown(&kept), kept.log.json, kept.server.threads), (shown(&running), false, None));
    assert!(kept.secret == running.secret && kept.secret_previous.is_none() && kept.server.ext_authz_grpc.is_none());
    assert_eq!((kept.ui.title.as_str(), kept.log.level, kept.sessions.lifetime.as_secs()), ("New", tracing::Level::DEBUG, 3600));
    let tls = kept.server.tls.clone().unwrap();
    assert_eq!((tls.listen, tls.hsts.as_secs()), (running.server.tls.clone().unwrap().listen, 2 * 86_400));
    assert_eq!(kept.keep_what_is_fixed(&running).1, [""; 0], "what was kept is no change");
}

#[test]
fn tls_begins_and_ends_at_a_start_only() {
    let folder = tempfile::tempdir().unwrap();
    with_certificate(folder.path());
    let plain = loaded("server: {listen: ['127.0.0.1:1']}", folder.path());
    let both = loaded(&format!("server: {{listen: ['127.0.0.1:1'], {}}}", tls("127.0.0.1:2", "")), folder.path());
    let (kept, later) = both.clone().keep_what_is_fixed(&plain);
    assert_eq!((kept.server.tls.is_none(), later), (true, vec!["server.tls"]));
    let (kept, later) = plain.keep_what_is_fixed(&both);
    assert_eq!((kept.server.tls.is_some(), later), (true, vec!["server.tls"]));
}
