//! Every port once more: asks the adapter behind it, and measures how long that takes and how often it fails.

use super::{Charge, Counted, CounterStore, Limit, OneTimeStore, StoreError};
use crate::account::{Account, AccountId, AccountStore, CreateError, Email, UpdateError, Username};
use crate::audit::{AuditStore, Filter, Record};
use crate::clock::{Stopwatch, Timestamp};
use crate::invitation::{Invitation, InvitationStore};
use crate::mail::{OutboxStore, Queued};
use crate::metrics::{Metrics, StoreMeter};
use crate::session::{Session, SessionKey, SessionStore, SessionUser};
use crate::token::{PersonalToken, PersonalTokenStore, RefreshToken, RefreshTokenStore, Renewal, Rotation, SealedKey, SigningKeyStore};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Tells a store that failed from one that said no.
trait Failure {
    fn is_failure(&self) -> bool;
}

impl Failure for StoreError {
    fn is_failure(&self) -> bool {
        true
    }
}

impl Failure for CreateError {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

impl Failure for UpdateError {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Store(_))
    }
}

/// Sooner than a file or a server can answer.
const AT_HAND: Duration = Duration::from_micros(20);

async fn measure<T, E: Failure>(meter: &StoreMeter, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let begun = Stopwatch::start();
    let answer = call.await;
    note(meter, begun.elapsed(), &answer);
    answer
}

/// The same where an adapter may have the answer in memory: then no store was asked, and among so many answers those of the store
/// would not be seen. Every request comes by here.
async fn measure_unless_at_hand<T, E: Failure>(meter: &StoreMeter, call: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let begun = Stopwatch::start();
    let answer = call.await;
    let took = begun.elapsed();
    if answer.is_err() || took >= AT_HAND {
        note(meter, took, &answer);
    }
    answer
}

fn note<T, E: Failure>(meter: &StoreMeter, took: Duration, answer: &Result<T, E>) {
    meter.called(took);
    if answer.as_ref().is_err_and(Failure::is_failure) {
        meter.failed();
    }
}

