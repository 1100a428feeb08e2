//! Audit records, in SQLite. A record is JSON; beside it stands what is asked for.

use super::Database;
use crate::account::AccountId;
use crate::audit::{AuditStore, Filter, Record};
use crate::clock::Timestamp;
use crate::store::StoreError;
use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, named_params};
use std::sync::Arc;

/// Audit records in a database file.
pub struct SqliteAudit(Arc<Database>);

/// Records removed in one transaction; other writes wait meanwhile.
const PURGED_AT_ONCE: u16 = 2000;

impl SqliteAudit {
    /// Keeps audit records in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl AuditStore for SqliteAudit {
    async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        let rows = records.iter().map(ToRow::try_from).collect::<Result<Vec<_>, _>>()?;
        self.0.write(move |connection| rows.iter().try_for_each(|row| row.insert(connection)), |()| {}).await
    }

    async fn list(&self, filter: Filter, limit: usize) -> Result<Vec<Record>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.0.read(move |connection| select(connection, filter, limit)).await
    }

    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        let purge = move |connection: &Connection| {
            let sql = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < ?1 LIMIT ?2)";
            connection.prepare_cached(sql)?.execute((oldest.0, PURGED_AT_ONCE))
        };
        while self.0.write(purge, |_| {}).await? == usize::from(PURGED_AT_ONCE) {}
        Ok(())
    }
}

/// What is written for a record.
struct ToRow {
    id: [u8; 16],
    at: i64,
    actor: Option<[u8; 16]>,
    subject: Option<[u8; 16]>,
    record: String,
}

impl TryFrom<&Record> for ToRow {
    type Error = StoreError;

    fn try_from(record: &Record) -> Result<Self, StoreError> {
        let bytes = |account: AccountId| account.0.into_bytes();
        let unwritable = |error| StoreError(format!("an audit record cannot be written: {error}"));
        Ok(Self {
            id: record.id.into_bytes(),
            at: record.at.0,
            actor: record.actor.account.map(bytes),
            subject: record.subject.as_ref().and_then(|subject| subject.account).map(bytes),
            record: serde_json::to_string(record).map_err(unwritable)?,
        })
    }
}

impl ToRow {
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO audit (id, at, actor, subject, record) VALUES (:id, :at, :actor, :subject, :record) ON CONFLICT DO NOTHING";
        let values = named_params! {
            ":id": self.id, ":at": self.at, ":actor": self.actor, ":subject": self.subject, ":record": self.record,
        };
        connection.prepare_cached(sql)?.execute(values).map(|_| ())
    }
}

fn select(connection: &Connection, filter: Filter, limit: i64) -> rusqlite::Result<Vec<Record>> {
    let before = filter.before.map_or([u8::MAX; 16], uuid::Uuid::into_bytes);
    match filter.account {
        None => {
            let sql = "SELECT record FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
            connection.prepare_cached(sql)?.query_map((before, limit), read_record)?.collect()
        }
        // Each half ends at the limit along its own index; a single condition would have all of an account's records sorted.
        Some(account) => {
            let sql = "SELECT record FROM (
                    SELECT * FROM (SELECT id, record FROM audit WHERE actor = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3)
                    UNION
                    SELECT * FROM (SELECT id, record FROM audit WHERE subject = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3)
                ) ORDER BY id DESC LIMIT ?3";
            connection.prepare_cached(sql)?.query_map((account.0.into_bytes(), before, limit), read_record)?.collect()
        }
    }
}

fn read_record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let text: String = row.get(0)?;
    serde_json::from_str(&text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}
