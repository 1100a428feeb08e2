//! What users see and change of their own accounts. No HTTP here.

mod confirmation;
mod sessions;

use crate::account::display::{check_avatar_url, check_name};
use crate::account::{Account, AccountId, AccountStore, HashError, Hasher, Password, PasswordHash, SessionMark, UpdateError, Username};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::config::{AccountSettings, SessionSettings};
use crate::login::{SignedIn, Standing};
use crate::mail::{Asked, Letter, Outbox};
use crate::metrics::SessionEnd;
use crate::registration::{FieldProblem, check_username};
use crate::session::{Session, SessionId, SessionKey, SessionStore, SessionUser};
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use crate::throttle::{Endpoint, Target, Throttle, Throttled, TooMany};
use std::sync::Arc;

/// The use case: reading and changing one's own account.
pub struct Profile {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) hasher: Hasher,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) clock: SharedClock,
    pub(crate) accounts_settings: AccountSettings,
    pub(crate) marks: SessionMarks,
    pub(crate) session_settings: SessionSettings,
}

/// New values, as typed; `None` leaves a value as it is.
#[derive(Default)]
pub struct Change {
    /// Sign-in name.
    pub username: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Picture; empty removes it.
    pub avatar_url: Option<String>,
}

/// A new password, and what is needed to set it.
pub struct PasswordChange<'a> {
    /// The session that it is asked for in.
    pub session: &'a SessionKey,
    /// The current password, as typed.
    pub current: Password,
    /// The new one, as typed.
    pub new: Password,
    /// Who asks.
    pub client: &'a Client,
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum ProfileError {
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// Another account has the name.
    UsernameTaken,
    /// The current password is wrong.
    WrongPassword,
    /// Too many passwords were tried.
    TooMany(TooMany),
    /// The account is gone, or changed under our hands again and again.
    Conflict,
    /// Too many passwords are being hashed.
    Busy,
    /// A store failed.
    Unavailable(StoreError),
}

