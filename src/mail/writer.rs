//! From a letter to a mail: looks up whom it is for, makes the token of its link, and chooses the words.

use super::wording::{Phrases, Wording};
use super::{Asked, Letter};
use crate::account::{Account, AccountId, AccountStore, Email, UpdateError};
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::email_confirmation::EmailConfirmation;
use crate::recovery::{Issued, Recovery};
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use std::sync::Arc;

/// Writes mails.
pub struct Writer {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) recovery: Arc<Recovery>,
    pub(crate) email_confirmation: Arc<EmailConfirmation>,
    pub(crate) marks: SessionMarks,
    pub(crate) settings: Arc<Settings>,
}

/// A mail that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Whose account it is about, where it is about one.
    pub account: Option<AccountId>,
    /// To whom.
    pub to: Email,
    /// What it says.
    pub wording: Wording,
}

/// How often a change of an account is tried anew because somebody else changed it.
const ATTEMPTS: u32 = 10;

impl Writer {
    /// Does what a letter asks for beside the mail, whether or not that can be sent. Doing it again changes nothing.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn carry_out(&self, letter: &Letter) -> Result<(), StoreError> {
        match letter {
            Letter::AccountLocked { account: Some(account), until, .. } => self.note_lock(*account, *until).await,
            _ => Ok(()),
        }
    }

    /// Whose account a letter is about.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn recipient(&self, letter: &Letter) -> Result<Option<AccountId>, StoreError> {
        match letter {
            Letter::PasswordReset { address, .. } | Letter::AddressTaken { address, .. } => {
                Ok(self.find_by_address(address).await?.map(|account| account.id))
            }
            Letter::AccountLocked { account, .. } => Ok(*account),
            Letter::PasswordChanged { account, .. }
            | Letter::NewSignIn { account, .. }
            | Letter::ConfirmEmail { account, .. }
            | Letter::EmailChanged { account, .. } => Ok(Some(*account)),
            Letter::Invitation { .. } | Letter::Test { .. } => Ok(None),
        }
    }

    /// The mail for this letter; `None` where it is for nobody.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn write(&self, letter: &Letter) -> Result<Option<Mail>, StoreError> {
        let phrases = self.phrases();
        match letter {
            Letter::PasswordReset { address, base, asked } => self.password_reset(address, base, asked).await,
            Letter::ConfirmEmail { account, address, base, asked } => self.confirm_email(*account, address, base, asked).await,
            Letter::AccountLocked { account: None, .. } => Ok(None),
            Letter::AccountLocked { account: Some(account), until, asked } => {
                self.to_account(*account, phrases.account_locked(*until, asked)).await
            }
            Letter::PasswordChanged { account, asked } => self.to_account(*account, phrases.password_changed(asked)).await,
            Letter::NewSignIn { account, asked } => self.to_account(*account, phrases.new_sign_in(asked)).await,
            Letter::EmailChanged { account, former, asked } => {
                let to = Email::parse(former).ok();
                Ok(to.map(|to| Mail { account: Some(*account), to, wording: phrases.email_changed(asked) }))
            }
            Letter::AddressTaken { address, base, asked } => self.address_taken(address, base.as_deref(), asked).await,
            Letter::Invitation { address, link, until } => Ok(to_stranger(address, phrases.invitation(link.clone(), *until))),
            Letter::Test { address } => Ok(to_stranger(address, phrases.test())),
        }
    }

    fn phrases(&self) -> Phrases<'_> {
        phrases(&self.settings)
    }

    async fn password_reset(&self, address: &str, base: &str, asked: &Asked) -> Result<Option<Mail>, StoreError> {
        let Ok(address) = Email::parse(address) else { return Ok(None) };
        let issued = self.recovery.issue_reset(&address, base, asked).await?;
        Ok(issued.map(|issued| to_owner(&issued.account, self.phrases().password_reset(issued.link, issued.until, asked))))
    }

    async fn confirm_email(&self, account: AccountId, address: &str, base: &str, asked: &Asked) -> Result<Option<Mail>, StoreError> {
        let Ok(to) = Email::parse(address) else { return Ok(None) };
        let issued = self.email_confirmation.issue(account, &to, base).await?;
        let wording = |issued: Issued| self.phrases().confirm_email(issued.link, issued.until, asked);
        Ok(issued.map(|issued| Mail { account: Some(account), to, wording: wording(issued) }))
    }

    async fn address_taken(&self, address: &str, base: Option<&str>, asked: &Asked) -> Result<Option<Mail>, StoreError> {
        let Some(owner) = self.find_by_address(address).await? else { return Ok(None) };
        if !self.email_confirmation.may_warn(&owner).await? {
            return Ok(None);
        }
        let login = base.map(|base| format!("{base}{}/login", self.settings.server.prefix));
        Ok(Some(to_owner(&owner, self.phrases().address_taken(login, asked))))
    }

    async fn to_account(&self, account: AccountId, wording: Wording) -> Result<Option<Mail>, StoreError> {
        let account = self.accounts.find(account).await?.filter(|account| !account.is_deleted());
        Ok(account.map(|account| to_owner(&account, wording)))
    }

    async fn find_by_address(&self, address: &str) -> Result<Option<Account>, StoreError> {
        let Ok(address) = Email::parse(address) else { return Ok(None) };
        Ok(self.accounts.find_by_email(&address).await?.filter(|account| !account.is_deleted()))
    }

    /// Keeps in the account until when it is locked. Done here and not when it is locked, so that locking costs the same
    /// for a name that nobody has.
    async fn note_lock(&self, id: AccountId, until: Timestamp) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let Some(mut account) = self.accounts.find(id).await?.filter(|account| account.locked_until < Some(until)) else {
                return Ok(());
            };
            self.marks.settle(&mut account).await?;
            account.locked_until = Some(until);
            match self.accounts.update(&account).await {
                Ok(()) => return Ok(()),
                Err(UpdateError::Store(error)) => return Err(error),
                Err(UpdateError::Conflict | UpdateError::Taken(_)) => {}
            }
        }
        Err(StoreError("an account is being changed all the time".to_owned()))
    }
}

pub(super) fn phrases(settings: &Settings) -> Phrases<'_> {
    let forgot = settings.portal.url.as_ref().map(|url| format!("{}{}/forgot", url.origin(), settings.server.prefix));
    Phrases { site: &settings.ui.title, forgot }
}

/// To the stored address; with the name once the address is known to be its owner's, since until then whoever registered
/// chose a name for a stranger to read.
fn to_owner(account: &Account, wording: Wording) -> Mail {
    let greeted = account.email_verified.then(|| account.username.as_str().to_owned());
    Mail { account: Some(account.id), to: account.email.clone(), wording: Wording { greeted, ..wording } }
}

fn to_stranger(address: &str, wording: Wording) -> Option<Mail> {
    Email::parse(address).ok().map(|to| Mail { account: None, to, wording })
}
