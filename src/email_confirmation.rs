//! Showing an address to be one's own by a link mailed to it, after registering or when changing the address. No HTTP here.
//!
//! A change is only *wanted* until the new address is confirmed: the account keeps the old one, and what is wanted is kept
//! beside the tokens. A newer wish replaces it, which ends the links to an address that was mistyped.

mod change;
#[cfg(test)]
mod tests;

pub use change::{AddressChange, ChangeError};

use crate::account::{Account, AccountId, AccountStore, Email, Hasher, SessionMark, UpdateError};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::link_token::{LinkToken, LinkTokens, Purpose};
use crate::mail::{Asked, Letter, Outbox};
use crate::recovery::Issued;
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use crate::throttle::Throttle;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The use case: asking for, making and using links that confirm an address.
pub struct EmailConfirmation {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) tokens: LinkTokens,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) marks: SessionMarks,
    /// `server.prefix`, under which the page is that links lead to.
    pub(crate) prefix: String,
    /// Whether mails leave this site.
    pub(crate) sends_mail: bool,
}

/// Why an address was not confirmed.
#[derive(Debug)]
pub enum ConfirmError {
    /// The link does not work: never made, expired, used, or ended by a newer wish or a change of the account.
    BadToken,
    /// A store failed; the link still works.
    Unavailable(StoreError),
}

/// What is kept of a token. It works only while the account is still as it was then.
#[derive(Serialize, Deserialize)]
struct Record {
    account: AccountId,
    generation: u64,
    address: String,
}

/// How long a link works.
pub const LIFETIME: Duration = Duration::from_hours(24);

/// How often a change is tried when others write the same account.
const ATTEMPTS: usize = 5;

impl EmailConfirmation {
    /// Whether links can be mailed; `base` is the origin that they would begin with, where there is one.
    #[must_use]
    pub fn is_possible(&self, base: Option<&str>) -> bool {
        self.sends_mail && base.is_some()
    }

    /// Mails a link to the account's own address. Where it cannot be mailed this does nothing, as it does where it fails:
    /// signing in mails another one.
    pub async fn ask(&self, account: &Account, base: Option<&str>, client: &Client) {
        if let Err(error) = self.post_link(account.id, &account.email, base, client).await {
            tracing::error!(event = "mail_not_posted", %error, "a link to confirm an address is not mailed");
        }
    }

    async fn post_link(&self, account: AccountId, address: &Email, base: Option<&str>, client: &Client) -> Result<(), StoreError> {
        let Some(base) = base.filter(|_| self.sends_mail) else { return Ok(()) };
        let asked = Asked::by(client, self.clock.now());
        let letter = Letter::ConfirmEmail { account, address: address.as_str().to_owned(), base: base.to_owned(), asked };
        self.outbox.post(&letter).await
    }

    /// Tells the owner of an address that somebody else gave it for theirs. This is one durable write, as an account or a link
    /// to be mailed is, also where there is no mail: the time it takes must not tell that somebody has the address.
    pub(crate) async fn tell_owner(&self, address: &Email, base: Option<&str>, client: &Client) -> Result<(), StoreError> {
        let now = self.clock.now();
        if !self.sends_mail {
            let nobody = AccountId::new(now);
            return self.tokens.store.put(&wish_key(nobody), address.canonical().as_bytes(), now, now.plus(LIFETIME)).await;
        }
        let (base, asked) = (base.map(str::to_owned), Asked::by(client, now));
        self.outbox.post(&Letter::AddressTaken { address: address.canonical().to_owned(), base, asked }).await
    }

