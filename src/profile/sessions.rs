//! Where one is signed in: seeing and ending one's own sessions, and programs, which hold refresh tokens (ASVS V7.5.2). A session is
//! named by the beginning of the key that it is stored under, a program by its family of tokens; both open nothing.

use super::{Profile, ProfileError};
use crate::account::{Account, AccountId};
use crate::audit::{Action, Event, Outcome, Party};
use crate::client::Client;
use crate::metrics::SessionEnd;
use crate::session::{Session, SessionKey};
use crate::token::RefreshToken;
use std::sync::Arc;
use uuid::Uuid;

impl Profile {
    /// The account's sessions, newest first.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn sessions(&self, id: AccountId) -> Result<Vec<(SessionKey, Arc<Session>)>, ProfileError> {
        Ok(self.sessions.list(id, self.clock.now()).await?)
    }

    /// The programs that are signed in for the account, newest first.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn programs(&self, account: &Account) -> Result<Vec<RefreshToken>, ProfileError> {
        Ok(self.marks.programs(account, self.clock.now()).await?)
    }

    /// Ends the one of the account's own sessions that has this name; `false` where there is none.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn end_session(&self, account: &Account, name: &str, client: &Client) -> Result<bool, ProfileError> {
        let sessions = self.sessions(account.id).await?;
        let Some((key, _)) = sessions.iter().find(|(key, _)| key.name() == name) else { return Ok(false) };
        let ended = self.sessions.end(key).await?;
        self.marks.metrics.sessions_ended(SessionEnd::Revoked, ended.into());
        self.note_revocation(account, "one", client);
        Ok(ended)
    }

    /// Signs out the account's program of this family; `false` where there is none.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn end_program(&self, account: &Account, family: Uuid, client: &Client) -> Result<bool, ProfileError> {
        let ended = self.marks.refresh_tokens.end(account.id, family).await?;
        if ended {
            self.note_revocation(account, "program", client);
        }
        Ok(ended)
    }

    /// Ends all of the account's sessions but the one that is used to do so, and signs out all its programs; how many there were.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn end_other_sessions(&self, account: &Account, own: &SessionKey, client: &Client) -> Result<u64, ProfileError> {
        let ended = self.sessions.end_all(account.id, Some(own)).await?;
        self.marks.metrics.sessions_ended(SessionEnd::Revoked, ended);
        let ended = ended + self.marks.refresh_tokens.end_all(account.id).await?;
        self.note_revocation(account, "all_others", client);
        Ok(ended)
    }

    fn note_revocation(&self, account: &Account, which: &'static str, client: &Client) {
        self.audit.record(Event::by(Party::from(account), Action::SessionRevocation, Outcome::Success, client).because(which));
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{Fixture, PASSWORD, attempt};

    /// threats.md S13, K05
    #[tokio::test]
    async fn own_sessions_end_by_name_and_those_of_others_never() {
        let fixture = Fixture::new();
        let (alice, bob) = (fixture.add("alice").await, fixture.add("bob").await);
        let key = async |name: &str| fixture.sign_in(name, PASSWORD).await.unwrap().id.key();
        let (here, there, his) = (key("alice").await, key("alice").await, key("bob").await);
        let client = attempt("alice", "").client;
        assert_eq!(fixture.profile.sessions(alice.id).await.unwrap().len(), 2);
        for name in [his.name(), String::new(), there.name()[1..].to_owned(), his.to_string()] {
            assert!(!fixture.profile.end_session(&alice, &name, &client).await.unwrap(), "{name:?}");
        }
        assert!(fixture.profile.end_session(&alice, &there.name(), &client).await.unwrap());
        assert!(fixture.session(&there).await.is_none());
        let elsewhere = key("alice").await;
        assert_eq!(fixture.profile.end_other_sessions(&alice, &here, &client).await.unwrap(), 1);
        assert!(fixture.session(&elsewhere).await.is_none());
        assert!(fixture.session(&here).await.is_some() && fixture.session(&his).await.is_some());
        assert_eq!(fixture.profile.sessions(bob.id).await.unwrap().len(), 1);
    }
}
