//! Accounts and sessions in a SQLite file: one [`Database`] for each file, and the two ports on top of it.

mod accounts;
mod cache;
mod counters;
mod database;
mod one_time;
mod schema;
mod sessions;
mod writer;

pub use accounts::SqliteAccounts;
pub use counters::SqliteCounters;
pub use database::Database;
pub use one_time::SqliteOneTime;
pub use sessions::SqliteSessions;
