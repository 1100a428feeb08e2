//! Letters that wait to be sent, in SQLite.

use super::Database;
use crate::clock::Timestamp;
use crate::mail::{MOST_LETTERS, OutboxStore, Queued, full};
use crate::store::StoreError;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::sync::Arc;
use uuid::Uuid;

/// Letters that wait to be sent in a database file.
pub struct SqliteOutbox(Arc<Database>);

impl SqliteOutbox {
    /// Keeps letters in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl OutboxStore for SqliteOutbox {
    async fn post(&self, letter: &Queued) -> Result<(), StoreError> {
        let letter = letter.clone();
        let post = move |connection: &Connection| {
            let sql = "INSERT INTO outbox (id, sealed, attempts, posted_at, due_at)
                       SELECT ?1, ?2, ?3, ?4, ?4 WHERE (SELECT count(*) FROM outbox) < ?5";
            let values = (id_of(letter.id), letter.sealed, letter.attempts, letter.posted_at.0, MOST_LETTERS);
            connection.prepare_cached(sql)?.execute(values).map(|rows| rows > 0)
        };
        if self.0.write(post, |_| {}).await? { Ok(()) } else { Err(full()) }
    }

    async fn claim(&self, now: Timestamp, lease: Timestamp) -> Result<Option<Queued>, StoreError> {
        // Most of the time nothing is due, and then nobody should wait for the disk.
        if !self.0.read(move |connection| is_due(connection, now)).await? {
            return Ok(None);
        }
        let claim = move |connection: &Connection| {
            let sql = "UPDATE outbox SET due_at = ?2
                       WHERE id = (SELECT id FROM outbox WHERE due_at <= ?1 ORDER BY due_at, id LIMIT 1)
                       RETURNING id, sealed, attempts, posted_at";
            connection.prepare_cached(sql)?.query_row((now.0, lease.0), queued).optional()
        };
        self.0.write(claim, |_| {}).await
    }

    async fn postpone(&self, id: Uuid, attempts: u32, due: Timestamp) -> Result<(), StoreError> {
        let postpone = move |connection: &Connection| {
            let sql = "UPDATE outbox SET attempts = ?2, due_at = ?3 WHERE id = ?1";
            connection.prepare_cached(sql)?.execute((id_of(id), attempts, due.0)).map(|_| ())
        };
        self.0.write(postpone, |()| {}).await
    }

    async fn remove(&self, id: Uuid) -> Result<(), StoreError> {
        let remove =
            move |connection: &Connection| connection.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id_of(id)]).map(|_| ());
        self.0.write(remove, |()| {}).await
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        let depth = |connection: &Connection| connection.prepare_cached("SELECT count(*) FROM outbox")?.query_row([], |row| row.get(0));
        self.0.read(depth).await.map(|depth: i64| u64::try_from(depth).unwrap_or(0))
    }
}

fn is_due(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM outbox WHERE due_at <= ?1")?.exists([now.0])
}

fn id_of(id: Uuid) -> [u8; 16] {
    id.into_bytes()
}

fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    Ok(Queued { id: Uuid::from_bytes(row.get(0)?), sealed: row.get(1)?, attempts: row.get(2)?, posted_at: Timestamp(row.get(3)?) })
}
