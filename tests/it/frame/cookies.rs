//! The cookie jar against RFC 6265bis.

use crate::support::cookie_jar::CookieJar;
use url::Url;

/// What a browser sends to `to` after an answer from `from` that set these cookies.
fn check(from: &str, set_cookies: &[&str], to: &str, expected: Option<&str>) {
    let mut jar = CookieJar::default();
    for set_cookie in set_cookies {
        jar.store(&Url::parse(from).unwrap(), set_cookie);
    }
    assert_eq!(jar.header(&Url::parse(to).unwrap()).as_deref(), expected, "{set_cookies:?} from {from} to {to}");
}

#[test]
fn cookies_go_to_the_host_and_path_they_are_for() {
    let from = "http://app.test/a/b";
    check(from, &["x=1"], "http://app.test/a/c", Some("x=1"));
    check(from, &["x=1"], "http://app.test/ab", None);
    check(from, &["x=1; Path=/"], "http://app.test:99/z", Some("x=1"));
    check(from, &["x=1; Path=/"], "http://sub.app.test/", None);
    check(from, &["x=1; Path=/; Domain=app.test"], "http://sub.app.test/", Some("x=1"));
    check(from, &["x=1; Path=/; Domain=app.test"], "http://notapp.test/", None);
    check(from, &["x=1; Path=/; Domain=other.test"], "http://other.test/", None);
    check(from, &["x=1; Path=/", "y=2; Path=/a"], "http://app.test/a", Some("y=2; x=1"));
}

#[test]
fn a_cookie_is_replaced_and_deleted_by_its_name() {
    let from = "http://app.test/";
    check(from, &["x=1; Path=/", "x=2; Path=/"], from, Some("x=2"));
    check(from, &["x=1; Path=/", "x=; Path=/; Max-Age=0"], from, None);
    check(from, &["x=1; Path=/", "x=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], from, None);
}

#[test]
fn secure_cookies_are_neither_taken_nor_sent_over_plain_http() {
    check("http://app.test/", &["x=1; Path=/; Secure"], "https://app.test/", None);
    check("https://app.test/", &["x=1; Path=/; Secure"], "http://app.test/", None);
    check("https://app.test/", &["x=1; Path=/; Secure"], "https://app.test/", Some("x=1"));
}

#[test]
fn prefixed_names_are_taken_only_under_their_rules() {
    let url = "https://app.test/";
    check(url, &["__Host-x=1; Secure; Path=/"], url, Some("__Host-x=1"));
    check(url, &["__Host-x=1; Path=/"], url, None);
    check(url, &["__Host-x=1; Secure; Path=/; Domain=app.test"], url, None);
    check(url, &["__host-x=1; Secure; Path=/a"], "https://app.test/a", None);
    check(url, &["__Secure-x=1; Secure; Path=/; Domain=app.test"], url, Some("__Secure-x=1"));
    check(url, &["__Secure-x=1; Path=/"], url, None);
}

#[test]
fn attributes_are_kept_for_tests_to_look_at() {
    let url = Url::parse("https://app.test/").unwrap();
    let mut jar = CookieJar::default();
    jar.store(&url, "x=1; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60");
    let cookie = jar.get("x").unwrap();
    assert!(cookie.secure && cookie.http_only && cookie.host_only && cookie.persistent);
    assert_eq!(cookie.same_site, Some(cookie::SameSite::Lax));
    jar.plant(&url, "planted", "2");
    assert_eq!(jar.names(), ["x", "planted"]);
    jar.remove("x");
    assert_eq!(jar.header(&url).as_deref(), Some("planted=2"));
}
