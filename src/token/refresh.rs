//! Refresh tokens (RFC 9700 section 4.14.2): each is used once and replaced; one that is used again ends its whole family.

use super::keys::SigningKeys;
use super::store::RefreshTokenStore;
use crate::account::{Account, AccountId, AccountStore};
use crate::audit::Audit;
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use crate::config::TokenSettings;
use crate::store::StoreError;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// Makes, renews and ends refresh tokens.
pub struct RefreshTokens {
    pub(crate) store: Arc<dyn RefreshTokenStore>,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: SharedClock,
    pub(crate) settings: TokenSettings,
    /// Most families an account may have (`sessions.max_per_user`).
    pub(crate) max_families: usize,
}

/// A program that is signed in, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// To end it by.
    pub family: Uuid,
    /// When it signed in.
    pub began_at: Timestamp,
    /// When it last renewed its token.
    pub last_seen: Timestamp,
    /// When it ends whatever happens.
    pub expires_at: Timestamp,
    /// Where it last came from.
    pub client: Option<IpAddr>,
    /// What it calls itself.
    pub user_agent: String,
}

/// Why a refresh token was not renewed.
#[derive(Debug)]
pub enum RefreshError {
    /// Not ours, changed, expired, used before, ended, or its account is gone, locked or of another generation: never told apart.
    Invalid,
    /// A store failed; what was presented may still work.
    Unavailable(StoreError),
}

impl RefreshTokens {
    /// The first token of a new family.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn issue(&self, _account: &Account, _client: &Client) -> Result<String, StoreError> {
        Err(StoreError("no tokens yet".to_owned()))
    }

    /// The successor of a token, and its account as stored now.
    ///
    /// # Errors
    /// See [`RefreshError`].
    pub async fn renew(&self, _token: &str, _client: &Client) -> Result<(Account, String), RefreshError> {
        Err(RefreshError::Invalid)
    }

    /// Ends the family of a token that we signed for this account, whether it was used before or not; what else is presented ends
    /// nothing and is no error.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn end_by(&self, _account: AccountId, _token: &str, _client: &Client) -> Result<(), StoreError> {
        Ok(())
    }

    /// The programs that are signed in for this account, newest first.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn devices(&self, _account: AccountId) -> Result<Vec<Device>, StoreError> {
        Ok(Vec::new())
    }

    /// Ends one of them; whether it was there.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn end(&self, account: AccountId, family: Uuid) -> Result<bool, StoreError> {
        self.store.end(account, family).await
    }

    /// Ends them all; how many there were.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn end_all(&self, account: AccountId) -> Result<u64, StoreError> {
        self.store.end_all(account).await
    }
}
