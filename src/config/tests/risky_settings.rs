//! Warnings, and what shows only when sections are seen together.

use super::*;
use crate::clock::{Clock as _, SystemClock};

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
    let mongo = |url: &str| with(&format!("secret: 0123456789012345678901234567890123456789\nstores: {{users: '{url}'}}"));
    check_warning(&mongo("mongodb://db.test/x"), "stores.users");
    assert_eq!(warnings(&mongo("mongodb://db.test/x?tls=true")), [""; 0]);
    let redis = |url: &str| with(&format!("secret: 0123456789012345678901234567890123456789\nstores: {{sessions: '{url}'}}"));
    check_warning(&redis("redis://cache.test"), "stores.sessions");
    assert_eq!(warnings(&redis("rediss://cache.test")), [""; 0]);
    assert_eq!(warnings(&redis("redis://[::1]")), [""; 0]);
    check_warning("routes: [{host: a.test, upstream: sample}]\naccess: {rules: [{host: b.test, allow: deny}]}", "access.rules[0]");
    check_warning("routes: [{host: a.test, upstream: sample}]\ncookies: {domain: b.test}", "routes[0]");
    check_warning("routes: [{host: a.test, upstream: none}]", "routes[0]");
    check_warning(&with("server: {listen: ['127.0.0.1:8080'], ext_authz_grpc: '127.0.0.1:9092'}"), "server.ext_authz_grpc");
    check_warning(&with("access: {rules: [{path: /a, allow: public}, {path: /a/b, allow: deny}]}"), "access.rules[1]");
}

#[test]
fn a_path_with_a_trailing_slash_is_warned_of_since_it_leaves_the_path_itself_out() {
    let warned = warnings(&format!("{ROUTES}access: {{rules: [{{path: /adm/, allow: deny}}]}}"));
    let expected = "access.rules[0].path: leaves /adm itself out; write /adm for it and all that lies below";
    assert!(warned.len() == 1 && warned[0].contains(expected), "{warned:#?}");
    for path in ["/", "/adm", "/adm/**", "/adm/*/"] {
        assert_eq!(warnings(&format!("{ROUTES}access: {{rules: [{{path: '{path}', allow: deny}}]}}")), [""; 0], "{path}");
    }
}

#[test]
fn hosts_under_which_no_login_counts_are_warned_of() {
    let of = |host: &str| warnings(&format!("routes: [{{host: '{host}', upstream: sample}}]\ncookies: {{domain: b.test}}"));
    for host in ["a.test", "ab.test", "*.a.test", "*.test", "*.ab.test"] {
        let warned = of(host);
        assert!(warned.len() == 1 && warned[0].contains(&format!("host {host} is not under cookies.domain")), "{host}: {warned:#?}");
    }
    for host in ["b.test", "a.b.test", "*.b.test", "*.a.b.test"] {
        assert_eq!(of(host), [""; 0], "{host}");
    }
}

#[test]
fn a_certificate_that_has_expired_or_soon_will_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let today = SystemClock.now();
    let warned = |days: i64| {
        let mut params = rcgen::CertificateParams::new(vec!["a.test".to_owned()]).unwrap();
        params.not_after = time::OffsetDateTime::from_unix_timestamp(today.0 / 1000 + days * 86_400).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("c.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(folder.path().join("k.pem"), key.serialize_pem()).unwrap();
        let tls = "tls: {listen: ['127.0.0.1:8443'], certificates: [{certificate: c.pem, key: k.pem}]}";
        let yaml = format!("{ROUTES}server: {{listen: ['127.0.0.1:8080'], {tls}}}");
        let loaded = load_str(&yaml, folder.path(), &[]).unwrap();
        loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (days, says) in [(-1, "the certificate for a.test expired on "), (13, "the certificate for a.test expires on ")] {
        let found = warned(days);
        assert!(found.len() == 1 && found[0].contains("server.tls.certificates[0].certificate: ") && found[0].contains(says), "{found:#?}");
    }
    assert_eq!(warned(15), [""; 0]);
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

/// front-proxies.md 3.3: browsers refuse such a cookie, and the login goes round in a circle.
#[test]
fn a_cookie_for_a_domain_under_which_strangers_register_is_an_error() {
    for domain in ["co.uk", "duckdns.org", "github.io", "Duckdns.ORG."] {
        check_after_route(&format!("cookies: {{domain: {domain}}}"), &["2:19: cookies.domain: is a domain under which strangers register"]);
    }
    for domain in ["example.com", "mine.duckdns.org", "home.lan", "corp.internal", "example.co.uk"] {
        assert_eq!(settings(&format!("cookies: {{domain: {domain}}}")).cookies.domain.as_deref(), Some(domain));
    }
}
