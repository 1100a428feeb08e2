//! Making one's own account. No HTTP here.

#[cfg(test)]
mod tests;
mod values;

pub use values::FieldProblem;
pub(crate) use values::{check_groups, check_username};

use crate::account::{Account, AccountId, AccountStore, CreateError, Field, HashError, Hasher, Password, SessionMark, UpdateError};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::config::{self, AccountSettings};
use crate::email_confirmation::EmailConfirmation;
use crate::invitation::{Invitation, Invitations};
use crate::store::StoreError;
use crate::throttle::{Endpoint, Throttle, Throttled, TooMany};
use std::sync::Arc;
use values::{Names, Values};

/// The use case: turns what somebody typed into an account.
pub struct Registration {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) invitations: Arc<Invitations>,
    pub(crate) email_confirmation: Arc<EmailConfirmation>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) settings: AccountSettings,
}

/// What somebody who wants an account gives, as typed.
pub struct NewAccount {
    /// Made from the address when absent (JSON only).
    pub username: Option<String>,
    /// Address; may be empty where the invitation names one.
    pub email: String,
    /// Password.
    pub password: Password,
    /// Token of an invitation; empty: none.
    pub invite: String,
    /// Origin of the link that confirms the address.
    pub base: Option<String>,
    /// Where it comes from.
    pub client: Client,
}

/// Why no account was made.
#[derive(Debug)]
pub enum RegistrationError {
    /// Registration is closed.
    Closed,
    /// The invitation is missing, unknown, used or expired.
    InviteInvalid,
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// Another account has the name.
    UsernameTaken,
    /// Another account has the address; this one would have been made.
    EmailTaken(Box<Account>),
    /// Too many accounts were asked for.
    TooMany(TooMany),
    /// Too many passwords are being hashed.
    Busy,
    /// A store failed.
    Unavailable(StoreError),
}

