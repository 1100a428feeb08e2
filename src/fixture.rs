//! What the tests of the use cases share: all of them over one set of stores, a clock that is moved by hand, and a
//! session store that can fail or be overtaken.

use crate::account::{AccountStore, Hasher, Password, PasswordProfile};
use crate::administration::{Actor, AddedAccount, Administration};
use crate::audit::{Audit, Filter, Record};
use crate::client::Client;
use crate::clock::{ManualClock, SharedClock, Timestamp};
use crate::config::{
    self, AccountSettings, EmailSettings, HashAlgorithm, LockoutSettings, MailTransport, RateLimitSettings, ResetSettings, Secret,
    SessionSettings, SessionStoreKind, Settings, StoreSettings, load_str,
};
use crate::email_confirmation::EmailConfirmation;
use crate::invitation::Invitations;
use crate::link_token::LinkTokens;
use crate::lockout::Lockout;
use crate::login::{Attempt, Login, LoginError, SignedIn};
use crate::mail::Outbox;
use crate::metrics::Metrics;
use crate::profile::Profile;
use crate::registration::{NewAccount, Registration};
use crate::sealing::Sealer;
use crate::session::{Session, SessionKey, SessionStore, SessionUser};
use crate::session_marks::SessionMarks;
use crate::store::StoreError;
use crate::store::memory::{MemoryCounters, MemoryOneTime, MemoryRefreshTokens, MemorySessions};
use crate::store::sqlite::{Database, SqliteAccounts, SqliteAudit, SqliteInvitations, SqliteOutbox, SqliteSigningKeys};
use crate::throttle::{CounterKeys, Throttle};
use crate::token::{RefreshTokens, SigningKeys};
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<Overtaken>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) marks: SessionMarks,
    pub(crate) refresh_tokens: Arc<RefreshTokens>,
    pub(crate) login: Arc<Login>,
    pub(crate) registration: Arc<Registration>,
    pub(crate) profile: Arc<Profile>,
    pub(crate) administration: Arc<Administration>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) invitations: Arc<Invitations>,
    pub(crate) email_confirmation: Arc<EmailConfirmation>,
    pub(crate) outbox: Arc<Outbox>,
    _folder: TempDir,
}

pub(crate) const PASSWORD: &str = "Tw1light-Kite";

pub(crate) fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

pub(crate) fn account_settings() -> AccountSettings {
    AccountSettings {
        registration: config::Registration::Open,
        rename: true,
        admin_group: "admins".to_owned(),
        password: PasswordProfile::Classic,
        hash: HashAlgorithm::Argon2id,
        reserved_usernames: vec!["boss".to_owned()],
        verify_email: false,
        lockout: LockoutSettings {
            failures: 10,
            within: Duration::from_mins(15),
            lasts: vec![Duration::from_mins(1), Duration::from_mins(5)],
        },
        reset: ResetSettings { token_lifetime: Duration::from_mins(30), requests_per_hour: 5, url: None },
    }
}

pub(crate) fn session_settings() -> SessionSettings {
    SessionSettings {
        idle_timeout: Duration::from_mins(30),
        lifetime: Duration::from_hours(12),
        remember_for: Duration::from_hours(720),
        max_per_user: 3,
        cache: Duration::from_secs(5),
    }
}