/// Writes down a port once more, with a meter for each method that waits; `also` holds those that do not.
macro_rules! measured {
    (
        $(#[$about:meta])*
        $name:ident: $port:ident as $label:literal {
            $($method:ident($($argument:ident: $kind:ty),*) -> $answer:ty $(, by $measure:ident)?;)+
        }
        also { $($also:tt)* }
    ) => {
        $(#[$about])*
        pub struct $name {
            inner: Arc<dyn $port>,
            $($method: StoreMeter,)+
        }

        impl $name {
            /// Measures what `inner` does.
            ///
            /// # Errors
            /// When a meter cannot be made.
            pub fn over(inner: Arc<dyn $port>, metrics: &Metrics) -> Result<Arc<dyn $port>, StoreError> {
                let meter = |operation| metrics.store($label, operation).map_err(|error| StoreError(error.to_string()));
                Ok(Arc::new(Self { $($method: meter(stringify!($method))?,)+ inner }))
            }
        }

        #[async_trait]
        impl $port for $name {
            $(async fn $method(&self, $($argument: $kind),*) -> $answer {
                measured!(@by $($measure)?)(&self.$method, self.inner.$method($($argument),*)).await
            })+

            $($also)*
        }
    };
    (@by $measure:ident) => { $measure };
    (@by) => { measure };
}

measured! {
    /// Accounts, measured.
    MeasuredAccounts: AccountStore as "accounts" {
        create(account: &Account) -> Result<(), CreateError>;
        find(id: AccountId) -> Result<Option<Account>, StoreError>;
        find_by_username(username: &Username) -> Result<Option<Account>, StoreError>;
        find_by_email(email: &Email) -> Result<Option<Account>, StoreError>;
        update(account: &Account) -> Result<(), UpdateError>;
        delete(id: AccountId) -> Result<bool, StoreError>;
        list(after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError>;
        search(text: &str, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError>;
        marked(limit: usize) -> Result<Vec<Account>, StoreError>;
        ping() -> Result<(), StoreError>;
    }
    also {}
}

measured! {
    /// Sessions, measured.
    MeasuredSessions: SessionStore as "sessions" {
        create(key: SessionKey, session: &Session, max_per_user: usize) -> Result<u64, StoreError>;
        find(key: &SessionKey, now: Timestamp) -> Result<Option<Arc<Session>>, StoreError>, by measure_unless_at_hand;
        find_expired(key: &SessionKey, now: Timestamp) -> Result<Option<AccountId>, StoreError>;
        rotate(old: &SessionKey, new: SessionKey, session: &Session) -> Result<bool, StoreError>;
        end(key: &SessionKey) -> Result<bool, StoreError>;
        end_all(account: AccountId, except: Option<&SessionKey>) -> Result<u64, StoreError>;
        end_outdated(account: AccountId, version: u64) -> Result<u64, StoreError>;
        rewrite(user: &SessionUser) -> Result<(), StoreError>;
        list(account: AccountId, now: Timestamp) -> Result<Vec<(SessionKey, Arc<Session>)>, StoreError>;
        count(now: Timestamp) -> Result<u64, StoreError>;
        purge(now: Timestamp) -> Result<u64, StoreError>;
        ping() -> Result<(), StoreError>;
    }
    also {
        fn touch(&self, key: &SessionKey, seen: Timestamp) {
            self.inner.touch(key, seen);
        }

        fn shared(&self) -> bool {
            self.inner.shared()
        }
    }
}

measured! {
    /// Counters, measured.
    MeasuredCounters: CounterStore as "counters" {
        count_all(charges: &[Charge], now: Timestamp) -> Result<Vec<Counted>, StoreError>;
        count(key: &str, limit: Limit, now: Timestamp) -> Result<Counted, StoreError>;
        give_back(keys: &[String], now: Timestamp) -> Result<(), StoreError>;
        peek(key: &str, now: Timestamp) -> Result<Option<(u32, Timestamp)>, StoreError>;
        clear(keys: &[String]) -> Result<(), StoreError>;
        purge(now: Timestamp) -> Result<(), StoreError>;
    }
    also {}
}

measured! {
    /// Tokens of links, measured.
    MeasuredOneTime: OneTimeStore as "one_time" {
        put(key: &str, record: &[u8], now: Timestamp, expires_at: Timestamp) -> Result<(), StoreError>;
        take(key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError>;
        read(key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, StoreError>;
        purge(now: Timestamp) -> Result<(), StoreError>;
    }
    also {}
}

measured! {
    /// Letters, measured.
    MeasuredOutbox: OutboxStore as "outbox" {
        post(letter: &Queued) -> Result<(), StoreError>;
        claim(now: Timestamp, lease: Timestamp) -> Result<Option<Queued>, StoreError>;
        postpone(id: Uuid, attempts: u32, due: Timestamp) -> Result<(), StoreError>;
        remove(id: Uuid) -> Result<(), StoreError>;
        depth() -> Result<u64, StoreError>;
    }
    also {}
}

measured! {
    /// Audit records, measured.
    MeasuredAudit: AuditStore as "audit" {
        append(records: &[Record]) -> Result<(), StoreError>;
        list(filter: Filter, limit: usize) -> Result<Vec<Record>, StoreError>;
        purge(oldest: Timestamp) -> Result<(), StoreError>;
    }
    also {}
}

measured! {
    /// Invitations, measured.
    MeasuredInvitations: InvitationStore as "invitations" {
        create(invitation: &Invitation) -> Result<(), StoreError>;
        find(token: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>, StoreError>;
        claim(id: Uuid, account: AccountId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;
        redeem(id: Uuid, account: AccountId, now: Timestamp) -> Result<bool, StoreError>;
        release(id: Uuid, account: AccountId) -> Result<(), StoreError>;
        lapsed(now: Timestamp, limit: usize) -> Result<Vec<Invitation>, StoreError>;
        list(before: Option<Uuid>, limit: usize) -> Result<Vec<Invitation>, StoreError>;
        remove(id: Uuid) -> Result<bool, StoreError>;
        purge(oldest: Timestamp) -> Result<(), StoreError>;
    }
    also {}
}

measured! {
    /// Signing keys, measured.
    MeasuredSigningKeys: SigningKeyStore as "signing_keys" {
        list() -> Result<Vec<SealedKey>, StoreError>;
        add(key: &SealedKey) -> Result<bool, StoreError>;
        reseal(id: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError>;
        remove(id: &str) -> Result<(), StoreError>;
    }
    also {}
}

measured! {
    /// Refresh tokens, measured.
    MeasuredRefreshTokens: RefreshTokenStore as "refresh_tokens" {
        create(token: &RefreshToken, max_families: usize, now: Timestamp) -> Result<(), StoreError>;
        rotate(renewal: &Renewal, grace: Duration, now: Timestamp) -> Result<Rotation, StoreError>;
        end(account: AccountId, family: Uuid) -> Result<bool, StoreError>;
        end_all(account: AccountId) -> Result<u64, StoreError>;
        end_outdated(account: AccountId, generation: u64) -> Result<u64, StoreError>;
        list(account: AccountId, now: Timestamp) -> Result<Vec<RefreshToken>, StoreError>;
        purge(now: Timestamp) -> Result<(), StoreError>;
    }
    also {}
}

measured! {
    /// Personal tokens, measured.
    MeasuredPersonalTokens: PersonalTokenStore as "personal_tokens" {
        create(token: &PersonalToken, most: usize) -> Result<bool, StoreError>;
        find(hashes: &[[u8; 32]]) -> Result<Option<(PersonalToken, Account)>, StoreError>;
        list(account: AccountId) -> Result<Vec<PersonalToken>, StoreError>;
        remove(account: AccountId, id: Uuid) -> Result<bool, StoreError>;
    }
    also {
        fn touch(&self, token: &PersonalToken, hash: &[u8; 32], used: Timestamp) {
            self.inner.touch(token, hash, used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountId;
    use crate::fixture::{Fixture, PASSWORD};
    use crate::metrics::CacheResult;
    use crate::store::sqlite::{Database, SqliteSessions};
    use std::future::ready;

    fn read(metrics: &Metrics, series: &str) -> u64 {
        let text = metrics.export().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("portcullis_{series} ")));
        line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
    }

    /// contract 8
    #[tokio::test]
    async fn what_memory_answers_is_no_call_to_a_store() {
        let (folder, metrics) = (tempfile::tempdir().unwrap(), Metrics::new().unwrap());
        let database = Database::open(&folder.path().join("test.db")).unwrap();
        let sessions = SqliteSessions::new(database, Duration::from_mins(10)).counted_by(Arc::clone(&metrics));
        let sessions = MeasuredSessions::over(Arc::new(sessions), &metrics).unwrap();
        let fixture = Fixture::new();
        fixture.add("alice").await;
        let signed_in = fixture.sign_in("alice", PASSWORD).await.unwrap();
        let (key, now) = (signed_in.id.key(), signed_in.session.created_at);
        sessions.create(key, &signed_in.session, 9).await.unwrap();
        for _ in 0..1000 {
            assert!(sessions.find(&key, now).await.unwrap().is_some());
        }
        assert_eq!(metrics.session_cache_total[CacheResult::Hit].get(), 1000);
        // On a busy machine even memory is slow now and then.
        assert!(read(&metrics, "store_duration_seconds_count{operation=\"find\",store=\"sessions\"}") < 500);
        assert_eq!(read(&metrics, "store_duration_seconds_count{operation=\"create\",store=\"sessions\"}"), 1);
    }

    /// contract 8: a call that is refused at once, by a breaker, has failed like any other
    #[tokio::test]
    async fn a_failure_is_counted_however_soon_it_comes() {
        let metrics = Metrics::new().unwrap();
        let meter = metrics.store("sessions", "find").unwrap();
        let refused = ready(Err::<(), _>(StoreError("it did not answer of late".to_owned())));
        assert!(measure_unless_at_hand(&meter, refused).await.is_err());
        assert!(measure(&meter, ready(Err::<AccountId, _>(UpdateError::Conflict))).await.is_err());
        for (family, expected) in [("duration_seconds_count", 2), ("errors_total", 1)] {
            assert_eq!(read(&metrics, &format!("store_{family}{{operation=\"find\",store=\"sessions\"}}")), expected);
        }
    }
}
