//! Tokens of ours that open nothing, or that stand where they could be read in several ways.

use super::{HTML, Site, basic, bearer};
use crate::support::gateway::Builder;
use http::StatusCode;
use portcullis::session::SessionUser;
use portcullis::token::{Scope, TokenKind};
use serde_json::json;
use std::time::Duration;

const CHALLENGE: &str = "Bearer realm=\"portcullis\", error=\"invalid_token\"";

impl Site {
    /// 401 everywhere, for programs and browsers, with a cookie and without, and nothing reaches the application.
    async fn refuses(&self, lines: &str, cookie: &str) {
        let before = self.upstream.seen();
        for path in ["/page", "/public/page", "/never", "/admin", "/auth/profile"] {
            for also in ["", HTML, cookie] {
                let answer = self.ask(&format!("GET {path}"), &format!("{lines}{also}")).await;
                let found = (answer.status(), answer.header("www-authenticate"), answer.header("location"));
                assert_eq!(found, (401, Some(CHALLENGE), None), "{path} {also} {lines}: {}", answer.text());
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
        let answer = self.ask("POST /page", &format!("{lines}Content-Length: 0\r\n")).await;
        assert_eq!((answer.status(), answer.json()["type"].as_str()), (401, Some("urn:portcullis:invalid_token")), "{lines}");
        assert_eq!(self.upstream.seen(), before, "{lines}");
    }
}

/// S4.5; contract 3.5, 3.7; threats J01, J05, J07, J08
#[tokio::test(flavor = "multi_thread")]
async fn ours_and_bad_is_401_on_every_route() {
    let site = Site::with(Builder::manual_clock).await;
    let cookie = site.cookie().await;
    let (account, app) = (site.account().await, site.gateway.app());
    let access = site.access().await;
    let (head, rest) = access.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let now = app.clock.now();
    let end = now.plus(Duration::from_secs(20));
    let expired = site.personal_for(Scope::default(), Some(end)).await;
    let claims_of_refresh = json!({
        "iss": "portcullis", "sub": account.id, "aud": "portcullis", "iat": now.0 / 1000, "nbf": now.0 / 1000,
        "exp": now.0 / 1000 + 900, "jti": account.id, "type": "refresh",
    });
    let refresh = app.signing_keys.sign(TokenKind::Refresh, &claims_of_refresh).await.unwrap();
    let assertion = app.assertions.value(&SessionUser::from(&account), "app.test").await.unwrap();
    site.gateway.advance(Duration::from_secs(30));
    for token in [
        "pat_",
        "pat_AAAA",
        &format!("pat_{}", "A".repeat(48)),
        &portcullis::token::PersonalText::random().expose(),
        &expired,
        &refresh,
        assertion.to_str().unwrap(),
        &format!("{head}.{claims}."),
        &format!("{head}.{claims}.{}", signature.chars().rev().collect::<String>()),
        &format!("{head}.{claims}.{signature}."),
        &format!("eyJhbGciOiJub25lIn0.{claims}."),
    ] {
        site.refuses(&bearer(token), &cookie).await;
    }
    site.refuses(&basic("ann:pat_AAAA"), &cookie).await;
    assert_eq!(site.status("GET /page", &access).await, 200);
    site.gateway.advance(Duration::from_mins(15));
    site.refuses(&bearer(&access), &cookie).await;
}

/// Contract 3.5; threats A08, J13, J14
#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_is_refused_where_it_could_be_read_in_several_ways() {
    let site = Site::start().await;
    let cookie = site.cookie().await;
    let (access, personal) = (site.access().await, site.personal().await);
    for token in [&access, &personal] {
        for value in [
            format!("Bearer {token}, Bearer {token}"),
            format!("Basic YTpi, Bearer {token}"),
            format!("Bearer\t{token}"),
            format!("Bearer {token} {token}"),
            format!("Bearer \"{token}\""),
            token.clone(),
        ] {
            site.refuses(&format!("Authorization: {value}\r\n"), &cookie).await;
        }
        site.refuses(&format!("{}{}", bearer(token), basic("a:b")), &cookie).await;
        site.refuses(&format!("{}{}", basic("a:b"), bearer(token)), &cookie).await;
        site.refuses(&bearer(token).repeat(2), &cookie).await;
        let answer = site.ask("GET /page", &format!("Authorization: Bearer {token}\u{e9}\r\n")).await;
        assert_eq!(answer.status(), 400, "bytes beyond ASCII");
        for line in [format!("GET /page?access_token={token}"), format!("GET /page?token={token}")] {
            assert_eq!(site.ask(&line, "").await.status(), 401, "{line}");
        }
        let header = |name: &str| format!("{name}: {token}\r\n");
        for lines in
            [format!("Cookie: portcullis={token}\r\n"), header("X-Api-Key"), header("Proxy-Authorization"), header("PRIVATE-TOKEN")]
        {
            assert_eq!(site.ask("GET /page", &lines).await.status(), 401, "{lines}");
        }
        let head = site.forwarded("GET /page", &format!("{}Connection: Authorization, X-User\r\n", bearer(token))).await;
        assert_eq!((head.header("x-user"), head.header("authorization")), (Some("ann"), None));
    }
}

/// Contract 3.6: a page for people says it, too, and has no way to the login
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_told_in_a_page() {
    let site = Site::start().await;
    let answer = site.ask("GET /page", &format!("{}{HTML}", bearer("pat_bad"))).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED.as_u16());
    assert!(answer.text().contains("The token is not valid") && !answer.text().contains("/auth/login"), "{}", answer.text());
}
