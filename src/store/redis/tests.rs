//! What Redis and the way to it may do to us, on servers of the tests' own. What holds of every store stands in the
//! contract suite.

mod crash;
mod refresh_tokens;

use super::testing::{PATIENCE, RedisServer, address, link, link_to, prefix};
use super::{Link, RedisRefreshTokens, RedisSessions};
use crate::account::AccountId;
use crate::clock::{Clock as _, Stopwatch, SystemClock, Timestamp};
use crate::session::{Session, SessionId, SessionKey, SessionStore as _, SessionUser};
use crate::token::{RefreshToken, RefreshTokenStore as _, Rotation};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

const KEY: SessionKey = SessionKey([1; 32]);

fn session() -> Session {
    let now = SystemClock.now();
    Session {
        user: SessionUser {
            id: AccountId::new(now),
            username: "alice".to_owned(),
            name: "Zoë".to_owned(),
            email: String::new(),
            groups: vec![],
            version: 1,
        },
        created_at: now,
        last_seen: now,
        idle_timeout: Duration::from_mins(30),
        expires_at: now.plus(Duration::from_hours(12)),
        remember: false,
        client: None,
        user_agent: "Browser/1".to_owned(),
        confirmed_at: None,
    }
}

/// A connection beside ours, to look at what is stored. A server whose role changes just then resets it.
async fn try_beside(server: &RedisServer) -> redis::RedisResult<redis::aio::MultiplexedConnection> {
    redis::Client::open(server.url())?.get_multiplexed_async_connection().await
}

async fn beside(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    try_beside(server).await.unwrap()
}

async fn try_keys(server: &RedisServer) -> redis::RedisResult<HashMap<String, i64>> {
    let mut connection = try_beside(server).await?;
    let mut lifetimes = HashMap::new();
    for key in redis::cmd("KEYS").arg("*").query_async::<Vec<String>>(&mut connection).await? {
        let left = redis::cmd("TTL").arg(&key).query_async(&mut connection).await?;
        lifetimes.insert(key, left);
    }
    Ok(lifetimes)
}

async fn keys(server: &RedisServer) -> HashMap<String, i64> {
    try_keys(server).await.unwrap()
}

