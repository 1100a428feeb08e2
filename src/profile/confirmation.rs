//! Giving the password once more, so that a browser which somebody left open is not enough for dangerous things (ASVS
//! V7.5.1, V7.5.3). The session gets a new id with it, as with every rise of what it may do (V7.2.4).

use super::{Profile, ProfileError};
use crate::account::{AccountId, Password};
use crate::audit::Action;
use crate::client::Client;
use crate::login::SignedIn;
use crate::session::{Session, SessionId, SessionKey, SessionUser};

impl Profile {
    /// Checks the password of who is signed in, and makes the session fresh under a new id.
    ///
    /// # Errors
    /// See [`ProfileError`]; [`ProfileError::Conflict`] where the session has ended meanwhile.
    pub async fn confirm(
        &self,
        id: AccountId,
        session: &SessionKey,
        password: Password,
        client: &Client,
    ) -> Result<SignedIn, ProfileError> {
        let account = self.find(id).await?;
        let now = self.clock.now();
        let before = self.sessions.find(session, now).await?.filter(|before| before.user.id == id).ok_or(ProfileError::Conflict)?;
        self.verify_current(&account, &password, Action::Confirmation, client).await?;
        let fresh = SessionId::random();
        let renewed = Session { user: SessionUser::from(&account), last_seen: now, confirmed_at: Some(now), ..Session::clone(&before) };
        if !self.sessions.rotate(session, fresh.key(), &renewed).await? {
            return Err(ProfileError::Conflict);
        }
        let confirmed = self.vouch_for(account, fresh, renewed).await?;
        self.note(&confirmed.account, Action::Confirmation, client);
        Ok(confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, PASSWORD, attempt, password};
    use crate::session::SessionStore as _;
    use std::time::Duration;

    /// ASVS V7.5.1, V7.2.4, threats.md S01
    #[tokio::test]
    async fn the_right_password_makes_the_session_fresh_under_a_new_id() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let signed_in = fixture.sign_in("alice", PASSWORD).await.unwrap();
        let old = signed_in.id.key();
        fixture.clock.advance(Duration::from_mins(20));
        assert!(!fixture.session(&old).await.unwrap().is_fresh(fixture.profile.clock.now()));
        let client = attempt("alice", "").client;
        let confirmed = fixture.profile.confirm(alice.id, &old, password(PASSWORD), &client).await.unwrap();
        assert!(fixture.session(&old).await.is_none());
        let session = fixture.session(&confirmed.id.key()).await.unwrap();
        assert!(session.is_fresh(fixture.profile.clock.now()));
        assert_eq!((session.created_at, session.expires_at), (signed_in.session.created_at, signed_in.session.expires_at));
    }

    #[tokio::test]
    async fn a_wrong_password_changes_nothing() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        fixture.clock.advance(Duration::from_mins(20));
        let refused = fixture.profile.confirm(alice.id, &key, password("Wr0ng-Guess"), &attempt("alice", "").client).await;
        assert!(matches!(refused, Err(ProfileError::WrongPassword)));
        assert!(!fixture.session(&key).await.unwrap().is_fresh(fixture.profile.clock.now()));
    }

    #[tokio::test]
    async fn an_ended_session_and_one_of_a_locked_account_are_not_revived() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let client = attempt("alice", "").client;
        let ended = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        fixture.sessions.end(&ended).await.unwrap();
        assert!(matches!(fixture.profile.confirm(alice.id, &ended, password(PASSWORD), &client).await, Err(ProfileError::Conflict)));
        let live = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        fixture.command().lock("alice").await.unwrap();
        assert!(fixture.session(&live).await.is_some(), "the lock has yet to reach the sessions");
        assert!(matches!(fixture.profile.confirm(alice.id, &live, password(PASSWORD), &client).await, Err(ProfileError::Conflict)));
        assert!(fixture.profile.sessions(alice.id).await.unwrap().is_empty());
    }
}
