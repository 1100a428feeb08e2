//! Whose account an attempt is about, whether or not there is one.

use crate::account::{Account, AccountId, Email, Username};
use crate::audit::Party;
use crate::client::Client;

/// Whose account an attempt is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    party: Party,
    generation: Option<u64>,
    subject: String,
}

impl Target {
    /// The account, or, where nobody has the name, what was typed in its canonical form: it is counted like an account.
    #[must_use]
    pub fn of(account: Option<&Account>, typed: &str) -> Self {
        account.map_or_else(|| Self::unknown(typed), Self::from)
    }

    /// Nobody's.
    #[must_use]
    pub fn unknown(typed: &str) -> Self {
        Self { party: Party::unknown(typed), generation: None, subject: format!("unknown {}", canonical(typed)) }
    }

    /// Who that is, for the records.
    #[must_use]
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// What it is counted under: the account, whatever name or address was typed, or the typed name.
    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    /// What an account is counted under.
    pub(crate) fn subject_of(account: AccountId) -> String {
        format!("account {account}")
    }

    /// The client's browser, if the account knows it.
    pub(super) fn known_device(&self, client: &Client) -> Option<String> {
        client.device.known_to(self.party.account?, self.generation?)
    }
}

impl From<&Account> for Target {
    fn from(account: &Account) -> Self {
        Self { party: Party::from(account), generation: Some(account.generation), subject: Self::subject_of(account.id) }
    }
}

fn canonical(typed: &str) -> String {
    let typed = typed.trim();
    match (Username::parse(typed), Email::parse(typed)) {
        (Ok(username), _) => username.canonical(),
        (_, Ok(email)) => email.canonical().to_owned(),
        _ => typed.to_lowercase(),
    }
}
