//! The assertion: a signed header that tells an application who asks, so that it need not trust the network.

use super::keys::{SigningKeys, TokenKind, seconds};
use crate::account::AccountId;
use crate::clock::{SharedClock, Timestamp};
use crate::session::SessionUser;
use crate::store::StoreError;
use http::HeaderValue;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How long an assertion is written into requests before a new one is signed.
const REUSED_FOR: Duration = Duration::from_secs(30);

/// How long an assertion counts, from its signature.
const LIFETIME: Duration = Duration::from_mins(1);

/// How far the clock of an application may be behind ours.
const BEHIND: Duration = Duration::from_secs(30);

/// Assertions kept; when there are more, all are forgotten and signed anew as they are needed.
const KEPT: usize = 16_384;

/// Makes assertions.
pub struct Assertions {
    keys: Arc<SigningKeys>,
    clock: SharedClock,
    issuer: String,
    kept: RwLock<Kept>,
}

/// What was signed lately, so that a request costs no signature.
#[derive(Default)]
struct Kept {
    made: HashMap<(AccountId, String), Made>,
    swept_at: Timestamp,
}

/// A signed assertion.
#[derive(Clone)]
struct Made {
    /// The account's version that it tells of.
    version: u64,
    at: Timestamp,
    value: HeaderValue,
}

/// What an application is told: what the identity headers say, for it alone and for a minute.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    exp: i64,
    iat: i64,
    nbf: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    groups: &'a [String],
}

impl Assertions {
    /// Signed by these keys in the name of `issuer`.
    #[must_use]
    pub fn new(keys: Arc<SigningKeys>, clock: SharedClock, issuer: String) -> Self {
        Self { keys, clock, issuer, kept: RwLock::default() }
    }

    /// The header's value for this user at an application on this host. Signed once per user, host and 30 s.
    ///
    /// # Errors
    /// When there is no key yet and the store of the keys failed.
    pub async fn value(&self, user: &SessionUser, host: &str) -> Result<HeaderValue, StoreError> {
        let now = self.clock.now();
        let key = (user.id, host.to_owned());
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner).made.get(&key).cloned();
        if let Some(made) = kept.filter(|made| made.version == user.version && made.is_fresh(now)) {
            return Ok(made.value);
        }
        let value = self.sign(user, host, now).await?;
        let made = Made { version: user.version, at: now, value: value.clone() };
        self.kept.write().unwrap_or_else(PoisonError::into_inner).insert(key, made, now);
        Ok(value)
    }

    async fn sign(&self, user: &SessionUser, host: &str, now: Timestamp) -> Result<HeaderValue, StoreError> {
        let claims = Claims {
            iss: &self.issuer,
            sub: user.id.to_string(),
            aud: host,
            exp: seconds(now.plus(LIFETIME)),
            iat: seconds(now),
            nbf: seconds(now.minus(BEHIND)),
            kind: TokenKind::Assertion.name(),
            username: &user.username,
            email: &user.email,
            groups: &user.groups,
        };
        let token = self.keys.sign(TokenKind::Assertion, &claims).await?;
        HeaderValue::try_from(token).map_err(|error| StoreError(format!("an assertion is no header: {error}")))
    }
}

impl Made {
    /// A clock that was set back makes nothing last longer.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.at <= now && now.since(self.at) < REUSED_FOR
    }
}

impl Kept {
    fn insert(&mut self, key: (AccountId, String), made: Made, now: Timestamp) {
        if now.since(self.swept_at) >= REUSED_FOR || now < self.swept_at {
            self.made.retain(|_, made| made.is_fresh(now));
            self.swept_at = now;
        }
        if self.made.len() >= KEPT {
            self.made.clear();
        }
        self.made.insert(key, made);
    }
}

#[cfg(test)]
mod tests;
