//! Counters in SQLite.

use super::Database;
use crate::clock::Timestamp;
use crate::store::{Charge, Counted, CounterStore, StoreError};
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
    async fn count_all(&self, charges: &[Charge], now: Timestamp) -> Result<Vec<Counted>, StoreError> {
        let charges = charges.to_vec();
        self.0.write(move |connection| count_all(connection, &charges, now), |_| {}).await
    }

    async fn give_back(&self, keys: &[String], now: Timestamp) -> Result<(), StoreError> {
        let keys = keys.to_vec();
        let give_back = move |connection: &Connection| {
            let sql = "UPDATE counters SET count = count - 1 WHERE key = ?1 AND resets_at > ?2 AND count > 0";
            let mut give_back = connection.prepare_cached(sql)?;
            keys.iter().try_for_each(|key| give_back.execute((key, now.0)).map(|_| ()))
        };
        self.0.write(give_back, |()| {}).await
    }

    async fn peek(&self, key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError> {
        let key = key.to_owned();
        let peek = move |connection: &Connection| open_window(connection, &key, now);
        self.0.read(peek).await
    }

    async fn clear(&self, keys: &[String]) -> Result<(), StoreError> {
        let keys = keys.to_vec();
        let clear = move |connection: &Connection| {
            let mut clear = connection.prepare_cached("DELETE FROM counters WHERE key = ?1")?;
            keys.iter().try_for_each(|key| clear.execute([key]).map(|_| ()))
        };
        self.0.write(clear, |()| {}).await
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        let purge = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM counters WHERE resets_at <= ?1")?.execute([now.0]).map(|_| ())
        };
        self.0.write(purge, |()| {}).await
    }
}

fn count_all(connection: &Connection, charges: &[Charge], now: Timestamp) -> rusqlite::Result<Vec<Counted>> {
    let mut found = Vec::with_capacity(charges.len());
    for Charge { key, limit } in charges {
        found.push(open_window(connection, key, now)?.unwrap_or((0, now.plus(limit.per))));
    }
    let judged = charges.iter().zip(&found).map(|(charge, (count, resets_at))| Counted::judge(charge.limit, *count, *resets_at));
    let judged: Vec<_> = judged.collect();
    if judged.iter().all(|counted| counted.allowed) {
        let mut keep = connection.prepare_cached("INSERT OR REPLACE INTO counters (key, count, resets_at) VALUES (?1, ?2, ?3)")?;
        for (charge, (count, resets_at)) in charges.iter().zip(found) {
            keep.execute((&charge.key, count + 1, resets_at.0))?;
        }
    }
    Ok(judged)
}

fn open_window(connection: &Connection, key: &str, now: Timestamp) -> rusqlite::Result<Option<(u32, Timestamp)>> {
    let mut open = connection.prepare_cached("SELECT count, resets_at FROM counters WHERE key = ?1 AND resets_at > ?2")?;
    open.query_row((key, now.0), |row| Ok((row.get(0)?, Timestamp(row.get(1)?)))).optional()
}
