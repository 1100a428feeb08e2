//! Identities ready to be written: made once for each version of an account, not for each request.

use crate::account::AccountId;
use crate::identity::{Identity, IdentityHeaders};
use crate::session::SessionUser;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Accounts remembered; when there are more, all are forgotten and made anew as they come.
const REMEMBERED: usize = 16_384;

/// The identities of accounts that were seen lately.
pub struct Identities {
    names: IdentityHeaders,
    made: RwLock<HashMap<AccountId, (u64, Arc<Identity>)>>,
}

impl Identities {
    /// None yet, under these names.
    #[must_use]
    pub fn new(names: IdentityHeaders) -> Self {
        Self { names, made: RwLock::default() }
    }

    /// The identity of this user. Everything that upstreams are told of an account belongs to one of its versions.
    #[must_use]
    pub fn of(&self, user: &SessionUser) -> Arc<Identity> {
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
