//! Sessions in Redis. Every check asks Redis, in one round trip; keys end with their session, by Redis's own clock, and
//! before that by ours.

use super::link::Link;
use super::record::{self, Fields};
use super::scripts::{CREATE, END, END_ALL, LIST, PURGE, REWRITE, ROTATE, TOUCH};
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::session::{Session, SessionKey, SessionStore, SessionUser};
use crate::store::StoreError;
use async_trait::async_trait;
use redis::{Script, ScriptInvocation};
use std::sync::Arc;
use std::time::Duration;

/// Sessions in a Redis.
pub struct RedisSessions {
    link: Arc<Link>,
    /// Beginning of the names of sessions.
    session: String,
    /// Beginning of the names of the indexes by user.
    user_sessions: String,
    /// Name of the index by expiry.
    by_expiry: String,
    remembered: Duration,
}

/// Most expired sessions that are removed in one step, during which Redis does nothing else.
const PURGED_AT_ONCE: u64 = 500;

impl RedisSessions {
    /// Keeps sessions behind this link, in keys whose names begin with `prefix`.
    #[must_use]
    pub fn new(link: Arc<Link>, prefix: &str) -> Self {
        Self {
            link,
            session: format!("{prefix}session:"),
            user_sessions: format!("{prefix}user_sessions:"),
            by_expiry: format!("{prefix}sessions_by_expiry"),
            remembered: Duration::ZERO,
        }
    }

    /// Remembers for so long whose the sessions were that have expired.
    #[must_use]
    pub fn remembering(self, span: Duration) -> Self {
        Self { remembered: span, ..self }
    }

    fn script<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        invocation.key(&self.by_expiry).arg(&self.session).arg(&self.user_sessions);
        invocation
    }

    fn session_key(&self, key: &SessionKey) -> String {
        format!("{}{key}", self.session)
    }

    /// What is under the key, expired or not.
    async fn read(&self, key: &SessionKey) -> Result<Option<Session>, StoreError> {
        let mut read = redis::cmd("HMGET");
        read.arg(self.session_key(key)).arg(&record::FIELDS[..]);
        record::read(self.link.read::<Fields>(&read).await?)
    }
}

#[async_trait]
impl SessionStore for RedisSessions {
    async fn create(&self, key: SessionKey, session: &Session, max_per_user: usize) -> Result<u64, StoreError> {
        let mut create = self.script(&CREATE);
        create.arg(key.to_string()).arg(max_per_user.max(1)).arg(&record::write(session, self.remembered)?[..]);
        self.link.run(&create).await
    }

    async fn find(&self, key: &SessionKey, now: Timestamp) -> Result<Option<Arc<Session>>, StoreError> {
        let session = self.read(key).await?;
        Ok(session.filter(|session| !session.expired(now)).map(Arc::new))
    }

    async fn find_expired(&self, key: &SessionKey, now: Timestamp) -> Result<Option<AccountId>, StoreError> {
        let session = self.read(key).await?;
        Ok(session.filter(|session| session.expired_within(self.remembered, now)).map(|session| session.user.id))
    }

    async fn rotate(&self, old: &SessionKey, new: SessionKey, session: &Session) -> Result<bool, StoreError> {
        let mut rotate = self.script(&ROTATE);
        rotate.arg(old.to_string()).arg(new.to_string()).arg(&record::write(session, self.remembered)?[..]);
        self.link.run(&rotate).await
    }

    fn touch(&self, key: &SessionKey, seen: Timestamp) {
        let mut touch = redis::cmd("EVAL");
        touch.arg(TOUCH).arg(2).arg(&self.by_expiry).arg(self.session_key(key)).arg(key.to_string()).arg(seen.0);
        touch.arg(record::millis(self.remembered));
        self.link.send(&mut touch);
    }

    async fn end(&self, key: &SessionKey) -> Result<bool, StoreError> {
        let mut end = self.script(&END);
        end.arg(key.to_string());
        self.link.run(&end).await
    }

    async fn end_all(&self, account: AccountId, except: Option<&SessionKey>) -> Result<u64, StoreError> {
        let mut end = self.script(&END_ALL);
        end.arg(account.to_string()).arg(except.map(ToString::to_string).unwrap_or_default()).arg("");
        self.link.run(&end).await
    }

    async fn end_outdated(&self, account: AccountId, version: u64) -> Result<u64, StoreError> {
        let mut end = self.script(&END_ALL);
        end.arg(account.to_string()).arg("").arg(version);
        self.link.run(&end).await
    }

    async fn rewrite(&self, user: &SessionUser) -> Result<(), StoreError> {
        let mut rewrite = self.script(&REWRITE);
        rewrite.arg(user.id.to_string()).arg(user.version).arg(record::write_user(user)?);
        self.link.run(&rewrite).await
    }

    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<(SessionKey, Arc<Session>)>, StoreError> {
        let mut list = self.script(&LIST);
        list.arg(account.to_string());
        let mut sessions = Vec::new();
        for (key, fields) in self.link.run_reading::<Vec<(String, Fields)>>(&list).await? {
            let key = key.parse().map_err(|_| StoreError("a user's index in Redis names what is no session of ours".to_owned()))?;
            let session = record::read(fields)?.filter(|session| !session.expired(now));
            sessions.extend(session.map(|session| (key, Arc::new(session))));
        }
        Ok(sessions)
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut count = redis::cmd("ZCOUNT");
        count.arg(&self.by_expiry).arg(format!("({}", now.0)).arg("+inf");
        self.link.read(&count).await
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut purged = 0;
        loop {
            let mut purge = self.script(&PURGE);
            purge.arg(now.0.saturating_sub_unsigned(record::millis(self.remembered))).arg(PURGED_AT_ONCE);
            let now_purged = self.link.run::<u64>(&purge).await?;
            purged += now_purged;
            if now_purged < PURGED_AT_ONCE {
                return Ok(purged);
            }
        }
    }

    fn shared(&self) -> bool {
        true
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.link.read(&redis::cmd("PING")).await
    }
}
