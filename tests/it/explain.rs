//! Why a request passes or not: on the command line, in the tests of the policy, and on the page for administrators.

use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::program::{Finished, Program, run};
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use serde_json::{Value, json};
use tempfile::TempDir;

const RULES: &str = r#"
access:
  rules:
    - { host: wiki.example.com, path: /public/**, allow: public }
    - { path: /metrics, network: [10.0.0.0/8], allow: public }
    - { host: admin.example.com, method: [GET, POST], group: [admins], user: [root], allow: mfa }
    - { path_regex: "/api/v[0-9]+/internal.*", allow: deny }
    - { path: /team, group: [staff], allow: authenticated }
    - { path: /team, allow: public }
"#;

const ROUTES: &str = r#"
routes:
  - { host: wiki.example.com, upstream: sample }
  - { host: admin.example.com, upstream: none }
  - { host: "*.apps.example.com", path: /app, upstream: sample }
  - { host: registry.example.com, upstream: sample, encoded_slashes: true }
"#;

/// Arguments, the rule or default that decides, and the verdict.
const CASES: &[(&[&str], Option<&str>, &str)] = &[
    (&["GET", "https://wiki.example.com/public/x"], Some("access.rules[0]"), "public"),
    (&["GET", "https://wiki.example.com/public"], Some("access.default"), "login"),
    (&["GET", "https://wiki.example.com"], Some("access.default"), "login"),
    (&["GET", "https://wiki.example.com/publicx/y"], Some("access.default"), "login"),
    (&["--user", "alice", "GET", "https://wiki.example.com/"], Some("access.default"), "allow"),
    (&["GET", "https://wiki.example.com/metrics"], Some("access.default"), "login"),
    (&["--ip", "10.1.2.3", "GET", "https://wiki.example.com/metrics/x"], Some("access.rules[1]"), "public"),
    (&["--ip", "::ffff:10.1.2.3", "GET", "https://wiki.example.com/metrics"], Some("access.rules[1]"), "public"),
    (&["--ip", "192.168.1.1", "GET", "https://wiki.example.com/metrics"], Some("access.default"), "login"),
    (&["GET", "https://admin.example.com/"], Some("access.rules[2]"), "login"),
    (&["--user", "alice", "--group", "users", "--mfa", "GET", "https://admin.example.com/"], Some("access.rules[2]"), "forbidden"),
    (&["--user", "alice", "--group", "users", "GET", "https://admin.example.com/"], Some("access.rules[2]"), "forbidden"),
    (&["--user", "alice", "--group", "admins", "GET", "https://admin.example.com/"], Some("access.rules[2]"), "mfa"),
    (
        &["--user", "alice", "--group", "users", "--group", "admins", "--mfa", "GET", "https://admin.example.com/"],
        Some("access.rules[2]"),
        "allow",
    ),
    (&["--user", "Root", "--mfa", "POST", "https://admin.example.com/"], Some("access.rules[2]"), "allow"),
    (&["--group", "admins", "--mfa", "GET", "https://admin.example.com/"], Some("access.rules[2]"), "allow"),
    (&["--user", "root", "DELETE", "https://admin.example.com/"], Some("access.default"), "allow"),
    (&["--user", "root", "GET", "https://wiki.example.com/api/v12/internal/x"], Some("access.rules[3]"), "forbidden"),
    (&["--user", "root", "GET", "https://wiki.example.com/x/api/v12/internal"], Some("access.default"), "allow"),
    (&["--user", "bob", "GET", "https://wiki.example.com/team"], Some("access.rules[4]"), "forbidden"),
    (&["GET", "https://wiki.example.com//team;x/%61"], Some("access.rules[4]"), "login"),
    (&["GET", "https://x.apps.example.com/app/page?x=/public"], Some("access.default"), "login"),
    (&["GET", "https://x.apps.example.com/other"], None, "not-found"),
    (&["GET", "https://apps.example.com/app"], None, "not-found"),
    (&["GET", "https://evil.test/"], None, "not-found"),
    (&["GET", "https://wiki.example.com/public/../admin"], None, "bad-request"),
    (&["GET", "https://wiki.example.com/public/x%2fy"], None, "bad-request"),
    (&["GET", "https://registry.example.com/public/x%2fy"], Some("access.default"), "login"),
    (&["PURGE", "https://wiki.example.com/"], None, "bad-request"),
    (&["GET", "wiki.example.com/"], None, "bad-request"),
    (&["GET", "https://wiki.example.com/auth/login"], None, "public"),
];

fn folder(yaml: &str) -> TempDir {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let head = "server: { listen: ['127.0.0.1:0'] }\nadmin: { listen: '127.0.0.1:0' }\n";
    std::fs::write(folder.path().join("portcullis.yaml"), format!("{head}{yaml}")).unwrap();
    folder
}

async fn explain(folder: &TempDir, arguments: &[&str]) -> Finished {
    run(folder.path(), &[&["explain"], arguments].concat(), "").await
}

/// Contract 1, `explain`
#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_explained_with_its_route_its_rule_and_the_verdict_last() {
    let folder = folder(&format!("{ROUTES}{RULES}"));
    for (arguments, decided_by, verdict) in CASES {
        let told = explain(&folder, arguments).await;
        assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert_eq!(told.stdout.lines().last(), Some(format!("verdict: {verdict}").as_str()), "{arguments:?}: {}", told.stdout);
        let by = decided_by.map(|key| format!("decided by: {key}"));
        assert_eq!(told.stdout.lines().find(|line| line.starts_with("decided by: ")), by.as_deref(), "{arguments:?}");
        let as_json = explain(&folder, &[&["--json"], *arguments].concat()).await;
        let value: Value = serde_json::from_str(&as_json.stdout).unwrap();
        assert_eq!((&value["verdict"], &value["decidedBy"]), (&json!(verdict), &json!(decided_by)), "{arguments:?}");
    }
    assert!(!folder.path().join("portcullis.db").exists(), "it looks at no store");
}

/// Contract 1, `explain`: every rule tried and why not.
#[tokio::test(flavor = "multi_thread")]
async fn every_rule_that_was_tried_says_why_it_did_not_match() {
    let folder = folder(&format!("{ROUTES}{RULES}"));
    let told =
        explain(&folder, &["--user", "bob", "--group", "users", "--ip", "192.0.2.1", "PUT", "https://admin.example.com/team//x"]).await;
    let expected = "\
request: PUT https://admin.example.com/team//x
user: bob, in users, without a second factor
client: 192.0.2.1
path: /team/x
route: routes[1] (admin.example.com, /), for forward-auth only: asked directly it is not found
access.rules[0]: { host: wiki.example.com, path: /public/**, allow: public }
  no match: the host is not wiki.example.com; the path is not /public/**
access.rules[1]: { path: /metrics, network: [10.0.0.0/8], allow: public }
  no match: the path is not /metrics; the client is not in 10.0.0.0/8
access.rules[2]: { host: admin.example.com, method: [GET, POST], group: [admins], user: [root], allow: mfa }
  no match: the method is not GET or POST
access.rules[3]: { path_regex: /api/v[0-9]+/internal.*, allow: deny }
  no match: the path is not /api/v[0-9]+/internal.*
access.rules[4]: { path: /team, group: [staff], allow: authenticated }
  matches
decided by: access.rules[4]
reason: The user is not in the group staff.
verdict: forbidden
";
    assert_eq!(told.stdout, expected);
}

/// Contract 1: wrong usage is exit code 2.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_cannot_be_meant_is_wrong_usage() {
    let folder = folder(&format!("{ROUTES}{RULES}"));
    let url = "https://wiki.example.com/";
    for arguments in [
        &["GET"][..],
        &["--mfa", "GET", url],
        &["--ip", "home", "GET", url],
        &["GET", url, "more"],
        &["--users", "a", "GET", url],
        &["--user", "a b", "GET", url],
        &["--group", "a b", "GET", url],
    ] {
        let told = explain(&folder, arguments).await;
        assert_eq!((told.code, told.stdout.as_str()), (Some(2), ""), "{arguments:?}");
    }
}

/// Contract 2, `access.tests`
#[tokio::test(flavor = "multi_thread")]
async fn tests_of_the_policy_stand_in_the_file_and_a_failing_one_keeps_the_gateway_from_starting() {
    let tests = |last: &str| {
        let passing = "{ url: 'https://wiki.example.com/public/x', expect: public }\n    \
             - { url: 'https://admin.example.com/', user: alice, groups: [users], mfa: true, expect: forbidden }\n    \
             - { url: 'https://wiki.example.com/metrics', ip: 10.0.0.1, expect: public }\n    \
             - { url: 'https://admin.example.com/', method: PUT, user: alice, expect: allow }";
        format!("{ROUTES}{RULES}  tests:\n    - {passing}\n    - {last}\n")
    };
    let good = folder(&tests("{ url: 'https://evil.test/', expect: not-found }"));
    let checked = run(good.path(), &["check"], "").await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let mut serving = Program::start(good.path(), &["serve"]);
    serving.announced(&["listening"]).await;

    let bad = folder(&tests("{ url: 'https://admin.example.com/', groups: [admins], mfa: true, expect: forbidden }"));
    for command in ["check", "serve"] {
        let refused = run(bad.path(), &[command], "").await;
        let errors: Vec<&str> = refused.stderr.lines().filter(|line| !line.starts_with("warning: ")).collect();
        assert_eq!((refused.code, refused.stdout.as_str(), errors.len()), (Some(1), "", 1), "{refused:?}");
        assert!(
            errors[0].starts_with("portcullis.yaml:23:7: access.tests[4]: expected forbidden, got allow by access.rules[2]"),
            "{}",
            errors[0]
        );
    }
    let told = explain(&bad, &["--group", "admins", "--mfa", "GET", "https://admin.example.com/"]).await;
    assert_eq!(told.code, Some(0), "a failing test can be explained: {told:?}");
    for wrong in [
        "{ url: 'https://wiki.example.com/' }",
        "{ expect: public }",
        "{ url: 'https://wiki.example.com/', expect: alow }",
        "{ url: 'https://wiki.example.com/', group: [a], expect: login }",
        "{ url: 'https://wiki.example.com/', mfa: true, expect: login }",
        "{ url: 'https://wiki.example.com/', ip: home, expect: login }",
    ] {
        let refused = run(folder(&tests(wrong)).path(), &["check"], "").await;
        assert!(
            refused.code == Some(1) && refused.stderr.contains(":23:") && refused.stderr.contains("access.tests[4]"),
            "{wrong}: {refused:?}"
        );
    }
}

/// Contract 1: what is explained is what happens.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_explained_is_what_the_gateway_does() {
    let upstream = EchoUpstream::start().await;
    let routes = ROUTES.replace("sample", &format!("\"{}\"", upstream.origin()));
    let gateway = TestGateway::with(format!("{routes}{RULES}")).start().await;
    for (arguments, _, verdict) in CASES {
        let [method, url] = arguments else { continue };
        let Some((host, path)) = url.strip_prefix("https://").map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len()))) else {
            continue;
        };
        let path = if path.is_empty() { "/" } else { path };
        let answer = Raw::exchange(gateway.address(), format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        let expected: &[u16] = match *verdict {
            "public" => &[200],
            // The host of forward-auth only is not found when it is asked directly.
            "login" if host == "admin.example.com" => &[404],
            "login" => &[401],
            "not-found" => &[404],
            "bad-request" => &[400, 405],
            other => panic!("{other} for nobody"),
        };
        assert!(expected.contains(&answer.status()), "{method} {url}: {verdict}, but {}", answer.status());
    }
}

/// Issue "a page for admins that shows, for a URL and a user, which rule decided"; threats K05
#[tokio::test(flavor = "multi_thread")]
async fn administrators_see_on_a_page_which_rule_decides_for_a_user() {
    let gateway = TestGateway::with(format!("{ROUTES}{RULES}")).user("ann", &["admins"]).user("bob", &["users"]).start().await;
    let origin = gateway.origin_as("wiki.example.com");
    let mut stranger = Browser::new(&origin);
    let answer = stranger.open("/auth/explain?url=https://wiki.example.com/&user=ann").await;
    assert_eq!(
        (answer.status, answer.location()),
        (302, "/auth/login?rd=%2Fauth%2Fexplain%3Furl%3Dhttps%3A%2F%2Fwiki.example.com%2F%26user%3Dann")
    );
    let mut bob = Browser::new(&origin);
    bob.sign_in("/", "bob", PASSWORD).await;
    let refused = bob.open("/auth/explain?url=https://wiki.example.com/&user=ann").await;
    assert!(refused.status == 403 && !refused.text().contains("admins"), "{}", refused.text());

    let mut ann = Browser::new(&origin);
    ann.sign_in("/", "ann", PASSWORD).await;
    let page = ann.open("/auth/explain").await;
    assert!(page.status == 200 && !page.text().contains("Verdict"), "{}", page.text());
    for (fields, expected) in [
        (&[("url", "https://wiki.example.com/team"), ("user", "bob")][..], &["Verdict: forbidden", "access.rules[4]", "bob, in users"][..]),
        (&[("url", "https://wiki.example.com/team")], &["Verdict: login", "access.rules[4]", "nobody"]),
        (&[("url", "https://wiki.example.com/metrics"), ("ip", "10.0.0.9")], &["Verdict: public", "access.rules[1]"]),
        (
            &[("url", "https://admin.example.com/"), ("user", "ANN"), ("mfa", "on")],
            &["Verdict: allow", "ann, in admins, with a second factor"],
        ),
        (&[("url", "https://admin.example.com/"), ("user", "root")], &["Verdict: mfa", "There is no account of this name"]),
        (&[("url", "https://evil.test/"), ("user", "bob"), ("method", "POST")], &["Verdict: not-found", "POST https://evil.test/"]),
        (&[("url", "https://wiki.example.com/"), ("ip", "home")], &["There is a problem", "203.0.113.7"]),
    ] {
        let answer = ann.submit(&page, fields).await;
        assert_eq!(answer.status, 200);
        for part in expected {
            assert!(answer.text().contains(part), "{fields:?}: {part} in {}", answer.text());
        }
    }
    gateway.app().administration.set_groups("ann", &[]).await.unwrap();
    assert_eq!(ann.open("/auth/explain").await.status, 403, "at once");
}

/// Issue, as above: "what was believed of the request's headers".
#[tokio::test(flavor = "multi_thread")]
async fn administrators_see_what_was_believed_of_their_own_requests_headers() {
    for (trusted, expected) in [
        (
            "[127.0.0.1]",
            &[
                "Client: 198.51.100.7",
                "Scheme: https",
                "X-Forwarded-Proto of the trusted proxy says so",
                "x-forwarded-for: 203.0.113.9, 198.51.100.7</dt>\n<dd>Used.",
                "x-forwarded-host: evil.test</dt>\n<dd>Ignored",
            ][..],
        ),
        (
            "[]",
            &[
                "Client: 127.0.0.1",
                "Scheme: http",
                "It is not in server.trusted_proxies",
                "x-forwarded-proto: https</dt>\n<dd>Ignored",
                "x-original-url: https://evil.test/&#60;b&#62;</dt>\n<dd>Ignored",
            ],
        ),
    ] {
        let yaml = format!("server: {{ trusted_proxies: {trusted} }}\n{ROUTES}{RULES}");
        let gateway = TestGateway::with(yaml).user("ann", &["admins"]).start().await;
        let https = trusted != "[]";
        let told = "X-Forwarded-Proto: https\r\nX-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-Forwarded-Host: evil.test\r\n\
                    X-Original-URL: https://evil.test/<b>\r\n";
        let body = json!({ "username": "ann", "password": PASSWORD }).to_string();
        let login = format!(
            "POST /auth/login HTTP/1.1\r\nHost: wiki.example.com\r\n{told}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let cookie = Raw::exchange(gateway.address(), login).await.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(cookie.starts_with("__Host-"), https);
        let page = format!("GET /auth/explain HTTP/1.1\r\nHost: wiki.example.com\r\n{told}Cookie: {cookie}\r\n\r\n");
        let page = Raw::exchange(gateway.address(), page).await;
        for part in expected.iter().chain(&["Host: wiki.example.com", "Peer: 127.0.0.1"]) {
            assert!(page.text().contains(part), "{trusted}: {part} in {}", page.text());
        }
    }
}
