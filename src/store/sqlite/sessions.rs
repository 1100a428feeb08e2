//! Sessions in SQLite, answered from memory: a write is in the file before memory and the caller know of it, and what
//! other processes write is noticed within a quarter of a second.

use super::Database;
use super::cache::Cache;
use super::writer::Watcher;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::metrics::{CacheResult, Metrics};
use crate::session::{Session, SessionKey, SessionStore, SessionUser};
use crate::store::StoreError;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params};
use std::sync::Arc;
use std::time::Duration;

/// Sessions in a database file.
pub struct SqliteSessions {
    database: Arc<Database>,
    cache: Arc<Cache>,
    remembered: Duration,
    metrics: Option<Arc<Metrics>>,
}

impl SqliteSessions {
    /// Keeps sessions in this file. `patience` is the longest that one may live on memory alone (`sessions.cache`).
    #[must_use]
    pub fn new(database: Arc<Database>, patience: Duration) -> Self {
        let cache = Arc::new(Cache::new(patience));
        let (forgetting, confirming) = (Arc::clone(&cache), Arc::clone(&cache));
        database.watch(Watcher { changed: Box::new(move || forgetting.forget_all()), alive: Box::new(move || confirming.confirm()) });
        Self { database, cache, remembered: Duration::ZERO, metrics: None }
    }

    /// Remembers for so long whose the sessions were that have expired.
    #[must_use]
    pub fn remembering(self, span: Duration) -> Self {
        Self { remembered: span, ..self }
    }

    /// Counts what memory has answered.
    #[must_use]
    pub fn counted_by(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    fn count(&self, result: CacheResult) {
        if let Some(metrics) = &self.metrics {
            metrics.session_cache_total[result].inc();
        }
    }

    /// Writes, and forgets in memory the sessions that the write names. They are forgotten before the answer, on the
    /// thread that commits.
    async fn write_and_forget(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<Vec<SessionKey>> + Send + 'static,
    ) -> Result<u64, StoreError> {
        let cache = Arc::clone(&self.cache);
        let keys = self.database.write(work, move |keys| cache.forget(keys)).await?;
        Ok(keys.len() as u64)
    }
}

#[async_trait]
impl SessionStore for SqliteSessions {
    async fn create(&self, key: SessionKey, session: &Session, max_per_user: usize) -> Result<u64, StoreError> {
        let session = Arc::new(session.clone());
        let (stored, cache) = (Arc::clone(&session), Arc::clone(&self.cache));
        let create = move |connection: &Connection| {
            insert(connection, &key, &stored)?;
            delete_oldest(connection, &stored, max_per_user, &key)
        };
        let committed = move |ended: &Vec<SessionKey>| {
            cache.forget(ended);
            cache.put_committed(key, session);
        };
        self.database.write(create, committed).await.map(|ended| ended.len() as u64)
    }

    async fn find(&self, key: &SessionKey, now: Timestamp) -> Result<Option<Arc<Session>>, StoreError> {
        if let Some(session) = self.cache.get(key) {
            self.count(CacheResult::Hit);
            return Ok((!session.expired(now)).then_some(session));
        }
        self.count(CacheResult::Miss);
        let (key, reading) = (*key, self.cache.begin_reading());
        let found = self.database.read(move |connection| select(connection, &key)).await?.map(Arc::new);
        let Some(session) = found.filter(|session| !session.expired(now)) else { return Ok(None) };
        self.cache.put_read(reading, key, Arc::clone(&session));
        Ok(Some(session))
    }

    async fn find_expired(&self, key: &SessionKey, now: Timestamp) -> Result<Option<AccountId>, StoreError> {
        let (key, remembered) = (*key, self.remembered);
        let found = self.database.read(move |connection| select(connection, &key)).await?;
        Ok(found.filter(|session| session.expired_within(remembered, now)).map(|session| session.user.id))
    }

    async fn rotate(&self, old: &SessionKey, new: SessionKey, session: &Session) -> Result<bool, StoreError> {
        let old = *old;
        let session = Arc::new(session.clone());
        let (stored, cache) = (Arc::clone(&session), Arc::clone(&self.cache));
        let rotate = move |connection: &Connection| {
            let there = !delete_where(connection, "key = ?1", [old.0])?.is_empty();
            if there {
                insert(connection, &new, &stored)?;
            }
            Ok(there)
        };
        let committed = move |there: &bool| {
            cache.forget(&[old]);
            if *there {
                cache.put_committed(new, session);
            }
        };
        self.database.write(rotate, committed).await
    }

