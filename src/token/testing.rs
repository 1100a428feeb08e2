//! What the tests of tokens share: keys in memory whose store can fail and counts what it is asked, and a clock that is moved by hand.

use super::keys::{SigningKeys, TokenKind};
use super::store::{SealedKey, SigningKeyStore};
use crate::clock::{Clock as _, ManualClock, SharedClock, Timestamp};
use crate::config::{Secret, TokenAlgorithm, TokenSettings};
use crate::sealing::Sealer;
use crate::store::StoreError;
use async_trait::async_trait;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const ALGORITHMS: [TokenAlgorithm; 3] = [TokenAlgorithm::EdDsa, TokenAlgorithm::Es256, TokenAlgorithm::Hs256];

/// Several gateways over one store.
pub(crate) struct Bench {
    pub(crate) store: Arc<KeyStore>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { store: Arc::default(), clock: Arc::new(ManualClock::at(Timestamp(1_700_000_000_000))) }
    }

    /// A gateway with this algorithm, a secret, and a former one.
    pub(crate) fn keys_with(&self, algorithm: TokenAlgorithm, secret: &str, previous: Option<&str>) -> Arc<SigningKeys> {
        let derived = |text: &str| Secret::new(text.repeat(40));
        let sealer = Sealer::derive(&derived(secret), previous.map(derived).as_ref());
        Arc::new(SigningKeys::new(Arc::<KeyStore>::clone(&self.store), sealer, self.clock(), settings(algorithm)))
    }

    pub(crate) fn keys(&self, algorithm: TokenAlgorithm) -> Arc<SigningKeys> {
        self.keys_with(algorithm, "a", None)
    }

    pub(crate) fn clock(&self) -> SharedClock {
        Arc::<ManualClock>::clone(&self.clock)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The present, as tokens tell time.
    pub(crate) fn seconds(&self) -> i64 {
        self.clock.now().0 / 1000
    }

    /// Claims that every gateway takes for a token of this kind.
    pub(crate) fn claims(&self, kind: TokenKind) -> serde_json::Value {
        let now = self.seconds();
        serde_json::json!({
            "iss": "https://auth.example.com", "aud": "portcullis", "sub": "alice", "type": kind.name(), "exp": now + 60, "iat": now,
            "nbf": now,
        })
    }
}

pub(crate) fn settings(algorithm: TokenAlgorithm) -> TokenSettings {
    TokenSettings {
        access: Duration::from_mins(15),
        refresh: Duration::from_hours(7 * 24),
        algorithm,
        issuer: "https://auth.example.com".to_owned(),
        audience: "portcullis".to_owned(),
    }
}

/// Keys in memory.
#[derive(Default)]
pub(crate) struct KeyStore {
    pub(crate) kept: Mutex<Vec<SealedKey>>,
    pub(crate) fails: AtomicBool,
    pub(crate) lists: AtomicUsize,
}

impl KeyStore {
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn lists(&self) -> usize {
        self.lists.load(Ordering::SeqCst)
    }

    fn answer<T>(&self, work: impl FnOnce(&mut Vec<SealedKey>) -> T) -> Result<T, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError("the test wants it so".to_owned()));
        }
        Ok(work(&mut self.kept.lock().unwrap()))
    }
}

#[async_trait]
impl SigningKeyStore for KeyStore {
    async fn list(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        self.answer(|kept| kept.clone())
    }

    async fn add(&self, key: &SealedKey) -> Result<bool, StoreError> {
        self.answer(|kept| {
            let free = !kept.iter().any(|other| (other.algorithm, other.number) == (key.algorithm, key.number));
            if free {
                kept.push(key.clone());
            }
            free
        })
    }

    async fn reseal(&self, id: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError> {
        self.answer(|kept| {
            let found = kept.iter_mut().find(|key| key.id == id && key.sealed == from);
            found.map(|key| key.sealed = to.to_owned()).is_some()
        })
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        self.answer(|kept| kept.retain(|key| key.id != id))
    }
}
