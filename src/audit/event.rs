//! What is recorded: the words that stand in logs, in the store and in filters of other programs, so they are stable.

use crate::account::{Account, AccountId};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::session::SessionUser;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use uuid::Uuid;

/// As much of a name as is kept: the longest name that an account may have, twice.
const NAME_LENGTH: usize = 64;

/// As much of `User-Agent` as is kept.
const USER_AGENT_LENGTH: usize = 256;

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
    /// A refresh token was used that had been replaced.
    RefreshTokenReuse,
    /// A personal token was made.
    TokenCreation,
    /// A personal token was revoked.
    TokenRevocation,
    /// What a newer version recorded, before this one took its place again.
    #[serde(other)]
    Unknown,
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

    /// As it is kept, under this id.
    pub(super) fn into_record(self, id: Uuid, at: Timestamp) -> Record {
        Record {
            id,
            at,
            action: self.action,
            outcome: self.outcome,
            reason: self.reason.map(str::to_owned),
            actor: self.actor.bounded(),
            subject: self.subject.map(Party::bounded),
            client: self.client.address,
            user_agent: self.client.user_agent.chars().take(USER_AGENT_LENGTH).collect(),
            request_id: self.client.request_id,
        }
    }
}

impl Party {
    /// Somebody who typed this for a name, and belongs to no account that is known.
    #[must_use]
    pub fn unknown(typed: &str) -> Self {
        Self { account: None, name: typed.chars().take(NAME_LENGTH).collect() }
    }

    /// Whoever runs a command on the machine.
    #[must_use]
    pub fn operator() -> Self {
        Self { account: None, name: "operator".to_owned() }
    }

    fn bounded(mut self) -> Self {
        if let Some((end, _)) = self.name.char_indices().nth(NAME_LENGTH) {
            self.name.truncate(end);
        }
        self
    }
}

impl From<&Account> for Party {
    fn from(account: &Account) -> Self {
        Self { account: Some(account.id), name: account.username.as_str().to_owned() }
    }
}

impl From<&SessionUser> for Party {
    fn from(user: &SessionUser) -> Self {
        Self { account: Some(user.id), name: user.username.clone() }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_is_kept_in_bounds() {
        let client = Client { user_agent: "\u{1f98a}".repeat(300), ..Client::default() };
        let actor = Party { account: None, name: "ß".repeat(70) };
        let event = Event::by(actor, Action::Login, Outcome::Failure, &client).to(Party::unknown(&"é".repeat(70)));
        let record = event.into_record(Uuid::nil(), Timestamp(0));
        assert_eq!((record.actor.name, record.subject.unwrap().name), ("ß".repeat(64), "é".repeat(64)));
        assert_eq!(record.user_agent.chars().count(), 256);
    }

    #[test]
    fn the_words_in_the_log_are_those_in_the_store() {
        assert_eq!(Action::PasswordResetRequest.to_string(), "password_reset_request");
        assert_eq!(serde_json::to_value(Action::PasswordResetRequest).unwrap(), "password_reset_request");
        assert_eq!(Outcome::Failure.to_string(), "failure");
    }
}
