//! The composition root: from settings to stores, use cases and what runs beside requests. The only file that names
//! concrete adapters; a new store is named in `open_user_stores` or
//! `open_session_stores`.

mod background;
mod parts;
pub mod reach;
mod scrape;
mod secret;

use crate::account::{AccountStore, Hasher};
use crate::administration::Administration;
use crate::audit::{Audit, AuditStore};
use crate::clock::SharedClock;
use crate::config::{HashAlgorithm, MailTransport, RedisAddress, Secret, SessionStoreKind, Settings, UserStore};
use crate::email_confirmation::EmailConfirmation;
use crate::invitation::{InvitationStore, Invitations};
use crate::link_token::LinkTokens;
use crate::lockout::Lockout;
use crate::login::Login;
use crate::mail::{
    CatcherTransport, Delivery, FileTransport, LogTransport, MailCatcher, Outbox, OutboxStore, SmtpTransport, Transport, Writer,
};
use crate::metrics::Metrics;
use crate::parked_forms::{ParkedForms, SENDER_KNOWN_FOR};
use crate::profile::Profile;
use crate::recovery::Recovery;
use crate::registration::Registration;
use crate::sealing::Sealer;
use crate::session::{CookieKey, SessionStore};
use crate::session_marks::SessionMarks;
use crate::store::measured::{
    MeasuredAccounts, MeasuredAudit, MeasuredCounters, MeasuredInvitations, MeasuredOneTime, MeasuredOutbox, MeasuredPersonalTokens,
    MeasuredRefreshTokens, MeasuredSessions, MeasuredSigningKeys,
};
use crate::store::memory::{MemoryCounters, MemoryOneTime, MemoryRefreshTokens, MemorySessions};
use crate::store::mongo::{MongoAccounts, MongoAudit, MongoDatabase, MongoInvitations, MongoOutbox, MongoPersonalTokens, MongoSigningKeys};
use crate::store::redis::{Link, RedisCounters, RedisOneTime, RedisRefreshTokens, RedisSessions};
use crate::store::sqlite::{
    Database, SqliteAccounts, SqliteAudit, SqliteCounters, SqliteInvitations, SqliteOneTime, SqliteOutbox, SqlitePersonalTokens,
    SqliteRefreshTokens, SqliteSessions, SqliteSigningKeys,
};
use crate::store::{CounterStore, OneTimeStore, StoreError};
use crate::telemetry::Telemetry;
use crate::throttle::{CounterKeys, Throttle};
use crate::token::{
    AccessTokens, Assertions, Bearers, PersonalTokenStore, PersonalTokens, RefreshTokenStore, RefreshTokens, SigningKeyStore, SigningKeys,
};
use crate::token_login::TokenLogin;
use background::{Beside, Work};
use parts::Parts;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Everything a gateway or a command needs. Dropping the last one over the same stores ends the threads and closes the stores.
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
    /// Where attempts are counted; beside the sessions.
    pub counters: Arc<dyn CounterStore>,
    /// Where tokens of links are kept; beside the sessions.
    pub one_time: Arc<dyn OneTimeStore>,
    /// Where letters wait; beside the accounts.
    pub letters: Arc<dyn OutboxStore>,
    /// Inviting people.
    pub invitations: Arc<Invitations>,
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
    /// Getting back into an account.
    pub recovery: Arc<Recovery>,
    /// Showing addresses to be one's own.
    pub email_confirmation: Arc<EmailConfirmation>,
    /// Forms that wait for a sign-in.
    pub parked_forms: Arc<ParkedForms>,
    /// The keys that sign tokens.
    pub signing_keys: Arc<SigningKeys>,
    /// What programs present.
    pub access_tokens: Arc<AccessTokens>,
    /// What programs renew it by.
    pub refresh_tokens: Arc<RefreshTokens>,
    /// What scripts present.
    pub personal_tokens: Arc<PersonalTokens>,
    /// Signing in and out of programs.
    pub token_login: Arc<TokenLogin>,
    /// Reading `Authorization`.
    pub bearers: Arc<Bearers>,
    /// What applications can verify.
    pub assertions: Arc<Assertions>,
    /// Limits of attempts.
    pub throttle: Arc<Throttle>,
    /// Who did what.
    pub audit: Arc<Audit>,
    /// Takes letters.
    pub outbox: Arc<Outbox>,
    /// Sends letters.
    pub delivery: Arc<Delivery>,
    /// Where the demo's mails are.
    pub mail_catcher: Option<Arc<MailCatcher>>,
    /// Where spans of requests are recorded.
    pub telemetry: Telemetry,
    /// What is counted and measured.
    pub metrics: Arc<Metrics>,
    foundation: Foundation,
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

