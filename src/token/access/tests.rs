//! Access tokens: what they say, and that they end as sessions do.

use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::config::TokenAlgorithm;
use crate::fixture::Fixture;
use crate::store::memory::MemoryOneTime;
use crate::token::testing::{ALGORITHMS, Bench, settings};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

struct Tokens {
    fixture: Fixture,
    bench: Bench,
    tokens: AccessTokens,
    account: Account,
}

impl Tokens {
    async fn new(algorithm: TokenAlgorithm) -> Self {
        let fixture = Fixture::new();
        let bench = Bench { clock: Arc::clone(&fixture.clock), ..Bench::new() };
        let account = fixture.add("alice").await;
        let tokens = AccessTokens {
            keys: bench.keys(algorithm),
            accounts: Arc::clone(&fixture.accounts),
            revoked: Arc::new(MemoryOneTime::default()),
            clock: Arc::<ManualClock>::clone(&fixture.clock),
            settings: settings(algorithm),
        };
        Self { fixture, bench, tokens, account }
    }

    async fn opens(&self, token: &str) -> bool {
        match self.tokens.authenticate(token).await {
            Ok((account, _)) => account.id == self.account.id,
            Err(AccessError::Invalid) => false,
            Err(AccessError::Unavailable(error)) => panic!("{error}"),
        }
    }
}

