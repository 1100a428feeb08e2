//! Refresh tokens in this process only.

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{RefreshToken, RefreshTokenStore, Renewal, Rotation};
use async_trait::async_trait;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Refresh tokens in memory: each account's families, in no order.
#[derive(Default)]
pub struct MemoryRefreshTokens(Mutex<HashMap<AccountId, Vec<RefreshToken>>>);

impl MemoryRefreshTokens {
    fn families(&self) -> MutexGuard<'_, HashMap<AccountId, Vec<RefreshToken>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the account's families that are not to be kept; how many those were.
    fn retain(&self, account: AccountId, keep: impl Fn(&RefreshToken) -> bool) -> u64 {
        let mut families = self.families();
        let Some(of_account) = families.get_mut(&account) else { return 0 };
        let before = of_account.len();
        of_account.retain(keep);
        let ended = before - of_account.len();
        if of_account.is_empty() {
            families.remove(&account);
        }
        ended as u64
    }
}

#[async_trait]
impl RefreshTokenStore for MemoryRefreshTokens {
    async fn create(&self, token: &RefreshToken, max_families: usize, now: Timestamp) -> Result<(), StoreError> {
        let mut families = self.families();
        let of_account = families.entry(token.account).or_default();
        of_account.retain(|family| now < family.expires_at);
        of_account.sort_by_key(|family| family.began_at);
        let surplus = (of_account.len() + 1).saturating_sub(max_families.max(1));
        of_account.drain(..surplus);
        of_account.push(token.clone());
        Ok(())
    }

    async fn rotate(&self, renewal: &Renewal, grace: Duration, now: Timestamp) -> Result<Rotation, StoreError> {
        let mut families = self.families();
        let Some(of_account) = families.get_mut(&renewal.account) else { return Ok(Rotation::Unknown) };
        let Some(at) = of_account.iter().position(|family| family.family == renewal.family) else { return Ok(Rotation::Unknown) };
        let rotation = of_account[at].judge(renewal.presented, grace, now);
        match rotation {
            Rotation::Rotated => of_account[at] = of_account[at].clone().renewed(renewal.clone(), now),
            Rotation::Reused => drop(of_account.swap_remove(at)),
            Rotation::Repeated(_) | Rotation::Unknown => {}
        }
        Ok(rotation)
    }

    async fn end(&self, account: AccountId, family: Uuid) -> Result<bool, StoreError> {
        Ok(self.retain(account, |kept| kept.family != family) > 0)
    }

    async fn end_all(&self, account: AccountId) -> Result<u64, StoreError> {
        Ok(self.retain(account, |_| false))
    }

    async fn end_outdated(&self, account: AccountId, generation: u64) -> Result<u64, StoreError> {
        Ok(self.retain(account, |kept| kept.generation >= generation))
    }

    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<RefreshToken>, StoreError> {
        let families = self.families();
        let living = families.get(&account).into_iter().flatten().filter(|family| now < family.expires_at);
        let mut living: Vec<_> = living.cloned().collect();
        living.sort_by_key(|family| std::cmp::Reverse(family.began_at));
        Ok(living)
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        self.families().retain(|_, of_account| {
            of_account.retain(|family| now < family.expires_at);
            !of_account.is_empty()
        });
        Ok(())
    }
}
