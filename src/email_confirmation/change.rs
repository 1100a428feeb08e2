//! Wanting another address: who knows the current password may say which, and the new address is mailed a link.

use super::{EmailConfirmation, LIFETIME, wish_key};
use crate::account::{Account, AccountId, Email, HashError, Password};
use crate::audit::{Action, Event, Outcome, Party};
use crate::client::Client;
use crate::registration::FieldProblem;
use crate::store::StoreError;
use crate::throttle::{Endpoint, Target, Throttled, TooMany};
use serde::{Deserialize, Serialize};

/// Another address that somebody wants for their account.
pub struct AddressChange {
    /// Whose.
    pub account: AccountId,
    /// The new address, as typed.
    pub email: String,
    /// The current password, as typed.
    pub current_password: Password,
    /// Origin of the link.
    pub base: Option<String>,
    /// Who wants it.
    pub client: Client,
}

/// Why no link was mailed.
#[derive(Debug)]
pub enum ChangeError {
    /// This site cannot mail links: it sends no mail, or has no address of its own that a link may lead to.
    NoMail,
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// The current password is wrong.
    WrongPassword,
    /// The account is gone.
    Gone,
    /// Too many attempts, or too many mails.
    TooMany(TooMany),
    /// Too many passwords are being hashed.
    Busy,
    /// A store failed.
    Unavailable(StoreError),
}

/// What is kept of a wish; a change of the password ends it, so that it does not outlive whoever stole the old one.
#[derive(Serialize, Deserialize)]
struct Wish {
    generation: u64,
    address: String,
}

impl EmailConfirmation {
    /// Mails a link to the new address. The answer, and the time it takes, are the same where the address belongs to
    /// another account, whose owner is told instead.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn request_change(&self, change: AddressChange) -> Result<Email, ChangeError> {
        if !self.is_possible(change.base.as_deref()) {
            return Err(ChangeError::NoMail);
        }
        let account = self.accounts.find(change.account).await?.ok_or(ChangeError::Gone)?;
        let requested = |outcome| Event::by(Party::from(&account), Action::EmailChangeRequest, outcome, &change.client);
        let done = self.try_change(&account, &change).await;
        match &done {
            Ok(_) => self.audit.record(requested(Outcome::Success)),
            Err(ChangeError::WrongPassword) => self.audit.record(requested(Outcome::Failure).because("invalid_credentials")),
            Err(ChangeError::TooMany(_)) => self.audit.record(requested(Outcome::Failure).because("rate_limited")),
            Err(_) => {}
        }
        done
    }

    /// Mails a link to the present address.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn request_again(&self, account: &Account, base: Option<&str>, client: &Client) -> Result<(), ChangeError> {
        if !self.is_possible(base) {
            return Err(ChangeError::NoMail);
        }
        self.throttle.mail_for(account.id).await?;
        Ok(self.post_link(account.id, &account.email, base, client).await?)
    }

    /// The same for somebody who gave the right password and cannot sign in before the address is confirmed. Best effort, and
    /// nothing where they were mailed enough: what they are told is the same.
    pub async fn remind(&self, account: &Account, base: Option<&str>, client: &Client) {
        if let Err(ChangeError::Unavailable(error)) = self.request_again(account, base, client).await {
            tracing::error!(event = "mail_not_posted", %error, "a link to confirm an address is not mailed");
        }
    }

    async fn try_change(&self, account: &Account, change: &AddressChange) -> Result<Email, ChangeError> {
        let address = check(account, &change.email)?;
        let counted = self.throttle.attempt(Endpoint::CurrentPassword, &change.client, &Target::from(account)).await?;
        let verified = self.hasher.verify(&change.current_password, Some(&account.password)).await;
        if matches!(verified, Ok(false)) {
            self.throttle.failed(counted).await;
            return Err(ChangeError::WrongPassword);
        }
        self.throttle.give_back(counted).await;
        verified?;
        self.throttle.mail_for(account.id).await?;
        self.want(account, &address).await?;
        if self.belongs_to_another(account, &address).await? {
            self.tell_owner(&address, change.base.as_deref(), &change.client).await?;
        } else {
            self.post_link(account.id, &address, change.base.as_deref(), &change.client).await?;
        }
        Ok(address)
    }

    /// Keeps the wish for as long as a mail may be under way and its link then works.
    async fn want(&self, account: &Account, address: &Email) -> Result<(), StoreError> {
        let wish = Wish { generation: account.generation, address: address.as_str().to_owned() };
        let wish = serde_json::to_vec(&wish).map_err(|error| StoreError(format!("a wish cannot be written: {error}")))?;
        let now = self.clock.now();
        self.tokens.store.put(&wish_key(account.id), &wish, now, now.plus(2 * LIFETIME)).await
    }

    /// The address that the account is to have once it is confirmed.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn wanted(&self, account: &Account) -> Result<Option<Email>, StoreError> {
        let found = self.tokens.store.read(&wish_key(account.id), self.clock.now()).await?;
        let wish: Option<Wish> = found.and_then(|wish| serde_json::from_slice(&wish).ok());
        let wish = wish.filter(|wish| wish.generation == account.generation);
        Ok(wish.and_then(|wish| Email::parse(&wish.address).ok()).filter(|address| *address != account.email))
    }
}

fn check(account: &Account, typed: &str) -> Result<Email, ChangeError> {
    let invalid = |code, message: &dyn std::fmt::Display| ChangeError::Invalid(vec![FieldProblem::new("email", code, message)]);
    let address = Email::parse(typed.trim()).map_err(|error| invalid("invalid", &error))?;
    if address == account.email {
        return Err(invalid("unchanged", &"this is your address already, write another one"));
    }
    Ok(address)
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<HashError> for ChangeError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}

impl From<Throttled> for ChangeError {
    fn from(throttled: Throttled) -> Self {
        match throttled {
            Throttled::TooMany(limit) => Self::TooMany(limit),
            Throttled::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
