//! Links for this crate's tests: all to one server, and for each test a prefix of its own.

use super::Link;
use crate::config::{RedisAddress, parse_redis_address};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

#[path = "../../../tests/it/support/redis_server.rs"]
mod redis_server;
pub(crate) use redis_server::RedisServer;

/// Ends with the process.
static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The address as it would be configured.
pub(crate) fn address(text: &str) -> RedisAddress {
    parse_redis_address(text).unwrap()
}

/// Where the server is that all tests share.
pub(crate) fn shared_address() -> RedisAddress {
    address(&SERVER.url())
}

/// A link to the server that all tests share.
pub(crate) fn link() -> Arc<Link> {
    link_to(&SERVER)
}

/// A link to this server.
pub(crate) fn link_to(server: &RedisServer) -> Arc<Link> {
    let link = Link::open(address(&server.url())).unwrap();
    link.wait(PATIENCE).unwrap();
    Arc::new(link)
}

/// Stands before keys that no other test has.
pub(crate) fn prefix() -> String {
    let id = crate::entropy::random_bytes::<8>();
    format!("test-{}:", u64::from_le_bytes(id))
}
