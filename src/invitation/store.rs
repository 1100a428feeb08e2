//! The port to wherever invitations are kept.

use super::Invitation;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use async_trait::async_trait;
use uuid::Uuid;

/// Where invitations are kept. Every method is atomic: of many who claim one at once, one gets it.
#[async_trait]
pub trait InvitationStore: Send + Sync {
    /// Adds an invitation.
    async fn create(&self, invitation: &Invitation) -> Result<(), StoreError>;

    /// The invitation with this token's SHA-256, used or not, if it has not expired at `now`.
    async fn find(&self, token: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>, StoreError>;

    /// Holds the invitation for the account that is about to be made, which should be done by `until`. `false` where it is
    /// used, expired, gone or held. A hold that has lapsed still holds: it is released, or redeemed, by whoever looks
    /// whether its account was made.
    async fn claim(&self, id: Uuid, account: AccountId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Notes that the account that it is held for was made; once more is no error. `false` where it is gone, or not held
    /// for this account any more.
    async fn redeem(&self, id: Uuid, account: AccountId, now: Timestamp) -> Result<bool, StoreError>;

    /// Lets go of an invitation that is held for an account which was not made.
    async fn release(&self, id: Uuid, account: AccountId) -> Result<(), StoreError>;

    /// Up to `limit` invitations that are held though that should have been done with at `now`.
    async fn lapsed(&self, now: Timestamp, limit: usize) -> Result<Vec<Invitation>, StoreError>;

    /// Up to `limit` invitations, newest first, from the first before `before`.
    async fn list(&self, before: Option<Uuid>, limit: usize) -> Result<Vec<Invitation>, StoreError>;

    /// Removes an invitation; `false` when there was none.
    async fn remove(&self, id: Uuid) -> Result<bool, StoreError>;

    /// Removes those that expired before `oldest`.
    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError>;
}
