//! What operators do to accounts: at the machine, or as members of `accounts.admin_group` on the admin pages. No HTTP and no
//! terminal here. A password is set at the machine only; on the pages an administrator sends a link (ASVS V6.4.6).

mod directory;
mod sessions;

pub use directory::Found;

use crate::account::{
    Account, AccountId, AccountStore, CreateError, Email, Field, Group, HashError, Hasher, Password, SessionMark, UpdateError, Username,
};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::config::AccountSettings;
use crate::lockout::Lockout;
use crate::mail::{Asked, Letter, Outbox};
use crate::registration::{FieldProblem, check_groups};
use crate::session_marks::{Carried, SessionMarks};
use crate::store::StoreError;
use std::sync::Arc;

/// The use case: an operator's acts on accounts. Accounts are named by name, address or id.
#[derive(Clone)]
pub struct Administration {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) settings: AccountSettings,
    pub(crate) marks: SessionMarks,
    pub(crate) audit: Arc<Audit>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) lockout: Arc<Lockout>,
    pub(crate) actor: Actor,
}

/// Who acts.
#[derive(Clone, Debug)]
pub struct Actor {
    /// As it is recorded.
    pub party: Party,
    /// From where.
    pub client: Client,
}

impl Actor {
    /// Whoever runs commands on the machine.
    #[must_use]
    pub fn operator() -> Self {
        Self { party: Party::operator(), client: Client::default() }
    }
}

/// An account that an operator makes; its address counts as verified.
pub struct AddedAccount {
    /// Sign-in name; reserved ones are allowed.
    pub username: String,
    /// Address.
    pub email: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Password.
    pub password: Password,
}

/// Why an operator's act was not done.
#[derive(Debug)]
pub enum AdministrationError {
    /// No account has this name or address.
    NotFound,
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// Another account has, or had, the value.
    Taken(Field),
    /// The account changed under our hands again and again.
    Conflict,
    /// Nobody locks or deletes their own account, or gives up being an administrator: the last one would be gone.
    Oneself,
    /// Who acts is no administrator any more.
    NoAdministrator,
    /// A locked account gets no link.
    Locked,
    /// Too many passwords are being hashed.
    Busy,
    /// Sessions are in the memory of a gateway, and this is another process.
    OutOfReach,
    /// A store failed.
    Unavailable(StoreError),
}

/// How often a change is tried when others write the same account.
const ATTEMPTS: usize = 5;

/// A change of an account.
struct Act {
    /// As it is recorded.
    action: Action,
    /// What its sessions have to learn.
    mark: SessionMark,
}

impl Administration {
    /// The same, done by someone else than the operator at the machine.
    #[must_use]
    pub fn acting_as(&self, actor: Actor) -> Self {
        Self { actor, ..self.clone() }
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Makes an account.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn add(&self, added: AddedAccount) -> Result<Account, AdministrationError> {
        let (username, email, groups) = self.check(&added)?;
        let password = self.hasher.hash(&added.password).await?;
        let now = self.clock.now();
        let account = Account {
            id: AccountId::new(now),
            username,
            email,
            email_verified: true,
            name: String::new(),
            avatar_url: None,
            groups,
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
        self.accounts.create(&account).await?;
        self.note(Action::AccountCreation, &account);
        Ok(account)
    }

    /// Gives the account another password, ends its sessions and tells its owner.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn set_password(&self, user: &str, password: &Password) -> Result<Carried, AdministrationError> {
        let account = self.find(user).await?;
        let names = [account.username.as_str(), account.email.as_str(), account.email.local_part()];
        let checked = self.settings.password.check(password, &names, self.hasher.algorithm());
        checked.map_err(|problem| invalid("password", problem.code(), &problem))?;
        let hash = self.hasher.hash(password).await?;
        let change = |account: &mut Account| {
            account.password = hash.clone();
            account.generation += 1;
            account.resets += 1;
            account.reset_requests = 0;
            account.locked_until = None;
            Ok(())
        };
        let carried = self.edit(user, Act { action: Action::PasswordSet, mark: SessionMark::End }, change).await?;
        self.lockout.lift(account.id).await?;
        let letter = Letter::PasswordChanged { account: account.id, asked: self.asked() };
        if let Err(error) = self.outbox.post(&letter).await {
            tracing::error!(event = "mail_not_posted", %error, account = %account.id, "a password was set and its owner cannot be told by mail");
        }
        Ok(carried)
    }

    /// Keeps the account from signing in and ends its sessions.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn lock(&self, user: &str) -> Result<Carried, AdministrationError> {
        let change = |account: &mut Account| {
            self.refuse_oneself(account)?;
            account.locked = true;
            account.generation += 1;
            Ok(())
        };
        self.edit(user, Act { action: Action::AccountLock, mark: SessionMark::End }, change).await
    }

