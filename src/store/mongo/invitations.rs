//! Invitations, in MongoDB.

use super::MongoDatabase;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::invitation::{Invitation, InvitationStore};
use crate::store::StoreError;
use async_trait::async_trait;
use mongodb::error::Error;
use std::sync::Arc;
use uuid::Uuid;

/// Invitations in a database of a MongoDB.
pub struct MongoInvitations(Arc<MongoDatabase>);

impl MongoInvitations {
    /// Keeps invitations in this database.
    #[must_use]
    pub fn new(database: Arc<MongoDatabase>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl InvitationStore for MongoInvitations {
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

/// Makes those indexes that are not there yet.
pub(super) async fn make_indexes(database: &mongodb::Database) -> Result<(), Error> {
    let _ = database;
    Ok(())
}
