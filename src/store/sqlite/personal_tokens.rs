//! Personal tokens, in SQLite. The foreign key removes them with their account.

use super::Database;
use super::accounts::{COLUMNS, read_account, signed, unreadable, unsigned};
use crate::account::{Account, AccountId};
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{PersonalToken, PersonalTokenStore};
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use std::sync::Arc;
use uuid::Uuid;

/// Personal tokens in a database file.
pub struct SqlitePersonalTokens(Arc<Database>);

/// Under names that no column of an account has, so that both can be read from one row.
const TOKEN: &str = "SELECT id AS token_id, account AS token_account, resets AS token_resets, hash AS token_hash, name AS token_name,
        scope AS token_scope, created_at AS token_created_at, expires_at AS token_expires_at, last_used AS token_last_used
    FROM personal_tokens";

impl SqlitePersonalTokens {
    /// Keeps them in this database.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }
}

#[async_trait]
impl PersonalTokenStore for SqlitePersonalTokens {
    async fn create(&self, token: &PersonalToken, most: usize) -> Result<bool, StoreError> {
        let token = token.clone();
        self.0.write(move |connection| insert(connection, &token, most), |_| {}).await
    }

    async fn find(&self, hashes: &[[u8; 32]]) -> Result<Option<(PersonalToken, Account)>, StoreError> {
        let (Some(first), Some(last)) = (hashes.first().copied(), hashes.last().copied()) else { return Ok(None) };
        let find = move |connection: &Connection| {
            let sql = format!(
                "SELECT {COLUMNS}, token.* FROM ({TOKEN} WHERE hash IN (?1, ?2)) AS token
                JOIN accounts ON id = token_account AND resets = token_resets"
            );
            connection.prepare_cached(&sql)?.query_row((first, last), |row| Ok((read(row)?, read_account(row)?))).optional()
        };
        self.0.read(find).await
    }

    fn touch(&self, token: &PersonalToken, hash: &[u8; 32], used: Timestamp) {
        let (id, hash) = (token.id.into_bytes(), *hash);
        self.0.write_later(move |connection| {
            let sql = "UPDATE personal_tokens SET hash = ?2, last_used = max(coalesce(last_used, ?3), ?3) WHERE id = ?1";
            connection.prepare_cached(sql)?.execute((id, hash, used.0)).map(|_| ())
        });
    }

    async fn list(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreError> {
        let list = move |connection: &Connection| {
            let sql = format!("{TOKEN} WHERE account = ?1 ORDER BY id DESC");
            connection.prepare_cached(&sql)?.query_map([account.0.into_bytes()], read)?.collect()
        };
        self.0.read(list).await
    }

    async fn remove(&self, account: AccountId, id: Uuid) -> Result<bool, StoreError> {
        let remove = move |connection: &Connection| {
            let sql = "DELETE FROM personal_tokens WHERE account = ?1 AND id = ?2";
            connection.prepare_cached(sql)?.execute((account.0.into_bytes(), id.into_bytes())).map(|rows| rows > 0)
        };
        self.0.write(remove, |_| {}).await
    }
}

fn insert(connection: &Connection, token: &PersonalToken, most: usize) -> rusqlite::Result<bool> {
    let scope = serde_json::to_string(&token.scope).map_err(unreadable)?;
    let sql = "INSERT INTO personal_tokens (id, account, resets, hash, name, scope, created_at, expires_at, last_used)
        SELECT :id, id, resets, :hash, :name, :scope, :created_at, :expires_at, :last_used FROM accounts
        WHERE id = :account AND resets = :resets AND (SELECT count(*) FROM personal_tokens WHERE account = :account) < :most";
    connection
        .prepare_cached(sql)?
        .execute(named_params! {
            ":id": token.id.into_bytes(),
            ":account": token.account.0.into_bytes(),
            ":resets": signed(token.resets),
            ":hash": token.hash,
            ":name": token.name,
            ":scope": scope,
            ":created_at": token.created_at.0,
            ":expires_at": token.expires_at.map(|end| end.0),
            ":last_used": token.last_used.map(|used| used.0),
            ":most": i64::try_from(most).unwrap_or(i64::MAX),
        })
        .map(|rows| rows > 0)
}

/// Removes what the account was reset since, in the transaction that writes the account.
pub(super) fn remove_outdated(connection: &Connection, account: &Account) -> rusqlite::Result<()> {
    let sql = "DELETE FROM personal_tokens WHERE account = ?1 AND resets <> ?2";
    connection.prepare_cached(sql)?.execute((account.id.0.into_bytes(), signed(account.resets))).map(|_| ())
}

fn read(row: &Row<'_>) -> rusqlite::Result<PersonalToken> {
    let scope: String = row.get("token_scope")?;
    Ok(PersonalToken {
        id: Uuid::from_bytes(row.get("token_id")?),
        account: AccountId(Uuid::from_bytes(row.get("token_account")?)),
        resets: unsigned(row.get("token_resets")?),
        hash: row.get("token_hash")?,
        name: row.get("token_name")?,
        scope: serde_json::from_str(&scope).map_err(unreadable)?,
        created_at: Timestamp(row.get("token_created_at")?),
        expires_at: row.get::<_, Option<i64>>("token_expires_at")?.map(Timestamp),
        last_used: row.get::<_, Option<i64>>("token_last_used")?.map(Timestamp),
    })
}