impl Registration {
    /// Whether anyone may register.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.settings.registration == config::Registration::Open
    }

    /// Whether nobody may, invited or not.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.settings.registration == config::Registration::Closed
    }

    /// Whether the account's address must be confirmed before anyone can sign in to it.
    #[must_use]
    pub fn must_confirm(&self, account: &Account) -> bool {
        self.settings.verify_email && !account.email_verified
    }

    /// The invitation that a link's token opens; `None` where none was given and none is needed.
    ///
    /// # Errors
    /// Closed, a bad invitation, or a store that failed.
    pub async fn invitation(&self, token: &str) -> Result<Option<Invitation>, RegistrationError> {
        match self.settings.registration {
            config::Registration::Closed => Err(RegistrationError::Closed),
            config::Registration::Open if token.is_empty() => Ok(None),
            config::Registration::Open | config::Registration::Invite => {
                self.invitations.open(token).await?.ok_or(RegistrationError::InviteInvalid).map(Some)
            }
        }
    }

    /// Makes an account, and mails a link that confirms its address where that is asked for. A taken name or address is found
    /// out after the password was hashed, so that the time it takes tells nothing.
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn register(&self, new: &NewAccount) -> Result<Account, RegistrationError> {
        let made = self.make(new).await;
        self.record(new, &made);
        let account = made?;
        if self.must_confirm(&account) {
            self.email_confirmation.ask(&account, new.base.as_deref(), &new.client).await;
        }
        Ok(account)
    }

    /// The same for whoever must not learn whether an address has an account: an address that has one is answered like a new one,
    /// for the same work, and its owner is told by mail. The account that was made, or would have been.
    ///
    /// # Errors
    /// See [`RegistrationError`]; never a taken address.
    pub async fn register_discreetly(&self, new: &NewAccount) -> Result<Account, RegistrationError> {
        match self.register(new).await {
            Err(RegistrationError::EmailTaken(unmade)) => {
                self.answer_as_if_new(&unmade, new).await?;
                Ok(*unmade)
            }
            made => made,
        }
    }

    /// A letter in place of the account that is not made, and where a new address would be mailed a link, one that is dropped
    /// when it is written, since nobody has the account.
    async fn answer_as_if_new(&self, unmade: &Account, new: &NewAccount) -> Result<(), StoreError> {
        self.email_confirmation.tell_owner(&unmade.email, new.base.as_deref(), &new.client).await?;
        if self.must_confirm(unmade) {
            self.email_confirmation.ask(unmade, new.base.as_deref(), &new.client).await;
        }
        Ok(())
    }

    async fn make(&self, new: &NewAccount) -> Result<Account, RegistrationError> {
        let invitation = self.invitation(&new.invite).await?;
        let values = Values::check(new, invitation.as_ref(), &self.settings, self.hasher.algorithm())?;
        let counted = self.throttle.request(Endpoint::Register, &new.client).await?;
        let made = self.make_of(new, values, invitation).await;
        // A taken address is given back as a new one is: forms must not tell them apart, not even by the time it takes.
        if !matches!(made, Err(RegistrationError::UsernameTaken | RegistrationError::InviteInvalid)) {
            self.throttle.give_back(counted).await;
        }
        made
    }

    async fn make_of(&self, new: &NewAccount, values: Values, invitation: Option<Invitation>) -> Result<Account, RegistrationError> {
        let password = self.hasher.hash(&new.password).await?;
        let now = self.clock.now();
        let account = Account {
            id: AccountId::new(now),
            username: values.names.first().clone(),
            email: values.email,
            email_verified: invitation.as_ref().is_some_and(|invitation| invitation.email.is_some()),
            name: String::new(),
            avatar_url: None,
            groups: invitation.as_ref().map(|invitation| invitation.groups.clone()).unwrap_or_default(),
            password,
            locked: false,
            locked_until: None,
            reset_requested_at: None,
            reset_requests: 0,
            resets: 0,
            generation: 1,
            mark: None,
            created_at: now,
            version: 1,
        };
        match invitation {
            Some(invitation) => self.create_invited(&invitation, account, &values.names).await,
            None => self.create(account, &values.names).await,
        }
    }

    async fn create(&self, mut account: Account, names: &Names) -> Result<Account, RegistrationError> {
        for name in names.candidates(&self.settings.reserved_usernames) {
            account.username = name;
            match self.accounts.create(&account).await {
                Ok(()) => return Ok(account),
                Err(CreateError::Taken(Field::Username)) => {}
                Err(CreateError::Taken(Field::Email)) => return Err(RegistrationError::EmailTaken(Box::new(account))),
                Err(CreateError::Store(error)) => return Err(RegistrationError::Unavailable(error)),
            }
        }
        Err(RegistrationError::UsernameTaken)
    }

    /// Makes the account that an invitation is claimed for. What cannot be taken costs no invitation; where it is not known
    /// whether the account was made, the claim is left to be settled by looking.
    async fn create_invited(&self, invitation: &Invitation, account: Account, names: &Names) -> Result<Account, RegistrationError> {
        let id = account.id;
        if !self.invitations.claim(invitation, id).await? {
            return Err(RegistrationError::InviteInvalid);
        }
        match self.create(account, names).await {
            Ok(account) => self.redeem(invitation, account).await,
            Err(error @ RegistrationError::Unavailable(_)) => Err(error),
            Err(error) => {
                self.invitations.release(invitation, id).await?;
                Err(error)
            }
        }
    }

    /// An account whose invitation was revoked meanwhile, or settled for somebody else since this took so long, is taken back.
    async fn redeem(&self, invitation: &Invitation, account: Account) -> Result<Account, RegistrationError> {
        match self.invitations.redeem(invitation, account.id).await {
            Ok(true) => Ok(account),
            Ok(false) => {
                let mut unmade = Account { locked: true, generation: account.generation + 1, ..account };
                unmade.add_mark(SessionMark::Remove);
                self.accounts.update(&unmade).await.map_err(unwritten)?;
                Err(RegistrationError::InviteInvalid)
            }
            Err(error) => {
                tracing::warn!(event = "invitation_use_unnoted", %error, account = %account.id, "an invitation was used, and is noted as used when the store answers again");
                Ok(account)
            }
        }
    }

    fn record(&self, new: &NewAccount, made: &Result<Account, RegistrationError>) {
        match made {
            Ok(account) => {
                let event = Event::by(Party::from(account), Action::Registration, Outcome::Success, &new.client);
                self.audit.record(if new.invite.is_empty() { event } else { event.because("invited") });
            }
            Err(error) => self.record_refusal(new.username.as_deref().unwrap_or(&new.email), &new.client, error),
        }
    }

    /// Records that whoever wanted this name got no account, also where that was found out before anything was tried.
    pub fn record_refusal(&self, name: &str, client: &Client, error: &RegistrationError) {
        let reason = match error {
            RegistrationError::InviteInvalid => "invite_invalid",
            RegistrationError::UsernameTaken => "username_taken",
            RegistrationError::EmailTaken(_) => "email_taken",
            RegistrationError::TooMany(_) => "rate_limited",
            _ => return,
        };
        let failed = Event::by(Party::unknown(name), Action::Registration, Outcome::Failure, client);
        self.audit.record(failed.because(reason));
    }
}

fn unwritten(error: UpdateError) -> RegistrationError {
    RegistrationError::Unavailable(match error {
        UpdateError::Store(error) => error,
        UpdateError::Conflict | UpdateError::Taken(_) => StoreError("an account without an invitation could not be taken back".to_owned()),
    })
}

impl From<StoreError> for RegistrationError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<HashError> for RegistrationError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}

impl From<Throttled> for RegistrationError {
    fn from(throttled: Throttled) -> Self {
        match throttled {
            Throttled::TooMany(limit) => Self::TooMany(limit),
            Throttled::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
