//! Pages of other origins: which may call the API, and read what it answers.

use super::{LOGIN, LOGOUT, PROFILE, REFRESH, gateway};
use crate::support::agent::Answer;
use crate::support::gateway::{PASSWORD, TestGateway};
use http::Method;
use serde_json::json;

const APP: &str = "https://app.example.com";

async fn listing() -> TestGateway {
    gateway().set("API__ALLOWED_ORIGINS", &format!("[\"{APP}\", \"http://localhost:5173\"]")).user("alice", &[]).start().await
}

/// What a page's script sends to another origin, as browsers do.
async fn from(gateway: &TestGateway, origin: &str, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut program = gateway.api();
    let url = gateway.browser().url(path);
    let mut all = vec![("origin", origin), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
    all.extend(headers);
    program.agent.send(method, &url, &all, body.to_owned()).await
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

async fn preflight(gateway: &TestGateway, origin: &str, path: &str) -> Answer {
    let asked = [("access-control-request-method", "PUT"), ("access-control-request-headers", "authorization,content-type")];
    from(gateway, origin, Method::OPTIONS, path, &asked, "").await
}

/// Contract 6: off.
#[tokio::test(flavor = "multi_thread")]
async fn without_listed_origins_nothing_is_allowed() {
    let gateway = gateway().user("alice", &[]).start().await;
    let asked = preflight(&gateway, APP, PROFILE).await;
    assert_eq!((asked.status, allowed(&asked), asked.header("vary")), (405, None, None));
    let answer = from(&gateway, APP, Method::GET, PROFILE, &[], "").await;
    assert_eq!((answer.status, allowed(&answer), answer.header("vary")), (401, None, None));
}

/// Contract 6: exact origins, no credentials, and every answer can be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_listed_origin_signs_in_and_reads_what_went_wrong() {
    let gateway = listing().await;
    let asked = preflight(&gateway, APP, PROFILE).await;
    assert_eq!((asked.status, asked.body.len(), allowed(&asked)), (204, 0, Some(APP)));
    assert_eq!(asked.header("access-control-allow-methods"), Some("GET, POST, PUT"));
    assert_eq!(asked.header("access-control-allow-headers"), Some("Authorization, Content-Type"));
    assert_eq!(asked.header("access-control-max-age"), Some("600"));

    let json_type = ("content-type", "application/json");
    let login = json!({ "username": "alice", "password": PASSWORD }).to_string();
    let answer = from(&gateway, APP, Method::POST, LOGIN, &[json_type], &login).await;
    assert_eq!((answer.status, allowed(&answer), answer.header("vary")), (200, Some(APP), Some("Origin")));
    let bearer = format!("Bearer {}", super::text(&answer.json(), "accessToken"));
    let signed_in = [("authorization", &*bearer), json_type];
    assert_eq!(allowed(&from(&gateway, APP, Method::GET, PROFILE, &signed_in, "").await), Some(APP));

    let too_large = "x".repeat(65 << 10);
    for (method, path, headers, body, status) in [
        (Method::GET, PROFILE, &[][..], "", 401),
        (Method::POST, LOGIN, &[json_type][..], r#"{"username":"alice","password":"wrong"}"#, 401),
        (Method::POST, LOGIN, &[json_type], "{}", 400),
        (Method::POST, LOGIN, &[("content-type", "text/plain")], "{}", 415),
        (Method::POST, REFRESH, &[json_type], r#"{"refreshToken":"x"}"#, 401),
        (Method::GET, LOGIN, &[], "", 405),
        (Method::DELETE, PROFILE, &signed_in, "", 405),
        (Method::GET, "/api/auth/nowhere", &[], "", 404),
        (Method::TRACE, PROFILE, &[], "", 405),
        (Method::POST, LOGIN, &[json_type], &too_large, 413),
        (Method::GET, "/api/auth/%zz", &[], "", 400),
        (Method::POST, LOGOUT, &signed_in, "", 204),
    ] {
        let answer = from(&gateway, APP, method.clone(), path, headers, body).await;
        assert_eq!((answer.status, allowed(&answer)), (status, Some(APP)), "{method} {path}");
        let exposed = answer.header("access-control-expose-headers");
        assert_eq!(exposed, Some("Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate"), "{method} {path}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_read_nothing() {
    let gateway = listing().await;
    for origin in
        ["https://evil.test", "null", "https://app.example.com.evil.test", "http://app.example.com", "https://app.example.com:8443"]
    {
        let asked = preflight(&gateway, origin, PROFILE).await;
        assert_eq!((asked.status, allowed(&asked), asked.header("access-control-allow-methods")), (204, None, None), "{origin}");
        assert_eq!(asked.header("vary"), Some("Origin"));
        let answer = from(&gateway, origin, Method::GET, PROFILE, &[], "").await;
        assert_eq!((answer.status, allowed(&answer), answer.header("vary")), (401, None, Some("Origin")), "{origin}");
    }
    let plain = gateway.api().get(PROFILE).await;
    assert_eq!((allowed(&plain), plain.header("vary")), (None, Some("Origin")));
}

/// Our pages and the application are not the API; the keys are public.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_opened_to_listed_origins() {
    let gateway = listing().await;
    for path in ["/auth/login", "/auth/profile", "/auth/session", "/", "/api/other"] {
        let answer = from(&gateway, APP, Method::GET, path, &[], "").await;
        assert_eq!(allowed(&answer), None, "{path}");
        assert_eq!(allowed(&preflight(&gateway, APP, path).await), None, "{path}");
    }
    let login = json!({ "username": "alice", "password": PASSWORD }).to_string();
    let answer = from(&gateway, APP, Method::POST, "/auth/login", &[("content-type", "application/json")], &login).await;
    assert_eq!((answer.status, allowed(&answer)), (403, None), "sessions are not for pages of other sites");
    assert_eq!(allowed(&from(&gateway, APP, Method::GET, "/.well-known/jwks.json", &[], "").await), Some(APP));
}