    /// Whether the owner of a taken address is told once more. Counts it; asked when the mail is written.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn may_warn(&self, owner: &Account) -> Result<bool, StoreError> {
        self.throttle.warning(owner.id).await
    }

    /// A link that shows this address to be the account's owner's; `None` where the account is gone or locked by an
    /// operator, does not want the address (any more), or has confirmed it, or where it belongs to another account by now.
    /// Called when the mail is written, not when it is asked for.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn issue(&self, account: AccountId, address: &Email, base: &str) -> Result<Option<Issued>, StoreError> {
        let Some(account) = self.accounts.find(account).await? else { return Ok(None) };
        let record = Record { account: account.id, generation: account.generation, address: address.as_str().to_owned() };
        let is_done = account.email_verified && account.email == *address;
        if is_done || !self.fits(&record, &account).await? || self.belongs_to_another(&account, address).await? {
            return Ok(None);
        }
        if !self.throttle.mail_to(address).await? {
            return Ok(None);
        }
        let (token, until) = self.tokens.issue(Purpose::EmailConfirmation, &record, LIFETIME).await?;
        Ok(Some(Issued { account, link: format!("{base}{}/verify-email?token={}", self.prefix, token.expose()), until }))
    }

    /// The account and the address that the token confirms, while it works. Looking spends nothing: mail scanners open
    /// links, too.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn open(&self, token: &LinkToken) -> Result<Option<(Account, Email)>, StoreError> {
        let Some(record) = self.tokens.read::<Record>(Purpose::EmailConfirmation, token).await? else { return Ok(None) };
        let (found, address) = (self.accounts.find(record.account).await?, Email::parse(&record.address));
        match (found, address) {
            (Some(account), Ok(address)) if self.fits(&record, &account).await? => Ok(Some((account, address))),
            _ => Ok(None),
        }
    }

    /// Makes the address the account's confirmed one; its sessions carry it, and its former owner's mailbox is told, when
    /// this returns. The token is spent last, so that a failure before leaves a link that can be tried again.
    ///
    /// # Errors
    /// See [`ConfirmError`].
    pub async fn confirm(&self, token: &LinkToken, client: &Client) -> Result<Account, ConfirmError> {
        for _ in 0..ATTEMPTS {
            let Some((mut account, address)) = self.open(token).await? else { return Err(self.refuse(client)) };
            self.marks.settle(&mut account).await?;
            let (former, was_verified) = (account.email.clone(), account.email_verified);
            let is_change = former != address;
            if is_change || !was_verified {
                account.email = address;
                account.email_verified = true;
                account.add_mark(SessionMark::Rewrite);
                match self.accounts.update(&account).await {
                    Ok(()) => account.version += 1,
                    Err(UpdateError::Conflict) => continue,
                    Err(UpdateError::Taken(_)) => return Err(self.refuse(client)),
                    Err(UpdateError::Store(error)) => return Err(error.into()),
                }
                self.note(&account, is_change.then_some(former), client).await;
            }
            self.marks.carry_out(&mut account).await?;
            self.tokens.take::<Record>(Purpose::EmailConfirmation, token).await?;
            if is_change {
                self.tokens.store.take(&wish_key(account.id), self.clock.now()).await?;
            }
            return Ok(account);
        }
        Err(StoreError("an account was changed by others again and again while its address was to be confirmed".to_owned()).into())
    }

    /// The address is confirmed by now: that this cannot be told must not look as if it were not.
    async fn note(&self, account: &Account, former: Option<Email>, client: &Client) {
        let event = Event::by(Party::from(account), Action::EmailConfirmation, Outcome::Success, client);
        let Some(former) = former else { return self.audit.record(event) };
        self.audit.record(event.because("address_changed"));
        let asked = Asked::by(client, self.clock.now());
        let letter = Letter::EmailChanged { account: account.id, former: former.as_str().to_owned(), asked };
        if let Err(error) = self.outbox.post(&letter).await {
            tracing::error!(event = "mail_not_posted", %error, account = %account.id, "a former address is not told of its change");
        }
    }

    /// Records that a link did not work, also where that was found out before anything was tried.
    pub fn record_refusal(&self, client: &Client) {
        let failed = Event::by(Party::unknown(""), Action::EmailConfirmation, Outcome::Failure, client);
        self.audit.record(failed.because("invalid_token"));
    }

    fn refuse(&self, client: &Client) -> ConfirmError {
        self.record_refusal(client);
        ConfirmError::BadToken
    }

    /// Whether nothing has ended what a token was made for: a lock, another password, another wish.
    async fn fits(&self, record: &Record, account: &Account) -> Result<bool, StoreError> {
        if account.locked || account.is_deleted() || record.generation != account.generation {
            return Ok(false);
        }
        let Ok(address) = Email::parse(&record.address) else { return Ok(false) };
        Ok(account.email == address || self.wanted(account).await? == Some(address))
    }

    async fn belongs_to_another(&self, account: &Account, address: &Email) -> Result<bool, StoreError> {
        Ok(self.accounts.find_by_email(address).await?.is_some_and(|owner| owner.id != account.id))
    }
}

/// Under which the address is kept that an account is to have once it is confirmed.
fn wish_key(account: AccountId) -> String {
    format!("email_change:{account}")
}

impl From<StoreError> for ConfirmError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}
