//! Accounts and sessions in a SQLite file.