/// Five failures in a quarter of an hour, as by default.
pub(crate) fn rate_limit_settings() -> RateLimitSettings {
    RateLimitSettings { attempts: 5, per: Duration::from_mins(15), per_client: 100 }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(account_settings())
    }

    pub(crate) fn with(settings: AccountSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("test.db")).unwrap();
        let accounts: Arc<dyn AccountStore> = Arc::new(SqliteAccounts::new(Arc::clone(&database)));
        let overtaken = Arc::new(Overtaken::default());
        let sessions: Arc<dyn SessionStore> = Arc::<Overtaken>::clone(&overtaken);
        let manual = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000)));
        let clock: SharedClock = Arc::<ManualClock>::clone(&manual);
        let metrics = Metrics::new().unwrap();
        let records = Arc::new(SqliteAudit::new(Arc::clone(&database)));
        let audit = Arc::new(Audit::start(records, Arc::clone(&clock), Arc::clone(&metrics)).unwrap());
        let hasher = Hasher::start_patient(settings.hash);
        let marks = SessionMarks {
            accounts: Arc::clone(&accounts),
            sessions: Arc::clone(&sessions),
            refresh_tokens: Arc::new(MemoryRefreshTokens::default()),
            metrics: Arc::clone(&metrics),
            reaches_sessions: true,
        };
        let tokens = LinkTokens { store: Arc::new(MemoryOneTime::default()), clock: Arc::clone(&clock) };
        let letters = Arc::new(SqliteOutbox::new(Arc::clone(&database)));
        let outbox = Arc::new(Outbox::new(letters, Arc::clone(&clock), Sealer::derive(&secret(), None)));
        let all = whole(&settings, folder.path());
        let lockout = lockout(&settings, &outbox, &audit, &clock);
        let throttle = Throttle::new(Arc::clone(&lockout), rate_limit_settings(), settings.reset.clone(), Arc::clone(&metrics));
        let throttle = Arc::new(throttle);
        let email_confirmation = Arc::new(EmailConfirmation {
            accounts: Arc::clone(&accounts),
            tokens,
            outbox: Arc::clone(&outbox),
            throttle: Arc::clone(&throttle),
            audit: Arc::clone(&audit),
            hasher: hasher.clone(),
            clock: Arc::clone(&clock),
            marks: marks.clone(),
            prefix: all.server.prefix.clone(),
            sends_mail: all.email.transport.is_some(),
        });
        let refresh_tokens = refresh_tokens(&database, &marks, &audit, &clock);
        let refresh_tokens = Arc::new(RefreshTokens { verify_email: settings.verify_email, ..refresh_tokens });
        let invitations = Arc::new(Invitations {
            store: Arc::new(SqliteInvitations::new(database)),
            accounts: Arc::clone(&accounts),
            outbox: Arc::clone(&outbox),
            audit: Arc::clone(&audit),
            clock: Arc::clone(&clock),
            settings: all,
        });
        Self {
            login: Arc::new(Login {
                accounts: Arc::clone(&accounts),
                sessions: Arc::clone(&sessions),
                hasher: hasher.clone(),
                clock: Arc::clone(&clock),
                throttle: Arc::clone(&throttle),
                outbox: Arc::clone(&outbox),
                audit: Arc::clone(&audit),
                metrics: Arc::clone(&metrics),
                settings: session_settings(),
                verify_email: settings.verify_email,
            }),
            registration: Arc::new(Registration {
                accounts: Arc::clone(&accounts),
                hasher: hasher.clone(),
                clock: Arc::clone(&clock),
                invitations: Arc::clone(&invitations),
                email_confirmation: Arc::clone(&email_confirmation),
                throttle: Arc::clone(&throttle),
                audit: Arc::clone(&audit),
                settings: settings.clone(),
            }),
            email_confirmation,
            invitations,
            outbox: Arc::clone(&outbox),
            profile: Arc::new(Profile {
                accounts: Arc::clone(&accounts),
                sessions: Arc::clone(&sessions),
                hasher: hasher.clone(),
                throttle: Arc::clone(&throttle),
                audit: Arc::clone(&audit),
                outbox: Arc::clone(&outbox),
                clock: Arc::clone(&clock),
                marks: marks.clone(),
                accounts_settings: settings.clone(),
                session_settings: session_settings(),
            }),
            administration: Arc::new(Administration {
                accounts: Arc::clone(&accounts),
                hasher,
                clock,
                settings,
                marks: marks.clone(),
                audit: Arc::clone(&audit),
                outbox,
                lockout,
                actor: Actor::operator(),
            }),
            audit,
            accounts,
            sessions: overtaken,
            clock: manual,
            marks,
            refresh_tokens,
            _folder: folder,
        }
    }

    /// As a command beside a gateway sees it whose sessions are in memory.
    pub(crate) fn command(&self) -> Administration {
        let marks = SessionMarks { reaches_sessions: false, ..self.marks.clone() };
        Administration { marks, ..Administration::clone(&self.administration) }
    }

    pub(crate) async fn add(&self, username: &str) -> crate::account::Account {
        let email = format!("{username}@example.com");
        let added = AddedAccount { username: username.to_owned(), email, groups: vec!["users".to_owned()], password: password(PASSWORD) };
        self.administration.add(added).await.unwrap()
    }

    pub(crate) async fn sign_in(&self, identifier: &str, text: &str) -> Result<SignedIn, LoginError> {
        self.login.sign_in(attempt(identifier, text)).await
    }

    /// All that was recorded, oldest first.
    pub(crate) async fn recorded(&self) -> Vec<Record> {
        let mut records = self.audit.list(Filter::default(), 1000).await.unwrap();
        records.reverse();
        records
    }

    pub(crate) async fn session(&self, key: &SessionKey) -> Option<Arc<Session>> {
        self.sessions.find(key, self.login.clock.now()).await.unwrap()
    }
}

fn secret() -> Secret {
    Secret::new("a secret for tests, long enough for all".to_owned())
}

fn lockout(settings: &AccountSettings, outbox: &Arc<Outbox>, audit: &Arc<Audit>, clock: &SharedClock) -> Arc<Lockout> {
    Arc::new(Lockout {
        counters: Arc::new(MemoryCounters::default()),
        clock: Arc::clone(clock),
        settings: settings.lockout.clone(),
        keys: CounterKeys::derive(&secret()),
        outbox: Arc::clone(outbox),
        audit: Arc::clone(audit),
    })
}