/// How long a gateway waits at its start for stores that start with it.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

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
        let metrics = Metrics::new().map_err(|error| OpenError(format!("cannot make the metrics: {error}")))?;
        let mut databases = Databases::default();
        let users = open_user_stores(&settings.stores.users, &mut databases)?.measured_by(&metrics)?;
        let sessions = open_session_stores(role, &settings, &mut databases, &metrics)?.measured_by(&metrics)?;
        let marks = SessionMarks {
            accounts: Arc::clone(&users.accounts),
            sessions: Arc::clone(&sessions.sessions),
            refresh_tokens: Arc::clone(&sessions.refresh_tokens),
            metrics: Arc::clone(&metrics),
            reaches_sessions: role == Role::Gateway || sessions.sessions.shared(),
        };
        let audit = Audit::start(Arc::clone(&users.audit), Arc::clone(&clock), Arc::clone(&metrics));
        let audit = Arc::new(audit.map_err(|error| OpenError(format!("cannot start a thread for audit records: {error}")))?);
        let secret = secret::resolve(&settings.secret)?;
        let hasher = start_hasher(settings.accounts.hash, &metrics)?;
        let telemetry = Telemetry::new(settings.tracing.otlp.as_ref(), Arc::clone(&clock));
        let (scraping, beside) = (Arc::default(), Arc::default());
        Ok(Foundation { clock, secret, users, sessions, hasher, marks, audit, telemetry, metrics, scraping, beside }.carry(settings))
    }

    /// The same stores and threads under other settings. What the settings say of those is not looked at: whoever calls has
    /// kept it as it was ([`Settings::keep_what_is_fixed`]). This app goes on beside the new one, for those who began with it.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn reconfigured(&self, settings: Arc<Settings>) -> Result<Arc<Self>, OpenError> {
        let hasher = if self.hasher.algorithm() == settings.accounts.hash {
            self.hasher.clone()
        } else {
            start_hasher(settings.accounts.hash, &self.metrics)?
        };
        Ok(Foundation { hasher, ..self.foundation.clone() }.carry(settings))
    }

    /// Has what runs beside requests done by this app's settings: finishing marks, removing what has expired, sending mails.
    /// Threads are started the first time, and end with the last app that shares them.
    ///
    /// # Errors
    /// When the machine gives no thread.
    pub fn start(&self) -> Result<(), OpenError> {
        let failed = |error| OpenError(format!("cannot start a thread beside requests: {error}"));
        self.foundation.beside.take_up(self.housekeeping(), Arc::clone(&self.delivery)).map_err(failed)?;
        self.telemetry.start().map_err(failed)
    }

    /// What is to be done beside requests.
    fn housekeeping(&self) -> Work {
        Work {
            marks: self.marks.clone(),
            sessions: Arc::clone(&self.sessions),
            refresh_tokens: Arc::clone(&self.marks.refresh_tokens),
            counters: Arc::clone(&self.counters),
            one_time: Arc::clone(&self.one_time),
            invitations: Arc::clone(&self.invitations),
            signing_keys: Arc::clone(&self.signing_keys),
            audit: Arc::clone(&self.audit),
            audit_retention: self.settings.audit.retention,
            clock: Arc::clone(&self.clock),
        }
    }

    /// The name of a thread beside requests that has ended although nobody told it to.
    #[must_use]
    pub fn lost_thread(&self) -> Option<&'static str> {
        self.foundation.beside.lost_thread()
    }
}

/// What an app stands on, whatever its settings: stores, keys and threads.
#[derive(Clone)]
struct Foundation {
    clock: SharedClock,
    secret: Secret,
    users: UserStores,
    sessions: SessionStores,
    hasher: Hasher,
    marks: SessionMarks,
    audit: Arc<Audit>,
    telemetry: Telemetry,
    metrics: Arc<Metrics>,
    /// One scrape at a time asks the stores.
    scraping: Arc<tokio::sync::Mutex<()>>,
    beside: Arc<Beside>,
}

