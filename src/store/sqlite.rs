//! Accounts and sessions in a SQLite file: one [`Database`] for each file, and the two ports on top of it.

mod accounts;
mod audit;
mod cache;
mod counters;
mod database;
mod examine;
mod invitations;
mod one_time;
mod outbox;
mod personal_tokens;
mod refresh_tokens;
mod schema;
mod sessions;
mod signing_keys;
mod writer;

pub use accounts::SqliteAccounts;
pub use audit::SqliteAudit;
pub use counters::SqliteCounters;
pub use database::Database;
pub use examine::examine;
pub use invitations::SqliteInvitations;
pub use one_time::SqliteOneTime;
pub use outbox::SqliteOutbox;
pub use personal_tokens::SqlitePersonalTokens;
pub use refresh_tokens::SqliteRefreshTokens;
pub use sessions::SqliteSessions;
pub use signing_keys::SqliteSigningKeys;
