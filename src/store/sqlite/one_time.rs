//! Records that are taken once, in SQLite.

use super::Database;
use crate::clock::Timestamp;
use crate::store::{OneTimeStore, StoreError};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _};
use std::sync::Arc;

/// Records in a database file.
pub struct SqliteOneTime(Arc<Database>);

impl SqliteOneTime {
    /// Keeps records in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl OneTimeStore for SqliteOneTime {
    async fn put(&self, key: &str, record: &[u8], _now: Timestamp, expires_at: Timestamp) -> Result<(), StoreError> {
        let (key, record) = (key.to_owned(), record.to_owned());
        let put = move |connection: &Connection| {
            let sql = "INSERT OR REPLACE INTO one_time (key, record, expires_at) VALUES (?1, ?2, ?3)";
            connection.prepare_cached(sql)?.execute((key, record, expires_at.0)).map(|_| ())
        };
        self.0.write(put, |()| {}).await
    }

    async fn take(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_owned();
        let take = move |connection: &Connection| {
            let sql = "DELETE FROM one_time WHERE key = ?1 RETURNING record, expires_at";
            connection.prepare_cached(sql)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
        let taken: Option<(Vec<u8>, i64)> = self.0.write(take, |_| {}).await?;
        Ok(taken.filter(|(_, expires_at)| now.0 < *expires_at).map(|(record, _)| record))
    }

    async fn read(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.to_owned();
        let read = move |connection: &Connection| {
            let sql = "SELECT record FROM one_time WHERE key = ?1 AND expires_at > ?2";
            connection.prepare_cached(sql)?.query_row((key, now.0), |row| row.get(0)).optional()
        };
        self.0.read(read).await
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        let purge = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM one_time WHERE expires_at <= ?1")?.execute([now.0]).map(|_| ())
        };
        self.0.write(purge, |()| {}).await
    }
}