    fn touch(&self, key: &SessionKey, seen: Timestamp) {
        self.cache.touch(key, seen);
        let key = *key;
        self.database.write_later(move |connection| {
            let sql = "UPDATE sessions SET last_seen = ?2, ends_at = min(?2 + idle_timeout, expires_at)
                WHERE key = ?1 AND last_seen < ?2 AND ends_at > ?2";
            connection.prepare_cached(sql)?.execute((key.0, seen.0)).map(|_| ())
        });
    }

    async fn end(&self, key: &SessionKey) -> Result<bool, StoreError> {
        let key = *key;
        self.write_and_forget(move |connection| delete_where(connection, "key = ?1", [key.0])).await.map(|ended| ended > 0)
    }

    async fn end_all(&self, account: AccountId, except: Option<&SessionKey>) -> Result<u64, StoreError> {
        let except = except.map_or([0; 32], |key| key.0);
        let condition = "account = ?1 AND key <> ?2";
        self.write_and_forget(move |connection| delete_where(connection, condition, (account.0.as_bytes(), except))).await
    }

    async fn end_outdated(&self, account: AccountId, version: u64) -> Result<u64, StoreError> {
        let condition = "account = ?1 AND account_version < ?2";
        self.write_and_forget(move |connection| delete_where(connection, condition, (account.0.as_bytes(), signed(version)))).await
    }

    async fn rewrite(&self, user: &SessionUser) -> Result<(), StoreError> {
        let user = user.clone();
        self.write_and_forget(move |connection| rewrite(connection, &user)).await.map(|_| ())
    }

    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<(SessionKey, Arc<Session>)>, StoreError> {
        let list = move |connection: &Connection| {
            let sql = "SELECT * FROM sessions WHERE account = ?1 AND ends_at > ?2 ORDER BY created_at DESC, key";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map((account.0.as_bytes(), now.0), |row| Ok((read_key(row)?, Arc::new(read_session(row)?))))?;
            rows.collect()
        };
        self.database.read(list).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        // All rows are counted by pages; those that have expired are few, since they are removed every minute.
        let count = move |connection: &Connection| {
            let sql = "SELECT (SELECT count(*) FROM sessions) - (SELECT count(*) FROM sessions WHERE ends_at <= ?1)";
            connection.prepare_cached(sql)?.query_row([now.0], |row| row.get::<_, i64>(0))
        };
        self.database.read(count).await.map(unsigned)
    }

    async fn purge(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.cache.forget_expired(now);
        let end = now.0.saturating_sub(millis(self.remembered));
        let over = self.database.read(move |connection| exists_ended_by(connection, end)).await?;
        if !over {
            return Ok(0);
        }
        self.write_and_forget(move |connection| delete_where(connection, "ends_at <= ?1", [end])).await
    }

    fn shared(&self) -> bool {
        true
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.read(|connection| connection.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(()))).await
    }
}

fn insert(connection: &Connection, key: &SessionKey, session: &Session) -> rusqlite::Result<()> {
    let sql = "INSERT INTO sessions (key, account, username, name, email, groups, account_version, created_at, last_seen, idle_timeout,
            expires_at, ends_at, remember, client, user_agent, confirmed_at)
        VALUES (:key, :account, :username, :name, :email, :groups, :account_version, :created_at, :last_seen, :idle_timeout,
            :expires_at, :ends_at, :remember, :client, :user_agent, :confirmed_at)";
    connection
        .prepare_cached(sql)?
        .execute(named_params! {
            ":key": key.0,
            ":account": session.user.id.0.as_bytes(),
            ":username": session.user.username,
            ":name": session.user.name,
            ":email": session.user.email,
            ":groups": session.user.groups.join(","),
            ":account_version": signed(session.user.version),
            ":created_at": session.created_at.0,
            ":last_seen": session.last_seen.0,
            ":idle_timeout": millis(session.idle_timeout),
            ":expires_at": session.expires_at.0,
            ":ends_at": session.ends_at().0,
            ":remember": session.remember,
            ":client": session.client.map(|address| address.to_string()),
            ":user_agent": session.user_agent,
            ":confirmed_at": session.confirmed_at.map(|at| at.0),
        })
        .map(|_| ())
}

fn select(connection: &Connection, key: &SessionKey) -> rusqlite::Result<Option<Session>> {
    connection.prepare_cached("SELECT * FROM sessions WHERE key = ?1")?.query_row([key.0], read_session).optional()
}

/// Deletes the oldest sessions of the account of the one that was just made beyond `keep`, what has expired before all else, and never
/// the new one.
fn delete_oldest(connection: &Connection, made: &Session, keep: usize, newest: &SessionKey) -> rusqlite::Result<Vec<SessionKey>> {
    let condition = "account = ?1 AND key <> ?2 AND key NOT IN (
        SELECT key FROM sessions WHERE account = ?1 AND key <> ?2 ORDER BY ends_at <= ?4, created_at DESC, key LIMIT ?3)";
    let others = i64::try_from(keep.saturating_sub(1)).unwrap_or(i64::MAX);
    delete_where(connection, condition, (made.user.id.0.as_bytes(), newest.0, others, made.created_at.0))
}

