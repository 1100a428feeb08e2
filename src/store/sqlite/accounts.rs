//! Accounts in SQLite.

use super::Database;
use crate::account::{
    Account, AccountId, AccountStore, CreateError, Email, Field, Group, PasswordHash, SessionMark, UpdateError, Username,
};
use crate::clock::Timestamp;
use crate::store::{StoreError, beginnings};
use async_trait::async_trait;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params};
use std::sync::Arc;

/// Accounts in a database file.
pub struct SqliteAccounts(Arc<Database>);

impl SqliteAccounts {
    /// Keeps accounts in this file.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    async fn find_where(&self, condition: &'static str, value: impl ToSql + Send + 'static) -> Result<Option<Account>, StoreError> {
        self.0.read(move |connection| select_one(connection, condition, value)).await
    }
}

/// What became of a write that had to look first.
enum Outcome {
    Done,
    Taken(Field),
    Conflict,
}

#[async_trait]
impl AccountStore for SqliteAccounts {
    async fn create(&self, account: &Account) -> Result<(), CreateError> {
        let account = Account { version: 1, ..account.clone() };
        let outcome = self.0.write(move |connection| create(connection, &account), |_| {}).await?;
        match outcome {
            Outcome::Taken(field) => Err(CreateError::Taken(field)),
            Outcome::Done | Outcome::Conflict => Ok(()),
        }
    }

    async fn find(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.find_where("id = ?1", *id.0.as_bytes()).await
    }

    async fn find_by_username(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        self.find_where("username_key = ?1", username.canonical()).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        self.find_where("email_key = ?1", email.canonical().to_owned()).await
    }

    async fn update(&self, account: &Account) -> Result<(), UpdateError> {
        let account = account.clone();
        let outcome = self.0.write(move |connection| update(connection, &account), |_| {}).await?;
        match outcome {
            Outcome::Done => Ok(()),
            Outcome::Taken(field) => Err(UpdateError::Taken(field)),
            Outcome::Conflict => Err(UpdateError::Conflict),
        }
    }

    async fn delete(&self, id: AccountId) -> Result<bool, StoreError> {
        let delete = move |connection: &Connection| {
            connection.prepare_cached("DELETE FROM accounts WHERE id = ?1")?.execute([id.0.as_bytes()]).map(|rows| rows > 0)
        };
        self.0.write(delete, |_| {}).await
    }

    async fn list(&self, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let after = after.map(Username::canonical).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let list = move |connection: &Connection| {
            let sql = format!("SELECT {COLUMNS} FROM accounts WHERE username_key > ?1 ORDER BY username_key LIMIT ?2");
            connection.prepare_cached(&sql)?.query_map((after, limit), read_account)?.collect()
        };
        self.0.read(list).await
    }

    async fn search(&self, text: &str, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError> {
        let (first, last) = beginnings(text);
        let after = after.map(Username::canonical).unwrap_or_default();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let search = move |connection: &Connection| {
            // Without the plus the order would make SQLite walk all names instead of using both indexes.
            let sql = format!(
                "SELECT {COLUMNS} FROM accounts
                WHERE (username_key BETWEEN ?1 AND ?2 OR email_key BETWEEN ?1 AND ?2) AND +username_key > ?3
                ORDER BY +username_key LIMIT ?4"
            );
            connection.prepare_cached(&sql)?.query_map((first, last, after, limit), read_account)?.collect()
        };
        self.0.read(search).await
    }

    async fn marked(&self, limit: usize) -> Result<Vec<Account>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let marked = move |connection: &Connection| {
            let sql = format!("SELECT {COLUMNS} FROM accounts WHERE mark IS NOT NULL LIMIT ?1");
            connection.prepare_cached(&sql)?.query_map([limit], read_account)?.collect()
        };
        self.0.read(marked).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.0.read(|connection| connection.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(()))).await
    }
}

pub(super) const COLUMNS: &str =
    "id, username, email, email_verified, name, avatar_url, groups, password, locked, locked_until, reset_requested_at,
        reset_requests, resets, generation, mark, created_at, version";

fn create(connection: &Connection, account: &Account) -> rusqlite::Result<Outcome> {
    if let Some(field) = taken(connection, account)? {
        return Ok(Outcome::Taken(field));
    }
    let sql = "INSERT INTO accounts (id, username, username_key, email, email_key, email_verified, name, avatar_url, groups, password,
            locked, locked_until, reset_requested_at, reset_requests, resets, generation, mark, created_at, version)
        VALUES (:id, :username, :username_key, :email, :email_key, :email_verified, :name, :avatar_url, :groups, :password,
            :locked, :locked_until, :reset_requested_at, :reset_requests, :resets, :generation, :mark, :created_at, :version)";
    write_account(connection, sql, account, 1)?;
    keep_name(connection, account)?;
    Ok(Outcome::Done)
}

