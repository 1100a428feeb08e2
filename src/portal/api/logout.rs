//! `logout`: the access token ends at once, on all gateways, and what it could be renewed by with it.

use super::MaybeJson;
use super::credential::{Presented, refused};
use super::document::{self, Endpoint};
use crate::portal::error_page::Fault;
use crate::portal::problem::Problem;
use crate::portal::submission::{json, misshapen};
use crate::token::{AccessError, Refusal, Unproven};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// What is to end beside the access token.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Logout)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    /// The access token that comes with it may have expired.
    refresh_token: Option<String>,
}

/// What may be sent.
const FIELDS: &str = "refreshToken";

/// `POST {refreshToken?}`, or nothing.
pub(super) async fn submit(presented: Presented, MaybeJson(body): MaybeJson) -> Response {
    let body = body.filter(|body| !body.is_empty());
    let refresh_token = match body.map_or_else(|| Ok(Body::default()), |body| json(&body, FIELDS)) {
        Ok(Body { refresh_token }) => refresh_token,
        Err(problem) => return problem.into_response(),
    };
    let Unproven::Access(access_token) = &presented.credential else {
        return presented.prove().await.map_or_else(|refusal| refusal, |_| refused(&presented.asking, &Refusal::OutOfScope));
    };
    let asking = &presented.asking;
    match asking.portal.app.token_login.sign_out(access_token, refresh_token.as_deref(), &asking.client).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(AccessError::Invalid) => refused(asking, &Refusal::Invalid),
        Err(AccessError::Unavailable(error)) => asking.outage(&error),
    }
}

/// As the document shows it.
pub(super) fn described() -> Endpoint {
    Endpoint::post("/logout", "logout", "Sign out")
        .note(
            "The access token is refused from now on, by the gateway too. Send the refresh token with it to end its line; then the access \
             token may have expired.",
        )
        .authorized()
        .may_take::<Body>([
            ("signed_out", json!({ "refreshToken": document::REFRESH_TOKEN })),
            ("invalid_request", json!({ "refresh_token": document::REFRESH_TOKEN })),
        ])
        .answers_nothing(204, "Signed out.")
        .fails([misshapen(FIELDS), Problem::of(&Fault::InsufficientScope)])
}
