//! Identities ready to be written: made once for each version of an account, not for each request.

use crate::account::AccountId;
use crate::host::Host;
use crate::identity::{Identity, IdentityHeaders};
use crate::session::SessionUser;
use crate::store::StoreError;
use crate::token::Assertions;
use bytes::Bytes;
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Accounts remembered; when there are more, all are forgotten and made anew as they come.
const REMEMBERED: usize = 16_384;

/// The identities of accounts that were seen lately.
pub struct Identities {
    names: IdentityHeaders,
    /// The assertion's name as it is written, where one is.
    assertion: Option<Bytes>,
    assertions: Arc<Assertions>,
    made: RwLock<HashMap<AccountId, (u64, Arc<Identity>)>>,
}

/// How an upstream is told of a user: by the headers that are the same everywhere, and by the assertion for its host.
#[derive(Clone)]
pub struct Introduction {
    identity: Arc<Identity>,
    assertion: Option<(Bytes, HeaderValue)>,
}

impl Introduction {
    /// The headers, in a fixed order.
    pub fn headers(&self) -> impl Iterator<Item = (&Bytes, &HeaderValue)> {
        self.identity.headers().chain(self.assertion.iter().map(|(name, value)| (name, value)))
    }
}

impl Identities {
    /// None yet, under these names.
    #[must_use]
    pub fn new(names: IdentityHeaders, assertions: Arc<Assertions>) -> Self {
        Self { assertion: names.assertion_title(), names, assertions, made: RwLock::default() }
    }

    /// What the application on this host is told of this user.
    ///
    /// # Errors
    /// When an assertion is asked for and none can be signed: nobody is introduced without.
    pub async fn introduce(&self, user: &SessionUser, host: &Host) -> Result<Introduction, StoreError> {
        let assertion = match &self.assertion {
            Some(name) => Some((name.clone(), self.assertions.value(user, host.as_str()).await?)),
            None => None,
        };
        Ok(Introduction { identity: self.of(user), assertion })
    }

    /// The identity of this user. Everything that upstreams are told of an account belongs to one of its versions.
    fn of(&self, user: &SessionUser) -> Arc<Identity> {
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner).get(&user.id).cloned();
        if let Some((_, identity)) = made.filter(|(version, _)| *version == user.version) {
            return identity;
        }
        let identity = Arc::new(Identity::of(user, &self.names));
        let mut all = self.made.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(user.id, (user.version, identity.clone()));
        identity
    }
}
