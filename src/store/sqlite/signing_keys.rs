//! Signing keys, in SQLite.

use super::Database;
use crate::clock::Timestamp;
use crate::config::TokenAlgorithm;
use crate::store::StoreError;
use crate::token::{SealedKey, SigningKeyStore};
use async_trait::async_trait;
use rusqlite::{Connection, Params, Row};
use std::sync::Arc;

/// Signing keys in a database file.
pub struct SqliteSigningKeys(Arc<Database>);

impl SqliteSigningKeys {
    /// Keeps them in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Runs one statement; whether it changed anything.
    async fn change(&self, sql: &'static str, parameters: impl Params + Send + 'static) -> Result<bool, StoreError> {
        let change = move |connection: &Connection| connection.prepare_cached(sql)?.execute(parameters).map(|rows| rows > 0);
        self.0.write(change, |_| {}).await
    }
}

#[async_trait]
impl SigningKeyStore for SqliteSigningKeys {
    async fn list(&self) -> Result<Vec<SealedKey>, StoreError> {
        let list = |connection: &Connection| {
            let sql = "SELECT * FROM signing_keys ORDER BY created_at, number";
            connection.prepare_cached(sql)?.query_map([], read)?.filter_map(Result::transpose).collect()
        };
        self.0.read(list).await
    }

    async fn add(&self, key: &SealedKey) -> Result<bool, StoreError> {
        let sql = "INSERT INTO signing_keys (id, algorithm, number, sealed, created_at, signs_from)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (algorithm, number) DO NOTHING";
        let number = i64::try_from(key.number).unwrap_or(i64::MAX);
        let parameters = (key.id.clone(), key.algorithm.name(), number, key.sealed.clone(), key.created_at.0, key.signs_from.0);
        self.change(sql, parameters).await
    }

    async fn reseal(&self, id: &str, from: &[u8], to: &[u8]) -> Result<bool, StoreError> {
        let sql = "UPDATE signing_keys SET sealed = ?3 WHERE id = ?1 AND sealed = ?2";
        self.change(sql, (id.to_owned(), from.to_owned(), to.to_owned())).await
    }

    async fn remove(&self, id: &str) -> Result<(), StoreError> {
        self.change("DELETE FROM signing_keys WHERE id = ?1", [id.to_owned()]).await.map(|_| ())
    }
}

/// `None` for a key of a newer version, with an algorithm that this one does not know.
fn read(row: &Row<'_>) -> rusqlite::Result<Option<SealedKey>> {
    let Some(algorithm) = TokenAlgorithm::named(&row.get::<_, String>("algorithm")?) else { return Ok(None) };
    Ok(Some(SealedKey {
        id: row.get("id")?,
        algorithm,
        number: row.get::<_, i64>("number")?.unsigned_abs(),
        sealed: row.get("sealed")?,
        created_at: Timestamp(row.get("created_at")?),
        signs_from: Timestamp(row.get("signs_from")?),
    }))
}
