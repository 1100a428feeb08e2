//! The keys that sign: made once, kept encrypted beside the accounts, replaced on a schedule.

mod claims;
mod jws;
mod key;
mod keyring;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;

use super::store::{SealedKey, SigningKeyStore};
use crate::clock::{SharedClock, Timestamp};
use crate::config::{TokenAlgorithm, TokenSettings};
use crate::entropy;
use crate::sealing::Sealer;
use crate::store::StoreError;
use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use claims::Registered;
pub use claims::TokenKind;
pub(super) use claims::seconds;
use jsonwebtoken::jwk::JwkSet;
use jws::{Header, Jws};
use key::Key;
use keyring::{Due, Keyring, KnownKey, Purpose};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How far the clocks of gateways may be apart.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// After which time keys are read again by whoever needs one, where housekeeping has not done it.
const FRESH_FOR: Duration = Duration::from_mins(2);

/// How often they are read at most, however many unknown keys are named and however often it fails.
const PAUSE: Duration = Duration::from_secs(1);

/// How often making a key that another gateway makes at the same time is tried.
const ATTEMPTS: usize = 3;

/// Signs, verifies, and publishes the public halves.
pub struct SigningKeys {
    store: Arc<dyn SigningKeyStore>,
    sealer: Sealer,
    clock: SharedClock,
    settings: TokenSettings,
    purpose: Purpose,
    /// As last read; empty before.
    known: ArcSwap<Keyring>,
    /// Who holds it reads.
    reading: Mutex<Reading>,
}

/// What is known of reading keys.
#[derive(Default)]
struct Reading {
    /// When they were last read, and whether that failed.
    last: Option<(Timestamp, Result<(), StoreError>)>,
    /// Whether what the former secret sealed was sealed anew. That is done once: where secrets change from gateway to gateway, the one
    /// that is restarted last leaves the new one, and none seals back and forth.
    sealed_anew: bool,
}

/// Whether it matters that a token has expired.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expiry {
    Counts,
    IsIgnored,
}

impl SigningKeys {
    /// Over this store; nothing is read or made yet.
    #[must_use]
    pub fn new(store: Arc<dyn SigningKeyStore>, sealer: Sealer, clock: SharedClock, settings: TokenSettings) -> Self {
        let algorithms = HashSet::from([settings.algorithm, assertion_algorithm(settings.algorithm)]);
        let purpose = Purpose { algorithms, signed_lives: settings.access.max(settings.refresh) + LEEWAY };
        Self { store, sealer, clock, settings, purpose, known: ArcSwap::default(), reading: Mutex::default() }
    }

    /// A JWS in compact form. `iss`, `aud`, `type` and the times stand in the claims; what is verified of them is told at
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// When there is no key yet and the store failed.
    pub async fn sign(&self, kind: TokenKind, claims: &(impl Serialize + Sync)) -> Result<String, StoreError> {
        let algorithm = match kind {
            TokenKind::Access | TokenKind::Refresh => self.settings.algorithm,
            TokenKind::Assertion => assertion_algorithm(self.settings.algorithm),
        };
        let keyring = match kind {
            TokenKind::Access | TokenKind::Refresh => self.keyring(algorithm).await?,
            // Requests of applications wait for no store while there is a key.
            TokenKind::Assertion => self.keyring_at_hand(algorithm).await?,
        };
        let known = keyring.signing(algorithm, self.clock.now()).ok_or_else(|| StoreError("there is no signing key".to_owned()))?;
        signed(kind, known, claims)
    }

    /// The claims of a token of this kind that we signed and that is valid now: `iss` is `tokens.issuer`, `aud` is
    /// `tokens.audience`, `type` is the kind's, and `exp`, `nbf` and `iat` are whole numbers around this moment. `None` for all
    /// others.
    ///
    /// # Errors
    /// When the store failed, so that it cannot be told.
    pub async fn verify<C: DeserializeOwned>(&self, kind: TokenKind, token: &str) -> Result<Option<C>, StoreError> {
        self.check(kind, token, Expiry::Counts).await
    }

    /// As [`verify`](Self::verify), but for `exp`: of a token that may have expired.
    ///
    /// # Errors
    /// When the store failed, so that it cannot be told.
    pub async fn verify_expired<C: DeserializeOwned>(&self, kind: TokenKind, token: &str) -> Result<Option<C>, StoreError> {
        self.check(kind, token, Expiry::IsIgnored).await
    }

