//! Signing in and out. No HTTP here.

use crate::account::{Account, AccountStore, Email, HashError, Hasher, Password, Username};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::config::SessionSettings;
use crate::mail::{Asked, Letter, Outbox};
use crate::metrics::{Metrics, SessionEnd};
use crate::session::{Session, SessionId, SessionKey, SessionStore, SessionUser};
use crate::store::StoreError;
use crate::throttle::{Endpoint, Policy, Target, Throttle, Throttled, TooMany};
use std::sync::Arc;

/// The use case: turns a name and a password into a session.
pub struct Login {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) settings: SessionSettings,
    /// Whether nobody signs in before the address is confirmed.
    pub(crate) verify_email: bool,
}

/// What somebody who wants to sign in gives.
pub struct Attempt {
    /// Name or email, as typed.
    pub identifier: String,
    /// Password, as typed.
    pub password: Password,
    /// Whether the session should outlive the browser.
    pub remember: bool,
    /// Where it comes from.
    pub client: Client,
    /// The browser's present session, which the new one replaces.
    pub replaces: Option<SessionKey>,
}

/// What somebody gives to show who they are, as typed.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// Name or email.
    pub identifier: &'a str,
    /// Password.
    pub password: &'a Password,
    /// Where they come from.
    pub client: &'a Client,
}

/// A new session and the only copy of its id.
pub struct SignedIn {
    /// Whose it is.
    pub account: Account,
    /// What the cookie carries.
    pub id: SessionId,
    /// What was stored.
    pub session: Session,
}

/// Why nobody was signed in.
#[derive(Debug)]
pub enum LoginError {
    /// Unknown name, wrong password, or locked by an operator: never told apart.
    Invalid,
    /// The credentials are right, but the account's address is still to be confirmed.
    EmailUnverified(Box<Account>),
    /// Too many attempts, or the account is locked for a time; nothing was looked at.
    TooMany(TooMany),
    /// Too many passwords are being hashed; nothing was decided.
    Busy,
    /// A store failed; nothing was decided.
    Unavailable(StoreError),
}

