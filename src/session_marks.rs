//! Carrying changes of accounts over to their sessions and refresh tokens: a change that matters is stored with a [`SessionMark`], carried
//! out before it is acknowledged, and finished later by whoever finds the mark when that failed.

use crate::account::{Account, AccountStore, SessionMark, UpdateError};
use crate::clock::Timestamp;
use crate::metrics::{Metrics, SessionEnd};
use crate::session::{SessionStore, SessionUser};
use crate::store::StoreError;
use crate::token::{RefreshToken, RefreshTokenStore};
use std::sync::Arc;

/// The one place where marks are carried out.
#[derive(Clone)]
pub struct SessionMarks {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) metrics: Arc<Metrics>,
    /// Beside the sessions.
    pub(crate) refresh_tokens: Arc<dyn RefreshTokenStore>,
    /// Whether this process can reach all sessions there are: it holds them, or they are shared.
    pub(crate) reaches_sessions: bool,
}

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// The sessions know.
    Out,
    /// A running gateway, which alone holds the sessions, will carry it out within a second.
    LeftToGateway,
}

/// Marks looked at together.
const BATCH: usize = 100;

impl SessionMarks {
    /// Carries out the account's mark and clears it. The account is as it was stored with the mark.
    ///
    /// # Errors
    /// When a store failed: the mark stands and is finished later.
    pub async fn carry_out(&self, account: &mut Account) -> Result<Carried, StoreError> {
        let Some(mark) = account.mark else { return Ok(Carried::Out) };
        if !self.reaches_sessions {
            return Ok(Carried::LeftToGateway);
        }
        match mark {
            SessionMark::Rewrite => self.sessions.rewrite(&SessionUser::from(&*account)).await?,
            SessionMark::End => {
                let ended = self.sessions.end_outdated(account.id, account.version).await?;
                self.metrics.sessions_ended(SessionEnd::AccountChanged, ended);
                self.refresh_tokens.end_outdated(account.id, account.generation).await?;
            }
            SessionMark::Remove => {
                let ended = self.sessions.end_all(account.id, None).await?;
                self.metrics.sessions_ended(SessionEnd::AccountDeleted, ended);
                self.refresh_tokens.end_all(account.id).await?;
            }
        }
        if mark == SessionMark::Remove {
            self.accounts.delete(account.id).await.map(|_| ())?;
        } else {
            self.clear(account).await?;
        }
        Ok(Carried::Out)
    }

    /// The programs that are signed in for the account as it now is, newest first. Those of former generations can do
    /// nothing any more: a sign-in may have stored one just after all others were ended.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn programs(&self, account: &Account, now: Timestamp) -> Result<Vec<RefreshToken>, StoreError> {
        let mut programs = self.refresh_tokens.list(account.id, now).await?;
        programs.retain(|program| program.generation == account.generation);
        Ok(programs)
    }

    /// Ends the sessions that an earlier change has left to be ended, before the account is written with a lighter mark. That
    /// write has a later version, by which logins since the earlier change would be taken for ones before it.
    ///
    /// # Errors
    /// When a store failed: the account is not to be written.
    pub async fn settle(&self, account: &mut Account) -> Result<(), StoreError> {
        if account.mark == Some(SessionMark::End) {
            self.carry_out(account).await?;
        }
        Ok(())
    }

    /// Finishes what was left undone, here or by another process.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn finish(&self) -> Result<(), StoreError> {
        if !self.reaches_sessions {
            return Ok(());
        }
        let mut finished = Ok(());
        for mut account in self.accounts.marked(BATCH).await? {
            // One account that cannot be finished must not keep the others waiting.
            finished = self.carry_out(&mut account).await.and(finished);
        }
        finished
    }

    /// Whoever wrote since has taken the mark over with their own: then it is theirs to clear.
    async fn clear(&self, account: &mut Account) -> Result<(), StoreError> {
        let cleared = Account { mark: None, ..account.clone() };
        match self.accounts.update(&cleared).await {
            Ok(()) => {
                account.mark = None;
                account.version += 1;
                Ok(())
            }
            Err(UpdateError::Conflict | UpdateError::Taken(_)) => Ok(()),
            Err(UpdateError::Store(error)) => Err(error),
        }
    }
}