fn delete_where(connection: &Connection, condition: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<SessionKey>> {
    let sql = format!("DELETE FROM sessions WHERE {condition} RETURNING key");
    connection.prepare_cached(&sql)?.query_map(values, read_key)?.collect()
}

fn rewrite(connection: &Connection, user: &SessionUser) -> rusqlite::Result<Vec<SessionKey>> {
    let sql = "UPDATE sessions SET username = ?3, name = ?4, email = ?5, groups = ?6, account_version = ?2
        WHERE account = ?1 AND account_version < ?2 RETURNING key";
    let groups = user.groups.join(",");
    let id = user.id.0.as_bytes();
    let values: [&dyn ToSql; 6] = [&id, &signed(user.version), &user.username, &user.name, &user.email, &groups];
    connection.prepare_cached(sql)?.query_map(&values[..], read_key)?.collect()
}

fn exists_ended_by(connection: &Connection, end: i64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM sessions WHERE ends_at <= ?1 LIMIT 1")?.exists([end])
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<SessionKey> {
    row.get("key").map(SessionKey)
}

fn read_session(row: &Row<'_>) -> rusqlite::Result<Session> {
    let groups: String = row.get("groups")?;
    let client: Option<String> = row.get("client")?;
    Ok(Session {
        user: SessionUser {
            id: AccountId(uuid::Uuid::from_bytes(row.get("account")?)),
            username: row.get("username")?,
            name: row.get("name")?,
            email: row.get("email")?,
            groups: groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect(),
            version: unsigned(row.get("account_version")?),
        },
        created_at: Timestamp(row.get("created_at")?),
        last_seen: Timestamp(row.get("last_seen")?),
        idle_timeout: Duration::from_millis(unsigned(row.get("idle_timeout")?)),
        expires_at: Timestamp(row.get("expires_at")?),
        remember: row.get("remember")?,
        client: client.and_then(|address| address.parse().ok()),
        user_agent: row.get("user_agent")?,
        confirmed_at: row.get::<_, Option<i64>>("confirmed_at")?.map(Timestamp),
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Stopwatch;
    use tempfile::TempDir;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn open(folder: &TempDir, patience: Duration) -> SqliteSessions {
        SqliteSessions::new(Database::open(&folder.path().join("test.db")).unwrap(), patience)
    }

    fn session() -> Session {
        Session {
            user: SessionUser {
                id: AccountId::new(NOW),
                username: "alice".to_owned(),
                name: String::new(),
                email: String::new(),
                groups: vec![],
                version: 1,
            },
            created_at: NOW,
            last_seen: NOW,
            idle_timeout: Duration::from_mins(1),
            expires_at: NOW.plus(Duration::from_mins(1)),
            remember: false,
            client: None,
            user_agent: String::new(),
            confirmed_at: None,
        }
    }

    const KEY: SessionKey = SessionKey([1; 32]);

    #[tokio::test]
    async fn sessions_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let stored = session();
        open(&folder, Duration::from_secs(5)).create(KEY, &stored, 50).await.unwrap();
        assert_eq!(*open(&folder, Duration::from_secs(5)).find(&KEY, NOW).await.unwrap().unwrap(), stored);
    }

    /// issue: other processes' commits are noticed within 0.5 s
    #[tokio::test]
    async fn a_session_that_another_process_ends_is_gone_within_half_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let (gateway, command) = (open(&folder, Duration::from_hours(1)), open(&folder, Duration::ZERO));
        gateway.create(KEY, &session(), 50).await.unwrap();
        assert!(gateway.find(&KEY, NOW).await.unwrap().is_some());
        command.end(&KEY).await.unwrap();
        let ended = Stopwatch::start();
        while gateway.find(&KEY, NOW).await.unwrap().is_some() {
            assert!(ended.elapsed() < Duration::from_millis(500), "still there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn a_known_session_is_found_without_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = open(&folder, Duration::from_hours(1));
        sessions.create(KEY, &session(), 50).await.unwrap();
        let quietly = |connection: &Connection| connection.execute_batch("DELETE FROM sessions");
        sessions.database.write(quietly, |()| {}).await.unwrap();
        assert!(sessions.find(&KEY, NOW).await.unwrap().is_some(), "our own writer's commits are not foreign ones");
        sessions.cache.forget(&[KEY]);
        assert!(sessions.find(&KEY, NOW).await.unwrap().is_none());
    }
}