fn update(connection: &Connection, account: &Account) -> rusqlite::Result<Outcome> {
    let mut stored = connection.prepare_cached("SELECT version FROM accounts WHERE id = ?1")?;
    let version: Option<i64> = stored.query_row([account.id.0.as_bytes()], |row| row.get(0)).optional()?;
    if version != Some(signed(account.version)) {
        return Ok(Outcome::Conflict);
    }
    if let Some(field) = taken(connection, account)? {
        return Ok(Outcome::Taken(field));
    }
    let sql = "UPDATE accounts SET username = :username, username_key = :username_key, email = :email, email_key = :email_key,
            email_verified = :email_verified, name = :name, avatar_url = :avatar_url, groups = :groups, password = :password,
            locked = :locked, locked_until = :locked_until, reset_requested_at = :reset_requested_at,
            reset_requests = :reset_requests, resets = :resets, generation = :generation, mark = :mark, created_at = :created_at, version = :version
        WHERE id = :id";
    write_account(connection, sql, account, account.version + 1)?;
    keep_name(connection, account)?;
    super::personal_tokens::remove_outdated(connection, account)?;
    Ok(Outcome::Done)
}

/// Which value belongs to another account, or, for names, ever did.
fn taken(connection: &Connection, account: &Account) -> rusqlite::Result<Option<Field>> {
    let id = account.id.0.as_bytes();
    let mut name = connection.prepare_cached("SELECT 1 FROM names WHERE username_key = ?1 AND account <> ?2")?;
    if name.exists((account.username.canonical(), id))? {
        return Ok(Some(Field::Username));
    }
    let mut email = connection.prepare_cached("SELECT 1 FROM accounts WHERE email_key = ?1 AND id <> ?2")?;
    if email.exists((account.email.canonical(), id))? {
        return Ok(Some(Field::Email));
    }
    Ok(None)
}

fn keep_name(connection: &Connection, account: &Account) -> rusqlite::Result<()> {
    let mut keep = connection.prepare_cached("INSERT INTO names (username_key, account) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    keep.execute((account.username.canonical(), account.id.0.as_bytes())).map(|_| ())
}

fn write_account(connection: &Connection, sql: &str, account: &Account, version: u64) -> rusqlite::Result<()> {
    let groups = account.groups.iter().map(Group::as_str).collect::<Vec<_>>().join(",");
    connection
        .prepare_cached(sql)?
        .execute(named_params! {
            ":id": account.id.0.as_bytes(),
            ":username": account.username.as_str(),
            ":username_key": account.username.canonical(),
            ":email": account.email.as_str(),
            ":email_key": account.email.canonical(),
            ":email_verified": account.email_verified,
            ":name": account.name,
            ":avatar_url": account.avatar_url,
            ":groups": groups,
            ":password": account.password.0,
            ":locked": account.locked,
            ":locked_until": account.locked_until.map(|until| until.0),
            ":reset_requested_at": account.reset_requested_at.map(|at| at.0),
            ":reset_requests": account.reset_requests,
            ":resets": signed(account.resets),
            ":generation": signed(account.generation),
            ":mark": account.mark.map(mark_number),
            ":created_at": account.created_at.0,
            ":version": signed(version),
        })
        .map(|_| ())
}

fn select_one(connection: &Connection, condition: &str, value: impl ToSql) -> rusqlite::Result<Option<Account>> {
    let sql = format!("SELECT {COLUMNS} FROM accounts WHERE {condition}");
    connection.prepare_cached(&sql)?.query_row([value], read_account).optional()
}

pub(super) fn read_account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let username: String = row.get("username")?;
    let email: String = row.get("email")?;
    let groups: String = row.get("groups")?;
    Ok(Account {
        id: AccountId(uuid::Uuid::from_bytes(row.get("id")?)),
        username: Username::parse(&username).map_err(unreadable)?,
        email: Email::parse(&email).map_err(unreadable)?,
        email_verified: row.get("email_verified")?,
        name: row.get("name")?,
        avatar_url: row.get("avatar_url")?,
        groups: groups.split(',').filter(|group| !group.is_empty()).map(Group::parse).collect::<Result<_, _>>().map_err(unreadable)?,
        password: PasswordHash(row.get("password")?),
        locked: row.get("locked")?,
        locked_until: row.get::<_, Option<i64>>("locked_until")?.map(Timestamp),
        reset_requested_at: row.get::<_, Option<i64>>("reset_requested_at")?.map(Timestamp),
        reset_requests: row.get("reset_requests")?,
        resets: unsigned(row.get("resets")?),
        generation: unsigned(row.get("generation")?),
        mark: row.get::<_, Option<i64>>("mark")?.and_then(mark_of),
        created_at: Timestamp(row.get("created_at")?),
        version: unsigned(row.get("version")?),
    })
}

/// A stored value that a constructor refuses: the file was written by something else.
pub(super) fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
}

const fn mark_number(mark: SessionMark) -> i64 {
    match mark {
        SessionMark::Rewrite => 1,
        SessionMark::End => 2,
        SessionMark::Remove => 3,
    }
}

const fn mark_of(number: i64) -> Option<SessionMark> {
    match number {
        1 => Some(SessionMark::Rewrite),
        2 => Some(SessionMark::End),
        3 => Some(SessionMark::Remove),
        _ => None,
    }
}

pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