/// S4.4, contract 6
#[tokio::test]
async fn an_access_token_says_who_for_whom_and_how_long() {
    let site = Tokens::new(TokenAlgorithm::EdDsa).await;
    let issued = site.tokens.issue(&site.account).await.unwrap();
    assert_eq!(issued.expires_in, Duration::from_mins(15));
    let payload = URL_SAFE_NO_PAD.decode(issued.text.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let (now, id) = (site.fixture.clock.now().0 / 1000, site.account.id.to_string());
    let expected = json!({
        "iss": "https://auth.example.com", "sub": id, "aud": "portcullis", "exp": now + 900, "iat": now, "nbf": now, "jti": claims["jti"],
        "userId": id, "username": "alice", "groups": ["users"], "gen": site.account.generation, "type": "access",
    });
    assert_eq!(claims, expected);
    assert!(!format!("{issued:?}").contains(&issued.text));
    let other = site.tokens.issue(&site.account).await.unwrap();
    let (_, one) = site.tokens.authenticate(&issued.text).await.unwrap();
    let (_, two) = site.tokens.authenticate(&other.text).await.unwrap();
    assert_ne!(one.jti, two.jti);
}

/// contract 3.5: what an account is like is read from the account, never from the claims
#[tokio::test]
async fn a_token_opens_its_account_as_that_is_now_until_it_expires() {
    for algorithm in ALGORITHMS {
        let site = Tokens::new(algorithm).await;
        let token = site.tokens.issue(&site.account).await.unwrap().text;
        site.fixture.administration.set_groups("alice", &["ops".to_owned()]).await.unwrap();
        let (account, claims) = site.tokens.authenticate(&token).await.unwrap();
        assert_eq!((account.groups[0].as_str(), claims.groups[0].as_str()), ("ops", "users"));
        site.fixture.clock.advance(Duration::from_secs(904));
        assert!(site.opens(&token).await);
        site.fixture.clock.advance(Duration::from_secs(1));
        assert!(!site.opens(&token).await);
        assert_eq!(site.tokens.read_expired(&token).await.unwrap(), claims);
        assert!(site.tokens.is_alive(&claims).await.unwrap(), "what was opened goes on");
    }
}

/// contract 3.5
#[tokio::test]
async fn a_lock_ends_all_tokens_of_the_account_for_good() {
    let site = Tokens::new(TokenAlgorithm::EdDsa).await;
    let token = site.tokens.issue(&site.account).await.unwrap().text;
    let (_, claims) = site.tokens.authenticate(&token).await.unwrap();
    site.fixture.administration.lock("alice").await.unwrap();
    assert!(!site.opens(&token).await && !site.tokens.is_alive(&claims).await.unwrap());
    site.fixture.administration.unlock("alice").await.unwrap();
    assert!(!site.opens(&token).await, "its generation has passed");
    let account = site.fixture.accounts.find(site.account.id).await.unwrap().unwrap();
    let new = site.tokens.issue(&account).await.unwrap().text;
    assert!(site.opens(&new).await);
    // A locked account's token of the present generation, made while it was being locked.
    let mut account = account;
    account.locked = true;
    site.fixture.accounts.update(&account).await.unwrap();
    assert!(!site.opens(&new).await);
}

#[tokio::test]
async fn a_deleted_accounts_tokens_open_nothing() {
    let site = Tokens::new(TokenAlgorithm::EdDsa).await;
    let token = site.tokens.issue(&site.account).await.unwrap().text;
    assert!(site.fixture.accounts.delete(site.account.id).await.unwrap());
    assert!(!site.opens(&token).await);
}

/// threats.md J13
#[tokio::test]
async fn a_revoked_token_is_refused_by_its_id_until_it_would_have_ended() {
    let site = Tokens::new(TokenAlgorithm::Es256).await;
    let token = site.tokens.issue(&site.account).await.unwrap().text;
    let other = site.tokens.issue(&site.account).await.unwrap().text;
    let (_, claims) = site.tokens.authenticate(&token).await.unwrap();
    site.tokens.revoke(&claims).await.unwrap();
    assert!(!site.opens(&token).await && site.opens(&other).await);
    assert!(!site.tokens.is_alive(&claims).await.unwrap());
    // The same claims under another signature, which ECDSA makes easy: still the same token.
    let again = site.tokens.keys.sign(TokenKind::Access, &claims).await.unwrap();
    assert_ne!(again, token);
    assert!(!site.opens(&again).await);
    for _ in 0..9 {
        site.fixture.clock.advance(Duration::from_secs(100));
        assert!(!site.opens(&token).await);
    }
    site.tokens.revoke(&site.tokens.read_expired(&token).await.unwrap()).await.unwrap();
}

/// threats.md J08: `sub` and `userId` name one account
#[tokio::test]
async fn claims_that_name_no_account_open_nothing() {
    let site = Tokens::new(TokenAlgorithm::EdDsa).await;
    let token = site.tokens.issue(&site.account).await.unwrap().text;
    let (_, claims) = site.tokens.authenticate(&token).await.unwrap();
    let claims = serde_json::to_value(claims).unwrap();
    let stranger = site.fixture.add("bob").await.id.to_string();
    for (name, value) in [
        ("sub", json!(stranger)),
        ("userId", json!(stranger)),
        ("sub", json!([site.account.id.to_string()])),
        ("sub", json!("")),
        ("sub", json!({ "$gt": "" })),
        ("gen", json!("0")),
        ("gen", json!(-1)),
        ("gen", json!(99)),
        ("jti", json!("../x")),
        ("jti", json!(null)),
    ] {
        let mut changed = claims.clone();
        changed[name] = value.clone();
        let token = site.tokens.keys.sign(TokenKind::Access, &changed).await.unwrap();
        assert!(!site.opens(&token).await, "{name} {value}");
    }
}

/// A failed dependency is a refusal, and told apart from a bad token.
#[tokio::test]
async fn with_a_store_down_nothing_is_decided() {
    let site = Tokens::new(TokenAlgorithm::EdDsa).await;
    let token = site.tokens.issue(&site.account).await.unwrap().text;
    site.bench.store.fail(true);
    assert!(site.opens(&token).await, "the keys are known");
    let unread = AccessTokens { keys: site.bench.keys(TokenAlgorithm::EdDsa), ..site.tokens };
    assert!(matches!(unread.authenticate(&token).await, Err(AccessError::Unavailable(_))));
    assert!(matches!(unread.read_expired(&token).await, Err(AccessError::Unavailable(_))));
}
