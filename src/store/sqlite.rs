//! Accounts and sessions in a SQLite file: one [`Database`] for each file, and the two ports on top of it.

mod accounts;
mod cache;
mod database;
mod schema;
mod sessions;
mod writer;

pub use accounts::SqliteAccounts;
pub use database::Database;
pub use sessions::SqliteSessions;
