//! Locks an account for a time after too many failures, wherever they come from. The counters that say so are in the shared
//! store, for names that exist and that do not, so that a lock tells nobody which ones do. A lock by an operator is
//! another thing and stands in the account.

use crate::account::AccountId;
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use crate::config::LockoutSettings;
use crate::mail::{Asked, Letter, Outbox};
use crate::store::{Charge, CounterStore, Limit, StoreError};
use crate::throttle::{CounterKeys, Target};
use std::sync::Arc;
use std::time::Duration;

/// Locks accounts and lifts the locks.
pub struct Lockout {
    pub(crate) counters: Arc<dyn CounterStore>,
    pub(crate) clock: SharedClock,
    pub(crate) settings: LockoutSettings,
    pub(crate) keys: CounterKeys,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) audit: Arc<Audit>,
}

/// After so long without another lock, the next one is as short as the first.
const FORGOTTEN: Duration = Duration::from_hours(24);

impl Lockout {
    /// Ends a lock that is in force, and forgets the failures and the locks before it: the owner has proved to be the owner, or
    /// an operator knows better.
    ///
    /// # Errors
    /// When the store failed: the lock may still be in force.
    pub async fn lift(&self, account: AccountId) -> Result<(), StoreError> {
        let subject = Target::subject_of(account);
        let levels = (0..self.settings.lasts.len()).map(|level| self.level_key(&subject, level));
        let all: Vec<_> = [self.lock_key(&subject), self.failures_key(&subject)].into_iter().chain(levels).collect();
        self.counters.clear(&all).await
    }

    /// How many failures in how long lock an account.
    pub(crate) fn limit(&self) -> Limit {
        Limit { most: self.settings.failures, per: self.settings.within }
    }

    /// When the lock that is in force ends, if there is one.
    pub(crate) async fn until(&self, target: &Target, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        if self.settings.failures == 0 {
            return Ok(None);
        }
        let lock = self.counters.peek(&self.lock_key(target.subject()), now).await?;
        Ok(lock.map(|(_, until)| until))
    }

    /// What an attempt from anywhere is counted as until it succeeds.
    pub(crate) fn failure(&self, target: &Target) -> Charge {
        Charge { key: self.failures_key(target.subject()), limit: self.limit() }
    }

    /// What an attempt with a browser that the account knows is counted as until it succeeds, instead.
    pub(crate) fn failure_of(&self, device: &str, target: &Target) -> Charge {
        Charge { key: self.keys.name("device failures", &[device, target.subject()]), limit: self.limit() }
    }

    /// Locks the account; of many who ask at once, one does.
    pub(crate) async fn lock(&self, target: &Target, client: &Client) -> Result<(), StoreError> {
        let (subject, now) = (target.subject(), self.clock.now());
        let level = self.next_level(subject, now).await?;
        let Some(lasts) = self.settings.lasts.get(level).copied() else { return Ok(()) };
        let lock = self.counters.count(&self.lock_key(subject), once_in(lasts), now).await?;
        if !lock.allowed {
            return Ok(());
        }
        let remembered = self.level_key(subject, level);
        self.counters.clear(&[remembered.clone(), self.failures_key(subject)]).await?;
        self.counters.count(&remembered, once_in(lasts + FORGOTTEN), now).await?;
        self.tell(target, client, lock.resets_at).await
    }

    /// Which of the durations the next lock lasts: each one lasts longer, up to the last.
    async fn next_level(&self, subject: &str, now: Timestamp) -> Result<usize, StoreError> {
        let last = self.settings.lasts.len().saturating_sub(1);
        for level in (0..=last).rev() {
            if self.counters.peek(&self.level_key(subject, level), now).await?.is_some() {
                return Ok((level + 1).min(last));
            }
        }
        Ok(0)
    }

    /// Tells the owner. A name that nobody has costs the same work.
    async fn tell(&self, target: &Target, client: &Client, until: Timestamp) -> Result<(), StoreError> {
        let lockout = Event::by(Party::default(), Action::Lockout, Outcome::Success, client);
        self.audit.record(lockout.to(target.party().clone()).because("too_many_failures"));
        let asked = Asked::by(client, self.clock.now());
        self.outbox.post(&Letter::AccountLocked { account: target.party().account, until, asked }).await
    }

    fn lock_key(&self, subject: &str) -> String {
        self.keys.name("lock", &[subject])
    }

    fn failures_key(&self, subject: &str) -> String {
        self.keys.name("failures", &[subject])
    }

    /// Stands as long as a lock of this level, and those before it, are remembered.
    fn level_key(&self, subject: &str, level: usize) -> String {
        self.keys.name("lock level", &[subject, &level.to_string()])
    }
}

fn once_in(per: Duration) -> Limit {
    Limit { most: 1, per }
}
