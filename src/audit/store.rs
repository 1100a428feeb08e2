//! The port to wherever audit records are kept.

use super::Record;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use async_trait::async_trait;
use uuid::Uuid;

/// Which records are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that this account did or that were done to it.
    pub account: Option<AccountId>,
    /// Only those before this one.
    pub before: Option<Uuid>,
}

/// Where audit records are kept: they are added and, when old, removed; never changed.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Adds records. Those that are there already stay as they are, so that an append whose answer was lost may be
    /// repeated until one succeeds: after an error some records may be there, and then none is there twice.
    async fn append(&self, records: &[Record]) -> Result<(), StoreError>;

    /// Up to `limit` records, newest first.
    async fn list(&self, filter: Filter, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// Removes records made before `oldest`.
    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError>;
}