impl Foundation {
    /// Puts the use cases together.
    fn carry(self, settings: Arc<Settings>) -> Arc<App> {
        let foundation = self.clone();
        let Self { clock, secret, users, sessions, hasher, marks, audit, telemetry, metrics, .. } = self;
        let UserStores { accounts, letters, audit: _, invitations, signing_keys, personal_tokens } = users;
        let SessionStores { sessions, counters, one_time, refresh_tokens: _ } = sessions;
        let sealer = Sealer::derive(&secret, settings.secret_previous.as_ref());
        let outbox = Outbox::new(Arc::clone(&letters), Arc::clone(&clock), sealer.clone());
        let outbox = Arc::new(if settings.email.transport.is_some() { outbox } else { outbox.without_mail() });
        let lockout = Arc::new(Lockout {
            counters: Arc::clone(&counters),
            clock: Arc::clone(&clock),
            settings: settings.accounts.lockout.clone(),
            keys: CounterKeys::derive(&secret),
            outbox: Arc::clone(&outbox),
            audit: Arc::clone(&audit),
        });
        let throttle = Throttle::new(Arc::clone(&lockout), settings.rate_limit, settings.accounts.reset.clone(), Arc::clone(&metrics));
        let throttle = Arc::new(throttle);
        let tokens = LinkTokens { store: Arc::clone(&one_time), clock: Arc::clone(&clock) };
        let parts = Parts { settings, clock, accounts, sessions, marks, hasher, tokens, outbox, audit, lockout, throttle, metrics };

        let (login, email_confirmation, invitations) = (parts.login(), parts.email_confirmation(), parts.invitations(invitations));
        let recovery = parts.recovery(&login);
        let keys = parts.signing_keys(signing_keys, sealer);
        let access_tokens = parts.access_tokens(&keys, &one_time);
        let refresh_tokens = parts.refresh_tokens(&keys);
        let personal_tokens = parts.personal_tokens(personal_tokens, &secret);
        let bearers = Bearers { keys: Arc::clone(&keys), access: Arc::clone(&access_tokens), personal: Arc::clone(&personal_tokens) };
        let writer = Writer {
            accounts: Arc::clone(&parts.accounts),
            recovery: Arc::clone(&recovery),
            email_confirmation: Arc::clone(&email_confirmation),
            marks: parts.marks.clone(),
            settings: Arc::clone(&parts.settings),
        };
        let catches = matches!(parts.settings.email.transport, Some(MailTransport::Catcher));
        let mail_catcher: Option<Arc<MailCatcher>> = catches.then(Arc::default);
        let transport = match &mail_catcher {
            Some(catcher) => Some(caught_by(catcher, &parts.clock)),
            None => mail_transport(&parts.settings),
        };
        let parked_forms =
            ParkedForms { sessions: Arc::clone(&parts.sessions), store: Arc::clone(&one_time), clock: Arc::clone(&parts.clock) };
        Arc::new(App {
            parked_forms: Arc::new(parked_forms),
            assertions: parts.assertions(&keys),
            bearers: Arc::new(bearers),
            token_login: parts.token_login(&login, &access_tokens, &refresh_tokens),
            signing_keys: keys,
            access_tokens,
            refresh_tokens,
            personal_tokens,
            delivery: Delivery::new(Arc::clone(&parts.outbox), writer, transport, Arc::clone(&parts.metrics)),
            cookie_key: CookieKey::derive(&secret, parts.settings.secret_previous.as_ref()),
            registration: parts.registration(&invitations, &email_confirmation),
            profile: parts.profile(),
            administration: parts.administration(),
            login,
            recovery,
            email_confirmation,
            invitations,
            mail_catcher,
            counters,
            one_time,
            letters,
            secret,
            settings: parts.settings,
            clock: parts.clock,
            accounts: parts.accounts,
            sessions: parts.sessions,
            hasher: parts.hasher,
            marks: parts.marks,
            throttle: parts.throttle,
            audit: parts.audit,
            outbox: parts.outbox,
            telemetry,
            metrics: parts.metrics,
            foundation,
        })
    }
}

