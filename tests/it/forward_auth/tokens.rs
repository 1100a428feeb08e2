//! Front proxies ask about requests that present a token.

use super::envoy_grpc::{self, check, client, question};
use super::front::ALL;
use super::{HTML, cookie};
use crate::bearer::personal;
use crate::support::gateway::TestGateway;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::token::Scope;
use rusqlite::Connection;

const INVALID: &str = "Bearer realm=\"portcullis\", error=\"invalid_token\"";
const ELSEWHERE: &str = "Bearer realm=\"portcullis\", error=\"insufficient_scope\"";

/// An access token of alice, and a personal one of this scope.
async fn tokens(gateway: &TestGateway, scope: Scope) -> (String, String) {
    let alice = gateway.app().administration.find("alice").await.unwrap();
    let access = gateway.app().access_tokens.issue(&alice).await.unwrap().text;
    (access, personal(gateway, &alice, scope, None).await)
}

/// S4.5; contract 3.5, 5
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_known_at_every_endpoint_and_a_bad_one_is_401_without_a_way_to_the_login() {
    let gateway = super::gateway("").await;
    let (access, personal) = tokens(&gateway, Scope { path: Some("/wiki".to_owned()), ..Scope::default() }).await;
    let cookie = cookie(&gateway, "https").await;
    let basic = format!("Basic {}", STANDARD.encode(format!("x:{personal}")));
    let ours = [format!("Bearer {access}"), format!("Bearer {personal}"), basic.clone()];
    for front in ALL {
        for (path, value) in ["/wiki/x", "/wiki", "/wiki/y"].iter().zip(&ours) {
            let headers = [("Authorization", value.as_str()), ("X-User", "root"), HTML];
            let answer = front.question("GET", &format!("https://app.test{path}")).with(&headers).ask(&gateway).await;
            assert_eq!(
                (answer.status(), answer.header("x-user"), answer.header("x-user-groups")),
                (200, Some("alice"), Some("users,editors"))
            );
        }
        for path in ["/x", "/public/x", "/never", "/admin/x"] {
            for bad in ["Bearer pat_bad", &format!("Bearer {access}x"), &format!("Bearer {access}, {basic}")] {
                let headers = [("Authorization", bad), HTML, ("Cookie", cookie.as_str())];
                let answer = front.question("GET", &format!("https://app.test{path}")).with(&headers).ask(&gateway).await;
                let found = (answer.status(), answer.header("www-authenticate"), answer.header("location"), answer.header("x-user"));
                assert_eq!(found, (401, Some(INVALID), None, None), "{front:?} {path} {bad}");
            }
            for value in &ours[1..] {
                let answer =
                    front.question("GET", &format!("https://app.test{path}")).with(&[("Authorization", value), HTML]).ask(&gateway).await;
                let found = (answer.status(), answer.header("www-authenticate"), answer.header("location"));
                assert_eq!(found, (403, Some(ELSEWHERE), None), "{front:?} {path}");
            }
        }
        let foreign = [("Authorization", "Bearer theirs"), ("Cookie", cookie.as_str())];
        let answer = front.question("GET", "https://app.test/x").with(&foreign).ask(&gateway).await;
        assert_eq!((answer.status(), answer.header("x-user")), (200, Some("alice")), "{front:?}");
        let answer = front.question("GET", "https://app.test/public").with(&foreign[..1]).ask(&gateway).await;
        assert_eq!((answer.status(), answer.header("x-user")), (200, Some("")), "{front:?}");
        let answer = front.question("GET", "https://app.test/x").with(&[("Authorization", "Bearer pat_\u{e9}")]).ask(&gateway).await;
        assert_eq!(answer.status(), 400, "{front:?}");
    }
    let connection = Connection::open(gateway.folder().join("portcullis.db")).unwrap();
    connection.execute_batch("PRAGMA busy_timeout = 5000; ALTER TABLE accounts RENAME TO elsewhere;").unwrap();
    for front in ALL {
        for value in &ours {
            for path in ["/wiki", "/public/x"] {
                let question = front.question("GET", &format!("https://app.test{path}"));
                let answer = question.with(&[("Authorization", value), HTML]).ask(&gateway).await;
                assert_eq!((answer.status(), answer.header("location")), (503, None), "{front:?} {path}");
            }
        }
    }
}

/// Contract 3.2, 5: what Envoy can be told to take away is not passed on
#[tokio::test(flavor = "multi_thread")]
async fn envoy_takes_a_token_of_ours_away_and_leaves_those_of_others() {
    let gateway = envoy_grpc::gateway("").await;
    let read = Scope { methods: vec!["GET".to_owned()], ..Scope::default() };
    let (access, personal) = tokens(&gateway, read).await;
    let mut envoy = client(&gateway).await;
    for (value, is_ours) in [(format!("Bearer {access}"), true), (format!("Bearer {personal}"), true), ("Bearer theirs".to_owned(), false)]
    {
        let headers = [("authorization", value.as_str()), ("x-http-method-override", "DELETE")];
        let answer = check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/public", &headers)).await;
        assert_eq!((answer.status, answer.header("x-user")), (200, Some(if is_ours { "alice" } else { "" })), "{value}");
        assert_eq!(answer.removed.contains(&"authorization".to_owned()), is_ours, "{:?}", answer.removed);
        let reads_only = value.contains("pat_");
        assert_eq!(answer.removed.contains(&"x-http-method-override".to_owned()), reads_only, "{value}: {:?}", answer.removed);
    }
    let bad = [("authorization", "Bearer pat_bad"), ("accept", HTML.1)];
    let answer = check(&mut envoy, question("198.51.100.7", "GET", "https://app.test/public", &bad)).await;
    assert_eq!((answer.status, answer.header("www-authenticate"), answer.header("location")), (401, Some(INVALID), None));
    let value = format!("Bearer {personal}");
    let answer = check(&mut envoy, question("198.51.100.7", "POST", "https://app.test/x", &[("authorization", &value)])).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (403, Some(ELSEWHERE)));
}