    /// Lets the account sign in again, whoever locked it. A lock by the gateway ends where the counters are in reach: those in
    /// the memory of a gateway are not in a command's.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn unlock(&self, user: &str) -> Result<Carried, AdministrationError> {
        let change = |account: &mut Account| {
            account.locked = false;
            account.locked_until = None;
            Ok(())
        };
        let account = self.find(user).await?;
        let carried = self.edit(user, Act { action: Action::AccountUnlock, mark: SessionMark::Rewrite }, change).await?;
        self.lockout.lift(account.id).await?;
        Ok(carried)
    }

    /// Replaces the account's groups; its sessions carry them before this returns.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn set_groups(&self, user: &str, groups: &[String]) -> Result<Carried, AdministrationError> {
        let groups = check_groups(groups).map_err(|problem| AdministrationError::Invalid(vec![problem]))?;
        let change = |account: &mut Account| {
            if !groups.iter().any(|group| self.is_admin_group(group)) {
                self.refuse_oneself(account)?;
            }
            account.groups.clone_from(&groups);
            Ok(())
        };
        self.edit(user, Act { action: Action::GroupChange, mark: SessionMark::Rewrite }, change).await
    }

    /// Removes the account and ends its sessions. Its names are never given to another.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn delete(&self, user: &str) -> Result<Carried, AdministrationError> {
        let change = |account: &mut Account| {
            self.refuse_oneself(account)?;
            account.locked = true;
            account.generation += 1;
            Ok(())
        };
        self.edit(user, Act { action: Action::AccountDeletion, mark: SessionMark::Remove }, change).await
    }

    /// Mails the account's owner a link, under this origin, that sets a new password.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn send_reset(&self, user: &str, base: String) -> Result<(), AdministrationError> {
        let account = self.find(user).await?;
        if account.locked {
            return Err(AdministrationError::Locked);
        }
        let address = account.email.canonical().to_owned();
        self.outbox.post(&Letter::PasswordReset { address, base, asked: self.asked() }).await?;
        self.note(Action::PasswordResetRequest, &account);
        Ok(())
    }

    /// Whether the account may use the admin pages.
    #[must_use]
    pub fn is_administrator(&self, account: &Account) -> bool {
        !account.locked && account.groups.iter().any(|group| self.is_admin_group(group))
    }

    fn is_admin_group(&self, group: &Group) -> bool {
        group.as_str() == self.settings.admin_group
    }

    /// Changes the account with the mark in the same write, and carries the mark out.
    async fn edit(
        &self,
        user: &str,
        act: Act,
        change: impl Fn(&mut Account) -> Result<(), AdministrationError>,
    ) -> Result<Carried, AdministrationError> {
        for _ in 0..ATTEMPTS {
            let mut account = self.find(user).await?;
            if act.mark == SessionMark::Rewrite {
                self.marks.settle(&mut account).await?;
            }
            let was_administrator = self.is_administrator(&account);
            change(&mut account)?;
            if was_administrator && !self.is_administrator(&account) {
                self.remain_administrator().await?;
            }
            account.add_mark(act.mark);
            match self.accounts.update(&account).await {
                Ok(()) => {}
                Err(UpdateError::Conflict) => continue,
                Err(UpdateError::Taken(field)) => return Err(AdministrationError::Taken(field)),
                Err(UpdateError::Store(error)) => return Err(error.into()),
            }
            account.version += 1;
            self.note(act.action, &account);
            return Ok(self.marks.carry_out(&mut account).await?);
        }
        Err(AdministrationError::Conflict)
    }

    /// Writes the acting administrator's own account, unchanged, if they still are one. It comes between reading an administrator
    /// and taking that away from them: of two who do so to each other at once, each would have to write before the other
    /// reads, so at most one succeeds, whichever gateways they ask.
    async fn remain_administrator(&self) -> Result<(), AdministrationError> {
        let Some(id) = self.actor.party.account else { return Ok(()) };
        for _ in 0..ATTEMPTS {
            let found = self.accounts.find(id).await?.filter(|account| self.is_administrator(account));
            let Some(mut account) = found else { return Err(AdministrationError::NoAdministrator) };
            self.marks.settle(&mut account).await?;
            match self.accounts.update(&account).await {
                Ok(()) => return Ok(()),
                Err(UpdateError::Conflict | UpdateError::Taken(_)) => {}
                Err(UpdateError::Store(error)) => return Err(error.into()),
            }
        }
        Err(AdministrationError::Conflict)
    }

    fn refuse_oneself(&self, account: &Account) -> Result<(), AdministrationError> {
        if self.actor.party.account == Some(account.id) { Err(AdministrationError::Oneself) } else { Ok(()) }
    }

    fn note(&self, action: Action, account: &Account) {
        let Actor { party, client } = &self.actor;
        self.audit.record(Event::by(party.clone(), action, Outcome::Success, client).to(Party::from(account)));
    }

    fn asked(&self) -> Asked {
        Asked::by(&self.actor.client, self.clock.now())
    }

    fn check(&self, added: &AddedAccount) -> Result<(Username, Email, Vec<Group>), AdministrationError> {
        let username = Username::parse(&added.username).map_err(|error| FieldProblem::new("username", "invalid", &error));
        let email = Email::parse(&added.email).map_err(|error| FieldProblem::new("email", "invalid", &error));
        let groups = check_groups(&added.groups);
        let local_part = email.as_ref().map_or("", Email::local_part);
        let names = [added.username.as_str(), added.email.as_str(), local_part];
        let password = self.settings.password.check(&added.password, &names, self.hasher.algorithm());
        let password = password.map_err(|problem| FieldProblem::new("password", problem.code(), &problem));
        match (username, email, groups, password) {
            (Ok(username), Ok(email), Ok(groups), Ok(())) => Ok((username, email, groups)),
            (username, email, groups, password) => {
                let problems = [username.err(), email.err(), password.err(), groups.err()];
                Err(AdministrationError::Invalid(problems.into_iter().flatten().collect()))
            }
        }
    }
}

