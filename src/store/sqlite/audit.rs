//! Audit records, in SQLite.

use super::Database;
use crate::audit::{AuditStore, Filter, Record};
use crate::clock::Timestamp;
use crate::store::StoreError;
use async_trait::async_trait;
use std::sync::Arc;

/// Audit records in a database file.
pub struct SqliteAudit(Arc<Database>);

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
        unimplemented!("{records:?} {:p}", self.0)
    }

    async fn list(&self, filter: Filter, limit: usize) -> Result<Vec<Record>, StoreError> {
        unimplemented!("{filter:?} {limit}")
    }

    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{oldest:?}")
    }
}
