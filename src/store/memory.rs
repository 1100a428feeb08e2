//! Sessions in this process only: fast, and gone with it.

mod counters;
mod one_time;
mod refresh_tokens;

pub use counters::MemoryCounters;
pub use one_time::MemoryOneTime;
pub use refresh_tokens::MemoryRefreshTokens;

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::session::{Session, SessionKey, SessionStore, SessionUser};
use crate::store::StoreError;
use async_trait::async_trait;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Sessions in memory.
#[derive(Default)]
pub struct MemorySessions {
    state: RwLock<State>,
    remembered: Duration,
}

#[derive(Default)]
struct State {
    sessions: HashMap<SessionKey, Arc<Session>>,
    /// Each account's sessions, oldest first.
    by_account: HashMap<AccountId, BTreeSet<(Timestamp, SessionKey)>>,
}

impl State {
    fn insert(&mut self, key: SessionKey, session: Session) {
        self.by_account.entry(session.user.id).or_default().insert((session.created_at, key));
        self.sessions.insert(key, Arc::new(session));
    }

    fn remove(&mut self, key: &SessionKey) -> bool {
        let Some(session) = self.sessions.remove(key) else { return false };
        if let Some(keys) = self.by_account.get_mut(&session.user.id) {
            keys.remove(&(session.created_at, *key));
            if keys.is_empty() {
                self.by_account.remove(&session.user.id);
            }
        }
        true
    }

    fn keys(&self, account: AccountId) -> Vec<SessionKey> {
        self.by_account.get(&account).into_iter().flatten().map(|(_, key)| *key).collect()
    }

    fn remove_all(&mut self, keys: &[SessionKey]) -> u64 {
        keys.iter().filter(|key| self.remove(key)).count() as u64
    }

    fn end_oldest(&mut self, account: AccountId, keep: usize, newest: SessionKey, now: Timestamp) -> u64 {
        let mut others: Vec<SessionKey> = self.keys(account).into_iter().filter(|key| *key != newest).collect();
        others.sort_by_key(|key| self.sessions.get(key).is_some_and(|session| !session.expired(now)));
        let surplus = others.len().saturating_sub(keep.saturating_sub(1));
        self.remove_all(&others[..surplus])
    }
}

impl MemorySessions {
    /// Remembers for so long whose the sessions were that have expired.
    #[must_use]
    pub fn remembering(self, span: Duration) -> Self {
        Self { remembered: span, ..self }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionStore for MemorySessions {
    async fn create(&self, key: SessionKey, session: &Session, max_per_user: usize) -> Result<u64, StoreError> {
        let mut state = self.write();
        state.insert(key, session.clone());
        Ok(state.end_oldest(session.user.id, max_per_user, key, session.created_at))
    }

    async fn find(&self, key: &SessionKey, now: Timestamp) -> Result<Option<Arc<Session>>, StoreError> {
        Ok(self.read().sessions.get(key).filter(|session| !session.expired(now)).map(Arc::clone))
    }

    async fn find_expired(&self, key: &SessionKey, now: Timestamp) -> Result<Option<AccountId>, StoreError> {
        let state = self.read();
        Ok(state.sessions.get(key).filter(|session| session.expired_within(self.remembered, now)).map(|session| session.user.id))
    }

    async fn rotate(&self, old: &SessionKey, new: SessionKey, session: &Session) -> Result<bool, StoreError> {
        let mut state = self.write();
        let there = state.remove(old);
        if there {
            state.insert(new, session.clone());
        }
        Ok(there)
    }

    fn touch(&self, key: &SessionKey, seen: Timestamp) {
        if let Some(session) = self.write().sessions.get_mut(key)
            && session.last_seen < seen
            && !session.expired(seen)
        {
            *session = Arc::new(Session { last_seen: seen, ..Session::clone(session) });
        }
    }

    async fn end(&self, key: &SessionKey) -> Result<bool, StoreError> {
        Ok(self.write().remove(key))
    }

    async fn end_all(&self, account: AccountId, except: Option<&SessionKey>) -> Result<u64, StoreError> {
        let mut state = self.write();
        let mut keys = state.keys(account);
        keys.retain(|key| Some(key) != except);
        Ok(state.remove_all(&keys))
    }

    async fn end_outdated(&self, account: AccountId, version: u64) -> Result<u64, StoreError> {
        let mut state = self.write();
        let mut keys = state.keys(account);
        keys.retain(|key| state.sessions.get(key).is_some_and(|session| session.user.version < version));
        Ok(state.remove_all(&keys))
    }

    async fn rewrite(&self, user: &SessionUser) -> Result<(), StoreError> {
        let mut state = self.write();
        for key in state.keys(user.id) {
            if let Some(session) = state.sessions.get_mut(&key)
                && session.user.version < user.version
            {
                *session = Arc::new(Session { user: user.clone(), ..Session::clone(session) });
            }
        }
        Ok(())
    }

    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<(SessionKey, Arc<Session>)>, StoreError> {
        let state = self.read();
        let sessions = state.keys(account).into_iter().rev().filter_map(|key| Some((key, Arc::clone(state.sessions.get(&key)?))));
        Ok(sessions.filter(|(_, session)| !session.expired(now)).collect())
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.read().sessions.values().filter(|session| !session.expired(now)).count() as u64)
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.write();
        let is_over = |session: &Session| session.expired(now) && !session.expired_within(self.remembered, now);
        let over: Vec<SessionKey> = state.sessions.iter().filter(|(_, session)| is_over(session)).map(|(key, _)| *key).collect();
        Ok(state.remove_all(&over))
    }

    fn shared(&self) -> bool {
        false
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
