//! Invitations: who may register where registration is not open to all. No HTTP and no storage here.

mod store;

pub use store::InvitationStore;

use crate::account::{AccountId, Email, Group};
use crate::clock::Timestamp;
use uuid::Uuid;

/// A stored invitation; whoever has its link may register once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Identity; ordered by time (UUID version 7).
    pub id: Uuid,
    /// SHA-256 of the link's token.
    pub token: [u8; 32],
    /// The only address that may register with it, where one is named; it counts as confirmed then.
    pub email: Option<Email>,
    /// Groups that the new account gets.
    pub groups: Vec<Group>,
    /// Name of who made it.
    pub invited_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Which account was made with it, and when.
    pub used: Option<(AccountId, Timestamp)>,
}
