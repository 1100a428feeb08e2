//! The tables, and how files of older versions are brought up to date.

use crate::store::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Marks a file as ours (`PRAGMA application_id`): "prtc".
const APPLICATION: i64 = 0x7072_7463;

/// Each brings a file from the version of its index to the next (`PRAGMA user_version`). Never change one that was
/// released: add another.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE accounts (
        id BLOB PRIMARY KEY NOT NULL,
        username TEXT NOT NULL,
        username_key TEXT NOT NULL UNIQUE,
        email TEXT NOT NULL,
        email_key TEXT NOT NULL UNIQUE,
        email_verified INTEGER NOT NULL,
        name TEXT NOT NULL,
        avatar_url TEXT,
        groups TEXT NOT NULL,
        password TEXT NOT NULL,
        locked INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        mark INTEGER,
        created_at INTEGER NOT NULL,
        version INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX accounts_marked ON accounts (id) WHERE mark IS NOT NULL;

    -- every name that an account has or ever had, deleted accounts included
    CREATE TABLE names (
        username_key TEXT PRIMARY KEY NOT NULL,
        account BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE sessions (
        key BLOB PRIMARY KEY NOT NULL,
        account BLOB NOT NULL,
        username TEXT NOT NULL,
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        groups TEXT NOT NULL,
        account_version INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        last_seen INTEGER NOT NULL,
        idle_timeout INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        remember INTEGER NOT NULL,
        client TEXT,
        user_agent TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sessions_of_account ON sessions (account, created_at);
    CREATE INDEX sessions_by_end ON sessions (ends_at);
",
    "
    -- what may be taken once
    CREATE TABLE one_time (
        key TEXT PRIMARY KEY NOT NULL,
        record BLOB NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX one_time_by_end ON one_time (expires_at);

    CREATE TABLE counters (
        key TEXT PRIMARY KEY NOT NULL,
        count INTEGER NOT NULL,
        resets_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX counters_by_end ON counters (resets_at);
",
    "
    ALTER TABLE sessions ADD COLUMN confirmed_at INTEGER;
    ALTER TABLE accounts ADD COLUMN locked_until INTEGER;
    ALTER TABLE accounts ADD COLUMN reset_requested_at INTEGER;
    ALTER TABLE accounts ADD COLUMN reset_requests INTEGER NOT NULL DEFAULT 0;

    -- letters to be sent, encrypted
    CREATE TABLE outbox (
        id BLOB PRIMARY KEY NOT NULL,
        sealed BLOB NOT NULL,
        attempts INTEGER NOT NULL,
        posted_at INTEGER NOT NULL,
        due_at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX outbox_by_due ON outbox (due_at);

    CREATE TABLE audit (
        id BLOB PRIMARY KEY NOT NULL,
        at INTEGER NOT NULL,
        actor BLOB,
        subject BLOB,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_by_time ON audit (at);
    CREATE INDEX audit_by_actor ON audit (actor, id) WHERE actor IS NOT NULL;
    CREATE INDEX audit_by_subject ON audit (subject, id) WHERE subject IS NOT NULL;

    CREATE TABLE invitations (
        id BLOB PRIMARY KEY NOT NULL,
        token BLOB NOT NULL UNIQUE,
        email TEXT,
        groups TEXT NOT NULL,
        invited_by TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        account BLOB,
        claimed_until INTEGER,
        used_at INTEGER
    ) STRICT;
    CREATE INDEX invitations_by_end ON invitations (expires_at);
",
    "
    ALTER TABLE accounts ADD COLUMN resets INTEGER NOT NULL DEFAULT 0;

    CREATE TABLE signing_keys (
        id TEXT PRIMARY KEY NOT NULL,
        algorithm TEXT NOT NULL,
        number INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        signs_from INTEGER NOT NULL,
        UNIQUE (algorithm, number)
    ) STRICT;

    -- families, by their present tokens
    CREATE TABLE refresh_tokens (
        account BLOB NOT NULL,
        family BLOB NOT NULL,
        id BLOB NOT NULL,
        predecessor BLOB,
        generation INTEGER NOT NULL,
        began_at INTEGER NOT NULL,
        issued_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        client TEXT,
        user_agent TEXT NOT NULL,
        PRIMARY KEY (account, family)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);

    CREATE TABLE personal_tokens (
        id BLOB PRIMARY KEY NOT NULL,
        account BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        resets INTEGER NOT NULL,
        hash BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        scope TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        last_used INTEGER
    ) STRICT;
    CREATE INDEX personal_tokens_of_account ON personal_tokens (account);
",
];

/// Refuses the database of another program, which has tables but not our mark.
pub(super) fn check_owner(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let (application, tables) = read_owner(connection).map_err(|error| super::database::failed(&error))?;
    if application == APPLICATION || (application == 0 && tables == 0) {
        return Ok(());
    }
    Err(StoreError(format!("the database {} belongs to another program, name another file", path.display())))
}

/// Both in one view of the file, which another process may be making just now.
fn read_owner(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let view = connection.unchecked_transaction()?;
    let tables = view.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok((pragma(&view, "application_id")?, tables))
}

/// Brings the file up to date, in one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let version = migrate_in_transaction(connection)
        .map_err(|error| StoreError(format!("the database {} cannot be brought up to date: {error}", path.display())))?;
    refuse_newer(version, path)
}

/// Refuses the file of a newer version.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    refuse_newer(pragma(connection, "user_version").map_err(|error| super::database::failed(&error))?, path)
}

fn refuse_newer(version: i64, path: &Path) -> Result<(), StoreError> {
    if usize::try_from(version).is_ok_and(|version| version <= MIGRATIONS.len()) {
        return Ok(());
    }
    let path = path.display();
    Err(StoreError(format!("the database {path} was written by a newer version of portcullis (schema {version}), use that one")))
}

fn migrate_in_transaction(connection: &mut Connection) -> rusqlite::Result<i64> {
    let version = pragma(connection, "user_version")?;
    let newest = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version >= newest {
        return Ok(version);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = pragma(&transaction, "user_version")?;
    for migration in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    if version < newest {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", newest)?;
    }
    transaction.commit()?;
    Ok(version.max(newest))
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
