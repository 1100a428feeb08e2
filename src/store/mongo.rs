//! The MongoDB adapter: accounts, letters, audit records, invitations, keys and tokens. One document an account, so that every
//! method of the port is one atomic operation of the server; no transactions, TTL indexes, change streams or partial indexes are asked for.

mod accounts;
mod audit;
mod connection;
mod invitations;
mod outbox;
mod personal_tokens;
mod record;
#[cfg(test)]
#[expect(dead_code, reason = "some of it is for the integration tests, which share it")]
#[path = "../../tests/it/support/mongo_server.rs"]
pub(crate) mod server;
mod signing_keys;
#[cfg(test)]
mod tests;
mod url;

pub use accounts::MongoAccounts;
pub use audit::MongoAudit;
pub use connection::MongoDatabase;
pub use invitations::MongoInvitations;
pub use outbox::MongoOutbox;
pub use personal_tokens::MongoPersonalTokens;
pub use signing_keys::MongoSigningKeys;
pub use url::MongoUrl;

/// Makes those indexes of all collections that are not there yet.
async fn make_indexes(database: mongodb::Database) -> Result<(), mongodb::error::Error> {
    accounts::make_indexes(&database).await?;
    audit::make_indexes(&database).await?;
    invitations::make_indexes(&database).await?;
    signing_keys::make_indexes(&database).await?;
    outbox::make_indexes(&database).await
}