impl Login {
    /// Checks the credentials and begins a session.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn sign_in(&self, attempt: Attempt) -> Result<SignedIn, LoginError> {
        let Attempt { identifier, password, remember, client, replaces } = attempt;
        let account = self.verify(Credentials { identifier: &identifier, password: &password, client: &client }).await?;
        let party = Party::from(&account);
        let admitted = self.admit(account, remember, &client, replaces).await;
        match &admitted {
            Ok(signed_in) => self.welcome(&signed_in.account, &client, None).await,
            Err(LoginError::Invalid) => self.overtaken(party, &client),
            Err(_) => {}
        }
        admitted
    }

    /// The account whose credentials these are, and which may be signed in to. Names that exist and that do not cost the same work.
    /// Nobody is signed in by this: what else shows who somebody is, a second factor for one, belongs between the two.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn verify(&self, credentials: Credentials<'_>) -> Result<Account, LoginError> {
        let client = credentials.client;
        self.throttle.knock(Endpoint::Login, client)?;
        let found = self.find(credentials.identifier).await?;
        let target = Target::of(found.as_ref(), credentials.identifier);
        let counted = self.throttle.attempt(Endpoint::Login, client, &target).await;
        let admission = counted.inspect_err(|refusal| self.record_refusal(&target, client, refusal))?;
        let verified = self.check(found, &target, credentials).await;
        match &verified {
            Err(LoginError::Invalid) => self.throttle.failed(admission).await,
            Ok(_) | Err(_) => self.throttle.give_back(admission).await,
        }
        verified
    }

    /// Ends a session, its user's own act.
    ///
    /// # Errors
    /// When the store failed: the session may still live.
    pub async fn sign_out(&self, key: &SessionKey, user: &SessionUser, client: &Client) -> Result<(), StoreError> {
        // Where it ended a moment before, nobody signed out.
        if self.sessions.end(key).await? {
            self.audit.record(Event::by(Party::from(user), Action::Logout, Outcome::Success, client));
        }
        Ok(())
    }

    async fn check(&self, found: Option<Account>, target: &Target, credentials: Credentials<'_>) -> Result<Account, LoginError> {
        let failed = |reason| self.record(target.party().clone(), Outcome::Failure, credentials.client, Some(reason));
        let matches = self.hasher.verify(credentials.password, found.as_ref().map(|account| &account.password)).await?;
        let Some(account) = found.filter(|_| matches) else {
            failed("invalid_credentials");
            return Err(LoginError::Invalid);
        };
        if account.locked {
            failed("locked");
            return Err(LoginError::Invalid);
        }
        if self.verify_email && !account.email_verified {
            failed("email_unverified");
            return Err(LoginError::EmailUnverified(Box::new(account)));
        }
        Ok(self.rehash(account, credentials.password).await)
    }

    /// Begins a session for somebody who has been shown to be the account's owner, in place of the browser's present one.
    ///
    /// # Errors
    /// See [`LoginError`]; invalid where the account was locked or its password changed meanwhile.
    pub(crate) async fn admit(
        &self,
        account: Account,
        remember: bool,
        client: &Client,
        replaces: Option<SessionKey>,
    ) -> Result<SignedIn, LoginError> {
        let signed_in = self.begin(account, remember, client).await?;
        if let Some(replaced) = replaces {
            self.replace(&replaced, &signed_in).await?;
        }
        Ok(signed_in)
    }

    /// Records the sign-in, and how it was done where not by a browser, and tells the owner of one with a browser that has not been
    /// seen before. Best effort: nobody is kept out because a mail cannot be kept.
    pub(crate) async fn welcome(&self, account: &Account, client: &Client, how: Option<&'static str>) {
        self.record(Party::from(account), Outcome::Success, client, how);
        if client.device.known_to(account.id, account.generation).is_some() {
            return;
        }
        let told = match self.throttle.notice(account.id).await {
            Ok(true) => self.outbox.post(&Letter::NewSignIn { account: account.id, asked: Asked::by(client, self.clock.now()) }).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = told {
            tracing::warn!(event = "mail_not_posted", %error, "the owner is not told of a sign-in with a new browser");
        }
    }

    /// Records that a lock or another password came between the right credentials and the sign-in.
    pub(crate) fn overtaken(&self, who: Party, client: &Client) {
        self.record(who, Outcome::Failure, client, Some("locked"));
    }

    /// A flood is not recorded one by one: the records would be the damage.
    fn record_refusal(&self, target: &Target, client: &Client, refusal: &Throttled) {
        let reason = match refusal {
            Throttled::TooMany(TooMany { policy: Policy::Lockout | Policy::Device, .. }) => "locked_out",
            Throttled::TooMany(_) => "rate_limited",
            Throttled::Unavailable(_) => return,
        };
        self.record(target.party().clone(), Outcome::Failure, client, Some(reason));
    }

    fn record(&self, who: Party, outcome: Outcome, client: &Client, reason: Option<&'static str>) {
        let event = Event::by(who, Action::Login, outcome, client);
        self.audit.record(Event { reason, ..event });
    }

    /// The account with this name or address.
    async fn find(&self, identifier: &str) -> Result<Option<Account>, StoreError> {
        let identifier = identifier.trim();
        if let Ok(username) = Username::parse(identifier) {
            return self.accounts.find_by_username(&username).await;
        }
        match Email::parse(identifier) {
            Ok(email) => self.accounts.find_by_email(&email).await,
            Err(_) => Ok(None),
        }
    }

    /// Stores a hash of today's kind where the account has another. Best effort: the next login tries again.
    /// An account with a mark is left alone: a later version would have the mark end logins that came after it.
    async fn rehash(&self, account: Account, password: &Password) -> Account {
        if account.mark.is_some() || !account.password.needs_rehash(self.hasher.algorithm()) {
            return account;
        }
        let Ok(hash) = self.hasher.hash(password).await else { return account };
        let rehashed = Account { password: hash, ..account.clone() };
        match self.accounts.update(&rehashed).await {
            Ok(()) => Account { version: rehashed.version + 1, ..rehashed },
            Err(_) => account,
        }
    }

    async fn begin(&self, account: Account, remember: bool, client: &Client) -> Result<SignedIn, LoginError> {
        let id = SessionId::random();
        let session = Session::begin(&account, self.clock.now(), remember, client, &self.settings);
        let displaced = self.sessions.create(id.key(), &session, self.settings.max_per_user).await?;
        self.metrics.sessions_ended(SessionEnd::Displaced, displaced);
        let standing = self.standing();
        match standing.confirm(&account, &id.key()).await {
            Ok(true) => Ok(SignedIn { account, id, session }),
            Ok(false) => Err(LoginError::Invalid),
            Err(error) => Err(LoginError::Unavailable(error)),
        }
    }

    async fn replace(&self, replaced: &SessionKey, by: &SignedIn) -> Result<(), LoginError> {
        match self.sessions.end(replaced).await {
            Ok(ended) => {
                self.metrics.sessions_ended(SessionEnd::Replaced, ended.into());
                Ok(())
            }
            Err(error) => {
                let _ = self.sessions.end(&by.id.key()).await;
                Err(LoginError::Unavailable(error))
            }
        }
    }

    fn standing(&self) -> Standing<'_> {
        Standing { accounts: &*self.accounts, sessions: &*self.sessions }
    }
}

