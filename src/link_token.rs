//! Tokens of mailed links: 256 random bits that are shown once; the store holds their SHA-256.

use crate::clock::{SharedClock, Timestamp};
use crate::store::{OneTimeStore, StoreError};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// What a link's token is for; keeps tokens of one kind from being used for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Setting a new password.
    PasswordReset,
    /// Showing an address to be one's own.
    EmailConfirmation,
}

/// The token, as a link carries it: 43 characters of base64url. Never printed.
#[derive(Clone)]
pub struct LinkToken(Zeroizing<String>);

/// Makes and takes tokens.
#[derive(Clone)]
pub struct LinkTokens {
    pub(crate) store: Arc<dyn OneTimeStore>,
    pub(crate) clock: SharedClock,
}

/// Characters of a token.
const LENGTH: usize = 43;

impl LinkToken {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self::of(crate::entropy::random_bytes())
    }

    /// One of these bytes, which nobody else can know.
    #[must_use]
    pub fn of(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// What somebody presents, if it looks like a token at all.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        fits.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Its text: for the link and the cookie only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256: what stores know it by.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The same in lower-case hex.
    #[must_use]
    pub fn digest(&self) -> String {
        self.sha256().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkToken(…)")
    }
}

impl Purpose {
    const fn prefix(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::EmailConfirmation => "email_confirmation",
        }
    }

    fn key(self, token: &LinkToken) -> String {
        format!("{}:{}", self.prefix(), token.digest())
    }
}

impl LinkTokens {
    /// A new token for this record, and when it ends.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn issue(
        &self,
        purpose: Purpose,
        record: &(impl Serialize + Sync),
        lifetime: Duration,
    ) -> Result<(LinkToken, Timestamp), StoreError> {
        let token = LinkToken::random();
        let until = self.clock.now().plus(lifetime);
        self.put_back(purpose, &token, record, until).await?;
        Ok((token, until))
    }

    /// Puts back what was taken, where that led to nothing.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn put_back(
        &self,
        purpose: Purpose,
        token: &LinkToken,
        record: &(impl Serialize + Sync),
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let record = serde_json::to_vec(record).map_err(|error| StoreError(format!("a token's record cannot be written: {error}")))?;
        self.store.put(&purpose.key(token), &record, self.clock.now(), until).await
    }

    /// What the token is for, if it still works. It stays.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn read<T: DeserializeOwned>(&self, purpose: Purpose, token: &LinkToken) -> Result<Option<T>, StoreError> {
        let found = self.store.read(&purpose.key(token), self.clock.now()).await?;
        Ok(found.and_then(|record| serde_json::from_slice(&record).ok()))
    }

    /// Spends the token: of many who do so at once, one gets the record.
    ///
    /// # Errors
    /// When the store failed; the token may be spent then.
    pub async fn take<T: DeserializeOwned>(&self, purpose: Purpose, token: &LinkToken) -> Result<Option<T>, StoreError> {
        let found = self.store.take(&purpose.key(token), self.clock.now()).await?;
        Ok(found.and_then(|record| serde_json::from_slice(&record).ok()))
    }
}
