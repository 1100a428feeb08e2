//! Refresh tokens, in SQLite.

use super::Database;
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{RefreshToken, RefreshTokenStore, Renewal, Rotation};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, named_params};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Refresh tokens in a database file.
pub struct SqliteRefreshTokens(Arc<Database>);

impl SqliteRefreshTokens {
    /// Keeps tokens in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    async fn delete(&self, condition: &'static str, values: impl Params + Send + 'static) -> Result<u64, StoreError> {
        let deleted = self.0.write(move |connection| delete_where(connection, condition, values), |_| {}).await?;
        Ok(deleted as u64)
    }
}

#[async_trait]
impl RefreshTokenStore for SqliteRefreshTokens {
    async fn create(&self, token: &RefreshToken, max_families: usize, now: Timestamp) -> Result<(), StoreError> {
        let token = token.clone();
        let create = move |connection: &Connection| {
            delete_oldest(connection, token.account, max_families.saturating_sub(1), now)?;
            insert(connection, &token)
        };
        self.0.write(create, |()| {}).await
    }

    async fn rotate(&self, renewal: &Renewal, grace: Duration, now: Timestamp) -> Result<Rotation, StoreError> {
        let renewal = renewal.clone();
        let rotate = move |connection: &Connection| {
            let Some(present) = select(connection, &renewal)? else { return Ok(Rotation::Unknown) };
            let rotation = present.judge(renewal.presented, grace, now);
            match rotation {
                Rotation::Rotated => insert(connection, &present.renewed(renewal, now))?,
                Rotation::Reused => drop(delete_family(connection, renewal.account, renewal.family)?),
                Rotation::Repeated(_) | Rotation::Unknown => {}
            }
            Ok(rotation)
        };
        self.0.write(rotate, |_| {}).await
    }

    async fn end(&self, account: AccountId, family: Uuid) -> Result<bool, StoreError> {
        self.0.write(move |connection| delete_family(connection, account, family), |_| {}).await.map(|deleted| deleted > 0)
    }

    async fn end_all(&self, account: AccountId) -> Result<u64, StoreError> {
        self.delete("account = ?1", [account.0.into_bytes()]).await
    }

    async fn end_outdated(&self, account: AccountId, generation: u64) -> Result<u64, StoreError> {
        self.delete("account = ?1 AND generation < ?2", (account.0.into_bytes(), signed(generation))).await
    }

    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<RefreshToken>, StoreError> {
        let list = move |connection: &Connection| {
            let sql = "SELECT * FROM refresh_tokens WHERE account = ?1 AND expires_at > ?2 ORDER BY began_at DESC, family";
            connection.prepare_cached(sql)?.query_map((account.0.as_bytes(), now.0), read)?.collect()
        };
        self.0.read(list).await
    }

    async fn purge(&self, now: Timestamp) -> Result<(), StoreError> {
        let over = move |connection: &Connection| {
            connection.prepare_cached("SELECT 1 FROM refresh_tokens WHERE expires_at <= ?1 LIMIT 1")?.exists([now.0])
        };
        if self.0.read(over).await? {
            self.delete("expires_at <= ?1", [now.0]).await?;
        }
        Ok(())
    }
}

/// Adds the family, or puts its new token in the place of the present one.
fn insert(connection: &Connection, token: &RefreshToken) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO refresh_tokens (account, family, id, predecessor, generation, began_at, issued_at, expires_at,
            client, user_agent)
        VALUES (:account, :family, :id, :predecessor, :generation, :began_at, :issued_at, :expires_at, :client, :user_agent)";
    connection
        .prepare_cached(sql)?
        .execute(named_params! {
            ":account": token.account.0.into_bytes(),
            ":family": token.family.into_bytes(),
            ":id": token.id.into_bytes(),
            ":predecessor": token.predecessor.map(Uuid::into_bytes),
            ":generation": signed(token.generation),
            ":began_at": token.began_at.0,
            ":issued_at": token.issued_at.0,
            ":expires_at": token.expires_at.0,
            ":client": token.client.map(|address| address.to_string()),
            ":user_agent": token.user_agent,
        })
        .map(|_| ())
}

fn select(connection: &Connection, renewal: &Renewal) -> rusqlite::Result<Option<RefreshToken>> {
    let sql = "SELECT * FROM refresh_tokens WHERE account = ?1 AND family = ?2";
    connection.prepare_cached(sql)?.query_row((renewal.account.0.as_bytes(), renewal.family.as_bytes()), read).optional()
}

/// Leaves as many of the account's families as are to be kept, those that began last.
fn delete_oldest(connection: &Connection, account: AccountId, keep: usize, now: Timestamp) -> rusqlite::Result<usize> {
    let condition = "account = ?1 AND family NOT IN (
        SELECT family FROM refresh_tokens WHERE account = ?1 AND expires_at > ?3 ORDER BY began_at DESC, family LIMIT ?2)";
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    delete_where(connection, condition, (account.0.as_bytes(), keep, now.0))
}

fn delete_family(connection: &Connection, account: AccountId, family: Uuid) -> rusqlite::Result<usize> {
    delete_where(connection, "account = ?1 AND family = ?2", (account.0.as_bytes(), family.as_bytes()))
}

fn delete_where(connection: &Connection, condition: &str, values: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(&format!("DELETE FROM refresh_tokens WHERE {condition}"))?.execute(values)
}

fn read(row: &Row<'_>) -> rusqlite::Result<RefreshToken> {
    let client: Option<String> = row.get("client")?;
    Ok(RefreshToken {
        id: Uuid::from_bytes(row.get("id")?),
        account: AccountId(Uuid::from_bytes(row.get("account")?)),
        family: Uuid::from_bytes(row.get("family")?),
        predecessor: row.get::<_, Option<[u8; 16]>>("predecessor")?.map(Uuid::from_bytes),
        generation: u64::try_from(row.get::<_, i64>("generation")?).unwrap_or(0),
        began_at: Timestamp(row.get("began_at")?),
        issued_at: Timestamp(row.get("issued_at")?),
        expires_at: Timestamp(row.get("expires_at")?),
        client: client.and_then(|address| address.parse().ok()),
        user_agent: row.get("user_agent")?,
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
