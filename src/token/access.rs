//! Access tokens (RFC 9068): signed, short-lived, and checked like a session all the same.

use super::keys::{LEEWAY, SigningKeys, TokenKind, seconds};
use crate::account::{Account, AccountId, AccountStore};
use crate::clock::{SharedClock, Timestamp};
use crate::config::TokenSettings;
use crate::entropy;
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
    pub async fn issue(&self, account: &Account) -> Result<AccessToken, StoreError> {
        let now = seconds(self.clock.now());
        let expires_in = self.settings.access;
        let claims = AccessClaims {
            iss: self.settings.issuer.clone(),
            sub: account.id.to_string(),
            aud: self.settings.audience.clone(),
            exp: now.saturating_add_unsigned(expires_in.as_secs()),
            iat: now,
            nbf: now,
            jti: uuid::Builder::from_random_bytes(entropy::random_bytes()).into_uuid(),
            user_id: account.id.to_string(),
            username: account.username.as_str().to_owned(),
            groups: account.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            generation: account.generation,
            kind: TokenKind::Access.name().to_owned(),
        };
        Ok(AccessToken { text: self.keys.sign(TokenKind::Access, &claims).await?, expires_in })
    }

    /// The account that the token speaks for, as stored now, and what the token says.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub async fn authenticate(&self, token: &str) -> Result<(Account, AccessClaims), AccessError> {
        let claims: AccessClaims = self.keys.verify(TokenKind::Access, token).await?.ok_or(AccessError::Invalid)?;
        let account = self.holder(&claims).await?.ok_or(AccessError::Invalid)?;
        Ok((account, claims))
    }

    /// What a token says that we signed, whether it has expired or not: enough to revoke it.
    ///
    /// # Errors
    /// See [`AccessError`].
    pub async fn read_expired(&self, token: &str) -> Result<AccessClaims, AccessError> {
        self.keys.verify_expired(TokenKind::Access, token).await?.ok_or(AccessError::Invalid)
    }

    /// Refuses the token from now on, on all gateways. It is known by its `jti`: the same token could be written in another way.
    ///
    /// # Errors
    /// When the store failed: it may still work.
    pub async fn revoke(&self, claims: &AccessClaims) -> Result<(), StoreError> {
        let now = self.clock.now();
        // As long as some gateway's clock may find it valid.
        let end = Timestamp(claims.exp.saturating_mul(1000)).plus(LEEWAY * 2);
        if end <= now { Ok(()) } else { self.revoked.put(&revoked(claims), &[], now, end).await }
    }

    /// Whether the token still opens what it did, whatever its `exp`: for exchanges that go on.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn is_alive(&self, claims: &AccessClaims) -> Result<bool, StoreError> {
        Ok(self.holder(claims).await?.is_some())
    }

    /// The account that the claims speak for, if they still do.
    async fn holder(&self, claims: &AccessClaims) -> Result<Option<Account>, StoreError> {
        let id = Uuid::try_parse(&claims.sub).ok().filter(|_| claims.sub == claims.user_id);
        let Some(id) = id else { return Ok(None) };
        let key = revoked(claims);
        let (account, revoked) = tokio::try_join!(self.accounts.find(AccountId(id)), self.revoked.read(&key, self.clock.now()))?;
        let valid = |account: &Account| !account.locked && !account.is_deleted() && account.generation == claims.generation;
        Ok(account.filter(|account| revoked.is_none() && valid(account)))
    }
}

/// Where a token is known as revoked.
fn revoked(claims: &AccessClaims) -> String {
    format!("revoked_token:{}", claims.jti)
}

impl From<StoreError> for AccessError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
