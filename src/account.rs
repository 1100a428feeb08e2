//! Accounts: what is stored of a user, and the values it is made of.
//! No HTTP and no storage here; adapters implement [`AccountStore`].

pub(crate) mod display;
mod email;
mod group;
mod hash;
mod hasher;
mod password;
mod reserved;
mod store;
mod username;

pub use email::{Email, EmailError};
pub use group::{Group, GroupError};
pub use hash::{CannotHash, PasswordHash};
pub use hasher::{HashError, Hasher};
pub use password::{Password, PasswordProblem, PasswordProfile};
pub(crate) use reserved::is_reserved;
pub use store::{AccountStore, CreateError, Field, UpdateError};
pub(crate) use username::is_name_byte;
pub use username::{Username, UsernameError};

use crate::clock::Timestamp;
use uuid::Uuid;

/// The stable identity of an account; never given to another one (UUID version 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub Uuid);

impl AccountId {
    /// A new id, made at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let millis = u64::try_from(now.0).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &crate::entropy::random_bytes()).into_uuid())
    }
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A stored user.
#[derive(Clone, Debug)]
pub struct Account {
    /// Stable identity.
    pub id: AccountId,
    /// Sign-in name; unique without regard to case.
    pub username: Username,
    /// Address; unique by its canonical form.
    pub email: Email,
    /// Whether the address is known to be the owner's. Accounts made by an operator count as verified.
    pub email_verified: bool,
    /// Display name, free text of at most 128 characters; empty when none was given.
    pub name: String,
    /// `https` address of a picture.
    pub avatar_url: Option<String>,
    /// Groups, in the order given.
    pub groups: Vec<Group>,
    /// What the password is checked against.
    pub password: PasswordHash,
    /// Locked by an operator: may not sign in, and has no sessions.
    pub locked: bool,
    /// Locked by the gateway after too many failures, until then. For people to see: what is refused is decided by the
    /// counters of `throttle`.
    pub locked_until: Option<Timestamp>,
    /// When a password reset was last asked for.
    pub reset_requested_at: Option<Timestamp>,
    /// How often a password reset was asked for since the password last changed. A reset link names the number that
    /// it was made at, so that a newer request ends the older links.
    pub reset_requests: u32,
    /// How often the password was set by somebody who did not know it: by a reset link, or by an operator. Personal tokens name
    /// the number that they were made at, so that whoever had the account before has none of them left.
    pub resets: u64,
    /// Raised by everything that must end what was issued before: lock, password change, reset.
    pub generation: u64,
    /// What the account's sessions still have to learn (see [`SessionMark`]).
    pub mark: Option<SessionMark>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// Raised by every write; an update names the version that it was made from.
    pub version: u64,
}

/// Work on an account's sessions that was decided with a change of the account and is not yet known to be done.
///
/// It is stored in the same write as the change, carried out before the change is acknowledged, and cleared after.
/// Whoever finds one later (after a crash, or in the process that holds the sessions) finishes it. The order is by
/// weight: a mark is never replaced by a lighter one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionMark {
    /// Sessions carry an old name, address or groups and must be rewritten.
    Rewrite,
    /// All sessions begun before the change must end.
    End,
    /// All sessions must end, and then the account is removed.
    Remove,
}

impl Account {
    /// Adds work on the sessions to what is still to be done.
    pub fn add_mark(&mut self, mark: SessionMark) {
        self.mark = self.mark.max(Some(mark));
    }

    /// Whether an operator has deleted it, though a process has yet to end its sessions.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.mark == Some(SessionMark::Remove)
    }
}
