//! Making one's own account, by form and by JSON: what is taken, what is refused, and what is told of others.

use crate::support::agent::Answer;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

async fn open_gateway() -> TestGateway {
    let yaml = "accounts: { registration: open }\nroutes: [{ path: /app, upstream: sample }]";
    TestGateway::with(yaml).user("alice", &[]).start().await
}

/// Fills in the registration form.
async fn register(gateway: &TestGateway, username: &str, email: &str, password: &str) -> Answer {
    let mut browser = gateway.browser();
    let page = browser.open("/auth/register?rd=/app").await;
    browser.submit(&page, &[("username", username), ("email", email), ("password", password)]).await
}

async fn names(gateway: &TestGateway) -> Vec<String> {
    let accounts = gateway.app().administration.list().await.unwrap();
    accounts.iter().map(|account| account.username.as_str().to_owned()).collect()
}

/// `field: code` of each error.
fn errors(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap().to_owned();
    body["errors"].as_array().into_iter().flatten().map(|error| format!("{}: {}", text(error, "field"), text(error, "code"))).collect()
}

/// S0.1, contract 4: the form makes the account and leads to the login, from there to the page asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_makes_an_account_and_signs_in_with_it() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).set("ACCOUNTS__REGISTRATION", "open").start().await;
    let mut browser = gateway.browser();
    let login = browser.visit("/wiki?q=1").await;
    assert!(login.text().contains("/auth/register?rd=%2Fwiki%3Fq%3D1"));
    let page = browser.open("/auth/register?rd=%2Fwiki%3Fq%3D1").await;
    let answer = browser.submit(&page, &[("username", "Ada"), ("email", "ada@Example.com"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?registered&rd=%2Fwiki%3Fq%3D1"));
    assert!(browser.agent.cookies.get("portcullis").is_none(), "registering never signs in");
    let page = browser.follow(answer).await;
    assert!(page.text().contains("Your account is ready"));
    let answer = browser.submit(&page, &[("username", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(answer.location(), "/wiki?q=1");
    browser.follow(answer).await;
    let head = upstream.last().head;
    assert_eq!((head.header("x-user"), head.header("x-user-groups")), (Some("Ada"), Some("")));
    assert_eq!(head.header("x-user-email"), Some(""), "an address that nobody has verified is not vouched for");
}

/// Contract 4, S4.11
#[tokio::test(flavor = "multi_thread")]
async fn closed_registration_is_no_page_and_makes_nothing() {
    let gateway = TestGateway::with("routes: [{ path: /, upstream: sample }]").user("alice", &[]).start().await;
    let mut browser = gateway.browser();
    assert_eq!(browser.open("/auth/register").await.status, 404);
    let login = browser.open("/auth/login").await;
    assert!(!login.text().contains("/auth/register"));
    let forms = crate::support::form::Form::all(&login.text());
    let body = forms[0].filled(&[("username", "mallory"), ("email", "m@example.com"), ("password", PASSWORD)]);
    let url = browser.url("/auth/register");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    assert_eq!(browser.agent.send(Method::POST, &url, &headers, body).await.status, 404);
    let answer = gateway.api().post("/auth/register", &json!({ "email": "m@example.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, &answer.json()["type"]), (403, &json!("urn:portcullis:registration_closed")));
    assert_eq!(names(&gateway).await, ["alice"]);
}

/// Contract 4, threats G02: a name is public and told; an address is not, so a form answers as if it were new.
#[tokio::test(flavor = "multi_thread")]
async fn a_taken_name_is_told_and_a_taken_address_is_not() {
    let gateway = open_gateway().await;
    for name in ["alice", "ALICE", " Alice "] {
        let answer = register(&gateway, name, "new@example.com", PASSWORD).await;
        let text = answer.text();
        assert_eq!(answer.status, 409, "{name}");
        assert!(text.contains("id=\"username-problem\"") && text.contains("value=\"new@example.com\""), "{text}");
        assert!(!text.contains(PASSWORD));
    }
    let taken = register(&gateway, "bob", "ALICE@example.com", PASSWORD).await;
    let new = register(&gateway, "carol", "carol@example.com", PASSWORD).await;
    assert_eq!((taken.status, taken.location(), taken.text()), (new.status, new.location(), new.text()));
    assert_eq!(names(&gateway).await, ["alice", "carol"]);
    let mut api = gateway.api();
    let answer = api.post("/auth/register", &json!({ "username": "bob", "email": "alice@EXAMPLE.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, &answer.json()["type"]), (409, &json!("urn:portcullis:email_taken")));
    assert_eq!(errors(&answer), ["email: taken"]);
    let answer = api.post("/auth/register", &json!({ "username": "aLiCe", "email": "n@example.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, errors(&answer)), (409, vec!["username: taken".to_owned()]));
}

/// S0.7, S4.2, S4.9; threats I05, I08, I11: every field that cannot be taken is named, at once, and nothing is kept.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_be_taken_are_told_for_each_field() {
    let gateway = open_gateway().await;
    let page = register(&gateway, "x", "nonsense", "short").await;
    assert_eq!(page.status, 400);
    for field in ["username", "email", "password"] {
        assert!(page.text().contains(&format!("id=\"{field}-problem\"")), "{field}");
        assert!(page.text().contains(&format!("<a href=\"#{field}\">")), "{field}");
    }
    let mut api = gateway.api();
    let mut check = async |username: &str, email: &str, password: &str, expected: &[&str]| {
        let answer = api.post("/auth/register", &json!({ "username": username, "email": email, "password": password })).await;
        assert_eq!(
            (answer.status, errors(&answer)),
            (400, expected.iter().map(|text| (*text).to_owned()).collect()),
            "{username:?} {email:?}"
        );
        assert_eq!(answer.json()["type"], "urn:portcullis:validation");
        assert!(password.is_empty() || !answer.text().contains(password));
    };
    for name in [
        "",
        "a",
        "\u{430}dmin",
        "\u{ff41}dmin",
        "ad\u{200b}min",
        "\u{202e}nimda",
        "bob\0",
        "a\nlevel=info msg=ok",
        "a\u{1b}[31m",
        "a\u{2028}b",
    ] {
        check(name, "new@example.com", PASSWORD, &["username: invalid"]).await;
    }
    for name in ["bob,admin", "a b", "../x", "\"><svg onload=alert(1)>", "' OR 1=1 --", "$where", &"x".repeat(33), &"x".repeat(60_000)] {
        check(name, "new@example.com", PASSWORD, &["username: invalid"]).await;
    }
    for name in ["admin", "ADMIN", "root", "Administrator"] {
        check(name, "new@example.com", PASSWORD, &["username: reserved"]).await;
    }
    for email in [
        "",
        "a",
        "@example.com",
        "a@",
        "a b@example.com",
        "a@b@c",
        "a@example.com\r\nBcc: x@y.z",
        "\"a\r\n\"@example.com",
        "a@exa mple.com",
    ] {
        check("bob", email, PASSWORD, &["email: invalid"]).await;
    }
    for (password, code) in [
        ("", "too_short"),
        ("Short-7", "too_short"),
        ("correct-horse-7", "too_simple"),
        ("CORRECT-HORSE-7", "too_simple"),
        ("Correct-horse", "too_simple"),
        ("Password1", "too_common"),
        ("Bob-the-builder-7", "is_name"),
        (&"Aa1-".repeat(65), "too_long"),
    ] {
        check("Bob-the-builder-7", "new@example.com", password, &[&format!("password: {code}")]).await;
    }
    check("-", "-", "-", &["email: invalid", "username: invalid", "password: too_short"]).await;
    assert_eq!(names(&gateway).await, ["alice"]);
}

/// Contract 2: names in rules, and those on the built-in list, are given by an operator only.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_a_rule_trusts_cannot_be_registered() {
    let yaml = "accounts: { registration: open }\nroutes: [{ path: /, upstream: sample }]\n\
        access: { rules: [{ path: /ops, user: [Olga], allow: authenticated }] }";
    let gateway = TestGateway::with(yaml).user("alice", &[]).start().await;
    let answer = gateway.api().post("/auth/register", &json!({ "username": "olga", "email": "o@example.com", "password": PASSWORD })).await;
    assert_eq!((answer.status, errors(&answer)), (400, vec!["username: reserved".to_owned()]));
    let made = gateway.api().post("/auth/register", &json!({ "email": "olga@example.com", "password": PASSWORD })).await;
    assert_eq!(made.status, 201);
    assert_ne!(made.json()["user"]["username"], "olga", "a made-up name is no way around it");
    let mut browser = gateway.browser();
    browser.sign_in("/", "alice", PASSWORD).await;
    let page = browser.open("/auth/account").await;
    let renamed = browser.submit(&page, &[("username", "OLGA")]).await;
    assert!(renamed.status == 400 && renamed.text().contains("id=\"username-problem\""), "nor is renaming");
    assert_eq!(browser.open("/ops").await.status, 403);
}

/// S4.9; threats I01, I02, I04, I10: what is not exactly the JSON asked for is refused by shape, and not repeated.
#[tokio::test(flavor = "multi_thread")]
async fn json_of_another_shape_is_refused() {
    let gateway = open_gateway().await;
    let mut api = gateway.api();
    let url = gateway.browser().url("/auth/register");
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let many = (0..5_000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
    for body in [
        "",
        "{",
        "[]",
        r#"["eve","eve@example.com","Correct-horse-7-battery"]"#,
        "null",
        "\"text\"",
        "{}trailing",
        r#"{"username":{"$ne":null},"email":{"$gt":""},"password":{"$gt":""}}"#,
        r#"{"email":"hunter2@example.com","password":["hunter2"]}"#,
        r#"{"email":"hunter2@example.com","password":"hunter2","groups":["admins"]}"#,
        r#"{"email":"hunter2@example.com","password":"hunter2","password":"hunter2"}"#,
        r#"{"email":"hunter2@example.com","password":"hunter2","$where":"1"}"#,
        r#"{"email":"hunter2@example.com","password":"hunter2","a.b":1}"#,
        "{\"password\":\"hunter2\\ud800\"}",
        &format!("{{{many},\"password\":\"hunter2\"}}"),
        &format!("{{\"password\":{deep}}}"),
        &deep,
    ] {
        let start = &body[..body.len().min(60)];
        let answer = api.agent.send(Method::POST, &url, &[("content-type", "application/json")], body.to_owned()).await;
        assert_eq!((answer.status, &answer.json()["type"]), (400, &json!("urn:portcullis:invalid_request")), "{start}");
        assert_eq!((&answer.json()["status"], answer.header("content-type")), (&json!(400), Some("application/problem+json")), "{start}");
        assert!(!answer.text().contains("hunter2"), "{start}: {}", answer.text());
    }
    let utf16: Vec<u8> = "{\"email\":\"a@example.com\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let answer = api.agent.send(Method::POST, &url, &[("content-type", "application/json; charset=utf-16")], utf16).await;
    assert_eq!(answer.status, 415);
    let missing = api.post("/auth/register", &json!({ "username": "bob" })).await;
    assert_eq!((missing.status, errors(&missing)), (400, vec!["email: required".to_owned(), "password: required".to_owned()]));
    let compressed = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let answer = api.agent.send(Method::POST, &url, &compressed, vec![0x1f, 0x8b, 8, 0]).await;
    assert_eq!(answer.status, 415, "a compressed body is not unpacked");
    for (field, value) in [("username[$ne]", "x"), ("username", "{\"$gt\":\"\"}")] {
        let mut browser = gateway.browser();
        let page = browser.open("/auth/login").await;
        let body = format!("{}&{field}={value}&password[$gt]=", crate::support::form::Form::all(&page.text())[0].filled(&[]));
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        assert_eq!(browser.agent.send(Method::POST, &page.url, &headers, body).await.status, 401, "{field}");
    }
    assert_eq!(names(&gateway).await, ["alice"]);
}

/// Issue "Must hold": a password of 1 MiB and a form of 10 MiB are refused cheaply, and the page is there right after.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_before_it_costs_anything() {
    let gateway = open_gateway().await;
    let mut api = gateway.api();
    for (page, size) in [("/auth/register", 1 << 20), ("/auth/login", 1 << 20), ("/auth/login", 10 << 20)] {
        let url = gateway.browser().url(page);
        for kind in ["application/json", "application/x-www-form-urlencoded"] {
            let mut raw = gateway.raw().await;
            raw.send(format!(
                "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n\r\n",
                url.path(),
                gateway.address()
            ))
            .await;
            assert_eq!(raw.response().await.status(), 413, "{page} {kind}: before the body is sent");
        }
    }
    let mut raw = gateway.raw().await;
    raw.send(format!(
        "POST /auth/login HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        gateway.address()
    ))
    .await;
    for _ in 0..3 {
        raw.send(format!("8000\r\n{}\r\n", "x".repeat(0x8000))).await;
    }
    assert_eq!(raw.response().await.status(), 413, "a body whose length is not declared is counted");
    let password = "x".repeat(60_000);
    let answer = api.post("/auth/login", &json!({ "username": "alice", "password": password })).await;
    assert_eq!(answer.status, 401);
    let answer = api.post("/auth/register", &json!({ "email": "n@example.com", "password": password })).await;
    assert_eq!((answer.status, errors(&answer)), (400, vec!["password: too_long".to_owned()]));
    assert_eq!(api.post("/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await.status, 200);
}

/// Sends 32 registrations at once; how many made an account, and the errors of all others.
async fn race(gateway: &TestGateway, body: impl Fn(u32) -> Value) -> (usize, Vec<String>) {
    let register = async |body: Value| {
        let mut api = gateway.api();
        loop {
            let answer = api.post("/auth/register", &body).await;
            if answer.status != 503 {
                return answer;
            }
            assert!(answer.header("retry-after").is_some(), "too many passwords at once are put off, not lost");
        }
    };
    let answers = join_all((0..32).map(|number| register(body(number)))).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(refused.iter().all(|answer| answer.status == 409));
    (made.len(), refused.into_iter().flat_map(errors).collect())
}

/// S0.1, S3.4: one name, and one address, is given once however many ask for it at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_registrations_at_once_exactly_one_gets_the_name() {
    let gateway = open_gateway().await;
    let spelt = |number: u32, text: &str| if number.is_multiple_of(2) { text.to_owned() } else { text.to_uppercase() };
    let same_name = |n| json!({ "username": spelt(n, "racer"), "email": format!("racer{n}@example.com"), "password": PASSWORD });
    assert_eq!(race(&gateway, same_name).await, (1, vec!["username: taken".to_owned(); 31]));
    let same_address = |n| json!({ "username": format!("racer{n}"), "email": spelt(n, "race@example.com"), "password": PASSWORD });
    assert_eq!(race(&gateway, same_address).await, (1, vec!["email: taken".to_owned(); 31]));
    assert_eq!(names(&gateway).await.len(), 3, "alice and one winner of each race");
}

/// S3.1: a name is made from the address, and another one where that is taken or reserved.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_leave_the_name_to_us() {
    let gateway = open_gateway().await;
    let mut api = gateway.api();
    for (email, expected) in [
        ("dora@example.com", "dora"),
        ("dora@example.org", "dora2"),
        ("Dora+news@example.net", "Doranews"),
        ("admin@example.com", "admin2"),
        ("alice@example.org", "alice2"),
    ] {
        let answer = api.post("/auth/register", &json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!((answer.status, &answer.json()["user"]["username"]), (201, &json!(expected)), "{email}");
        assert_eq!(answer.json()["user"]["email"].as_str().unwrap().to_lowercase(), email.to_lowercase());
        assert!(!answer.text().contains("argon2") && !answer.text().contains("password"), "S4.11: {}", answer.text());
    }
}
