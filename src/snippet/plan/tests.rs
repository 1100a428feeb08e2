//! Which plans configurations give.

use super::*;
use crate::config::load_str;
use crate::snippet::FrontProxy;
use std::path::Path;

fn settings(yaml: &str) -> Settings {
    load_str(yaml, Path::new("/etc/portcullis"), &[]).unwrap_or_else(|report| panic!("{report}")).settings
}

fn plan(yaml: &str) -> Result<Plan, Unwritable> {
    Plan::new(&settings(yaml), &Wanted::of(FrontProxy::Nginx))
}

/// Host, path and application of each place; what is ours is written so.
fn places(yaml: &str) -> Vec<String> {
    let plan = plan(yaml).unwrap();
    let place = |site: &Site, place: &Place| match &place.to {
        Destination::Application { servers, .. } => format!("{}{} {}", site.host_text(), place.path, servers[0].authority()),
        Destination::Gateway(_) => format!("{}{} ours", site.host_text(), place.path),
    };
    let elsewhere = |site: &Site| match site.elsewhere {
        Elsewhere::Nowhere => None,
        Elsewhere::Gateway => Some(format!("{} portal", site.host_text())),
        Elsewhere::NotFound => Some(format!("{} not found", site.host_text())),
    };
    plan.sites.iter().flat_map(|site| site.places.iter().map(move |of| place(site, of)).chain(elsewhere(site))).collect()
}

#[test]
fn a_host_has_the_places_that_the_gateway_would_find() {
    let yaml = r#"
portal: { url: "https://auth.example.com" }
routes:
  - { upstream: "http://any:1" }
  - { path: /api, upstream: "http://api:2" }
  - { host: "*.example.com", path: /deep/er, upstream: "http://deeper:3" }
  - { host: "*.example.com", path: /deep, upstream: "http://deep:4" }
  - { host: wiki.example.com, path: /api/v2, upstream: "http://v2:5" }
  - { host: wiki.example.com, upstream: "http://wiki:6" }
"#;
    let expected = [
        "wiki.example.com/api/v2 v2:5",
        "wiki.example.com/ wiki:6",
        "auth.example.com/deep/er deeper:3",
        "auth.example.com/deep deep:4",
        "auth.example.com/api api:2",
        "auth.example.com/ any:1",
        "*.example.com/deep/er deeper:3",
        "*.example.com/deep deep:4",
        "*.example.com/api api:2",
        "*.example.com/ any:1",
        "*/api api:2",
        "*/ any:1",
    ];
    assert_eq!(places(yaml), expected);
}

#[test]
fn what_is_left_of_the_portals_host_is_ours_and_of_others_is_not_found() {
    let yaml = "{ portal: { url: 'https://auth.example.com' }, cookies: { domain: example.com }, routes: [
        { host: wiki.example.com, path: /w, upstream: none }, { host: auth.example.com, upstream: none }] }";
    assert_eq!(places(yaml), ["wiki.example.com/w 127.0.0.1:3000", "wiki.example.com not found", "auth.example.com/ ours"]);
}

#[test]
fn a_route_that_asks_for_more_than_letting_pass_is_ours() {
    for more in [
        "upstream: sample",
        "upstream: 'https://app'",
        "upstream: 'h2c://app'",
        "upstream: 'http://app', strip_prefix: true",
        "upstream: 'http://app', preserve_host: false",
        "upstream: 'http://app', request_headers: { remove: [X-Debug] }",
        "upstream: 'http://app', response_headers: { set: { X-Robots-Tag: none } }",
        "upstream: 'http://app', basic_auth: { username: a, password: b }",
    ] {
        assert_eq!(places(&format!("routes: [{{ host: a.test, path: /x, {more} }}]"))[0], "a.test/x ours", "{more}");
    }
}

#[test]
fn what_could_break_out_of_a_proxys_syntax_is_refused() {
    for yaml in [
        r#"routes: [{ path: "/a b", upstream: none }]"#,
        r#"routes: [{ path: '/a"b', upstream: none }]"#,
        r#"routes: [{ path: "/a{b}", upstream: none }]"#,
        r#"routes: [{ path: "/a$b", upstream: none }]"#,
        r#"routes: [{ path: "/a`b", upstream: none }]"#,
        r#"routes: [{ path: "/ä", upstream: none }]"#,
        r#"routes: [{ upstream: "unix:/run/a b.sock" }]"#,
        "{ routes: [{ upstream: none }], identity: { headers: { user: X.User } } }",
        "{ routes: [{ upstream: none }], identity: { headers: { user: X_User } } }",
        r#"{ routes: [{ upstream: none }], server: { listen: ["unix:/run/a;b.sock"] } }"#,
    ] {
        assert!(plan(yaml).is_err_and(|reason| reason.to_string().contains("may hold only")), "{yaml}");
    }
}

#[test]
fn names_are_different_and_never_those_that_the_files_use_themselves() {
    let yaml = "routes: [{ host: a-b.test, upstream: none }, { host: a.b.test, upstream: none }, { host: portcullis, upstream: none },
        { host: a, path: /b/test, upstream: none }]";
    let plan = plan(yaml).unwrap();
    let names: Vec<&str> = plan.sites.iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names, ["a_b_test", "a_b_test_2", "host_portcullis", "a"]);
    assert_eq!(plan.sites[3].places[0].name, "a_b_test_3");
}

#[test]
fn a_proxy_beside_us_reaches_us_on_loopback() {
    let gateway = |listen: &str| {
        plan(&format!("{{ server: {{ listen: ['{listen}'] }}, routes: [{{ upstream: none }}] }}")).unwrap().gateway.authority()
    };
    assert_eq!(gateway("0.0.0.0:8080"), "127.0.0.1:8080");
    assert_eq!(gateway("[::]:8080"), "[::1]:8080");
    assert_eq!(gateway("10.1.2.3:80"), "10.1.2.3:80");
    assert_eq!(gateway("unix:/run/portcullis.sock"), "/run/portcullis.sock");
}

#[test]
fn what_is_missing_is_noted() {
    let notes = |yaml: &str| plan(yaml).unwrap().notes;
    let both = notes("routes: [{ host: wiki.test, upstream: none }]");
    assert!(both.len() == 2 && both[0].contains("server.trusted_proxies") && both[1].contains("--app wiki.test="), "{both:?}");
    let sound = "{ server: { trusted_proxies: [127.0.0.1] }, routes: [{ host: wiki.test, upstream: 'http://127.0.0.1:1' }] }";
    assert_eq!(notes(sound), Vec::<String>::new());
}
