//! Invitations, in SQLite.

use super::Database;
use super::accounts::unreadable;
use crate::account::{AccountId, Email, Group};
use crate::clock::Timestamp;
use crate::invitation::{Invitation, InvitationStore};
use crate::store::StoreError;
use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, named_params};
use std::sync::Arc;
use uuid::Uuid;

/// Invitations in a database file.
pub struct SqliteInvitations(Arc<Database>);

impl SqliteInvitations {
    /// Keeps invitations in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Runs one statement; whether it changed anything.
    async fn change(&self, sql: &'static str, parameters: impl Params + Send + 'static) -> Result<bool, StoreError> {
        let change = move |connection: &Connection| connection.prepare_cached(sql)?.execute(parameters).map(|rows| rows > 0);
        self.0.write(change, |_| {}).await
    }

    async fn select(&self, rest: &'static str, parameters: impl Params + Send + 'static) -> Result<Vec<Invitation>, StoreError> {
        let select = move |connection: &Connection| {
            connection.prepare_cached(&format!("SELECT * FROM invitations {rest}"))?.query_map(parameters, read)?.collect()
        };
        self.0.read(select).await
    }
}

#[async_trait]
impl InvitationStore for SqliteInvitations {
    async fn create(&self, invitation: &Invitation) -> Result<(), StoreError> {
        let invitation = invitation.clone();
        self.0.write(move |connection| insert(connection, &invitation), |()| {}).await
    }

    async fn find(&self, token: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>, StoreError> {
        let token = *token;
        let find = move |connection: &Connection| {
            let sql = "SELECT * FROM invitations WHERE token = ?1 AND expires_at > ?2";
            connection.prepare_cached(sql)?.query_row((token, now.0), read).optional()
        };
        self.0.read(find).await
    }

    async fn claim(&self, id: Uuid, account: AccountId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE invitations SET account = ?2, claimed_until = ?4 WHERE id = ?1 AND account IS NULL AND expires_at > ?3";
        self.change(sql, (id.into_bytes(), account.0.into_bytes(), now.0, until.0)).await
    }

    async fn redeem(&self, id: Uuid, account: AccountId, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE invitations SET claimed_until = NULL, used_at = coalesce(used_at, ?3) WHERE id = ?1 AND account = ?2";
        self.change(sql, (id.into_bytes(), account.0.into_bytes(), now.0)).await
    }

    async fn release(&self, id: Uuid, account: AccountId) -> Result<(), StoreError> {
        let sql = "UPDATE invitations SET account = NULL, claimed_until = NULL WHERE id = ?1 AND account = ?2 AND used_at IS NULL";
        self.change(sql, (id.into_bytes(), account.0.into_bytes())).await.map(|_| ())
    }

    async fn lapsed(&self, now: Timestamp, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        self.select("WHERE claimed_until <= ?1 LIMIT ?2", (now.0, most(limit))).await
    }

    async fn list(&self, before: Option<Uuid>, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        let before = before.unwrap_or_else(Uuid::max).into_bytes();
        self.select("WHERE id < ?1 ORDER BY id DESC LIMIT ?2", (before, most(limit))).await
    }

    async fn remove(&self, id: Uuid) -> Result<bool, StoreError> {
        self.change("DELETE FROM invitations WHERE id = ?1", [id.into_bytes()]).await
    }

    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        self.change("DELETE FROM invitations WHERE expires_at < ?1", [oldest.0]).await.map(|_| ())
    }
}

fn insert(connection: &Connection, invitation: &Invitation) -> rusqlite::Result<()> {
    let groups: Vec<&str> = invitation.groups.iter().map(Group::as_str).collect();
    let holder = invitation.used.or(invitation.claimed).map(|(account, _)| account.0.into_bytes());
    let sql = "INSERT INTO invitations (id, token, email, groups, invited_by, created_at, expires_at, account, claimed_until, used_at)
        VALUES (:id, :token, :email, :groups, :invited_by, :created_at, :expires_at, :account, :claimed_until, :used_at)";
    connection
        .prepare_cached(sql)?
        .execute(named_params! {
            ":id": invitation.id.into_bytes(),
            ":token": invitation.token,
            ":email": invitation.email.as_ref().map(Email::as_str),
            ":groups": groups.join(","),
            ":invited_by": invitation.invited_by,
            ":created_at": invitation.created_at.0,
            ":expires_at": invitation.expires_at.0,
            ":account": holder,
            ":claimed_until": invitation.claimed.map(|(_, until)| until.0),
            ":used_at": invitation.used.map(|(_, at)| at.0),
        })
        .map(|_| ())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    let email: Option<String> = row.get("email")?;
    let groups: String = row.get("groups")?;
    let account: Option<[u8; 16]> = row.get("account")?;
    let of_account = |at: Option<i64>| account.zip(at).map(|(account, at)| (AccountId(Uuid::from_bytes(account)), Timestamp(at)));
    Ok(Invitation {
        id: Uuid::from_bytes(row.get("id")?),
        token: row.get("token")?,
        email: email.as_deref().map(Email::parse).transpose().map_err(unreadable)?,
        groups: groups.split(',').filter(|group| !group.is_empty()).map(Group::parse).collect::<Result<_, _>>().map_err(unreadable)?,
        invited_by: row.get("invited_by")?,
        created_at: Timestamp(row.get("created_at")?),
        expires_at: Timestamp(row.get("expires_at")?),
        claimed: of_account(row.get("claimed_until")?),
        used: of_account(row.get("used_at")?),
    })
}

fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