async fn until(what: &str, happens: impl AsyncFn() -> bool) {
    let started = Stopwatch::start();
    while !happens().await {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_answered(sessions: &RedisSessions) {
    until("the store answers again", async || sessions.ping().await.is_ok()).await;
}

/// contract 7, threats.md S03: the names, an end to each, and nothing in them that a browser could present
#[tokio::test]
async fn keys_have_the_documented_names_and_each_has_an_end() {
    let server = RedisServer::start_durable();
    let sessions = RedisSessions::new(link_to(&server), "portcullis:");
    let (id, session) = (SessionId::random(), session());
    sessions.create(id.key(), &session, 50).await.unwrap();
    sessions.touch(&id.key(), session.last_seen.plus(Duration::from_mins(2)));
    let moved = SessionId::random();
    assert!(sessions.rotate(&id.key(), moved.key(), &session).await.unwrap());
    let hash = moved.key().to_string();
    let (idle, lifetime) = (1_790..=1_800, 43_190..=43_200);
    let expected = HashMap::from([
        (format!("portcullis:session:{hash}"), idle),
        (format!("portcullis:user_sessions:{}", session.user.id), lifetime.clone()),
        ("portcullis:sessions_by_expiry".to_owned(), lifetime),
    ]);
    let found = keys(&server).await;
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (key, left) in &found {
        assert!(expected.get(key).is_some_and(|range| range.contains(left)), "{key} ends in {left} s");
    }
    let (written, hex) = (server.dump(), SessionKey(moved.0).to_string());
    let holds = |part: &[u8]| written.windows(part.len()).any(|window| window == part);
    assert!(holds(hash.as_bytes()) && !holds(hex.as_bytes()) && !holds(&moved.0));
}

#[tokio::test]
async fn nothing_is_left_of_a_user_who_signed_out() {
    let server = RedisServer::start();
    let sessions = RedisSessions::new(link_to(&server), "");
    sessions.create(KEY, &session(), 50).await.unwrap();
    sessions.end(&KEY).await.unwrap();
    assert_eq!(keys(&server).await, HashMap::new());
}

/// Redis may end a session by its own clock before we do; the indexes follow.
#[tokio::test]
async fn a_session_that_redis_has_ended_takes_no_place_in_the_index() {
    let server = RedisServer::start();
    let sessions = RedisSessions::new(link_to(&server), "");
    let session = session();
    for number in 1..=3 {
        sessions.create(SessionKey([number; 32]), &session, 50).await.unwrap();
    }
    let key = format!("session:{}", SessionKey([3; 32]));
    redis::cmd("DEL").arg(key).query_async::<()>(&mut beside(&server).await).await.unwrap();
    sessions.create(SessionKey([4; 32]), &session, 3).await.unwrap();
    let left = sessions.list(session.user.id, session.last_seen).await.unwrap();
    assert_eq!(left.len(), 3, "the one that was gone anyway counted for nothing");
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_loaded_again() {
    let server = RedisServer::start();
    let sessions = RedisSessions::new(link_to(&server), "");
    for number in 1..=2 {
        redis::cmd("SCRIPT").arg("FLUSH").query_async::<()>(&mut beside(&server).await).await.unwrap();
        sessions.create(SessionKey([number; 32]), &session(), 50).await.unwrap();
    }
    assert_eq!(sessions.count(SystemClock.now()).await.unwrap(), 2);
}

#[tokio::test]
async fn gateways_with_different_prefixes_do_not_see_each_other() {
    let (one, other) = (RedisSessions::new(link(), &prefix()), RedisSessions::new(link(), &prefix()));
    one.create(KEY, &session(), 50).await.unwrap();
    assert!(other.find(&KEY, SystemClock.now()).await.unwrap().is_none());
    other.purge(Timestamp(i64::MAX)).await.unwrap();
    assert!(one.find(&KEY, SystemClock.now()).await.unwrap().is_some());
}

/// a hanging store costs no pile-up of waiting requests
#[tokio::test]
async fn a_server_that_hangs_is_waited_for_once_and_used_again_when_it_answers() {
    let server = RedisServer::start();
    let sessions = Arc::new(RedisSessions::new(link_to(&server), ""));
    sessions.create(KEY, &session(), 50).await.unwrap();
    server.freeze();
    let frozen = Stopwatch::start();
    let first: Vec<_> = (0..32).map(|_| sessions.clone()).map(|sessions| tokio::spawn(async move { sessions.ping().await })).collect();
    for ping in first {
        assert!(ping.await.unwrap().is_err());
    }
    assert!(frozen.elapsed() < Duration::from_secs(2), "{:?}", frozen.elapsed());
    let more = Stopwatch::start();
    for _ in 0..100 {
        assert!(sessions.find(&KEY, SystemClock.now()).await.is_err());
    }
    assert!(more.elapsed() < Duration::from_millis(500), "{:?}", more.elapsed());
    server.thaw();
    until_answered(&sessions).await;
    assert!(sessions.find(&KEY, SystemClock.now()).await.unwrap().is_some());
}

/// `kill -9` of Redis with `appendfsync always` loses nothing that was acknowledged
#[tokio::test]
async fn a_server_that_was_killed_comes_back_with_what_it_acknowledged() {
    let mut server = RedisServer::start_durable();
    let sessions = RedisSessions::new(link_to(&server), "");
    sessions.create(KEY, &session(), 50).await.unwrap();
    sessions.create(SessionKey([2; 32]), &session(), 50).await.unwrap();
    assert!(sessions.end(&KEY).await.unwrap());
    server.kill();
    let killed = Stopwatch::start();
    assert!(sessions.find(&KEY, SystemClock.now()).await.is_err());
    assert!(killed.elapsed() < Duration::from_secs(2));
    server.start_again();
    until_answered(&sessions).await;
    assert!(sessions.find(&KEY, SystemClock.now()).await.unwrap().is_none());
    assert!(sessions.find(&SessionKey([2; 32]), SystemClock.now()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_is_cut_costs_a_reader_nothing() {
    let server = RedisServer::start();
    let sessions = RedisSessions::new(link_to(&server), "");
    sessions.create(KEY, &session(), 50).await.unwrap();
    let mut beside = beside(&server).await;
    for _ in 0..3 {
        redis::cmd("CLIENT").arg("KILL").arg("SKIPME").arg("yes").query_async::<()>(&mut beside).await.unwrap();
        assert!(sessions.find(&KEY, SystemClock.now()).await.unwrap().is_some());
    }
}

/// warned at start
#[tokio::test]
async fn a_server_that_may_lose_sessions_is_warned_of() {
    let durable = RedisServer::start_durable();
    let forgetful = RedisServer::start_with(&["--save", "", "--maxmemory-policy", "allkeys-lru"]);
    let risks = async |server: &RedisServer| super::server::risks(&address(&server.url()), &mut beside(server).await).await;
    assert_eq!(risks(&durable).await, (vec![], vec![]));
    let (told, unknown) = risks(&forgetful).await;
    assert!(told[0].contains("it is allkeys-lru") && told[1].contains("set appendonly yes") && unknown.is_empty(), "{told:?}");
}

/// The access list, and where it is explained.
const ACCESS_LIST: &str = include_str!("../../../docs/redis-acl.txt");
const DOCUMENTED: &str = include_str!("../../../docs/stores.md");

/// Least privilege: what the documentation grants is enough, and nothing breaks where `INFO` and `CONFIG` are forbidden
#[tokio::test]
async fn the_documented_access_list_is_enough() {
    let server = RedisServer::start_durable();
    let words: Vec<&str> = ACCESS_LIST.split_whitespace().skip(1).collect();
    let documented = DOCUMENTED.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(documented.contains(&words.join(" ")), "the two are the same");
    redis::cmd("ACL").arg("SETUSER").arg(&words[..]).query_async::<()>(&mut beside(&server).await).await.unwrap();
    let url = format!("redis://portcullis:change-me@127.0.0.1:{}", server.port());
    let link = Link::open(address(&url)).unwrap();
    link.wait(PATIENCE).unwrap();
    let link = Arc::new(link);
    let sessions = RedisSessions::new(Arc::clone(&link), "portcullis:");
    let (session, now) = (session(), SystemClock.now());
    for number in 1..=3 {
        sessions.create(SessionKey([number; 32]), &session, 2).await.unwrap();
    }
    let later = session.last_seen.plus(Duration::from_mins(1));
    sessions.touch(&SessionKey([3; 32]), later);
    sessions.rewrite(&SessionUser { version: 2, ..session.user.clone() }).await.unwrap();
    let touched = sessions.find(&SessionKey([3; 32]), now).await.unwrap().unwrap();
    assert_eq!((touched.last_seen, touched.user.version), (later, 2));
    assert!(sessions.rotate(&SessionKey([3; 32]), SessionKey([4; 32]), &session).await.unwrap());
    assert_eq!((sessions.list(session.user.id, now).await.unwrap().len(), sessions.count(now).await.unwrap()), (2, 2));
    assert_eq!(sessions.end_all(session.user.id, Some(&SessionKey([4; 32]))).await.unwrap(), 1);
    sessions.purge(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(sessions.count(now).await.unwrap(), 0);
    check_refresh_tokens(RedisRefreshTokens::new(Arc::clone(&link), "portcullis:")).await;
    let elsewhere = RedisSessions::new(link, "other:");
    assert!(elsewhere.find(&KEY, now).await.is_err(), "and no more than enough");
}

/// Every script of refresh tokens.
async fn check_refresh_tokens(tokens: RedisRefreshTokens) {
    let now = SystemClock.now();
    let (one, other) = (refresh_tokens::token(now), refresh_tokens::token(now));
    let other = RefreshToken { account: one.account, ..other };
    for token in [&one, &other] {
        tokens.create(token, 1, now).await.unwrap();
    }
    let renewal = refresh_tokens::renewal(&other);
    assert_eq!(tokens.rotate(&renewal, Duration::from_mins(1), now).await.unwrap(), Rotation::Rotated);
    assert_eq!(tokens.list(one.account, now).await.unwrap().len(), 1);
    assert!(tokens.end(one.account, other.family).await.unwrap());
    assert_eq!(tokens.end_outdated(one.account, 2).await.unwrap() + tokens.end_all(one.account).await.unwrap(), 0);
}

fn refusal(text: &str, patience: Duration) -> String {
    Link::open(address(text)).unwrap().wait(patience).unwrap_err().0
}

/// S4.11
#[tokio::test]
async fn a_gateway_that_cannot_use_the_server_says_so_without_the_password() {
    let guarded = RedisServer::start_with(&["--save", "", "--requirepass", "hunter2"]);
    let cluster = RedisServer::start_with(&["--save", "", "--cluster-enabled", "yes"]);
    for (url, told) in [
        (format!("redis://:wrong@127.0.0.1:{}/2", guarded.port()), "WRONGPASS"),
        (format!("redis://127.0.0.1:{}", guarded.port()), "NOAUTH"),
        (cluster.url(), "a Redis Cluster, which does not work"),
    ] {
        let started = Stopwatch::start();
        let said = refusal(&url, PATIENCE);
        assert!(said.contains(told) && !said.contains("wrong@") && !said.contains('\n'), "{said}");
        assert!(started.elapsed() < PATIENCE, "trying again is of no use");
    }
    let link = Link::open(address(&format!("redis://:hunter2@127.0.0.1:{}/2", guarded.port()))).unwrap();
    link.wait(PATIENCE).unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_waited_for_and_then_given_up() {
    let mut server = RedisServer::start();
    server.kill();
    let said = refusal(&server.url(), Duration::from_millis(300));
    assert!(said.contains(&server.url()) && said.contains("refused"), "{said}");
    let link = Link::open(address(&server.url())).unwrap();
    let waiting = std::thread::spawn(move || link.wait(PATIENCE));
    server.start_again();
    waiting.join().unwrap().unwrap();
}

/// Sentinel
#[tokio::test]
async fn sentinels_are_asked_which_server_is_the_primary_also_after_a_failover() {
    let primary = RedisServer::start_with(&["--save", "", "--repl-diskless-sync-delay", "0"]);
    let replica = RedisServer::start_with(&["--save", "", "--replicaof", "127.0.0.1", &primary.port().to_string()]);
    let sentinel = RedisServer::start_with(&["--sentinel"]);
    let monitor = ["MONITOR", "main", "127.0.0.1", &primary.port().to_string(), "1"];
    redis::cmd("SENTINEL").arg(&monitor[..]).query_async::<()>(&mut beside(&sentinel).await).await.unwrap();
    let link = Link::open(address(&format!("redis+sentinel://127.0.0.1:{}/main", sentinel.port()))).unwrap();
    link.wait(PATIENCE).unwrap();
    let sessions = RedisSessions::new(Arc::new(link), "");
    sessions.create(KEY, &session(), 50).await.unwrap();
    until("the replica has it", async || try_keys(&replica).await.is_ok_and(|keys| keys.len() == 3)).await;
    let failover = ["FAILOVER", "main"];
    until("the failover begins", async || {
        let Ok(mut connection) = try_beside(&sentinel).await else { return false };
        redis::cmd("SENTINEL").arg(&failover[..]).query_async::<()>(&mut connection).await.is_ok()
    })
    .await;
    until("the replica is the primary", async || {
        let Ok(mut connection) = try_beside(&replica).await else { return false };
        let role = redis::cmd("INFO").arg("replication").query_async::<String>(&mut connection).await;
        role.is_ok_and(|role| role.contains("role:master"))
    })
    .await;
    // What is created from now on is there only if it was sent there.
    let second = SessionKey([2; 32]);
    until("the new primary is written to", async || {
        let _ = sessions.create(second, &session(), 50).await;
        try_keys(&replica).await.is_ok_and(|keys| keys.contains_key(&format!("session:{second}")))
    })
    .await;
    until("the first session is found there", async || matches!(sessions.find(&KEY, SystemClock.now()).await, Ok(Some(_)))).await;
}
