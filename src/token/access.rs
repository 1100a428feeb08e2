//! Access tokens (RFC 9068): signed, short-lived, and checked like a session all the same.

use super::keys::SigningKeys;
use crate::account::{Account, AccountStore};
use crate::clock::SharedClock;
use crate::config::TokenSettings;
use crate::store::{OneTimeStore, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Makes, checks and revokes access tokens.
pub struct AccessTokens {
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    /// Where revoked ones are known by their `jti` until they expire.
    pub(crate) revoked: Arc<dyn OneTimeStore>,
    pub(crate) clock: SharedClock,
    pub(crate) settings: TokenSettings,
}

/// A new access token.
#[derive(Clone)]
pub struct AccessToken {
    /// The JWS. Never logged.
    pub text: String,
    /// How long it lives.
    pub expires_in: Duration,
}

/// What an access token says. Who it speaks of is read from the account at every use, never from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessClaims {
    /// `tokens.issuer`.
    pub iss: String,
    /// The account's id.
    pub sub: String,
    /// `tokens.audience`.
    pub aud: String,
    /// End, in seconds since 1970.
    pub exp: i64,
    /// Issued at.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// To revoke it by.
    pub jti: Uuid,
    /// The account's id.
    pub user_id: String,
    /// Its name when the token was made.
    pub username: String,
    /// Its groups when the token was made.
    pub groups: Vec<String>,
    /// The account's generation.
    #[serde(rename = "gen")]
    pub generation: u64,
    /// Always `access`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Why an access token opens nothing.
#[derive(Debug)]
pub enum AccessError {
    /// Not ours, changed, expired, revoked, or its account is gone, locked or of another generation: never told apart.
    Invalid,
    /// A store failed; nothing was decided.
    Unavailable(StoreError),
}

impl AccessTokens {
    /// A token for this account.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn issue(&self, _account: &Account) -> Result<AccessToken, StoreError> {
        Err(StoreError("no tokens yet".to_owned()))
    }

    /// The account that the token speaks for, as stored now, and what the token says.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub async fn authenticate(&self, _token: &str) -> Result<(Account, AccessClaims), AccessError> {
        Err(AccessError::Invalid)
    }

    /// What a token says that we signed, whether it has expired or not: enough to revoke it.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub async fn read_expired(&self, _token: &str) -> Result<AccessClaims, AccessError> {
        Err(AccessError::Invalid)
    }

    /// Refuses the token from now on, on all gateways.
    ///
    /// # Errors
    /// When the store failed: it may still work.
    pub async fn revoke(&self, _claims: &AccessClaims) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether the token still opens what it did: for exchanges that go on.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn is_alive(&self, _claims: &AccessClaims) -> Result<bool, StoreError> {
        Ok(false)
    }
}