impl Profile {
    /// The account.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn read(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.accounts.find(id).await
    }

    /// Changes profile values; the account's sessions carry them before this returns.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn change(&self, id: AccountId, change: Change, client: &Client) -> Result<Account, ProfileError> {
        for _ in 0..ATTEMPTS {
            let mut account = self.find(id).await?;
            self.marks.settle(&mut account).await?;
            let Some(mut changed) = self.apply(&account, &change)? else { return Ok(account) };
            changed.add_mark(SessionMark::Rewrite);
            if self.store(&mut changed).await? {
                self.note(&changed, Action::ProfileChange, client);
                self.marks.carry_out(&mut changed).await?;
                return Ok(changed);
            }
        }
        Err(ProfileError::Conflict)
    }

    /// Changes the password, gives the browser's session a new id and ends all others. The owner is told by mail.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn change_password(&self, id: AccountId, wanted: PasswordChange<'_>) -> Result<SignedIn, ProfileError> {
        let PasswordChange { session, current, new, client } = wanted;
        let account = self.find(id).await?;
        let before = self.sessions.find(session, self.clock.now()).await?.ok_or(ProfileError::Conflict)?;
        self.check_password(&account, &new)?;
        self.verify_current(&account, &current, Action::PasswordChange, client).await?;
        let hash = self.hasher.hash(&new).await?;
        let mut account = self.store_password(account, &hash).await?;
        self.note(&account, Action::PasswordChange, client);
        self.tell_owner(&account, client).await;
        let signed_in = self.renew(session, &before, &account).await?;
        self.marks.carry_out(&mut account).await?;
        self.throttle.lift(account.id, client).await;
        Ok(SignedIn { account, ..signed_in })
    }

    /// Checks the password of who is signed in, within the limits of attempts; failures are recorded.
    async fn verify_current(&self, account: &Account, typed: &Password, action: Action, client: &Client) -> Result<(), ProfileError> {
        let admission = match self.throttle.attempt(Endpoint::CurrentPassword, client, &Target::from(account)).await {
            Ok(admission) => admission,
            Err(Throttled::Unavailable(error)) => return Err(error.into()),
            Err(Throttled::TooMany(limit)) => {
                self.note_failure(account, action, "rate_limited", client);
                return Err(ProfileError::TooMany(limit));
            }
        };
        let verified = self.hasher.verify(typed, Some(&account.password)).await;
        if matches!(verified, Ok(false)) {
            self.note_failure(account, action, "invalid_credentials", client);
            self.throttle.failed(admission).await;
            return Err(ProfileError::WrongPassword);
        }
        // Where nothing could be verified nothing was guessed, either.
        self.throttle.give_back(admission).await;
        Ok(verified.map(|_| ())?)
    }

    /// Stores the new hash, whatever else of the account is changed meanwhile, unless its credentials are.
    async fn store_password(&self, mut account: Account, hash: &PasswordHash) -> Result<Account, ProfileError> {
        for _ in 0..ATTEMPTS {
            let mut changed = Account {
                password: hash.clone(),
                generation: account.generation + 1,
                reset_requests: 0,
                locked_until: None,
                ..account.clone()
            };
            changed.add_mark(SessionMark::End);
            if self.store(&mut changed).await? {
                return Ok(changed);
            }
            let current = self.find(account.id).await?;
            if current.locked || current.generation != account.generation {
                return Err(ProfileError::Conflict);
            }
            account = current;
        }
        Err(ProfileError::Conflict)
    }

    /// The same login under a new id, as the account now is. Whoever finishes marks may have ended the old one already.
    async fn renew(&self, old: &SessionKey, before: &Session, account: &Account) -> Result<SignedIn, ProfileError> {
        let (id, now) = (SessionId::random(), self.clock.now());
        let session = Session { user: SessionUser::from(account), last_seen: now, confirmed_at: Some(now), ..before.clone() };
        if !self.sessions.rotate(old, id.key(), &session).await? {
            let displaced = self.sessions.create(id.key(), &session, self.session_settings.max_per_user).await?;
            self.marks.metrics.sessions_ended(SessionEnd::Displaced, displaced);
        }
        self.vouch_for(account.clone(), id, session).await
    }

    /// Looks at the account again: a session that was stored while it was locked or its password changed must not live.
    async fn vouch_for(&self, account: Account, id: SessionId, session: Session) -> Result<SignedIn, ProfileError> {
        let standing = Standing { accounts: &*self.accounts, sessions: &*self.sessions };
        if standing.confirm(&account, &id.key()).await? { Ok(SignedIn { account, id, session }) } else { Err(ProfileError::Conflict) }
    }

    fn check_password(&self, account: &Account, new: &Password) -> Result<(), ProfileError> {
        let names = [account.username.as_str(), account.email.as_str(), account.email.local_part()];
        self.accounts_settings
            .password
            .check(new, &names, self.hasher.algorithm())
            .map_err(|problem| ProfileError::Invalid(vec![FieldProblem::new("password", problem.code(), &problem)]))
    }

    /// The account with the new values; `None` when they are the old ones.
    fn apply(&self, account: &Account, change: &Change) -> Result<Option<Account>, ProfileError> {
        let mut changed = account.clone();
        let mut problems = Vec::new();
        if let Some(typed) = &change.username {
            match self.check_username(account, typed) {
                Ok(username) => changed.username = username,
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(typed) = &change.name {
            match check_name(typed) {
                Ok(name) => changed.name = name,
                Err((code, message)) => problems.push(FieldProblem::new("name", code, &message)),
            }
        }
        if let Some(typed) = &change.avatar_url {
            match check_avatar_url(typed) {
                Ok(address) => changed.avatar_url = address,
                Err((code, message)) => problems.push(FieldProblem::new("avatar_url", code, &message)),
            }
        }
        if !problems.is_empty() {
            return Err(ProfileError::Invalid(problems));
        }
        let same = changed.username.as_str() == account.username.as_str()
            && changed.name == account.name
            && changed.avatar_url == account.avatar_url;
        Ok((!same).then_some(changed))
    }

    /// A name that the user may have: the present one in another spelling, or another one where renaming is allowed.
    fn check_username(&self, account: &Account, typed: &str) -> Result<Username, FieldProblem> {
        if typed.trim() == account.username.as_str() {
            return Ok(account.username.clone());
        }
        if !self.accounts_settings.rename {
            return Err(FieldProblem::new("username", "rename_disabled", &"names cannot be changed here"));
        }
        let spelling = Username::parse(typed.trim()).ok().filter(|username| *username == account.username);
        spelling.map_or_else(|| check_username(typed, &self.accounts_settings.reserved_usernames), Ok)
    }

    async fn find(&self, id: AccountId) -> Result<Account, ProfileError> {
        self.accounts.find(id).await?.ok_or(ProfileError::Conflict)
    }

    /// Writes the account, and brings its version up to what was stored; `false` when someone else wrote first.
    async fn store(&self, account: &mut Account) -> Result<bool, ProfileError> {
        match self.accounts.update(account).await {
            Ok(()) => {
                account.version += 1;
                Ok(true)
            }
            Err(UpdateError::Conflict) => Ok(false),
            Err(UpdateError::Taken(_)) => Err(ProfileError::UsernameTaken),
            Err(UpdateError::Store(error)) => Err(ProfileError::Unavailable(error)),
        }
    }

    /// The password is changed by then: a letter that cannot be posted is for the log.
    async fn tell_owner(&self, account: &Account, client: &Client) {
        let letter = Letter::PasswordChanged { account: account.id, asked: Asked::by(client, self.clock.now()) };
        if let Err(error) = self.outbox.post(&letter).await {
            tracing::error!(event = "mail_not_posted", %error, account = %account.id, "a password was changed and its owner cannot be told by mail");
        }
    }

    fn note(&self, account: &Account, action: Action, client: &Client) {
        self.audit.record(Event::by(Party::from(account), action, Outcome::Success, client));
    }

    fn note_failure(&self, account: &Account, action: Action, reason: &'static str, client: &Client) {
        self.audit.record(Event::by(Party::from(account), action, Outcome::Failure, client).because(reason));
    }
}

/// How often a change is tried when others write the same account.
const ATTEMPTS: usize = 5;

impl From<StoreError> for ProfileError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<HashError> for ProfileError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, PASSWORD, account_settings, attempt, password};
    use std::sync::atomic::Ordering;

    const NEW: &str = "M00nlit-Harbour";

    fn change(username: Option<&str>, name: Option<&str>, avatar_url: Option<&str>) -> Change {
        Change { username: username.map(str::to_owned), name: name.map(str::to_owned), avatar_url: avatar_url.map(str::to_owned) }
    }

    fn client() -> Client {
        attempt("alice", "").client
    }

    async fn change_password(fixture: &Fixture, session: &SessionKey, current: &str, new: &str) -> Result<SignedIn, ProfileError> {
        let alice = fixture.administration.find("alice").await.unwrap();
        let wanted = PasswordChange { session, current: password(current), new: password(new), client: &client() };
        fixture.profile.change_password(alice.id, wanted).await
    }

    /// S4.7, contract 3.9
    #[tokio::test]
    async fn a_change_is_known_to_all_sessions_when_it_is_acknowledged() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let wanted = change(Some("Alicia"), Some(" Zoë "), Some("https://example.com/a.png"));
        let changed = fixture.profile.change(alice.id, wanted, &client()).await.unwrap();
        assert_eq!((changed.username.as_str(), &*changed.name, changed.mark), ("Alicia", "Zoë", None));
        let session = fixture.session(&key).await.unwrap();
        assert_eq!((&*session.user.username, &*session.user.name), ("Alicia", "Zoë"));
        assert!(fixture.accounts.marked(1).await.unwrap().is_empty());
        let cleared = fixture.profile.change(alice.id, change(None, None, Some("")), &client()).await.unwrap();
        assert_eq!(cleared.avatar_url, None);
    }

    /// contract 3.9
    #[tokio::test]
    async fn a_change_that_sessions_cannot_learn_of_fails_and_is_finished_later() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        fixture.sessions.fails.store(true, Ordering::SeqCst);
        let failed = fixture.profile.change(alice.id, change(Some("alicia"), None, None), &client()).await;
        assert!(matches!(failed, Err(ProfileError::Unavailable(_))));
        assert_eq!(fixture.session(&key).await.unwrap().user.username, "alice");
        fixture.sessions.fails.store(false, Ordering::SeqCst);
        fixture.marks.finish().await.unwrap();
        assert_eq!(fixture.session(&key).await.unwrap().user.username, "alicia");
        assert!(fixture.accounts.marked(1).await.unwrap().is_empty());
    }

    /// contract 3.9: a gateway died between a password change and the end of the sessions, and somebody signed in since
    #[tokio::test]
    async fn a_change_ends_no_login_that_came_after_an_unfinished_password_change() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let before = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let unfinished = Account { mark: Some(SessionMark::End), generation: alice.generation + 1, ..alice.clone() };
        fixture.accounts.update(&unfinished).await.unwrap();
        let after = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        fixture.profile.change(alice.id, change(None, Some("Zoë"), None), &client()).await.unwrap();
        assert!(fixture.session(&before).await.is_none());
        assert_eq!(&*fixture.session(&after).await.expect("it was acknowledged").user.name, "Zoë");
    }

    #[tokio::test]
    async fn bad_values_are_all_told_and_nothing_is_changed() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let bad = change(Some("root"), Some("a\r\nb"), Some("http://example.com"));
        let Err(ProfileError::Invalid(problems)) = fixture.profile.change(alice.id, bad, &client()).await else { panic!("taken") };
        let told: Vec<_> = problems.iter().map(|problem| (problem.field, problem.code)).collect();
        assert_eq!(told, [("username", "reserved"), ("name", "invalid"), ("avatar_url", "invalid")]);
        assert_eq!(fixture.accounts.find(alice.id).await.unwrap().unwrap().version, 1);
    }

    #[tokio::test]
    async fn a_name_of_another_is_refused_and_ones_own_may_be_respelt() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        fixture.add("bob").await;
        let taken = fixture.profile.change(alice.id, change(Some("BOB"), None, None), &client()).await;
        assert!(matches!(taken, Err(ProfileError::UsernameTaken)));
        let respelt = fixture.profile.change(alice.id, change(Some("ALICE"), None, None), &client()).await.unwrap();
        assert_eq!(respelt.username.as_str(), "ALICE");
    }

    #[tokio::test]
    async fn names_stay_where_renaming_is_off() {
        let fixture = Fixture::with(AccountSettings { rename: false, ..account_settings() });
        let alice = fixture.add("alice").await;
        let refused = fixture.profile.change(alice.id, change(Some("alicia"), None, None), &client()).await;
        assert!(matches!(refused, Err(ProfileError::Invalid(problems)) if problems[0].code == "rename_disabled"));
        assert!(fixture.profile.change(alice.id, change(Some("alice"), Some("Zoë"), None), &client()).await.is_ok());
    }

    /// threats.md S01, S04
    #[tokio::test]
    async fn a_new_password_gives_this_session_a_new_id_and_ends_all_others() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let here = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let elsewhere = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let changed = change_password(&fixture, &here, PASSWORD, NEW).await.unwrap();
        assert!(fixture.session(&here).await.is_none());
        assert!(fixture.session(&elsewhere).await.is_none());
        assert!(fixture.session(&changed.id.key()).await.is_some());
        assert_eq!(changed.account.generation, alice.generation + 1);
        assert!(fixture.sign_in("alice", PASSWORD).await.is_err());
        assert!(fixture.sign_in("alice", NEW).await.is_ok());
        fixture.marks.finish().await.unwrap();
        assert!(fixture.session(&changed.id.key()).await.is_some());
    }

    /// Another process that finishes marks must not end the session that the change itself renewed
    #[tokio::test]
    async fn a_mark_finished_late_does_not_end_the_renewed_session() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let here = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let changed = change_password(&fixture, &here, PASSWORD, NEW).await.unwrap();
        let mut seen_by_another = Account { mark: Some(SessionMark::End), version: alice.version + 1, ..changed.account.clone() };
        fixture.marks.carry_out(&mut seen_by_another).await.unwrap();
        assert!(fixture.session(&changed.id.key()).await.is_some());
    }

    /// threats.md V6.2.3
    #[tokio::test]
    async fn a_new_password_needs_the_current_one_and_must_be_good_enough() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        let here = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let wrong = change_password(&fixture, &here, "Wr0ng-Guess", NEW).await;
        assert!(matches!(wrong, Err(ProfileError::WrongPassword)));
        let weak = change_password(&fixture, &here, PASSWORD, "Password1").await;
        assert!(matches!(weak, Err(ProfileError::Invalid(problems)) if problems[0].code == "too_common"));
        assert!(fixture.session(&here).await.is_some());
        assert!(fixture.sign_in("alice", PASSWORD).await.is_ok());
    }
}