    /// Whether a token is meant for us: its `kid` is one of ours or its `iss` is `tokens.issuer`, whether it is valid or not.
    #[must_use]
    pub fn is_ours(&self, token: &str) -> bool {
        let Some((kid, iss)) = jws::names(token) else { return false };
        iss.is_some_and(|iss| iss == self.settings.issuer) || kid.is_some_and(|kid| self.known.load().find(&kid).is_some())
    }

    /// The JSON Web Key Set (RFC 7517) of all keys that may still be met and the ones to come; no shared secret is ever in it.
    ///
    /// # Errors
    /// When there is no key yet and the store failed.
    pub async fn jwks(&self) -> Result<JwkSet, StoreError> {
        Ok(self.keyring(assertion_algorithm(self.settings.algorithm)).await?.published())
    }

    /// Reads the keys, seals anew (at first) what the former secret sealed, makes the first and the next keys when it is time, and
    /// removes those that verify nothing any longer.
    ///
    /// # Errors
    /// When the store failed; what was read before goes on.
    pub async fn tend(&self) -> Result<(), StoreError> {
        self.read(Duration::ZERO).await
    }

    async fn check<C: DeserializeOwned>(&self, kind: TokenKind, token: &str, expiry: Expiry) -> Result<Option<C>, StoreError> {
        let Some(jws) = Jws::parse(token) else { return Ok(None) };
        let Some(known) = self.key_of(&jws).await? else { return Ok(None) };
        if !known.verifier().verifies(&jws) || jws.header.typ.as_deref() != Some(kind.typ()) || !kind.accepts(known.algorithm()) {
            return Ok(None);
        }
        let Some(members) = jws.members() else { return Ok(None) };
        let members = serde_json::Value::Object(members);
        let now = self.clock.now();
        let valid = Registered::deserialize_from(&members).is_some_and(|claims| {
            claims.name(kind, &self.settings) && claims.has_begun(now) && (expiry == Expiry::IsIgnored || claims.has_not_expired(now))
        });
        Ok(if valid { serde_json::from_value(members).ok() } else { None })
    }

    /// The key that a token names. Another gateway may have made it since keys were last read.
    async fn key_of(&self, jws: &Jws<'_>) -> Result<Option<Arc<KnownKey>>, StoreError> {
        let Some(id) = jws.header.kid.as_deref() else { return Ok(None) };
        let find = || self.known.load().find(id).cloned();
        if let Some(known) = find() {
            return Ok(Some(known));
        }
        let read = self.read(PAUSE).await;
        let found = find();
        if found.is_none() {
            read?;
        }
        Ok(found)
    }

    /// The keys, one of this algorithm among them; read again when they have become old.
    async fn keyring(&self, algorithm: TokenAlgorithm) -> Result<Arc<Keyring>, StoreError> {
        // Where it fails, those at hand go on.
        let _ = self.read(FRESH_FOR).await;
        self.keyring_at_hand(algorithm).await
    }

    /// The keys, one of this algorithm among them, however long ago they were read.
    async fn keyring_at_hand(&self, algorithm: TokenAlgorithm) -> Result<Arc<Keyring>, StoreError> {
        let usable = |keyring: &Keyring| keyring.signing(algorithm, self.clock.now()).is_some();
        let keyring = self.known.load_full();
        if usable(&keyring) {
            return Ok(keyring);
        }
        let read = self.read(PAUSE).await;
        let keyring = self.known.load_full();
        if usable(&keyring) { Ok(keyring) } else { Err(read.err().unwrap_or_else(|| StoreError("there is no signing key".to_owned()))) }
    }

    /// Reads and tends the keys, unless that was done or tried within `pause`: then its outcome stands. One at a time.
    async fn read(&self, pause: Duration) -> Result<(), StoreError> {
        let mut reading = self.reading.lock().await;
        let now = self.clock.now();
        if let Some((at, outcome)) = reading.last.as_ref()
            && *at <= now
            && now.since(*at) < pause
        {
            return outcome.clone();
        }
        let outcome = self.read_now(now, &mut reading.sealed_anew).await;
        if let Err(error) = &outcome {
            tracing::warn!(event = "keys_not_read", %error, "signing keys cannot be read or kept, going on with those at hand");
        }
        reading.last = Some((now, outcome.clone()));
        outcome
    }

