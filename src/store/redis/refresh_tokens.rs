//! Refresh tokens, in Redis: one key for each family, named by its present token, and an index for each account.

use super::link::Link;
use super::scripts::{CREATE_FAMILY, END_FAMILIES, END_FAMILY, LIST_FAMILIES, ROTATE_TOKEN};
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::StoreError;
use crate::token::{RefreshToken, RefreshTokenStore, Renewal, Rotation};
use async_trait::async_trait;
use redis::{Script, ScriptInvocation};
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// Refresh tokens in a Redis.
pub struct RedisRefreshTokens {
    link: Arc<Link>,
    prefix: String,
}

/// A family as scripts tell of it: id, then what is stored, what is absent empty.
type Fields = [String; 9];

impl RedisRefreshTokens {
    /// Keeps tokens behind this link, in keys whose names begin with `prefix`.
    #[must_use]
    pub fn new(link: Arc<Link>, prefix: &str) -> Self {
        Self { link, prefix: prefix.to_owned() }
    }

    /// With the account's index, and the beginning of the names of its tokens.
    fn script<'a>(&self, script: &'a Script, account: AccountId) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        invocation.key(format!("{}user_refresh_tokens:{account}", self.prefix));
        invocation.arg(format!("{}refresh_token:{account}:", self.prefix));
        invocation
    }
}

#[async_trait]
impl RefreshTokenStore for RedisRefreshTokens {
    async fn create(&self, token: &RefreshToken, max_families: usize, now: Timestamp) -> Result<(), StoreError> {
        let mut create = self.script(&CREATE_FAMILY, token.account);
        create.arg(now.0).arg(max_families.max(1)).arg(super::record::left(token.expires_at.since(now)));
        create.arg(token.id.to_string()).arg(&write(token)[..]);
        self.link.run(&create).await
    }

    async fn rotate(&self, renewal: &Renewal, grace: Duration, now: Timestamp) -> Result<Rotation, StoreError> {
        let mut rotate = self.script(&ROTATE_TOKEN, renewal.account);
        rotate.arg(now.0).arg(super::record::millis(grace)).arg(renewal.family.to_string());
        rotate.arg(renewal.presented.to_string()).arg(renewal.successor.to_string());
        rotate.arg(text(renewal.client)).arg(&renewal.user_agent);
        let (became, fields): (String, Option<Fields>) = self.link.run_reading(&rotate).await?;
        match (became.as_str(), fields) {
            ("rotated", _) => Ok(Rotation::Rotated),
            ("repeated", Some(fields)) => Ok(Rotation::Repeated(read(renewal.account, fields)?)),
            ("reused", _) => Ok(Rotation::Reused),
            _ => Ok(Rotation::Unknown),
        }
    }

    async fn end(&self, account: AccountId, family: Uuid) -> Result<bool, StoreError> {
        let mut end = self.script(&END_FAMILY, account);
        end.arg(family.to_string());
        self.link.run(&end).await
    }

    async fn end_all(&self, account: AccountId) -> Result<u64, StoreError> {
        let mut end = self.script(&END_FAMILIES, account);
        end.arg("");
        self.link.run(&end).await
    }

    async fn end_outdated(&self, account: AccountId, generation: u64) -> Result<u64, StoreError> {
        let mut end = self.script(&END_FAMILIES, account);
        end.arg(generation);
        self.link.run(&end).await
    }

    async fn list(&self, account: AccountId, now: Timestamp) -> Result<Vec<RefreshToken>, StoreError> {
        let list = self.script(&LIST_FAMILIES, account);
        let found: Vec<Fields> = self.link.run_reading(&list).await?;
        let mut tokens = found.into_iter().map(|fields| read(account, fields)).collect::<Result<Vec<_>, _>>()?;
        tokens.retain(|token| now < token.expires_at);
        tokens.sort_by_key(|token| std::cmp::Reverse(token.began_at));
        Ok(tokens)
    }

    /// Redis removes them itself.
    async fn purge(&self, _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The fields in the order of the scripts.
fn write(token: &RefreshToken) -> [String; 8] {
    [
        token.family.to_string(),
        text(token.predecessor),
        token.generation.to_string(),
        token.began_at.0.to_string(),
        token.issued_at.0.to_string(),
        token.expires_at.0.to_string(),
        text(token.client),
        token.user_agent.clone(),
    ]
}

fn read(account: AccountId, fields: Fields) -> Result<RefreshToken, StoreError> {
    let [id, family, predecessor, generation, began_at, issued_at, expires_at, client, user_agent] = fields;
    Ok(RefreshToken {
        id: parse(&id)?,
        account,
        family: parse(&family)?,
        predecessor: parse_optional(&predecessor)?,
        generation: parse(&generation)?,
        began_at: Timestamp(parse(&began_at)?),
        issued_at: Timestamp(parse(&issued_at)?),
        expires_at: Timestamp(parse(&expires_at)?),
        client: parse_optional::<IpAddr>(&client)?,
        user_agent,
    })
}

fn text(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn parse_optional<T: FromStr<Err: Display>>(text: &str) -> Result<Option<T>, StoreError> {
    if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error| StoreError(format!("a refresh token in Redis cannot be read: {error}")))
}
