//! The MongoDB adapter: accounts. One document an account, so that every method of the port is one atomic operation of
//! the server; no transactions, TTL indexes, change streams or partial indexes are asked for.

mod accounts;
mod connection;
mod record;
#[cfg(test)]
#[expect(dead_code, reason = "some of it is for the integration tests, which share it")]
#[path = "../../tests/it/support/mongo_server.rs"]
pub(crate) mod server;
#[cfg(test)]
mod tests;
mod url;

pub use accounts::MongoAccounts;
pub use url::MongoUrl;
