//! `Authorization`: which of it is a credential of ours, and whom that speaks for. The one place that reads it, for proxied
//! requests, verify endpoints and our own API alike.

use super::access::{AccessClaims, AccessTokens};
use super::keys::SigningKeys;
use super::personal::PersonalTokens;
use crate::account::Account;
use crate::store::StoreError;
use http::HeaderMap;
use std::sync::Arc;
use uuid::Uuid;

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
    Access(String),
    /// A personal token, as Bearer or as Basic password.
    Personal(String),
}

/// What a request asks for, as scopes see it.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// Canonical host.
    pub host: &'a str,
    /// Normalised path, as rules see it.
    pub path: &'a str,
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
}

/// What a bearer was proven by.
#[derive(Clone, Debug)]
pub enum BearerKey {
    /// An access token.
    Access(AccessClaims),
    /// A personal token.
    Personal(Uuid),
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
    /// Where there is one of ours beside others, so that it cannot be told which counts.
    pub fn read(&self, _headers: &HeaderMap) -> Result<Option<Unproven>, Refusal> {
        Ok(None)
    }

    /// Whom it speaks for.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn prove(&self, _credential: &Unproven, _destination: Destination<'_>) -> Result<Bearer, Refusal> {
        Err(Refusal::Invalid)
    }

    /// Whether what was proven still holds: for exchanges that go on.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn is_alive(&self, _bearer: &Bearer) -> Result<bool, StoreError> {
        Ok(false)
    }
}
