//! How many mails may be caused: nobody's mailbox is to be filled from here, and no owner buried in notices.

use super::{Endpoint, Policy, Target, Throttle, Throttled, TooMany};
use crate::account::{AccountId, Email};
use crate::store::{Limit, StoreError};
use std::time::Duration;

/// Mails an hour to one address that may be anybody's, and asked for by one account.
const LINKS: Limit = Limit { most: 5, per: Duration::from_hours(1) };

/// Mails a day that tell one account of sign-ins: a program that keeps no cookies signs in with a new browser each time.
const NOTICES: Limit = Limit { most: 10, per: Duration::from_hours(24) };

impl Throttle {
    /// Whether one more mail with a link may go to this address. Counts it; asked when the mail is written, so that on a
    /// request's path every address costs the same.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn mail_to(&self, address: &Email) -> Result<bool, StoreError> {
        let key = self.keys.name("mails to", &[address.canonical()]);
        Ok(self.counters.count(&key, LINKS, self.clock.now()).await?.allowed)
    }

    /// Counts a mail that the account asks for, to an address that may be anybody's.
    ///
    /// # Errors
    /// See [`Throttled`].
    pub async fn mail_for(&self, account: AccountId) -> Result<(), Throttled> {
        let now = self.clock.now();
        let key = self.keys.name("mails for", &[&Target::subject_of(account)]);
        let counted = self.counters.count(&key, LINKS, now).await?;
        if counted.allowed {
            return Ok(());
        }
        self.metrics.rate_limited(Endpoint::EmailLink);
        Err(Throttled::TooMany(TooMany { policy: Policy::Mails, retry_after: counted.resets_at.since(now), limit: LINKS }))
    }

    /// Whether the account may have one more mail that tells of a sign-in. Counts it.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn notice(&self, account: AccountId) -> Result<bool, StoreError> {
        let key = self.keys.name("sign-in notices", &[&Target::subject_of(account)]);
        Ok(self.counters.count(&key, NOTICES, self.clock.now()).await?.allowed)
    }

    /// Whether the account may have one more mail that tells of somebody who gave its address for theirs. Counts it, apart from
    /// all other mails, so that nobody can use those up.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn warning(&self, account: AccountId) -> Result<bool, StoreError> {
        let key = self.keys.name("address warnings", &[&Target::subject_of(account)]);
        Ok(self.counters.count(&key, LINKS, self.clock.now()).await?.allowed)
    }
}
