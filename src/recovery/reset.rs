//! Using a link: the token is spent, the password set and every session ended; then this browser is signed in.

use super::{ATTEMPTS, Recovery, ResetRecord, contended};
use crate::account::{Account, HashError, Password, PasswordHash, SessionMark, UpdateError};
use crate::audit::{Action, Event, Outcome, Party};
use crate::client::Client;
use crate::link_token::{LinkToken, Purpose};
use crate::login::{LoginError, SignedIn};
use crate::mail::{Asked, Letter};
use crate::registration::FieldProblem;
use crate::session::SessionKey;
use crate::store::StoreError;
use crate::throttle::{Endpoint, Throttled, TooMany};

/// A password to be set by a link.
pub struct NewPassword {
    /// The link's token; `None` where what was presented cannot be one.
    pub token: Option<LinkToken>,
    /// Password, as typed.
    pub password: Password,
    /// Who sets it.
    pub client: Client,
}

/// Why no password was set.
#[derive(Debug)]
pub enum ResetError {
    /// The link does not work: never made, expired, used, or ended by a newer one, a change of the account or a lock.
    BadToken,
    /// The password is not good enough; the link still works.
    Invalid(Vec<FieldProblem>),
    /// Too many attempts.
    TooMany(TooMany),
    /// Too many passwords are being hashed; the link still works.
    Busy,
    /// A store failed.
    Unavailable(StoreError),
}

impl Recovery {
    /// Sets the password and signs the browser in, in place of whoever it was signed in as. The two are steps of their own:
    /// whatever else shows who somebody is, a second factor for one, belongs between them.
    ///
    /// # Errors
    /// See [`ResetError`].
    pub async fn reset_and_sign_in(&self, new: NewPassword, replaces: Option<SessionKey>) -> Result<SignedIn, ResetError> {
        let client = new.client.clone();
        let account = self.reset(new).await?;
        Ok(self.login.admit(account, false, &client, replaces).await?)
    }

    /// Spends the token and sets the password. All sessions of the account have ended when this returns, and its owner
    /// is mailed. What is wrong with a password is found out before the token is spent; of many who use one token at
    /// once, one succeeds.
    ///
    /// # Errors
    /// See [`ResetError`].
    pub async fn reset(&self, new: NewPassword) -> Result<Account, ResetError> {
        self.throttle.knock(Endpoint::ResetConfirm, &new.client)?;
        let Some((token, account)) = self.opened(new.token).await? else { return Err(self.refuse(&new.client).await) };
        self.check_password(&account, &new.password)?;
        let mut account = self.spend(&token, &new.password).await?;
        self.audit.record(Event::by(Party::from(&account), Action::PasswordReset, Outcome::Success, &new.client));
        self.tell_owner(&account, &new.client).await;
        self.throttle.lift(account.id, &new.client).await;
        self.marks.carry_out(&mut account).await?;
        Ok(account)
    }

    async fn opened(&self, token: Option<LinkToken>) -> Result<Option<(LinkToken, Account)>, StoreError> {
        let Some(token) = token else { return Ok(None) };
        Ok(self.open(&token).await?.map(|account| (token, account)))
    }

    /// A token that does not work is a failure of whoever presents it; one that works is never held up by those.
    async fn refuse(&self, client: &Client) -> ResetError {
        let failed = Event::by(Party::unknown(""), Action::PasswordReset, Outcome::Failure, client);
        let counted = self.throttle.request(Endpoint::ResetConfirm, client).await;
        let is_limited = matches!(counted, Err(Throttled::TooMany(_)));
        self.audit.record(failed.because(if is_limited { "rate_limited" } else { "invalid_token" }));
        counted.map_or_else(ResetError::from, |_counted| ResetError::BadToken)
    }

    fn check_password(&self, account: &Account, new: &Password) -> Result<(), ResetError> {
        let names = [account.username.as_str(), account.email.as_str(), account.email.local_part()];
        self.settings
            .password
            .check(new, &names, self.hasher.algorithm())
            .map_err(|problem| ResetError::Invalid(vec![FieldProblem::new("password", problem.code(), &problem)]))
    }

    /// Takes the token, and puts it back where that led to nothing.
    async fn spend(&self, token: &LinkToken, password: &Password) -> Result<Account, ResetError> {
        let hash = self.hasher.hash(password).await?;
        let taken: Option<ResetRecord> = self.tokens.take(Purpose::PasswordReset, token).await?;
        let Some(record) = taken else { return Err(ResetError::BadToken) };
        match self.store_password(&record, &hash).await {
            Ok(Some(account)) => Ok(account),
            Ok(None) => Err(ResetError::BadToken),
            Err(error) => {
                self.tokens.put_back(Purpose::PasswordReset, token, &record, record.until).await?;
                Err(error.into())
            }
        }
    }

    /// Stores the new hash, whatever else of the account is changed meanwhile; `None` where that ended the link. The link
    /// came by mail, which shows the address to be the owner's.
    async fn store_password(&self, record: &ResetRecord, hash: &PasswordHash) -> Result<Option<Account>, StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(account) = self.account_of(record).await? else { return Ok(None) };
            let mut changed = Account {
                password: hash.clone(),
                generation: account.generation + 1,
                resets: account.resets + 1,
                reset_requests: 0,
                email_verified: true,
                locked_until: None,
                ..account
            };
            changed.add_mark(SessionMark::End);
            match self.accounts.update(&changed).await {
                Ok(()) => return Ok(Some(Account { version: changed.version + 1, ..changed })),
                Err(UpdateError::Store(error)) => return Err(error),
                Err(UpdateError::Conflict | UpdateError::Taken(_)) => {}
            }
        }
        Err(contended())
    }

    /// The password is set by now: that it cannot be told must not look as if it were not.
    async fn tell_owner(&self, account: &Account, client: &Client) {
        let letter = Letter::PasswordChanged { account: account.id, asked: Asked::by(client, self.clock.now()) };
        if let Err(error) = self.outbox.post(&letter).await {
            tracing::error!(event = "mail_not_posted", %error, account = %account.id, "the owner is not told of a new password");
        }
    }
}

impl From<StoreError> for ResetError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<HashError> for ResetError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}

impl From<Throttled> for ResetError {
    fn from(throttled: Throttled) -> Self {
        match throttled {
            Throttled::TooMany(limit) => Self::TooMany(limit),
            Throttled::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<TooMany> for ResetError {
    fn from(limit: TooMany) -> Self {
        Self::TooMany(limit)
    }
}

impl From<LoginError> for ResetError {
    /// Whoever is refused a session now was locked since, or the password was set once more.
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Invalid | LoginError::EmailUnverified(_) => Self::BadToken,
            LoginError::TooMany(limit) => Self::TooMany(limit),
            LoginError::Busy => Self::Busy,
            LoginError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
