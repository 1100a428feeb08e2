//! Accounts and sessions as JSON shows them: never a hash, a generation or a mark.

use crate::account::{Account, AccountId, Group};
use crate::clock::Timestamp;
use crate::session::{Session, SessionUser};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

/// A user. What is not known is `null`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct User<'a> {
    /// Never given to another account.
    #[schema(value_type = String, format = "uuid")]
    id: AccountId,
    /// Sign-in name.
    username: &'a str,
    #[schema(required)]
    email: Option<&'a str>,
    /// Display name.
    #[schema(required)]
    name: Option<&'a str>,
    /// `https` address of a picture.
    #[schema(required)]
    avatar_url: Option<&'a str>,
    groups: Vec<&'a str>,
    #[schema(required, format = DateTime)]
    created_at: Option<String>,
}

/// `{user}`.
#[derive(Serialize)]
pub(super) struct UserBody<'a> {
    pub(super) user: User<'a>,
}

/// `{user}`, and `verificationRequired: true` where the address must be confirmed before signing in.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationRequired)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisteredBody<'a> {
    pub(super) user: User<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required)]
    pub(super) verification_required: bool,
}

/// `{user, expiresIn, idleIn}`; seconds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionBody<'a> {
    user: User<'a>,
    expires_in: u64,
    idle_in: u64,
}

impl<'a> User<'a> {
    pub(super) fn of(account: &'a Account) -> Self {
        Self {
            id: account.id,
            username: account.username.as_str(),
            email: Some(account.email.as_str()),
            name: given(&account.name),
            avatar_url: account.avatar_url.as_deref(),
            groups: account.groups.iter().map(Group::as_str).collect(),
            created_at: rfc3339(account.created_at),
        }
    }

    /// As far as a session knows.
    pub(super) fn of_session(user: &'a SessionUser) -> Self {
        Self {
            id: user.id,
            username: &user.username,
            email: given(&user.email),
            name: given(&user.name),
            avatar_url: None,
            groups: user.groups.iter().map(String::as_str).collect(),
            created_at: None,
        }
    }
}

impl<'a> SessionBody<'a> {
    pub(super) fn new(user: User<'a>, session: &Session, now: Timestamp) -> Self {
        Self { user, expires_in: session.expires_at.since(now).as_secs(), idle_in: session.ends_at().since(now).as_secs() }
    }
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// RFC 3339 in UTC.
pub(super) fn rfc3339(moment: Timestamp) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(moment.0) * 1_000_000).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing;
    use std::time::Duration;

    #[test]
    fn a_session_is_shown_with_what_is_left_of_it_and_null_for_what_is_unknown() {
        let session = testing::session("alice");
        let now = session.created_at.plus(Duration::from_mins(1));
        let body = serde_json::to_value(SessionBody::new(User::of_session(&session.user), &session, now)).unwrap();
        let expected = serde_json::json!({
            "user": {
                "id": "00000000-0000-0000-0000-000000000000", "username": "alice", "email": "alice@example.com", "name": null,
                "avatarUrl": null, "groups": ["users"], "createdAt": null,
            },
            "expiresIn": 12 * 3600 - 60, "idleIn": 29 * 60,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        assert_eq!(rfc3339(Timestamp(1_700_000_000_123)).as_deref(), Some("2023-11-14T22:13:20.123Z"));
    }
}
