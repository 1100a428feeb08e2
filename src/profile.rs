//! What users change about their own accounts. No HTTP here.

use crate::account::display::{check_avatar_url, check_name};
use crate::account::{Account, AccountId, AccountStore, HashError, Hasher, Password, PasswordHash, SessionMark, UpdateError, Username};
use crate::clock::SharedClock;
use crate::config::{AccountSettings, SessionSettings};
use crate::login::{SignedIn, Standing};
use crate::registration::{FieldProblem, check_username};
use crate::session::{Session, SessionId, SessionKey, SessionStore, SessionUser};
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use std::sync::Arc;

/// The use case: reading and changing one's own account.
pub struct Profile {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) accounts_settings: AccountSettings,
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

/// Why nothing was changed.
#[derive(Debug)]
pub enum ProfileError {
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// Another account has the name.
    UsernameTaken,
    /// The current password is wrong.
    WrongPassword,
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
    pub async fn change(&self, id: AccountId, change: Change) -> Result<Account, ProfileError> {
        for _ in 0..ATTEMPTS {
            let account = self.find(id).await?;
            let Some(mut changed) = self.apply(&account, &change)? else { return Ok(account) };
            changed.add_mark(SessionMark::Rewrite);
            if self.store(&mut changed).await? {
                self.marks().carry_out(&mut changed).await?;
                return Ok(changed);
            }
        }
        Err(ProfileError::Conflict)
    }

    /// Changes the password, gives the browser's session a new id and ends all others.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub async fn change_password(
        &self,
        id: AccountId,
        session: &SessionKey,
        current: Password,
        new: Password,
    ) -> Result<SignedIn, ProfileError> {
        let account = self.find(id).await?;
        let before = self.sessions.find(session, self.clock.now()).await?.ok_or(ProfileError::Conflict)?;
        self.check_password(&account, &new)?;
        if !self.hasher.verify(&current, Some(&account.password)).await? {
            return Err(ProfileError::WrongPassword);
        }
        let hash = self.hasher.hash(&new).await?;
        let mut account = self.store_password(account, &hash).await?;
        let signed_in = self.renew(session, &before, &account).await?;
        self.marks().carry_out(&mut account).await?;
        Ok(SignedIn { account, ..signed_in })
    }

    /// Stores the new hash, whatever else of the account is changed meanwhile, unless its credentials are.
    async fn store_password(&self, mut account: Account, hash: &PasswordHash) -> Result<Account, ProfileError> {
        for _ in 0..ATTEMPTS {
            let mut changed = Account { password: hash.clone(), generation: account.generation + 1, ..account.clone() };
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
        let id = SessionId::random();
        let session = Session { user: SessionUser::from(account), last_seen: self.clock.now(), ..before.clone() };
        if !self.sessions.rotate(old, id.key(), &session).await? {
            self.sessions.create(id.key(), &session, self.session_settings.max_per_user).await?;
        }
        let standing = Standing { accounts: &*self.accounts, sessions: &*self.sessions };
        if standing.confirm(account, &id.key()).await? {
            Ok(SignedIn { account: account.clone(), id, session })
        } else {
            Err(ProfileError::Conflict)
        }
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

    /// Users change accounts in a gateway only, which reaches all sessions there are.
    fn marks(&self) -> SessionMarks {
        SessionMarks { accounts: Arc::clone(&self.accounts), sessions: Arc::clone(&self.sessions), reaches_sessions: true }
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
