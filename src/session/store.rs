//! The port to wherever sessions are kept. To support another store, implement [`SessionStore`] in `store/`
//! and name it in `app.rs`; the contract suite in the tests says what must hold.

use super::{Session, SessionKey, SessionUser};
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use async_trait::async_trait;
use std::sync::Arc;

/// Where sessions are kept. Every method is atomic; whatever returns has been stored durably (activity apart).
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Adds a session, and ends the account's oldest ones beyond `max_per_user`; those that have expired come before all that live. How
    /// many it ended.
    async fn create(&self, key: SessionKey, session: &Session, max_per_user: usize) -> Result<u64, StoreError>;

    /// The session under `key`, if there is one that has not expired at `now`.
    async fn find(&self, key: &SessionKey, now: Timestamp) -> Result<Option<Arc<Session>>, StoreError>;

    /// Whose session was under `key`, if it ended by age or disuse and the store still remembers it at `now`: for as long as it
    /// was told to when it was made. A session that was ended is not remembered.
    async fn find_expired(&self, key: &SessionKey, now: Timestamp) -> Result<Option<AccountId>, StoreError>;

    /// Moves the session from `old` to `new` with the new content, if `old` is still there. `false` when it is not.
    async fn rotate(&self, old: &SessionKey, new: SessionKey, session: &Session) -> Result<bool, StoreError>;

    /// Notes activity. Off the caller's path and best effort: never creates a session, never moves time back,
    /// never revives one that has ended.
    fn touch(&self, key: &SessionKey, seen: Timestamp);

    /// Ends the session. `false` when there was none.
    async fn end(&self, key: &SessionKey) -> Result<bool, StoreError>;

    /// Ends all sessions of the account, but for `except`; how many there were.
    async fn end_all(&self, account: AccountId, except: Option<&SessionKey>) -> Result<u64, StoreError>;

    /// Ends the sessions that were copied from a version of the account before `version`; how many there were. Unlike
    /// [`end_all`](Self::end_all) it can be done late, or twice, without harm to sessions begun since.
    async fn end_outdated(&self, account: AccountId, version: u64) -> Result<u64, StoreError>;

    /// Replaces who the account's sessions speak of, where they carry an older version.
    async fn rewrite(&self, user: &SessionUser) -> Result<(), StoreError>;

    /// The account's sessions that have not expired, newest first.
    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<(SessionKey, Arc<Session>)>, StoreError>;

    /// How many sessions have not expired.
    async fn count(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Removes what has expired and need not be remembered any longer; how many sessions that were.
    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Whether other processes see these sessions. When not (memory), only the process that holds them may clear
    /// a [`SessionMark`](crate::account::SessionMark).
    fn shared(&self) -> bool;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
