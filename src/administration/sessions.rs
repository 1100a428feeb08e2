//! What an operator does to the sessions of an account, and to its programs, which hold refresh tokens.

use super::{Actor, Administration, AdministrationError};
use crate::audit::{Action, Event, Outcome, Party};
use crate::metrics::SessionEnd;
use crate::session::{Session, SessionKey};
use crate::token::RefreshToken;
use std::sync::Arc;
use uuid::Uuid;

impl Administration {
    /// The account's sessions, newest first.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn sessions(&self, user: &str) -> Result<Vec<(SessionKey, Arc<Session>)>, AdministrationError> {
        self.refuse_out_of_reach()?;
        let account = self.find(user).await?;
        Ok(self.marks.sessions.list(account.id, self.clock.now()).await?)
    }

    /// The programs that are signed in for the account, newest first.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn programs(&self, user: &str) -> Result<Vec<RefreshToken>, AdministrationError> {
        self.refuse_out_of_reach()?;
        let account = self.find(user).await?;
        Ok(self.marks.programs(&account, self.clock.now()).await?)
    }

    /// Ends a session; `false` when there was none.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn end_session(&self, key: &SessionKey) -> Result<bool, AdministrationError> {
        self.refuse_out_of_reach()?;
        let found = self.marks.sessions.find(key, self.clock.now()).await?;
        let ended = self.marks.sessions.end(key).await?;
        self.marks.metrics.sessions_ended(SessionEnd::Revoked, ended.into());
        if let Some(session) = found.filter(|_| ended) {
            self.note_revocation(Party::from(&session.user), "one");
        }
        Ok(ended)
    }

    /// Signs out the account's program of this family; `false` where there is none.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn end_program(&self, user: &str, family: Uuid) -> Result<bool, AdministrationError> {
        self.refuse_out_of_reach()?;
        let account = self.find(user).await?;
        let ended = self.marks.refresh_tokens.end(account.id, family).await?;
        if ended {
            self.note_revocation(Party::from(&account), "program");
        }
        Ok(ended)
    }

    /// Ends all sessions of the account, and signs out all its programs; how many there were.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn end_sessions(&self, user: &str) -> Result<u64, AdministrationError> {
        self.refuse_out_of_reach()?;
        let account = self.find(user).await?;
        let ended = self.marks.sessions.end_all(account.id, None).await?;
        self.marks.metrics.sessions_ended(SessionEnd::Revoked, ended);
        let ended = ended + self.marks.refresh_tokens.end_all(account.id).await?;
        self.note_revocation(Party::from(&account), "all");
        Ok(ended)
    }

    /// How many sessions there are, of all accounts.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn count_sessions(&self) -> Result<u64, AdministrationError> {
        self.refuse_out_of_reach()?;
        Ok(self.marks.sessions.count(self.clock.now()).await?)
    }

    fn note_revocation(&self, owner: Party, which: &'static str) {
        let Actor { party, client } = &self.actor;
        let event = Event::by(party.clone(), Action::SessionRevocation, Outcome::Success, client);
        self.audit.record(event.to(owner).because(which));
    }

    /// Changes of accounts reach a gateway's memory through marks; sessions themselves are out of a command's reach.
    fn refuse_out_of_reach(&self) -> Result<(), AdministrationError> {
        if self.marks.reaches_sessions { Ok(()) } else { Err(AdministrationError::OutOfReach) }
    }
}
