//! What a Redis says of itself: whether it works for us at all, and whether it might lose what we keep there.

use super::connect::Fault;
use crate::config::RedisAddress;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use std::collections::HashMap;

/// The answer to `INFO`.
pub(super) struct ServerInfo(HashMap<String, String>);

impl ServerInfo {
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> Result<Self, RedisError> {
        redis::cmd("INFO").query_async::<String>(connection).await.map(|text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Self(pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect())
    }

    fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    pub(super) fn refuse_what_does_not_work(&self) -> Result<(), Fault> {
        let refuse = |reason: &str, lasting| Err(Fault { reason: reason.to_owned(), lasting });
        if self.get("redis_mode") == "cluster" || self.get("cluster_enabled") == "1" {
            return refuse("it is a Redis Cluster, which does not work: name a single Redis, or Sentinels", true);
        }
        if self.get("redis_mode") == "sentinel" {
            return refuse("it is a Sentinel: write redis+sentinel:// and the name of the service", true);
        }
        if self.get("role") == "slave" {
            return refuse("it is a replica, which cannot be written to: name the primary, or Sentinels", false);
        }
        if self.get("loading") == "1" {
            return refuse("it is still reading its data", false);
        }
        Ok(())
    }
}

/// What an operator should know at start; first what is risky, then what could not be looked at.
pub(super) async fn risks(address: &RedisAddress, connection: &mut MultiplexedConnection) -> (Vec<String>, Vec<&'static str>) {
    let (mut risky, mut unknown) = (Vec::new(), Vec::new());
    match ServerInfo::ask(connection).await {
        Ok(info) => {
            risky.extend(eviction(&info));
            if info.get("aof_enabled") == "0" {
                match redis::cmd("CONFIG").arg("GET").arg("save").query_async::<HashMap<String, String>>(connection).await {
                    Ok(answer) => risky.extend(persistence(answer.get("save").map_or("", String::as_str))),
                    Err(_) => unknown.push("whether Redis keeps its data could not be checked, CONFIG GET is forbidden"),
                }
            }
        }
        Err(_) => unknown.push("whether Redis may evict and keeps its data could not be checked, INFO is forbidden"),
    }
    risky.extend(password(address));
    (risky, unknown)
}

/// Every key of ours has an end, so `volatile-*` takes them as well as `allkeys-*`.
fn eviction(info: &ServerInfo) -> Option<String> {
    let policy = info.get("maxmemory_policy");
    let risky = !matches!(policy, "" | "noeviction");
    risky.then(|| format!("Redis may drop sessions when its memory is full: set maxmemory-policy to noeviction, it is {policy}"))
}

fn persistence(save: &str) -> Option<String> {
    let told = "Redis does not keep its data, a restart of it signs everyone out: set appendonly yes";
    save.is_empty().then(|| told.to_owned())
}

fn password(address: &RedisAddress) -> Option<String> {
    let told = format!("{address} takes anyone without a password: set requirepass or an access list, and name it in stores.sessions");
    (address.is_remote() && address.login.password.is_none()).then_some(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RedisHost, RedisLogin, RedisServer, Secret};

    fn address(host: &str, password: Option<&str>) -> RedisAddress {
        RedisAddress {
            server: RedisServer::One(RedisHost { host: host.to_owned(), port: 6379 }),
            tls: false,
            login: RedisLogin { username: None, password: password.map(|text| Secret::new(text.to_owned())) },
            database: 0,
        }
    }

    #[test]
    fn a_cluster_a_sentinel_and_a_replica_are_refused() {
        for (info, told, lasting) in [
            ("redis_mode:cluster\r\nrole:master\r\n", "a Redis Cluster", true),
            ("redis_mode:standalone\r\ncluster_enabled:1\r\n", "a Redis Cluster", true),
            ("redis_mode:sentinel\r\n", "a Sentinel", true),
            ("redis_mode:standalone\r\nrole:slave\r\n", "a replica", false),
            ("role:master\r\nloading:1\r\n", "still reading", false),
        ] {
            let refused = ServerInfo::parse(info).refuse_what_does_not_work().unwrap_err();
            assert!(refused.reason.contains(told) && refused.lasting == lasting, "{info}: {refused:?}");
        }
        let good = "# Server\r\nredis_mode:standalone\r\nrole:master\r\nloading:0\r\ncluster_enabled:0\r\n";
        assert_eq!(ServerInfo::parse(good).refuse_what_does_not_work(), Ok(()));
    }

    #[test]
    fn what_may_lose_or_give_away_sessions_is_told() {
        let evicting = |policy: &str| eviction(&ServerInfo::parse(&format!("maxmemory_policy:{policy}\r\n"))).is_some();
        assert!(evicting("allkeys-lru") && evicting("volatile-ttl") && !evicting("noeviction"));
        assert!(persistence("").is_some() && persistence("3600 1").is_none());
        assert!(password(&address("cache", None)).is_some_and(|told| told.contains("redis://cache:6379/0")));
        for (host, secret) in [("cache", Some("p")), ("localhost", None), ("127.0.0.2", None), ("::1", None)] {
            assert_eq!(password(&address(host, secret)), None, "{host}");
        }
    }
}
