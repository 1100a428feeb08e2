//! The keys that sign: made once, kept encrypted beside the accounts, replaced on a schedule.

use super::store::SigningKeyStore;
use crate::clock::SharedClock;
use crate::config::TokenSettings;
use crate::sealing::Sealer;
use crate::store::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// What a signed token is for: its `typ` and its claim `type`, so that none is taken for another (RFC 8725 section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `at+jwt` (RFC 9068).
    Access,
    /// `rt+jwt`.
    Refresh,
    /// `portcullis-assertion+jwt`; never signed with a shared secret.
    Assertion,
}

/// Signs, verifies, and publishes the public halves.
pub struct SigningKeys {
    pub(crate) store: Arc<dyn SigningKeyStore>,
    pub(crate) sealer: Sealer,
    pub(crate) clock: SharedClock,
    pub(crate) settings: TokenSettings,
}

impl SigningKeys {
    /// A JWS in compact form.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn sign(&self, _kind: TokenKind, _claims: &(impl Serialize + Sync)) -> Result<String, StoreError> {
        Err(StoreError("no keys yet".to_owned()))
    }

    /// The claims of a token of this kind that we signed and that is valid at the moment but for its `exp` (`iss`, `aud`, `nbf`,
    /// `type` are checked); `None` for all others.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn verify<C: DeserializeOwned>(&self, _kind: TokenKind, _token: &str) -> Result<Option<C>, StoreError> {
        Err(StoreError("no keys yet".to_owned()))
    }

    /// Whether a token is meant for us: its `kid` is one of ours or its `iss` is `tokens.issuer`, whether it is valid or not.
    #[must_use]
    pub fn is_ours(&self, _token: &str) -> bool {
        false
    }

    /// The JSON Web Key Set (RFC 7517) of all keys that may still be met and the one to come; no shared secret is ever in it.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn jwks(&self) -> Result<serde_json::Value, StoreError> {
        Err(StoreError("no keys yet".to_owned()))
    }

    /// Makes the first and the next keys when it is time, and removes those that verify nothing any longer.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn tend(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
