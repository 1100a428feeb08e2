//! How a session is written down: a hash with the fields that scripts look at, and two that only we read.

use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::session::{Session, SessionUser};
use crate::store::StoreError;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use uuid::Uuid;

/// The fields that are read, in this order.
pub(super) const FIELDS: [&str; 8] = ["account", "version", "user", "created", "seen", "idle", "expires", "details"];

/// What is read of a session; nothing in it where there is none.
pub(super) type Fields = [Option<String>; FIELDS.len()];

/// Longest that a key is kept whatever the settings say, so that no sum overflows: thirty thousand years.
const LONGEST: u64 = 1_000_000_000_000_000;

#[derive(Serialize, Deserialize)]
struct User {
    username: String,
    name: String,
    email: String,
    groups: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Details {
    remember: bool,
    client: Option<IpAddr>,
    agent: String,
    #[serde(default)]
    confirmed: Option<Timestamp>,
}

/// A session's fields, then when it ends, how long its key is to be kept, and how long it may come to be kept at most. Keys are kept
/// for as long as expired sessions are `remembered` beyond the end.
pub(super) fn write(session: &Session, remembered: Duration) -> Result<[String; 11], StoreError> {
    let agent = session.user_agent.clone();
    let details = Details { remember: session.remember, client: session.client, agent, confirmed: session.confirmed_at };
    let ends = session.ends_at();
    Ok([
        session.user.id.to_string(),
        session.user.version.to_string(),
        write_user(&session.user)?,
        session.created_at.0.to_string(),
        session.last_seen.0.to_string(),
        millis(session.idle_timeout).to_string(),
        session.expires_at.0.to_string(),
        to_json(&details)?,
        ends.0.to_string(),
        left(ends.since(session.last_seen).saturating_add(remembered)).to_string(),
        left(session.expires_at.since(session.last_seen).saturating_add(remembered)).to_string(),
    ])
}

/// The part of a session that speaks of its user.
pub(super) fn write_user(user: &SessionUser) -> Result<String, StoreError> {
    let SessionUser { username, name, email, groups, .. } = user.clone();
    to_json(&User { username, name, email, groups })
}

/// The session that was written, if there is one.
pub(super) fn read(fields: Fields) -> Result<Option<Session>, StoreError> {
    let [Some(account), Some(version), Some(user), Some(created), Some(seen), Some(idle), Some(expires), Some(details)] = fields else {
        return Ok(None);
    };
    let User { username, name, email, groups } = from_json(&user)?;
    let Details { remember, client, agent, confirmed } = from_json(&details)?;
    let id = AccountId(account.parse::<Uuid>().map_err(unreadable)?);
    Ok(Some(Session {
        user: SessionUser { id, username, name, email, groups, version: number(&version)? },
        created_at: Timestamp(number(&created)?),
        last_seen: Timestamp(number(&seen)?),
        idle_timeout: Duration::from_millis(number(&idle)?),
        expires_at: Timestamp(number(&expires)?),
        remember,
        client,
        user_agent: agent,
        confirmed_at: confirmed,
    }))
}

/// How long a key is to be kept, in milliseconds; Redis takes no less than one.
pub(super) fn left(duration: Duration) -> u64 {
    millis(duration).max(1)
}

/// In milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(LONGEST).min(LONGEST)
}

fn number<N: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<N, StoreError> {
    text.parse().map_err(unreadable)
}

fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(unreadable)
}

fn from_json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> StoreError {
    StoreError(format!("a session in Redis cannot be read or written: {error}"))
}
