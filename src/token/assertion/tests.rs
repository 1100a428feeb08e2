//! Assertions: what they say, and how seldom they are signed.

use super::*;
use crate::clock::Clock as _;
use crate::config::TokenAlgorithm;
use crate::token::testing::{ALGORITHMS, Bench};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

fn user(number: u128) -> SessionUser {
    SessionUser {
        id: AccountId(Uuid::from_u128(number)),
        username: "zoe".to_owned(),
        name: "Zoë".to_owned(),
        email: "zoe@example.com".to_owned(),
        groups: vec!["users".to_owned(), "a:1".to_owned()],
        version: 1,
    }
}

fn assertions(bench: &Bench, algorithm: TokenAlgorithm) -> Assertions {
    Assertions::new(bench.keys(algorithm), bench.clock(), "https://auth.example.com".to_owned())
}

fn read(value: &HeaderValue) -> (Value, Value) {
    let text = value.to_str().unwrap();
    let part = |number: usize| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').nth(number).unwrap()).unwrap()).unwrap();
    (part(0), part(1))
}

/// contract 3.7
#[tokio::test]
async fn an_assertion_tells_one_application_for_a_minute_who_asks() {
    for algorithm in ALGORITHMS {
        let bench = Bench::new();
        let value = assertions(&bench, algorithm).value(&user(1), "wiki.example.com").await.unwrap();
        let (header, claims) = read(&value);
        let expected = if algorithm == TokenAlgorithm::Es256 { "ES256" } else { "EdDSA" };
        assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some(expected), Some("portcullis-assertion+jwt")));
        let now = bench.seconds();
        let says = json!({
            "iss": "https://auth.example.com", "sub": user(1).id.to_string(), "aud": "wiki.example.com", "exp": now + 60, "iat": now,
            "nbf": now - 30, "type": "assertion", "username": "zoe", "email": "zoe@example.com", "groups": ["users", "a:1"],
        });
        assert_eq!(claims, says);
    }
}

/// threats.md I08: an address that is not verified is not told to applications
#[tokio::test]
async fn an_unverified_address_is_not_told() {
    let bench = Bench::new();
    let unverified = SessionUser { email: String::new(), ..user(1) };
    let value = assertions(&bench, TokenAlgorithm::EdDsa).value(&unverified, "a").await.unwrap();
    assert!(read(&value).1.get("email").is_none());
}

/// contract 3.7: signed once per session, host and 30 s
#[tokio::test]
async fn an_assertion_is_signed_once_in_half_a_minute_for_each_user_version_and_host() {
    let bench = Bench::new();
    // Signatures of this algorithm differ each time.
    let assertions = assertions(&bench, TokenAlgorithm::Es256);
    let first = assertions.value(&user(1), "a").await.unwrap();
    bench.advance(Duration::from_millis(29_999));
    assert_eq!(assertions.value(&user(1), "a").await.unwrap(), first);
    let others = [(user(2), "a"), (user(1), "b"), (SessionUser { version: 2, groups: Vec::new(), ..user(1) }, "a")];
    for (user, host) in &others {
        let other = assertions.value(user, host).await.unwrap();
        assert_eq!(read(&other).1["aud"], *host);
        assert_eq!(read(&other).1["sub"], user.id.to_string());
        assert_eq!(read(&other).1["groups"], json!(user.groups));
        assert_ne!(other, first);
    }
    bench.advance(Duration::from_millis(1));
    let next = assertions.value(&user(2), "b").await.unwrap();
    assert_ne!(next, first);
    bench.advance(REUSED_FOR);
    assert_eq!(read(&assertions.value(&user(1), "a").await.unwrap()).1["iat"], bench.clock.now().0 / 1000);
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_forgotten_with_time() {
    let bench = Bench::new();
    let assertions = assertions(&bench, TokenAlgorithm::EdDsa);
    let kept = || assertions.kept.read().unwrap().made.len();
    for number in 0..20 {
        assertions.value(&user(number), "a").await.unwrap();
    }
    assert_eq!(kept(), 20);
    bench.advance(REUSED_FOR);
    assertions.value(&user(1), "a").await.unwrap();
    assert_eq!(kept(), 1);
    let made = Made { version: 1, at: bench.clock.now(), value: HeaderValue::from_static("") };
    for number in 0..=KEPT {
        let key = (AccountId(Uuid::from_u128(number as u128)), "b".to_owned());
        assertions.kept.write().unwrap().insert(key, made.clone(), bench.clock.now());
        assert!(kept() <= KEPT);
    }
}

/// Requests of applications wait for no store while a key is at hand.
#[tokio::test]
async fn with_the_store_of_keys_down_assertions_go_on_unless_there_never_was_a_key() {
    let bench = Bench::new();
    let at_hand = assertions(&bench, TokenAlgorithm::EdDsa);
    at_hand.value(&user(1), "a").await.unwrap();
    let unread = assertions(&bench, TokenAlgorithm::EdDsa);
    bench.store.fail(true);
    let read_before = bench.store.lists();
    bench.advance(Duration::from_hours(10));
    assert!(at_hand.value(&user(1), "a").await.is_ok());
    assert_eq!(bench.store.lists(), read_before);
    assert!(unread.value(&user(1), "a").await.is_err());
}
