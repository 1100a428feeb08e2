//! Links for this crate's tests: all to one server, and for each test a prefix of its own.

use super::Link;
use crate::config::{RedisAddress, RedisHost, RedisLogin, RedisServer as Which};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

#[path = "../../../tests/it/support/redis_server.rs"]
mod redis_server;
pub(crate) use redis_server::RedisServer;

/// Ends with the process.
static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a server is.
pub(crate) fn address(port: u16) -> RedisAddress {
    RedisAddress {
        server: Which::One(RedisHost { host: "127.0.0.1".to_owned(), port }),
        tls: false,
        login: RedisLogin::default(),
        database: 0,
    }
}

/// A link to the server that all tests share.
pub(crate) fn link() -> Arc<Link> {
    link_to(&SERVER)
}

/// A link to this server.
pub(crate) fn link_to(server: &RedisServer) -> Arc<Link> {
    let link = Link::open(address(server.port())).unwrap();
    link.wait(PATIENCE).unwrap();
    Arc::new(link)
}

/// Stands before keys that no other test has.
pub(crate) fn prefix() -> String {
    let id = crate::entropy::random_bytes::<8>();
    format!("test-{}:", u64::from_le_bytes(id))
}