    async fn read_now(&self, now: Timestamp, sealed_anew: &mut bool) -> Result<(), StoreError> {
        for _ in 0..ATTEMPTS {
            let stored = self.store.list().await?;
            let former = self.known.load_full();
            let keyring = Arc::new(Keyring::read(&stored, &former, |sealed| self.open(sealed)));
            warn_of_closed(&keyring, &former);
            // Before anything is written: a store that can only be read serves all the same.
            self.known.store(Arc::clone(&keyring));
            if !*sealed_anew {
                self.seal_anew(&stored).await?;
                *sealed_anew = true;
            }
            let due = keyring.due(&self.purpose, now);
            if due.is_empty() {
                for id in keyring.spent(&self.purpose, now) {
                    self.store.remove(&id).await?;
                    tracing::info!(event = "key_removed", key = id, "a signing key verifies nothing any longer and was removed");
                }
                return Ok(());
            }
            for due in due {
                self.make(due, now).await?;
            }
        }
        Err(StoreError("signing keys that are made do not appear in the store".to_owned()))
    }

    /// Makes a key, unless another gateway has just done it.
    async fn make(&self, due: Due, now: Timestamp) -> Result<(), StoreError> {
        let Due { algorithm, number, signs_from } = due;
        let material = Key::generate(algorithm).map_err(|_| StoreError("the operating system gave no randomness".to_owned()))?;
        let id = URL_SAFE_NO_PAD.encode(entropy::random_bytes::<16>());
        let sealed = self.sealer.seal(&context(algorithm, &id), &material);
        let key = SealedKey { id, algorithm, number, sealed, created_at: now, signs_from };
        if self.store.add(&key).await? {
            tracing::info!(event = "key_made", key = key.id, algorithm = algorithm.name(), number, "a signing key was made");
        }
        Ok(())
    }

    fn open(&self, sealed: &SealedKey) -> Option<Key> {
        let material = self.sealer.open(&context(sealed.algorithm, &sealed.id), &sealed.sealed)?;
        Key::read(sealed.algorithm, &material)
    }

    /// Seals under the present secret what the former one sealed.
    async fn seal_anew(&self, stored: &[SealedKey]) -> Result<(), StoreError> {
        for sealed in stored {
            let context = context(sealed.algorithm, &sealed.id);
            if self.sealer.is_former(&context, &sealed.sealed)
                && let Some(material) = self.sealer.open(&context, &sealed.sealed)
            {
                self.store.reseal(&sealed.id, &sealed.sealed, &self.sealer.seal(&context, &material)).await?;
            }
        }
        Ok(())
    }
}

/// What assertions are signed with: applications verify them, so it is never a shared secret.
const fn assertion_algorithm(algorithm: TokenAlgorithm) -> TokenAlgorithm {
    match algorithm {
        TokenAlgorithm::EdDsa | TokenAlgorithm::Hs256 => TokenAlgorithm::EdDsa,
        TokenAlgorithm::Es256 => TokenAlgorithm::Es256,
    }
}

/// Where a sealed key belongs: to its id, and to one algorithm.
fn context(algorithm: TokenAlgorithm, id: &str) -> String {
    format!("signing key {} {id}", algorithm.name())
}

fn signed(kind: TokenKind, known: &KnownKey, claims: &impl Serialize) -> Result<String, StoreError> {
    let header = Header { alg: known.algorithm().name().to_owned(), kid: Some(known.id().to_owned()), typ: Some(kind.typ().to_owned()) };
    let unsigned = jws::unsigned(&header, claims).map_err(|error| StoreError(format!("claims cannot be written: {error}")))?;
    let signature = known.key().sign(unsigned.as_bytes());
    let signature = signature.map_err(|_| StoreError("the operating system gave no randomness".to_owned()))?;
    Ok(jws::signed(unsigned, &signature))
}

/// Tells once of each key that cannot be opened.
fn warn_of_closed(keyring: &Keyring, former: &Keyring) {
    for id in keyring.closed().filter(|id| !former.closed().any(|told| told == *id)) {
        tracing::warn!(
            event = "key_not_decrypted",
            key = id,
            "a signing key cannot be decrypted, what it signed is no longer valid: was `secret` changed without naming the former one in `secret_previous`?"
        );
    }
}
