//! Refresh tokens in Redis: what whoever looks into it sees, and what becomes of them while it dies and changes its role.

use super::super::RedisRefreshTokens;
use super::super::testing::{RedisServer, link_to};
use super::{beside, keys, try_beside, until};
use crate::account::AccountId;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::store::StoreError;
use crate::token::{RefreshToken, RefreshTokenStore as _, Renewal, Rotation};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;

const GRACE: Duration = Duration::from_mins(10);
const LIFE: Duration = Duration::from_hours(7 * 24);

pub(super) fn token(now: Timestamp) -> RefreshToken {
    RefreshToken {
        id: new_id(),
        account: AccountId::new(now),
        family: new_id(),
        predecessor: None,
        generation: 1,
        began_at: now,
        issued_at: now,
        expires_at: now.plus(LIFE),
        client: Some([192, 0, 2, 7].into()),
        user_agent: "App/1 (Zoë)".to_owned(),
    }
}

pub(super) fn renewal(token: &RefreshToken) -> Renewal {
    Renewal {
        account: token.account,
        family: token.family,
        presented: token.id,
        successor: new_id(),
        client: Some("2001:db8::7".parse().unwrap()),
        user_agent: "App/2".to_owned(),
    }
}

fn new_id() -> Uuid {
    Uuid::from_bytes(crate::entropy::unique_bytes())
}

async fn rotate(tokens: &RedisRefreshTokens, renewal: &Renewal) -> Result<Rotation, StoreError> {
    tokens.rotate(renewal, GRACE, SystemClock.now()).await
}

async fn until_answered(tokens: &RedisRefreshTokens) {
    let nobody = AccountId::new(Timestamp(0));
    until("the store answers again", async || tokens.list(nobody, Timestamp(0)).await.is_ok()).await;
}

/// S4.4, contract 7: the names, an end to each, and who has it in words that operators read
#[tokio::test]
async fn a_family_has_one_key_with_its_metadata_and_an_end() {
    let server = RedisServer::start();
    let tokens = RedisRefreshTokens::new(link_to(&server), "portcullis:");
    let now = SystemClock.now();
    let first = token(now);
    tokens.create(&first, 50, now).await.unwrap();
    let renewal = renewal(&first);
    assert_eq!(rotate(&tokens, &renewal).await.unwrap(), Rotation::Rotated);
    let (user, id) = (first.account, renewal.successor);
    let (key, index) = (format!("portcullis:refresh_token:{user}:{id}"), format!("portcullis:user_refresh_tokens:{user}"));
    let found = keys(&server).await;
    assert_eq!(found.len(), 2, "{found:?}");
    for name in [&key, &index] {
        assert!(found.get(name).is_some_and(|left| (604_700..=604_800).contains(left)), "{name} in {found:?}");
    }
    let stored: HashMap<String, String> = redis::cmd("HGETALL").arg(key).query_async(&mut beside(&server).await).await.unwrap();
    let field = |name: &str| stored[name].as_str();
    assert_eq!((field("ip"), field("user_agent"), field("family")), ("2001:db8::7", "App/2", &*first.family.to_string()));
    assert_eq!((field("began_at"), field("expires_at")), (&*now.0.to_string(), &*first.expires_at.0.to_string()));
    assert_eq!((field("predecessor"), field("generation")), (&*first.id.to_string(), "1"));
}

#[tokio::test]
async fn nothing_is_left_of_programs_that_signed_out() {
    let server = RedisServer::start();
    let tokens = RedisRefreshTokens::new(link_to(&server), "");
    let (one, now) = (token(SystemClock.now()), SystemClock.now());
    let other = RefreshToken { id: new_id(), family: new_id(), ..one.clone() };
    for token in [&one, &other] {
        tokens.create(token, 50, now).await.unwrap();
    }
    assert!(tokens.end(one.account, one.family).await.unwrap());
    assert_eq!(tokens.end_all(one.account).await.unwrap(), 1);
    assert_eq!(keys(&server).await, HashMap::new());
}

/// Redis may end a family by its own clock before we do; the index follows.
#[tokio::test]
async fn a_family_that_redis_has_ended_takes_no_place_in_the_index() {
    let server = RedisServer::start();
    let tokens = RedisRefreshTokens::new(link_to(&server), "");
    let now = SystemClock.now();
    let gone = token(now);
    let families: Vec<_> = (0..3).map(|_| RefreshToken { id: new_id(), family: new_id(), ..gone.clone() }).collect();
    for token in [&gone, &families[0], &families[1]] {
        tokens.create(token, 3, now).await.unwrap();
    }
    let key = format!("refresh_token:{}:{}", gone.account, gone.id);
    redis::cmd("DEL").arg(key).query_async::<()>(&mut beside(&server).await).await.unwrap();
    assert_eq!(rotate(&tokens, &renewal(&gone)).await.unwrap(), Rotation::Unknown);
    tokens.create(&families[2], 3, now).await.unwrap();
    assert_eq!(tokens.list(gone.account, now).await.unwrap().len(), 3, "the one that was gone anyway counted for nothing");
}

/// `kill -9`: what was acknowledged is there, and what was not can be asked for again
#[tokio::test]
async fn a_token_that_was_presented_to_a_dead_redis_is_good_when_it_is_back() {
    let mut server = RedisServer::start_durable();
    let tokens = RedisRefreshTokens::new(link_to(&server), "");
    let now = SystemClock.now();
    let (idle, busy) = (token(now), token(now));
    for token in [&idle, &busy] {
        tokens.create(token, 50, now).await.unwrap();
    }
    let acknowledged = renewal(&busy);
    assert_eq!(rotate(&tokens, &acknowledged).await.unwrap(), Rotation::Rotated);
    server.kill();
    rotate(&tokens, &renewal(&idle)).await.unwrap_err();
    server.start_again();
    until_answered(&tokens).await;
    assert_eq!(rotate(&tokens, &renewal(&idle)).await.unwrap(), Rotation::Rotated);
    let repeated = rotate(&tokens, &renewal(&busy)).await.unwrap();
    assert!(matches!(repeated, Rotation::Repeated(token) if token.id == acknowledged.successor));
}

/// A failover, seen from the server that loses
#[tokio::test]
async fn a_server_that_becomes_a_replica_rotates_nothing() {
    let server = RedisServer::start();
    let tokens = RedisRefreshTokens::new(link_to(&server), "");
    let now = SystemClock.now();
    let token = token(now);
    tokens.create(&token, 50, now).await.unwrap();
    let replica_of = async |host: &str, port: &str| {
        until("the role changes", async || {
            let Ok(mut connection) = try_beside(&server).await else { return false };
            redis::cmd("REPLICAOF").arg(host).arg(port).query_async::<()>(&mut connection).await.is_ok()
        })
        .await;
    };
    // Where no primary answers, a replica keeps what it has.
    replica_of("127.0.0.1", "1").await;
    rotate(&tokens, &renewal(&token)).await.unwrap_err();
    replica_of("NO", "ONE").await;
    until_answered(&tokens).await;
    assert_eq!(rotate(&tokens, &renewal(&token)).await.unwrap(), Rotation::Rotated);
}