fn invalid(field: &'static str, code: &'static str, message: &dyn std::fmt::Display) -> AdministrationError {
    AdministrationError::Invalid(vec![FieldProblem::new(field, code, message)])
}

impl std::fmt::Display for AdministrationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotFound => f.write_str("no account has this name or address"),
            Self::Invalid(problems) => {
                let sentences: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
                f.write_str(&sentences.join("; "))
            }
            Self::Taken(Field::Username) => f.write_str("the name is taken, or once was, choose another"),
            Self::Taken(Field::Email) => f.write_str("another account has this address"),
            Self::Conflict => f.write_str("the account is being changed by others, try again"),
            Self::NoAdministrator => f.write_str("who asks is no administrator any more"),
            Self::Oneself => f.write_str("an administrator cannot do this to their own account, ask another one"),
            Self::Locked => f.write_str("the account is locked, unlock it first"),
            Self::Busy => f.write_str("too many passwords are being hashed, try again"),
            Self::OutOfReach => {
                f.write_str("the sessions are in the memory of the gateway, set stores.sessions to a file or a Redis to reach them")
            }
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AdministrationError {}

impl From<StoreError> for AdministrationError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<HashError> for AdministrationError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}

impl From<CreateError> for AdministrationError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Taken(field) => Self::Taken(field),
            CreateError::Store(error) => Self::Unavailable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, PASSWORD, password};

    #[tokio::test]
    async fn an_added_account_is_verified_and_has_its_groups() {
        let fixture = Fixture::new();
        let admin = fixture.add("admin").await;
        assert!(admin.email_verified);
        let session = fixture.sign_in("admin", PASSWORD).await.unwrap().session;
        assert_eq!((&*session.user.email, &session.user.groups[..]), ("admin@example.com", &["users".to_owned()][..]));
        let again =
            AddedAccount { username: "Admin".to_owned(), email: "x@example.com".to_owned(), groups: vec![], password: password(PASSWORD) };
        assert!(matches!(fixture.administration.add(again).await, Err(AdministrationError::Taken(Field::Username))));
    }

    /// threats.md V7.4.2, V8.3.2
    #[tokio::test]
    async fn a_lock_a_new_password_and_a_deletion_end_the_sessions_before_they_are_acknowledged() {
        let fixture = Fixture::new();
        for name in ["anna", "bert", "cora"] {
            fixture.add(name).await;
        }
        let key = async |name: &str| fixture.sign_in(name, PASSWORD).await.unwrap().id.key();
        let (anna, bert, cora) = (key("anna").await, key("bert").await, key("cora").await);
        assert_eq!(fixture.administration.lock("anna").await.unwrap(), Carried::Out);
        fixture.administration.set_password("bert@example.com", &password("M00nlit-Harbour")).await.unwrap();
        fixture.administration.delete("CORA").await.unwrap();
        for ended in [anna, bert, cora] {
            assert!(fixture.session(&ended).await.is_none());
        }
        assert!(fixture.sign_in("bert", "M00nlit-Harbour").await.is_ok());
        let names: Vec<_> = fixture.administration.list().await.unwrap().iter().map(|account| account.username.canonical()).collect();
        assert_eq!(names, ["anna", "bert"]);
        assert!(matches!(fixture.administration.find("cora").await, Err(AdministrationError::NotFound)));
    }

    /// contract 3.9: sessions in a gateway's memory are out of a command's reach
    #[tokio::test]
    async fn a_command_leaves_the_gateways_memory_to_the_gateway_which_finishes_the_work() {
        let fixture = Fixture::new();
        for name in ["anna", "cora", "dora"] {
            fixture.add(name).await;
        }
        let key = async |name: &str| fixture.sign_in(name, PASSWORD).await.unwrap().id.key();
        let (anna, cora, dora) = (key("anna").await, key("cora").await, key("dora").await);
        let command = fixture.command();
        assert_eq!(command.lock("anna").await.unwrap(), Carried::LeftToGateway);
        command.delete("cora").await.unwrap();
        command.set_groups("dora", &["staff".to_owned()]).await.unwrap();
        assert_eq!(command.list().await.unwrap().len(), 2);
        assert!(fixture.session(&anna).await.is_some());
        fixture.marks.finish().await.unwrap();
        assert!(fixture.session(&anna).await.is_none());
        assert!(fixture.session(&cora).await.is_none());
        assert_eq!(fixture.session(&dora).await.unwrap().user.groups, ["staff"]);
        assert!(fixture.accounts.marked(10).await.unwrap().is_empty());
        assert_eq!(fixture.accounts.list(None, 10).await.unwrap().len(), 2);
    }

    /// contract 3.9
    #[tokio::test]
    async fn new_groups_end_no_login_that_came_after_an_unfinished_password_change() {
        let fixture = Fixture::new();
        let anna = fixture.add("anna").await;
        let unfinished = Account { mark: Some(SessionMark::End), generation: anna.generation + 1, ..anna.clone() };
        fixture.accounts.update(&unfinished).await.unwrap();
        let after = fixture.sign_in("anna", PASSWORD).await.unwrap().id.key();
        fixture.administration.set_groups("anna", &["staff".to_owned()]).await.unwrap();
        assert_eq!(fixture.session(&after).await.expect("it was acknowledged").user.groups, ["staff"]);
    }

    /// threats.md V15.4.2: someone must be left who can let others in again
    #[tokio::test(flavor = "multi_thread")]
    async fn of_two_administrators_who_lock_each_other_at_once_one_remains() {
        let fixture = Fixture::new();
        for round in 0..20 {
            let names = [format!("anna{round}"), format!("bert{round}")];
            let mut acting = Vec::new();
            for name in &names {
                fixture.add(name).await;
                fixture.administration.set_groups(name, &["admins".to_owned()]).await.unwrap();
                let party = Party::from(&fixture.administration.find(name).await.unwrap());
                acting.push(fixture.administration.acting_as(Actor { party, client: Client::default() }));
            }
            let acts = acting.into_iter().zip(names.iter().rev().cloned());
            let acts = acts.map(|(acting, other)| tokio::spawn(async move { acting.lock(&other).await }));
            let done = futures_util::future::join_all(acts).await;
            let refused = |done: &AdministrationError| matches!(done, AdministrationError::NoAdministrator | AdministrationError::Conflict);
            assert!(done.iter().all(|done| done.as_ref().unwrap().as_ref().err().is_none_or(refused)), "{done:?}");
            let mut left = 0;
            for name in &names {
                left += usize::from(!fixture.administration.find(name).await.unwrap().locked);
            }
            assert_ne!(left, 0, "round {round}");
        }
    }

    #[tokio::test]
    async fn a_lighter_mark_does_not_replace_a_heavier_one() {
        let fixture = Fixture::new();
        fixture.add("anna").await;
        let key = fixture.sign_in("anna", PASSWORD).await.unwrap().id.key();
        let command = fixture.command();
        command.lock("anna").await.unwrap();
        command.unlock("anna").await.unwrap();
        fixture.marks.finish().await.unwrap();
        assert!(fixture.session(&key).await.is_none());
    }

    #[tokio::test]
    async fn bad_values_are_all_told() {
        let fixture = Fixture::new();
        let bad =
            AddedAccount { username: "a b".to_owned(), email: "x".to_owned(), groups: vec!["a,b".to_owned()], password: password("short") };
        let Err(AdministrationError::Invalid(problems)) = fixture.administration.add(bad).await else { panic!("taken") };
        let fields: Vec<_> = problems.iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["username", "email", "password", "groups"]);
    }
}
