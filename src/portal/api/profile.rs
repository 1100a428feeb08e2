//! `profile`: reading and changing one's own account.

use super::credential::{Authorized, refused};
use super::document::{self, Endpoint};
use super::{JsonBody, present};
use crate::portal::error_page::Fault;
use crate::portal::failure::{CONFLICT, USERNAME_TAKEN};
use crate::portal::problem::Problem;
use crate::portal::refusal::{self, invalid, taken};
use crate::portal::submission::{json, misshapen};
use crate::portal::user::User;
use crate::profile::Change;
use crate::registration::FieldProblem;
use crate::token::{BearerKey, Refusal};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use utoipa::ToSchema;

/// New values; what is absent stays as it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = ProfileChange)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    /// Sign-in name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, nullable = false)]
    username: Option<String>,
    /// Display name; `null` removes it.
    #[serde(default, deserialize_with = "emptied")]
    name: Option<String>,
    /// `https` address of a picture; `null` removes it.
    #[serde(default, deserialize_with = "emptied")]
    avatar_url: Option<String>,
    /// Taken to be refused by its name: the address is changed by a link that is mailed to the new one.
    #[serde(default, deserialize_with = "present")]
    #[schema(ignore)]
    email: Option<serde::de::IgnoredAny>,
}

/// What may be sent.
const FIELDS: &str = "username, name and avatarUrl";

/// `GET`: the bare user.
pub(super) async fn show(Authorized { bearer, .. }: Authorized) -> Response {
    Json(User::of(&bearer.account)).into_response()
}

/// `PUT {username?, name?, avatarUrl?}`: changes them, and answers the bare user. Not with a personal token, which may be in many
/// a script's configuration.
pub(super) async fn change(Authorized { asking, bearer }: Authorized, JsonBody(body): JsonBody) -> Response {
    if matches!(bearer.key, BearerKey::Personal(_)) {
        return refused(&asking, &Refusal::OutOfScope);
    }
    let change = match read(&body) {
        Ok(change) => change,
        Err(problem) => return problem.into_response(),
    };
    match asking.portal.app.profile.change(bearer.account.id, change, &asking.client).await {
        Ok(account) => Json(User::of(&account)).into_response(),
        Err(error) => refusal::profile(error, &asking.visit.request_id),
    }
}

fn read(body: &[u8]) -> Result<Change, Box<Problem>> {
    let Body { username, name, avatar_url, email } = json(body, FIELDS)?;
    if email.is_some() {
        return Err(Box::new(invalid(vec![fixed()])));
    }
    Ok(Change { username, name, avatar_url })
}

/// A value that is there; `null` empties it.
fn emptied<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer).map(|given| Some(given.unwrap_or_default()))
}

fn fixed() -> FieldProblem {
    let message = "The address is changed on the account page, by a link that is mailed to the new one.";
    FieldProblem { field: "email", code: "not_changeable", message: message.to_owned() }
}

/// As the document shows it.
pub(super) fn described() -> Endpoint {
    Endpoint::get("/profile", "profile", "Who is signed in")
        .authorized()
        .answers::<User<'_>>(200, "The account as it is now.", [("user", document::user())])
        .fails([Problem::of(&Fault::InsufficientScope)])
}

/// The same of the change.
pub(super) fn change_described() -> Endpoint {
    Endpoint::put("/profile", "changeProfile", "Change the profile")
        .note("What is not sent stays as it is. The address cannot be changed here.")
        .authorized()
        .takes::<Body>([
            ("user", json!({ "name": "Ada Lovelace", "avatarUrl": null })),
            ("validation", json!({ "email": "ada@example.org" })),
            ("invalid_request", json!({ "groups": ["admins"] })),
            ("username_taken", json!({ "username": "alice" })),
        ])
        .answers::<User<'_>>(200, "The account as it is now.", [("user", document::user())])
        .fails([
            misshapen(FIELDS),
            invalid(vec![fixed()]),
            taken("username", &USERNAME_TAKEN),
            CONFLICT.problem(),
            Problem::of(&Fault::InsufficientScope),
        ])
}
