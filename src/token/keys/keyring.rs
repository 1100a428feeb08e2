//! The keys as they were last read: which of them signs, which verifies what, which is due to be made or removed. Pure.

use super::key::{Key, Verifier};
use crate::clock::Timestamp;
use crate::config::TokenAlgorithm;
use crate::token::SealedKey;
use jsonwebtoken::jwk::JwkSet;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// How long a key signs before the next one does.
pub(super) const SIGNS_FOR: Duration = Duration::from_hours(30 * 24);

/// How long a key is known to gateways and applications before it signs.
pub(super) const PUBLISHED_FOR: Duration = Duration::from_hours(24);

/// All keys that can be used.
#[derive(Default)]
pub(super) struct Keyring {
    /// In the order of the store.
    keys: Vec<Arc<KnownKey>>,
    /// Stored ones that neither secret opens.
    closed: Vec<Listed>,
}

/// A key in use.
pub(super) struct KnownKey {
    listed: Listed,
    key: Key,
    verifier: Verifier,
}

/// What is known of a key whether it can be opened or not.
#[derive(Clone)]
struct Listed {
    id: String,
    algorithm: TokenAlgorithm,
    number: u64,
    signs_from: Timestamp,
}

/// What keys are for.
pub(super) struct Purpose {
    /// What tokens are signed with, and what assertions are.
    pub(super) algorithms: HashSet<TokenAlgorithm>,
    /// How long something that was signed lives at most.
    pub(super) signed_lives: Duration,
}

/// A key that is due to be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) algorithm: TokenAlgorithm,
    pub(super) number: u64,
    pub(super) signs_from: Timestamp,
}

impl KnownKey {
    pub(super) fn new(stored: &SealedKey, key: Key) -> Self {
        Self { listed: Listed::of(stored), verifier: key.verifier(), key }
    }

    pub(super) fn id(&self) -> &str {
        &self.listed.id
    }

    pub(super) const fn algorithm(&self) -> TokenAlgorithm {
        self.listed.algorithm
    }

    pub(super) const fn key(&self) -> &Key {
        &self.key
    }

    pub(super) const fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

impl Keyring {
    /// The stored keys, opened by `open`; a key that is in `former` and cannot be opened any longer goes on: another gateway
    /// has sealed it under a new secret, which this one has yet to be told.
    pub(super) fn read(stored: &[SealedKey], former: &Self, open: impl Fn(&SealedKey) -> Option<Key>) -> Self {
        let mut read = Self::default();
        for sealed in stored {
            let known = open(sealed).map(|key| Arc::new(KnownKey::new(sealed, key)));
            match known.or_else(|| former.find(&sealed.id).cloned()) {
                Some(known) => read.keys.push(known),
                None => read.closed.push(Listed::of(sealed)),
            }
        }
        read
    }

    /// The key with this id.
    pub(super) fn find(&self, id: &str) -> Option<&Arc<KnownKey>> {
        self.keys.iter().find(|known| known.listed.id == id)
    }

    /// The key that signs with this algorithm now: the newest that may. Where the clock says that none may, it was set back,
    /// and the oldest goes on.
    pub(super) fn signing(&self, algorithm: TokenAlgorithm, now: Timestamp) -> Option<&KnownKey> {
        let keys = || self.of(algorithm);
        let newest = keys().filter(|known| known.listed.signs_from <= now).max_by_key(|known| known.listed.signs_from);
        newest.or_else(|| keys().min_by_key(|known| known.listed.signs_from))
    }

    /// The public keys: of all that may still be met, and of those to come.
    pub(super) fn published(&self) -> JwkSet {
        JwkSet { keys: self.keys.iter().filter_map(|known| known.verifier.published(&known.listed.id)).collect() }
    }

    /// The keys that are due to be made.
    pub(super) fn due(&self, purpose: &Purpose, now: Timestamp) -> Vec<Due> {
        let due = |algorithm: &TokenAlgorithm| {
            let signs_from = match self.of(*algorithm).map(|known| known.listed.signs_from).max() {
                None => now,
                Some(newest) if newest.plus(SIGNS_FOR) <= now.plus(PUBLISHED_FOR) => now.plus(PUBLISHED_FOR),
                Some(_) => return None,
            };
            let numbers = self.all().filter(|listed| listed.algorithm == *algorithm).map(|listed| listed.number);
            Some(Due { algorithm: *algorithm, number: numbers.max().unwrap_or(0) + 1, signs_from })
        };
        purpose.algorithms.iter().filter_map(due).collect()
    }

    /// The ids of keys that can have signed nothing that still lives.
    pub(super) fn spent(&self, purpose: &Purpose, now: Timestamp) -> Vec<String> {
        let over = |listed: &&Listed| self.last_signed(listed, purpose).is_some_and(|last| last.plus(purpose.signed_lives) <= now);
        self.all().filter(over).map(|listed| listed.id.clone()).collect()
    }

    /// Ids of stored keys that neither secret opens.
    pub(super) fn closed(&self) -> impl Iterator<Item = &str> {
        self.closed.iter().map(|listed| listed.id.as_str())
    }

    /// When a key signed for the last time; `None` while it signs. What no longer has a purpose here, or belongs to who has
    /// another secret, would have had a successor after its time.
    fn last_signed(&self, listed: &Listed, purpose: &Purpose) -> Option<Timestamp> {
        let opened = self.find(&listed.id).is_some();
        let later = self.of(listed.algorithm).map(|known| known.listed.signs_from).filter(|from| *from > listed.signs_from).min();
        match later {
            Some(successor) if opened => Some(successor),
            None if opened && purpose.algorithms.contains(&listed.algorithm) => None,
            _ => Some(listed.signs_from.plus(SIGNS_FOR)),
        }
    }

    fn of(&self, algorithm: TokenAlgorithm) -> impl Iterator<Item = &KnownKey> {
        self.keys.iter().map(Arc::as_ref).filter(move |known| known.listed.algorithm == algorithm)
    }

    fn all(&self) -> impl Iterator<Item = &Listed> {
        self.keys.iter().map(|known| &known.listed).chain(&self.closed)
    }
}

impl Listed {
    fn of(stored: &SealedKey) -> Self {
        Self { id: stored.id.clone(), algorithm: stored.algorithm, number: stored.number, signs_from: stored.signs_from }
    }
}
