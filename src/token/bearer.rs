//! `Authorization`: which of it is a credential of ours, and whom that speaks for. The one place that reads it, for proxied
//! requests, verify endpoints and our own API alike.

mod authorization;

use super::access::{AccessClaims, AccessError, AccessTokens};
use super::keys::SigningKeys;
use super::personal::{PersonalText, PersonalTokens};
use crate::account::Account;
use crate::store::StoreError;
use http::HeaderMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Reads `Authorization`.
pub struct Bearers {
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) access: Arc<AccessTokens>,
    pub(crate) personal: Arc<PersonalTokens>,
}

/// A credential of ours that a request presents, unproven.
#[derive(Clone)]
pub enum Unproven {
    /// An access token, or what calls itself one.
    Access(Zeroizing<String>),
    /// A personal token, as Bearer or as Basic password, or what calls itself one.
    Personal(Zeroizing<String>),
}

/// What a request asks for, as scopes see it.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// Canonical host.
    pub host: &'a str,
    /// Normalised path, as rules see it.
    pub path: &'a [u8],
    /// Method.
    pub method: &'a str,
}

/// Whom a credential speaks for.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// As stored now.
    pub account: Account,
    /// What it was presented by: to ask later whether that still holds.
    pub key: BearerKey,
    /// Whether it is for some methods only: then headers that override the method must be removed.
    pub names_methods: bool,
}

/// What a bearer was proven by.
#[derive(Clone, Debug)]
pub enum BearerKey {
    /// An access token.
    Access(Box<AccessClaims>),
    /// A personal token.
    Personal(PersonalText),
}

/// Why a credential of ours opens nothing.
#[derive(Debug)]
pub enum Refusal {
    /// 401 `invalid_token`.
    Invalid,
    /// 403 `insufficient_scope`: a personal token that is not for this (RFC 6750 section 3.1).
    OutOfScope,
    /// A store failed.
    Unavailable(StoreError),
}

impl Bearers {
    /// The credential of ours in the request; `None` where `Authorization` is absent or another's, which is passed on untouched.
    ///
    /// # Errors
    /// Where there is one of ours, but beside others or in another form than it is to have, so that another server might read
    /// it differently.
    pub fn read(&self, headers: &HeaderMap) -> Result<Option<Unproven>, Refusal> {
        authorization::read(headers, |token| self.keys.is_ours(token))
    }

    /// Whom it speaks for.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn prove(&self, credential: &Unproven, destination: Destination<'_>) -> Result<Bearer, Refusal> {
        match credential {
            Unproven::Access(token) => {
                let (account, claims) = self.access.authenticate(token).await?;
                Ok(Bearer { account, key: BearerKey::Access(Box::new(claims)), names_methods: false })
            }
            Unproven::Personal(text) => self.prove_personal(text, destination).await,
        }
    }

    async fn prove_personal(&self, text: &str, destination: Destination<'_>) -> Result<Bearer, Refusal> {
        let text = PersonalText::parse(text).ok_or(Refusal::Invalid)?;
        let (token, account) = self.personal.authenticate(&text).await?.ok_or(Refusal::Invalid)?;
        if !token.scope.covers(&destination) {
            return Err(Refusal::OutOfScope);
        }
        self.personal.note_use(&token, &text);
        Ok(Bearer { account, key: BearerKey::Personal(text), names_methods: token.scope.names_methods() })
    }

    /// Whether what was proven has neither been revoked nor lost its account: for exchanges that go on, which the end of its time
    /// does not cut off.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn is_alive(&self, bearer: &BearerKey) -> Result<bool, StoreError> {
        match bearer {
            BearerKey::Access(claims) => self.access.is_alive(claims).await,
            BearerKey::Personal(text) => self.personal.is_alive(text).await,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<AccessError> for Refusal {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Invalid => Self::Invalid,
            AccessError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}