/// Looks again at an account after a session of it was stored. A lock or a password change that came in between has
/// ended the sessions that it saw, and may not have seen this one.
pub(crate) struct Standing<'a> {
    pub(crate) accounts: &'a dyn AccountStore,
    pub(crate) sessions: &'a dyn SessionStore,
}

impl Standing<'_> {
    /// Whether the session may live. If not, or if that cannot be found out, it is ended.
    pub(crate) async fn confirm(&self, account: &Account, key: &SessionKey) -> Result<bool, StoreError> {
        let confirmed = self.look_again(account).await;
        if !matches!(confirmed, Ok(true)) {
            let ended = self.sessions.end(key).await;
            return confirmed.and_then(|_| ended.map(|_| false));
        }
        confirmed
    }

    async fn look_again(&self, account: &Account) -> Result<bool, StoreError> {
        let Some(current) = self.accounts.find(account.id).await? else { return Ok(false) };
        if current.locked || current.generation != account.generation {
            return Ok(false);
        }
        if current.version != account.version {
            self.sessions.rewrite(&SessionUser::from(&current)).await?;
        }
        Ok(true)
    }
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<Throttled> for LoginError {
    fn from(throttled: Throttled) -> Self {
        match throttled {
            Throttled::TooMany(too_many) => Self::TooMany(too_many),
            Throttled::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<TooMany> for LoginError {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany(too_many)
    }
}

impl From<HashError> for LoginError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::PasswordHash;
    use crate::fixture::{Fixture, PASSWORD, attempt, password};

    /// S0.2, S3.1
    #[tokio::test]
    async fn the_right_password_signs_in_by_name_and_by_address_in_any_case() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        for identifier in ["alice", "ALICE", " alice ", "Alice@Example.COM"] {
            let signed_in = fixture.sign_in(identifier, PASSWORD).await.unwrap_or_else(|error| panic!("{identifier}: {error:?}"));
            let session = fixture.session(&signed_in.id.key()).await.unwrap();
            assert_eq!((session.user.id, &*session.user.username, &*session.user.email), (alice.id, "alice", "alice@example.com"));
        }
    }

    /// S1.2, threats.md G14, I01
    #[tokio::test]
    async fn anything_else_is_invalid_and_leaves_no_session() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        for (identifier, text) in
            [("alice", "tw1light-kite"), ("alice", " Tw1light-Kite"), ("alice", ""), ("bob", PASSWORD), ("", PASSWORD), ("a b@c", PASSWORD)]
        {
            assert!(matches!(fixture.sign_in(identifier, text).await, Err(LoginError::Invalid)), "{identifier:?} {text:?}");
        }
        assert_eq!(fixture.sessions.count(fixture.login.clock.now()).await.unwrap(), 0);
    }

    /// contract 4: an account locked by an operator is told nothing else
    #[tokio::test]
    async fn a_locked_account_cannot_sign_in_even_with_the_right_password() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        fixture.administration.lock("alice").await.unwrap();
        assert!(matches!(fixture.sign_in("alice", PASSWORD).await, Err(LoginError::Invalid)));
        fixture.administration.unlock("alice").await.unwrap();
        assert!(fixture.sign_in("alice", PASSWORD).await.is_ok());
    }

    /// threats.md S01, S02
    #[tokio::test]
    async fn every_login_has_an_id_of_its_own_and_ends_the_session_it_replaces() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        let first = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let again = Attempt { replaces: Some(first), ..attempt("alice", PASSWORD) };
        let signed_in = fixture.login.sign_in(again).await.unwrap();
        let second = signed_in.id.key();
        assert_ne!(first, second);
        assert!(fixture.session(&first).await.is_none());
        for _ in 0..2 {
            fixture.login.sign_out(&second, &signed_in.session.user, &attempt("alice", "").client).await.unwrap();
        }
        assert!(fixture.session(&second).await.is_none());
        let acts: Vec<_> = fixture.recorded().await.into_iter().map(|record| (record.action, record.actor.name)).collect();
        let by_alice = |action| (action, "alice".to_owned());
        assert_eq!(acts[1..], [by_alice(Action::Login), by_alice(Action::Login), by_alice(Action::Logout)], "{acts:?}");
    }

    /// The race of a login with a lock, which has already ended the sessions that it saw
    #[tokio::test]
    async fn a_lock_that_overtakes_a_login_leaves_no_session() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let administration = std::sync::Arc::clone(&fixture.administration);
        fixture.sessions.before_next_create(async move {
            administration.lock("alice").await.unwrap();
        });
        assert!(matches!(fixture.sign_in("alice", PASSWORD).await, Err(LoginError::Invalid)));
        assert!(fixture.sessions.list(alice.id, fixture.login.clock.now()).await.unwrap().is_empty());
        let last = fixture.recorded().await.pop().unwrap();
        assert_eq!((last.action, last.outcome, last.reason.as_deref()), (Action::Login, Outcome::Failure, Some("locked")));
    }

    /// The same race with a change of groups: the session must not go on with the old ones
    #[tokio::test]
    async fn a_change_that_overtakes_a_login_is_known_to_its_session() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        let administration = std::sync::Arc::clone(&fixture.administration);
        fixture.sessions.before_next_create(async move {
            administration.set_groups("alice", &["staff".to_owned()]).await.unwrap();
        });
        let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        assert_eq!(fixture.session(&key).await.unwrap().user.groups, ["staff"]);
    }

    /// S4.3
    #[tokio::test]
    async fn an_imported_bcrypt_hash_signs_in_and_is_replaced() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let hash = bcrypt::hash_with_salt(PASSWORD, 4, [7; 16]).unwrap().to_string();
        fixture.accounts.update(&Account { password: PasswordHash(hash), ..alice.clone() }).await.unwrap();
        assert!(matches!(fixture.sign_in("alice", "wrong").await, Err(LoginError::Invalid)));
        assert!(fixture.sign_in("alice", PASSWORD).await.is_ok());
        assert!(fixture.accounts.find(alice.id).await.unwrap().unwrap().password.0.starts_with("$argon2id$"));
        assert!(fixture.sign_in("alice", PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn a_remembered_login_lasts_longer() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        let remembered = Attempt { remember: true, ..attempt("alice", PASSWORD) };
        let signed_in = fixture.login.sign_in(remembered).await.unwrap();
        fixture.clock.advance(std::time::Duration::from_hours(696));
        assert!(fixture.session(&signed_in.id.key()).await.is_some());
    }

    #[tokio::test]
    async fn a_password_of_a_mebibyte_is_invalid() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        let huge = Attempt { password: password(&"x".repeat(1 << 20)), ..attempt("alice", "") };
        assert!(matches!(fixture.login.sign_in(huge).await, Err(LoginError::Invalid)));
    }
}
