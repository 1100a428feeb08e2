//! Where problems are said to be, and that all are told.

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
