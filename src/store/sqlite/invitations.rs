//! Invitations, in SQLite.

use super::Database;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::invitation::{Invitation, InvitationStore};
use crate::store::StoreError;
use async_trait::async_trait;
use std::sync::Arc;
use uuid::Uuid;

/// Invitations in a database file.
pub struct SqliteInvitations(Arc<Database>);

impl SqliteInvitations {
    /// Keeps invitations in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl InvitationStore for SqliteInvitations {
    async fn create(&self, invitation: &Invitation) -> Result<(), StoreError> {
        unimplemented!("{invitation:?} {:p}", self.0)
    }

    async fn find(&self, token: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>, StoreError> {
        unimplemented!("{token:?} {now:?}")
    }

    async fn claim(&self, id: Uuid, account: AccountId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        unimplemented!("{id:?} {account:?} {now:?} {until:?}")
    }

    async fn redeem(&self, id: Uuid, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{id:?} {account:?} {now:?}")
    }

    async fn release(&self, id: Uuid, account: AccountId) -> Result<(), StoreError> {
        unimplemented!("{id:?} {account:?}")
    }

    async fn list(&self, before: Option<Uuid>, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        unimplemented!("{before:?} {limit}")
    }

    async fn remove(&self, id: Uuid) -> Result<bool, StoreError> {
        unimplemented!("{id:?}")
    }

    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        unimplemented!("{oldest:?}")
    }
}