/// By the default settings.
fn refresh_tokens(database: &Arc<Database>, marks: &SessionMarks, audit: &Arc<Audit>, clock: &SharedClock) -> RefreshTokens {
    let settings = settings(Path::new("/nowhere"), SessionStoreKind::Memory).tokens.clone();
    let keys = Arc::new(SqliteSigningKeys::new(Arc::clone(database)));
    RefreshTokens {
        store: Arc::clone(&marks.refresh_tokens),
        keys: Arc::new(SigningKeys::new(keys, Sealer::derive(&secret(), None), Arc::clone(clock), settings.clone())),
        accounts: Arc::clone(&marks.accounts),
        audit: Arc::clone(audit),
        clock: Arc::clone(clock),
        settings,
        max_families: session_settings().max_per_user,
        verify_email: false,
    }
}

pub(crate) fn attempt(identifier: &str, text: &str) -> Attempt {
    let client = Client {
        address: Some([10, 0, 0, 1].into()),
        user_agent: "Browser/1".to_owned(),
        request_id: "r1".to_owned(),
        ..Client::default()
    };
    Attempt { identifier: identifier.to_owned(), password: password(text), remember: false, client, replaces: None }
}

/// Somebody who registers, each with an address of their own.
pub(crate) fn new_account(username: Option<&str>, email: &str, text: &str) -> NewAccount {
    let client = Client { address: Some(crate::entropy::random_bytes::<16>().into()), ..Client::default() };
    NewAccount {
        username: username.map(str::to_owned),
        email: email.to_owned(),
        password: password(text),
        invite: String::new(),
        base: Some("https://auth.example.com".to_owned()),
        client,
    }
}

/// Sessions in memory; something may happen just before one is stored, and ending or rewriting may fail.
#[derive(Default)]
pub(crate) struct Overtaken {
    inner: MemorySessions,
    before_create: Mutex<Option<BoxFuture<'static, ()>>>,
    pub(crate) fails: AtomicBool,
}

impl Overtaken {
    pub(crate) fn before_next_create(&self, happens: impl Future<Output = ()> + Send + 'static) {
        *self.before_create.lock().unwrap() = Some(Box::pin(happens));
    }

    fn refuse_if_failing(&self) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) { Err(StoreError("the test wants it so".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl SessionStore for Overtaken {
    async fn create(&self, key: SessionKey, session: &Session, max_per_user: usize) -> Result<u64, StoreError> {
        let happens = self.before_create.lock().unwrap().take();
        if let Some(happens) = happens {
            happens.await;
        }
        self.inner.create(key, session, max_per_user).await
    }

    async fn find(&self, key: &SessionKey, now: Timestamp) -> Result<Option<Arc<Session>>, StoreError> {
        self.inner.find(key, now).await
    }

    async fn find_expired(&self, key: &SessionKey, now: Timestamp) -> Result<Option<crate::account::AccountId>, StoreError> {
        self.inner.find_expired(key, now).await
    }

    async fn rotate(&self, old: &SessionKey, new: SessionKey, session: &Session) -> Result<bool, StoreError> {
        self.inner.rotate(old, new, session).await
    }

    fn touch(&self, key: &SessionKey, seen: Timestamp) {
        self.inner.touch(key, seen);
    }

    async fn end(&self, key: &SessionKey) -> Result<bool, StoreError> {
        self.refuse_if_failing()?;
        self.inner.end(key).await
    }

    async fn end_all(&self, account: crate::account::AccountId, except: Option<&SessionKey>) -> Result<u64, StoreError> {
        self.refuse_if_failing()?;
        self.inner.end_all(account, except).await
    }

    async fn end_outdated(&self, account: crate::account::AccountId, version: u64) -> Result<u64, StoreError> {
        self.refuse_if_failing()?;
        self.inner.end_outdated(account, version).await
    }

    async fn rewrite(&self, user: &SessionUser) -> Result<(), StoreError> {
        self.refuse_if_failing()?;
        self.inner.rewrite(user).await
    }

    async fn list(&self, account: crate::account::AccountId, now: Timestamp) -> Result<Vec<(SessionKey, Arc<Session>)>, StoreError> {
        self.inner.list(account, now).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.count(now).await
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.purge(now).await
    }

    fn shared(&self) -> bool {
        false
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// These settings of accounts within the defaults, on a site that sends mail.
fn whole(accounts: &AccountSettings, folder: &Path) -> Arc<Settings> {
    let settings = settings(folder, SessionStoreKind::Memory);
    let email = EmailSettings { transport: Some(MailTransport::File(folder.join("mails"))), ..settings.email.clone() };
    Arc::new(Settings { accounts: accounts.clone(), email, ..Settings::clone(&settings) })
}

/// The defaults, with the stores in `folder`.
pub(crate) fn settings(folder: &Path, sessions: SessionStoreKind) -> Arc<Settings> {
    let loaded = load_str("routes: [{ path: /, upstream: sample }]", folder, &[]).unwrap();
    let stores = StoreSettings { sessions, ..loaded.settings.stores };
    Arc::new(Settings { stores, ..loaded.settings })
}
