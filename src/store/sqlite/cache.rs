//! What is known of sessions in memory, so that a check on every proxied request does not ask the file.
//!
//! An entry is only ever put in by someone who has just read or written it, and only if nothing was forgotten since the
//! reading began: so a reader that was slow cannot put an ended session back.

use crate::clock::{Stopwatch, Timestamp};
use crate::session::{Session, SessionKey};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Sessions in memory.
pub(super) struct Cache {
    shards: [RwLock<HashMap<SessionKey, Arc<Session>>>; SHARDS],
    /// Raised by whatever takes entries away.
    forgettings: AtomicU64,
    started: Stopwatch,
    /// Milliseconds from `started` to when the file was last known to hold nothing that we do not know.
    confirmed: AtomicU64,
    /// How long an entry answers without such knowledge.
    patience: Duration,
}

/// When a reading began; entries put in with it are dropped if anything was forgotten since.
#[derive(Clone, Copy)]
pub(super) struct Reading(u64);

const SHARDS: usize = 16;

/// Most entries in a shard; a full one starts afresh.
const CAPACITY: usize = 4096;

type Shard = HashMap<SessionKey, Arc<Session>>;

impl Cache {
    /// A cache whose entries answer for at most `patience` without the file's word; zero turns it off.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::new(HashMap::new())),
            forgettings: AtomicU64::new(0),
            started: Stopwatch::start(),
            confirmed: AtomicU64::new(0),
            patience,
        }
    }

    /// The entry, if it may answer now.
    pub(super) fn get(&self, key: &SessionKey) -> Option<Arc<Session>> {
        let entry = self.read(key).get(key).map(Arc::clone)?;
        self.is_confirmed().then_some(entry)
    }

    /// Notes that everything that was written until now is known.
    pub(super) fn confirm(&self) {
        self.confirmed.store(self.elapsed(), Ordering::Release);
    }

    /// To be called before the file is read.
    pub(super) fn begin_reading(&self) -> Reading {
        Reading(self.forgettings.load(Ordering::Acquire))
    }

    /// Puts in what was read, unless something was forgotten meanwhile.
    pub(super) fn put_read(&self, reading: Reading, key: SessionKey, session: Arc<Session>) {
        let mut shard = self.write(&key);
        if self.forgettings.load(Ordering::Acquire) == reading.0 {
            self.insert(&mut shard, key, session);
        }
    }

    /// Puts in what was just committed; only for the thread that commits.
    pub(super) fn put_committed(&self, key: SessionKey, session: Arc<Session>) {
        let mut shard = self.write(&key);
        self.insert(&mut shard, key, session);
    }

    /// Takes entries away.
    pub(super) fn forget(&self, keys: &[SessionKey]) {
        self.forgettings.fetch_add(1, Ordering::AcqRel);
        for key in keys {
            self.write(key).remove(key);
        }
    }

    /// Takes all entries away.
    pub(super) fn forget_all(&self) {
        self.retain(|_| false);
    }

    /// Takes away what has expired.
    pub(super) fn forget_expired(&self, now: Timestamp) {
        self.retain(|session| !session.expired(now));
    }

    /// Moves the last activity on, if the entry is there.
    pub(super) fn touch(&self, key: &SessionKey, seen: Timestamp) {
        if let Some(session) = self.write(key).get_mut(key)
            && session.last_seen < seen
            && !session.expired(seen)
        {
            *session = Arc::new(Session { last_seen: seen, ..Session::clone(session) });
        }
    }

    fn retain(&self, keep: impl Fn(&Session) -> bool) {
        self.forgettings.fetch_add(1, Ordering::AcqRel);
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, session| keep(session));
        }
    }

    fn insert(&self, shard: &mut Shard, key: SessionKey, session: Arc<Session>) {
        if self.patience.is_zero() {
            return;
        }
        if shard.len() >= CAPACITY {
            shard.clear();
        }
        shard.insert(key, session);
    }

    fn is_confirmed(&self) -> bool {
        let age = self.elapsed().saturating_sub(self.confirmed.load(Ordering::Acquire));
        u128::from(age) < self.patience.as_millis()
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn shard(&self, key: &SessionKey) -> &RwLock<Shard> {
        &self.shards[usize::from(key.0[0]) % SHARDS]
    }

    fn read(&self, key: &SessionKey) -> RwLockReadGuard<'_, Shard> {
        self.shard(key).read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, key: &SessionKey) -> RwLockWriteGuard<'_, Shard> {
        self.shard(key).write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountId;
    use crate::session::SessionUser;

    const KEY: SessionKey = SessionKey([1; 32]);

    fn session() -> Arc<Session> {
        let user = SessionUser {
            id: AccountId::new(Timestamp(0)),
            username: String::new(),
            name: String::new(),
            email: String::new(),
            groups: vec![],
            version: 1,
        };
        Arc::new(Session {
            user,
            created_at: Timestamp(0),
            last_seen: Timestamp(0),
            idle_timeout: Duration::from_mins(1),
            expires_at: Timestamp(60_000),
            remember: false,
            client: None,
            user_agent: String::new(),
            confirmed_at: None,
        })
    }

    #[test]
    fn what_was_read_before_something_was_forgotten_is_not_put_in() {
        let cache = Cache::new(Duration::from_mins(1));
        let reading = cache.begin_reading();
        cache.forget(&[KEY]);
        cache.put_read(reading, KEY, session());
        assert!(cache.get(&KEY).is_none());
        cache.put_read(cache.begin_reading(), KEY, session());
        assert!(cache.get(&KEY).is_some());
        cache.forget_all();
        assert!(cache.get(&KEY).is_none());
    }

    /// contract 3.9: no longer than `sessions.cache` without the store's word
    #[test]
    fn without_the_files_word_entries_answer_for_a_bounded_time() {
        let cache = Cache::new(Duration::from_millis(1));
        cache.put_committed(KEY, session());
        while cache.get(&KEY).is_some() {
            std::thread::yield_now();
        }
        assert!(cache.started.elapsed() >= Duration::from_millis(1));
    }

    #[test]
    fn zero_turns_it_off() {
        let cache = Cache::new(Duration::ZERO);
        cache.put_committed(KEY, session());
        assert!(cache.get(&KEY).is_none());
    }

    #[test]
    fn entries_are_bounded() {
        let cache = Cache::new(Duration::from_mins(1));
        let session = session();
        for number in 0..20_000_u32 {
            let mut key = [0; 32];
            key[1..5].copy_from_slice(&number.to_be_bytes());
            cache.put_committed(SessionKey(key), Arc::clone(&session));
        }
        assert!(cache.read(&SessionKey([0; 32])).len() <= CAPACITY);
    }
}
