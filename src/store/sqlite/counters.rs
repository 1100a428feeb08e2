//! Counters in SQLite.

use super::Database;
use crate::clock::Timestamp;
use crate::store::{Counted, CounterStore, Limit, StoreError};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use std::sync::Arc;

/// Counters in a database file.
pub struct SqliteCounters(Arc<Database>);

impl SqliteCounters {
    /// Keeps counters in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl CounterStore for SqliteCounters {
    async fn count(&self, key: &str, limit: Limit, now: Timestamp) -> Result<Counted, StoreError> {
        let key = key.to_owned();
        self.0.write(move |connection| count(connection, &key, limit, now), |_| {}).await
    }

    async fn give_back(&self, key: &str, now: Timestamp) -> Result<(), StoreError> {
        let key = key.to_owned();
        let give_back = move |connection: &Connection| {
            let sql = "UPDATE counters SET count = count - 1 WHERE key = ?1 AND resets_at > ?2 AND count > 0";
            connection.prepare_cached(sql)?.execute((key, now.0)).map(|_| ())
        };
        self.0.write(give_back, |()| {}).await
    }

    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError> {
        let key = key.to_owned();
        let peek = move |connection: &Connection| open_window(connection, &key, now);
        self.0.read(peek).await
    }

    async fn clear(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        let clear =
            move |connection: &Connection| connection.prepare_cached("DELETE FROM counters WHERE key = ?1")?.execute([key]).map(|_| ());
        self.0.write(clear, |()| {}).await
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        let purge = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM counters WHERE resets_at <= ?1")?.execute([now.0]).map(|_| ())
        };
        self.0.write(purge, |()| {}).await
    }
}

fn count(connection: &Connection, key: &str, limit: Limit, now: Timestamp) -> rusqlite::Result<Counted> {
    let (count, resets_at) = open_window(connection, key, now)?.unwrap_or((0, now.plus(limit.per)));
    if count >= limit.most {
        return Ok(Counted::refused(resets_at));
    }
    let sql = "INSERT OR REPLACE INTO counters (key, count, resets_at) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute((key, count + 1, resets_at.0))?;
    Ok(Counted::allowed(limit, count + 1, resets_at))
}

fn open_window(connection: &Connection, key: &str, now: Timestamp) -> rusqlite::Result<Option<(u32, Timestamp)>> {
    let mut open = connection.prepare_cached("SELECT count, resets_at FROM counters WHERE key = ?1 AND resets_at > ?2")?;
    open.query_row((key, now.0), |row| Ok((row.get(0)?, Timestamp(row.get(1)?)))).optional()
}
