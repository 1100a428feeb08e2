//! Who did what to whom, from where, and how it ended: append-only records, kept in the user store and told to the log.

mod store;

pub use store::{AuditStore, Filter};

use crate::account::{Account, AccountId};
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// What happened. The names are stable: they stand in logs, in the store and in filters of other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Signing in.
    Login,
    /// Signing out.
    Logout,
    /// Making one's own account.
    Registration,
    /// Asking for a link to set a new password.
    PasswordResetRequest,
    /// Setting a new password by such a link.
    PasswordReset,
    /// Changing the password, knowing the current one.
    PasswordChange,
    /// Changing name, display name or picture.
    ProfileChange,
    /// Asking to change the address.
    EmailChangeRequest,
    /// An address was confirmed by the link mailed to it.
    EmailConfirmation,
    /// Giving the password once more before something dangerous.
    Confirmation,
    /// The gateway locked an account after too many failures.
    Lockout,
    /// A session was ended by its owner or an administrator.
    SessionRevocation,
    /// An operator made an account.
    AccountCreation,
    /// An operator locked an account.
    AccountLock,
    /// An operator unlocked an account.
    AccountUnlock,
    /// An operator removed an account.
    AccountDeletion,
    /// An operator set a password.
    PasswordSet,
    /// An operator replaced an account's groups.
    GroupChange,
    /// An invitation was made.
    InvitationCreation,
    /// An invitation was taken back.
    InvitationRevocation,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As wanted.
    Success,
    /// Not as wanted; the reason says why.
    Failure,
}

/// Who did it, or to whom it was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The account, where there is one.
    pub account: Option<AccountId>,
    /// Its name, or what somebody typed for one: untrusted text, at most 64 characters are kept.
    pub name: String,
}

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it failed, as a stable word such as `invalid_credentials`; what was done exactly, where it succeeded.
    pub reason: Option<&'static str>,
    /// Who did it; nobody known for a command on the machine.
    pub actor: Party,
    /// To whom, where that is someone else.
    pub subject: Option<Party>,
    /// From where.
    pub client: Client,
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Identity; ordered by time (UUID version 7).
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Option<String>,
    /// Who did it.
    pub actor: Party,
    /// To whom, where that is someone else.
    pub subject: Option<Party>,
    /// Address it came from.
    pub client: Option<IpAddr>,
    /// `User-Agent`, at most 256 characters.
    pub user_agent: String,
    /// Id of the request.
    pub request_id: String,
}

/// The use case: writing and reading the records.
pub struct Audit {
    pub(crate) store: Arc<dyn AuditStore>,
    pub(crate) clock: SharedClock,
}

impl Audit {
    /// Records an event. It never fails and never waits: the log has it at once, the store soon.
    pub fn record(&self, event: Event) {
        let _ = (&self.store, &self.clock, event);
    }
}

impl Event {
    /// Something that an account did, or tried, to itself.
    #[must_use]
    pub fn by(actor: Party, action: Action, outcome: Outcome, client: &Client) -> Self {
        Self { action, outcome, reason: None, actor, subject: None, client: client.clone() }
    }

    /// With the reason.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Done to someone else.
    #[must_use]
    pub fn to(mut self, subject: Party) -> Self {
        self.subject = Some(subject);
        self
    }
}

impl From<&Account> for Party {
    fn from(account: &Account) -> Self {
        Self { account: Some(account.id), name: account.username.as_str().to_owned() }
    }
}

impl Party {
    /// Somebody who typed this for a name, and belongs to no account that is known.
    #[must_use]
    pub fn unknown(typed: &str) -> Self {
        Self { account: None, name: typed.chars().take(64).collect() }
    }

    /// Whoever runs a command on the machine.
    #[must_use]
    pub fn operator() -> Self {
        Self { account: None, name: "operator".to_owned() }
    }
}
