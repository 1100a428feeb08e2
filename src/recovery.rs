//! Getting back into an account by a link that sets a new password. No HTTP here.
//!
//! Asking for a link is the same work whoever has the address, or nobody: a letter is posted. The account is looked up and
//! the token made when the letter is written, in the background (OWASP Forgot Password Cheat Sheet: no oracle).

mod reset;
#[cfg(test)]
mod tests;

pub use reset::{NewPassword, ResetError};

use crate::account::{Account, AccountId, AccountStore, Email, Hasher, UpdateError};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use crate::config::AccountSettings;
use crate::link_token::{LinkToken, LinkTokens, Purpose};
use crate::login::Login;
use crate::mail::{Asked, Letter, Outbox};
use crate::registration::FieldProblem;
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use crate::throttle::{Throttle, Throttled, TooMany};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The use case: asking for, making and using links that set a new password.
#[derive(Clone)]
pub struct Recovery {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) tokens: LinkTokens,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) marks: SessionMarks,
    pub(crate) login: Arc<Login>,
    pub(crate) settings: AccountSettings,
    /// `server.prefix`, under which our page for new passwords is.
    pub(crate) prefix: String,
    /// Whether mails leave this site.
    pub(crate) sends_mail: bool,
}

/// A link to be mailed.
pub struct Issued {
    /// To whose owner, at the address that is stored.
    pub account: Account,
    /// The link, token included: for the mail only.
    pub link: String,
    /// When it ends.
    pub until: Timestamp,
}

/// Why no link was asked for.
#[derive(Debug)]
pub enum RequestError {
    /// This site cannot mail links: it sends no mail, or has no address of its own that a link may lead to.
    NoMail,
    /// What was typed is no address.
    Invalid(FieldProblem),
    /// Too many requests by this client, or for this address, whether or not somebody has it.
    TooMany(TooMany),
    /// A store failed.
    Unavailable(StoreError),
}

/// What is kept of a token. It works only while the account is still as it was then: a newer request, another password
/// and another address each end it.
#[derive(Serialize, Deserialize)]
struct ResetRecord {
    account: AccountId,
    generation: u64,
    email: String,
    request: u32,
    until: Timestamp,
}

/// How often a change is tried when others write the same account.
const ATTEMPTS: usize = 5;

impl Recovery {
    /// Whether links can be mailed; `base` is the origin that they would begin with, where there is one.
    #[must_use]
    pub fn is_possible(&self, base: Option<&str>) -> bool {
        self.sends_mail && (base.is_some() || self.settings.reset.url.is_some())
    }

    /// Asks for a link for whoever has this address, as typed. Nothing in the answer, and nothing in the time it takes,
    /// depends on whether somebody has it.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub async fn request(&self, typed: &str, base: Option<String>, client: &Client) -> Result<(), RequestError> {
        if !self.is_possible(base.as_deref()) {
            return Err(RequestError::NoMail);
        }
        let address = Email::parse(typed.trim()).map_err(|error| RequestError::Invalid(FieldProblem::new("email", "invalid", &error)))?;
        let asked = |outcome| Event::by(Party::unknown(address.canonical()), Action::PasswordResetRequest, outcome, client);
        if let Err(throttled) = self.throttle.reset_request(client, &address).await {
            self.audit.record(asked(Outcome::Failure).because("rate_limited"));
            return Err(throttled.into());
        }
        let (address_key, asked_by) = (address.canonical().to_owned(), Asked::by(client, self.clock.now()));
        let letter = Letter::PasswordReset { address: address_key, base: base.unwrap_or_default(), asked: asked_by };
        self.outbox.post(&letter).await?;
        self.audit.record(asked(Outcome::Success));
        Ok(())
    }

    /// A link that sets a new password, for whoever has this address; `None` where nobody has it, or an operator locked
    /// the account. Called when the mail is written, not when it is asked for. A letter that is written once more is no
    /// newer request: what was mailed for it before still works.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn issue_reset(&self, address: &Email, base: &str, asked: &Asked) -> Result<Option<Issued>, StoreError> {
        let Some(account) = self.note_request(address, asked).await? else { return Ok(None) };
        let lifetime = self.settings.reset.token_lifetime;
        let record = ResetRecord::of(&account, self.clock.now().plus(lifetime));
        let (token, until) = self.tokens.issue(Purpose::PasswordReset, &record, lifetime).await?;
        Ok(Some(Issued { account, link: self.link(base, &token), until }))
    }

    /// Keeps in the account that a link was asked for, which ends the links of older requests.
    async fn note_request(&self, address: &Email, asked: &Asked) -> Result<Option<Account>, StoreError> {
        for _ in 0..ATTEMPTS {
            let found = self.accounts.find_by_email(address).await?;
            let Some(mut account) = found.filter(may_reset) else { return Ok(None) };
            if account.reset_requested_at >= Some(asked.at) {
                return Ok(Some(account));
            }
            self.marks.settle(&mut account).await?;
            account.reset_requested_at = Some(asked.at);
            account.reset_requests = account.reset_requests.saturating_add(1);
            match self.accounts.update(&account).await {
                Ok(()) => {
                    account.version += 1;
                    self.audit.record(requested(&account, asked));
                    return Ok(Some(account));
                }
                Err(UpdateError::Store(error)) => return Err(error),
                Err(UpdateError::Conflict | UpdateError::Taken(_)) => {}
            }
        }
        Err(contended())
    }

    /// The address of the page that takes the token: our own, or the one that `accounts.reset.url` names.
    fn link(&self, base: &str, token: &LinkToken) -> String {
        match &self.settings.reset.url {
            Some(page) => page.replace("{token}", token.expose()),
            None => format!("{base}{}/reset?token={}", self.prefix, token.expose()),
        }
    }

    /// Whose password the token sets, while it works. Looking spends nothing: mail scanners open links, too.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn open(&self, token: &LinkToken) -> Result<Option<Account>, StoreError> {
        match self.tokens.read(Purpose::PasswordReset, token).await? {
            Some(record) => self.account_of(&record).await,
            None => Ok(None),
        }
    }

    /// The account that a token is for, if nothing has ended the token.
    async fn account_of(&self, record: &ResetRecord) -> Result<Option<Account>, StoreError> {
        let found = self.accounts.find(record.account).await?;
        Ok(found.filter(|account| may_reset(account) && record.fits(account)))
    }
}

impl ResetRecord {
    fn of(account: &Account, until: Timestamp) -> Self {
        Self {
            account: account.id,
            generation: account.generation,
            email: account.email.canonical().to_owned(),
            request: account.reset_requests,
            until,
        }
    }

    fn fits(&self, account: &Account) -> bool {
        self.generation == account.generation && self.request == account.reset_requests && self.email == account.email.canonical()
    }
}

/// What an operator has locked stays so: a reset is no way around it.
fn may_reset(account: &Account) -> bool {
    !account.locked && !account.is_deleted()
}

fn requested(account: &Account, asked: &Asked) -> Event {
    let client = Client { address: asked.client, user_agent: asked.user_agent.clone(), ..Client::default() };
    Event::by(Party::from(account), Action::PasswordResetRequest, Outcome::Success, &client).because("link_sent")
}

fn contended() -> StoreError {
    StoreError("an account was changed by others again and again while its password was to be reset".to_owned())
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("account", &self.account.id).field("until", &self.until).finish_non_exhaustive()
    }
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<Throttled> for RequestError {
    fn from(throttled: Throttled) -> Self {
        match throttled {
            Throttled::TooMany(limit) => Self::TooMany(limit),
            Throttled::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