fn start_hasher(algorithm: HashAlgorithm, metrics: &Arc<Metrics>) -> Result<Hasher, OpenError> {
    Hasher::start(algorithm, metrics).map_err(|error| OpenError(format!("cannot start a thread for passwords: {error}")))
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

/// What is kept where accounts are.
#[derive(Clone)]
struct UserStores {
    accounts: Arc<dyn AccountStore>,
    letters: Arc<dyn OutboxStore>,
    audit: Arc<dyn AuditStore>,
    invitations: Arc<dyn InvitationStore>,
    signing_keys: Arc<dyn SigningKeyStore>,
    personal_tokens: Arc<dyn PersonalTokenStore>,
}

/// What is kept where sessions are.
#[derive(Clone)]
struct SessionStores {
    sessions: Arc<dyn SessionStore>,
    counters: Arc<dyn CounterStore>,
    one_time: Arc<dyn OneTimeStore>,
    refresh_tokens: Arc<dyn RefreshTokenStore>,
}

impl UserStores {
    fn measured_by(self, metrics: &Metrics) -> Result<Self, StoreError> {
        Ok(Self {
            accounts: MeasuredAccounts::over(self.accounts, metrics)?,
            letters: MeasuredOutbox::over(self.letters, metrics)?,
            audit: MeasuredAudit::over(self.audit, metrics)?,
            invitations: MeasuredInvitations::over(self.invitations, metrics)?,
            signing_keys: MeasuredSigningKeys::over(self.signing_keys, metrics)?,
            personal_tokens: MeasuredPersonalTokens::over(self.personal_tokens, metrics)?,
        })
    }
}

impl SessionStores {
    fn measured_by(self, metrics: &Metrics) -> Result<Self, StoreError> {
        Ok(Self {
            sessions: MeasuredSessions::over(self.sessions, metrics)?,
            counters: MeasuredCounters::over(self.counters, metrics)?,
            one_time: MeasuredOneTime::over(self.one_time, metrics)?,
            refresh_tokens: MeasuredRefreshTokens::over(self.refresh_tokens, metrics)?,
        })
    }
}

fn open_user_stores(kind: &UserStore, databases: &mut Databases) -> Result<UserStores, StoreError> {
    match kind {
        UserStore::Sqlite(path) => {
            let database = databases.open(path)?;
            Ok(UserStores {
                accounts: Arc::new(SqliteAccounts::new(Arc::clone(&database))),
                letters: Arc::new(SqliteOutbox::new(Arc::clone(&database))),
                audit: Arc::new(SqliteAudit::new(Arc::clone(&database))),
                invitations: Arc::new(SqliteInvitations::new(Arc::clone(&database))),
                signing_keys: Arc::new(SqliteSigningKeys::new(Arc::clone(&database))),
                personal_tokens: Arc::new(SqlitePersonalTokens::new(database)),
            })
        }
        UserStore::Mongo(url) => {
            let database = MongoDatabase::open(url, STORE_PATIENCE)?;
            Ok(UserStores {
                accounts: Arc::new(MongoAccounts::new(Arc::clone(&database))),
                letters: Arc::new(MongoOutbox::new(Arc::clone(&database))),
                audit: Arc::new(MongoAudit::new(Arc::clone(&database))),
                invitations: Arc::new(MongoInvitations::new(Arc::clone(&database))),
                signing_keys: Arc::new(MongoSigningKeys::new(Arc::clone(&database))),
                personal_tokens: Arc::new(MongoPersonalTokens::new(database)),
            })
        }
    }
}

fn open_session_stores(
    role: Role,
    settings: &Settings,
    databases: &mut Databases,
    metrics: &Arc<Metrics>,
) -> Result<SessionStores, StoreError> {
    let remembered = if settings.routes.iter().any(|route| route.park_forms) { SENDER_KNOWN_FOR } else { Duration::ZERO };
    match &settings.stores.sessions {
        SessionStoreKind::Memory => Ok(SessionStores {
            sessions: Arc::new(MemorySessions::default().remembering(remembered)),
            counters: Arc::new(MemoryCounters::default()),
            one_time: Arc::new(MemoryOneTime::default()),
            refresh_tokens: Arc::new(MemoryRefreshTokens::default()),
        }),
        SessionStoreKind::Sqlite(path) => {
            let database = databases.open(path)?;
            let sessions = SqliteSessions::new(Arc::clone(&database), settings.sessions.cache).counted_by(Arc::clone(metrics));
            Ok(SessionStores {
                sessions: Arc::new(sessions.remembering(remembered)),
                counters: Arc::new(SqliteCounters::new(Arc::clone(&database))),
                one_time: Arc::new(SqliteOneTime::new(Arc::clone(&database))),
                refresh_tokens: Arc::new(SqliteRefreshTokens::new(database)),
            })
        }
        SessionStoreKind::Redis(address) => {
            let link = Link::open(RedisAddress::clone(address))?;
            // A command fails by itself where it needs the sessions; many do not.
            if role == Role::Gateway {
                link.wait(STORE_PATIENCE)?;
            }
            let (link, prefix) = (Arc::new(link), &settings.stores.redis_prefix);
            Ok(SessionStores {
                sessions: Arc::new(RedisSessions::new(Arc::clone(&link), prefix).remembering(remembered)),
                counters: Arc::new(RedisCounters::new(Arc::clone(&link), prefix)),
                one_time: Arc::new(RedisOneTime::new(Arc::clone(&link), prefix)),
                refresh_tokens: Arc::new(RedisRefreshTokens::new(link, prefix)),
            })
        }
    }
}

/// The way for mails that is configured; `None` where there is no mail, and in the demo, whose mails leave for nowhere.
#[must_use]
pub fn mail_transport(settings: &Settings) -> Option<Arc<dyn Transport>> {
    match settings.email.transport.as_ref()? {
        MailTransport::File(folder) => Some(Arc::new(FileTransport::new(folder.clone()))),
        MailTransport::Log => Some(Arc::new(LogTransport)),
        MailTransport::Smtp(server) => Some(Arc::new(SmtpTransport::new(server.clone(), settings.mail_host()))),
        MailTransport::Catcher => None,
    }
}

fn caught_by(catcher: &Arc<MailCatcher>, clock: &SharedClock) -> Arc<dyn Transport> {
    Arc::new(CatcherTransport { catcher: Arc::clone(catcher), clock: Arc::clone(clock) })
}

#[cfg(test)]
mod tests;
