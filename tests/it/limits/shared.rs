//! Limits of several gateways over one Redis, and what Redis learns by them.

use super::{limited, login};
use crate::support::gateway::PASSWORD;
use crate::support::redis_server::RedisServer;
use crate::support::upstream::EchoUpstream;

const SECRET: &str = "not-much-of-a-secret-but-long-enough-for-tests";

/// S4.8, contract 7, threats K07
#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_share_one_budget_and_redis_learns_no_names() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let over_redis = || limited(&upstream).set("SECRET", SECRET).set("STORES__SESSIONS", &redis.url()).set("STORES__REDIS_PREFIX", "test:");
    let one = over_redis().user("alice", &[]).start().await;
    let users = format!("sqlite:{}", one.folder().join("portcullis.db").display());
    let other = over_redis().set("STORES__USERS", &users).start().await;
    for gateway in [&one, &other, &one, &other, &one] {
        assert_eq!(login(gateway, "192.0.2.1", "alice", "wrong").await.status, 401);
    }
    for gateway in [&one, &other] {
        let answer = login(gateway, "192.0.2.1", "alice", PASSWORD).await;
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("900")));
        assert_eq!(login(gateway, "192.0.2.2", "alice", PASSWORD).await.status, 200);
        assert_eq!(login(gateway, "192.0.2.1", "nobody", "wrong").await.status, 401);
    }
    let mut connection = redis::Client::open(redis.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let counters: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix("test:rate_limit:auth:")).collect();
    assert!(counters.len() >= 4, "{keys:?}");
    let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    assert!(counters.iter().all(|identifier| is_hex(identifier)), "{counters:?}");
    for key in &keys {
        assert!(!["alice", "nobody", "192.0.2"].iter().any(|name| key.contains(name)), "{key}");
        let left: i64 = redis::cmd("TTL").arg(key).query_async(&mut connection).await.unwrap();
        assert!(left > 0, "{key} stays for ever");
    }
}
