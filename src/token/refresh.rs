//! Refresh tokens (RFC 9700 section 4.14.2): each is used once and replaced; one that is used again ends its whole family.

#[cfg(test)]
mod tests;

use super::keys::{SigningKeys, TokenKind, seconds};
use super::store::{RefreshToken, RefreshTokenStore, Renewal, Rotation};
use crate::account::{Account, AccountId, AccountStore};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::config::TokenSettings;
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Makes, renews and ends refresh tokens. The programs that hold them are listed and ended with the sessions.
pub struct RefreshTokens {
    pub(crate) store: Arc<dyn RefreshTokenStore>,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: SharedClock,
    pub(crate) settings: TokenSettings,
    /// Most families that an account may have (`sessions.max_per_user`).
    pub(crate) max_families: usize,
    /// Whether only those sign in whose address is confirmed (`accounts.verify_email`).
    pub(crate) verify_email: bool,
}

/// A refresh token that was renewed.
pub struct Renewed {
    /// Whose it is, as stored now.
    pub account: Account,
    /// The successor. Never logged.
    pub token: String,
    /// Whether it had been renewed a moment before, and this is the same successor once more.
    pub repeated: bool,
}

/// Why a refresh token was not renewed. Clients are never told which it was.
#[derive(Debug)]
pub enum RefreshError {
    /// Not ours, changed, expired, ended, or its account is gone, locked or of another generation.
    Invalid,
    /// It was used before, so that somebody has a copy; its family has been ended.
    Reused,
    /// A store failed; what was presented can be presented again.
    Unavailable(StoreError),
}

/// How long after its first use a token leads to the same successor once more: a client whose answer was lost tries again. Within it
/// a thief is not told from the client, so it is short; a second use of the successor tells.
const GRACE: Duration = Duration::from_secs(10);

/// What a refresh token says. All of it is in what is stored of the family, so that it can be written again letter by letter.
#[derive(Clone, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: AccountId,
    aud: String,
    /// The absolute end of the family, in seconds since 1970, as the others.
    exp: i64,
    iat: i64,
    nbf: i64,
    jti: Uuid,
    /// The family.
    sid: Uuid,
    /// The account's generation at sign-in.
    #[serde(rename = "gen")]
    generation: u64,
    #[serde(rename = "type")]
    kind: String,
}

impl RefreshTokens {
    /// The first token of a new family. Where the account has too many, its oldest one ends.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn issue(&self, account: &Account, client: &Client) -> Result<String, StoreError> {
        let now = self.clock.now();
        let token = RefreshToken {
            id: new_id(),
            account: account.id,
            family: new_id(),
            predecessor: None,
            generation: account.generation,
            began_at: now,
            issued_at: now,
            expires_at: now.plus(self.settings.refresh),
            client: client.address,
            user_agent: client.kept_user_agent(),
        };
        let text = self.sign(&self.claims(&token)).await?;
        self.store.create(&token, self.max_families, now).await?;
        Ok(text)
    }

    /// The successor of a token. Presented again within ten seconds, it leads to the same one, unless that was used already.
    ///
    /// # Errors
    /// See [`RefreshError`].
    pub async fn renew(&self, token: &str, client: &Client) -> Result<Renewed, RefreshError> {
        let now = self.clock.now();
        let claims = self.read(token).await?.ok_or(RefreshError::Invalid)?;
        let account = self.entitled(&claims).await?.ok_or(RefreshError::Invalid)?;
        let successor = Claims { jti: new_id(), iat: seconds(now), nbf: seconds(now), ..claims.clone() };
        // Signed before anything is spent: where that fails, nothing has happened.
        let signed = self.sign(&successor).await?;
        let renewal = Renewal {
            account: account.id,
            family: claims.sid,
            presented: claims.jti,
            successor: successor.jti,
            client: client.address,
            user_agent: client.kept_user_agent(),
        };
        match self.store.rotate(&renewal, GRACE, now).await? {
            Rotation::Rotated => Ok(Renewed { account, token: signed, repeated: false }),
            Rotation::Repeated(present) => {
                let token = self.sign(&self.claims(&present)).await?;
                Ok(Renewed { account, token, repeated: true })
            }
            Rotation::Reused => {
                let event = Event::by(Party::from(&account), Action::RefreshTokenReuse, Outcome::Failure, client);
                self.audit.record(event.because("family_ended"));
                Err(RefreshError::Reused)
            }
            Rotation::Unknown => Err(RefreshError::Invalid),
        }
    }

    /// Ends the family of a token that we signed for this account, whether it was used before or not; what else is presented ends
    /// nothing and is no error.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn end_by(&self, account: AccountId, token: &str) -> Result<(), StoreError> {
        if let Some(claims) = self.read(token).await?.filter(|claims| claims.sub == account) {
            self.store.end(account, claims.sid).await?;
        }
        Ok(())
    }

    /// The account that the token speaks for, if it could sign in now, and nothing has happened since that ends what it was given.
    async fn entitled(&self, claims: &Claims) -> Result<Option<Account>, StoreError> {
        let found = self.accounts.find(claims.sub).await?;
        Ok(found
            .filter(|account| !account.locked && account.generation == claims.generation && (account.email_verified || !self.verify_email)))
    }

    async fn read(&self, token: &str) -> Result<Option<Claims>, StoreError> {
        self.keys.verify(TokenKind::Refresh, token).await
    }

    async fn sign(&self, claims: &Claims) -> Result<String, StoreError> {
        self.keys.sign(TokenKind::Refresh, claims).await
    }

    fn claims(&self, token: &RefreshToken) -> Claims {
        Claims {
            iss: self.settings.issuer.clone(),
            sub: token.account,
            aud: self.settings.audience.clone(),
            exp: seconds(token.expires_at),
            iat: seconds(token.issued_at),
            nbf: seconds(token.issued_at),
            jti: token.id,
            sid: token.family,
            generation: token.generation,
            kind: TokenKind::Refresh.name().to_owned(),
        }
    }
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

fn new_id() -> Uuid {
    uuid::Builder::from_random_bytes(crate::entropy::random_bytes()).into_uuid()
}
