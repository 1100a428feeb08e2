//! The composition root: from settings to stores, use cases and what runs beside requests. The only file that names
//! concrete adapters; a new store is named in [`open_accounts`] or [`open_sessions`].

mod background;
mod secret;

use crate::account::{AccountStore, Hasher};
use crate::administration::Administration;
use crate::clock::SharedClock;
use crate::config::{Secret, SessionStoreKind, Settings, UserStore};
use crate::login::Login;
use crate::profile::Profile;
use crate::registration::Registration;
use crate::session::{CookieKey, SessionStore};
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use crate::store::memory::MemorySessions;
use crate::store::sqlite::{Database, SqliteAccounts, SqliteSessions};
use background::Background;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Everything a gateway or a command needs. Dropping it ends its threads and closes its stores.
pub struct App {
    /// As configured.
    pub settings: Arc<Settings>,
    /// Where the time comes from.
    pub clock: SharedClock,
    /// The secret from which all keys are derived.
    pub secret: Secret,
    /// Authenticates session cookies.
    pub cookie_key: CookieKey,
    /// Where accounts are kept.
    pub accounts: Arc<dyn AccountStore>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn SessionStore>,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Carries changes of accounts over to sessions.
    pub marks: SessionMarks,
    /// Signing in and out.
    pub login: Arc<Login>,
    /// Making one's own account.
    pub registration: Arc<Registration>,
    /// Changing one's own account.
    pub profile: Arc<Profile>,
    /// An operator's acts.
    pub administration: Arc<Administration>,
    background: Mutex<Option<Background>>,
}

/// Why nothing could be opened: one sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError(pub String);

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self(error.0)
    }
}

/// Who opens an [`App`].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The process that answers requests, and holds the sessions where they are in memory.
    Gateway,
    /// A command beside it.
    Command,
}

impl App {
    /// Opens the stores for a gateway.
    ///
    /// # Errors
    /// One sentence that says what is wrong and what to do.
    pub fn open(settings: Arc<Settings>, clock: SharedClock) -> Result<Arc<Self>, OpenError> {
        Self::open_as(Role::Gateway, settings, clock)
    }

    /// Opens the stores for a command that runs beside a gateway: where sessions are kept in that one's memory, it
    /// leaves them to it.
    ///
    /// # Errors
    /// One sentence that says what is wrong and what to do.
    pub fn open_for_command(settings: Arc<Settings>, clock: SharedClock) -> Result<Arc<Self>, OpenError> {
        Self::open_as(Role::Command, settings, clock)
    }

    fn open_as(role: Role, settings: Arc<Settings>, clock: SharedClock) -> Result<Arc<Self>, OpenError> {
        let mut databases = Databases::default();
        let accounts = open_accounts(&settings.stores.users, &mut databases)?;
        let sessions = open_sessions(&settings, &mut databases)?;
        let secret = secret::resolve(&settings.secret)?;
        let hasher =
            Hasher::start(settings.accounts.hash).map_err(|error| OpenError(format!("cannot start a thread for passwords: {error}")))?;
        let marks = SessionMarks {
            accounts: Arc::clone(&accounts),
            sessions: Arc::clone(&sessions),
            reaches_sessions: role == Role::Gateway || sessions.shared(),
        };
        Ok(Arc::new(Self {
            cookie_key: CookieKey::derive(&secret, settings.secret_previous.as_ref()),
            login: Arc::new(Login {
                accounts: Arc::clone(&accounts),
                sessions: Arc::clone(&sessions),
                hasher: hasher.clone(),
                clock: Arc::clone(&clock),
                settings: settings.sessions,
            }),
            registration: Arc::new(Registration {
                accounts: Arc::clone(&accounts),
                hasher: hasher.clone(),
                clock: Arc::clone(&clock),
                settings: settings.accounts.clone(),
            }),
            profile: Arc::new(Profile {
                accounts: Arc::clone(&accounts),
                sessions: Arc::clone(&sessions),
                hasher: hasher.clone(),
                clock: Arc::clone(&clock),
                accounts_settings: settings.accounts.clone(),
                session_settings: settings.sessions,
            }),
            administration: Arc::new(Administration {
                accounts: Arc::clone(&accounts),
                hasher: hasher.clone(),
                clock: Arc::clone(&clock),
                settings: settings.accounts.clone(),
                marks: marks.clone(),
            }),
            settings,
            clock,
            secret,
            accounts,
            sessions,
            hasher,
            marks,
            background: Mutex::new(None),
        }))
    }

    /// Starts what runs beside requests: finishing marks and removing expired sessions. It ends with the app.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(&self) -> Result<(), OpenError> {
        let started = Background::start(self.marks.clone(), Arc::clone(&self.sessions), Arc::clone(&self.clock));
        let background = started.map_err(|error| OpenError(format!("cannot start a thread beside requests: {error}")))?;
        *self.background.lock().unwrap_or_else(PoisonError::into_inner) = Some(background);
        Ok(())
    }
}

/// One [`Database`] for each file, however many stores name it.
#[derive(Default)]
struct Databases(Vec<(PathBuf, Arc<Database>)>);

impl Databases {
    fn open(&mut self, path: &Path) -> Result<Arc<Database>, StoreError> {
        let same_file = |(opened, _): &&(PathBuf, Arc<Database>)| same_file(opened, path);
        if let Some((_, database)) = self.0.iter().find(same_file) {
            return Ok(Arc::clone(database));
        }
        let database = Database::open(path)?;
        self.0.push((path.to_owned(), Arc::clone(&database)));
        Ok(database)
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn open_accounts(kind: &UserStore, databases: &mut Databases) -> Result<Arc<dyn AccountStore>, StoreError> {
    match kind {
        UserStore::Sqlite(path) => Ok(Arc::new(SqliteAccounts::new(databases.open(path)?))),
    }
}

fn open_sessions(settings: &Settings, databases: &mut Databases) -> Result<Arc<dyn SessionStore>, StoreError> {
    match &settings.stores.sessions {
        SessionStoreKind::Memory => Ok(Arc::new(MemorySessions::default())),
        SessionStoreKind::Sqlite(path) => Ok(Arc::new(SqliteSessions::new(databases.open(path)?, settings.sessions.cache))),
    }
}
