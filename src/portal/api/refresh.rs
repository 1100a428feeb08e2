//! `refresh`: the next pair of tokens for a refresh token, which ends with that.

use super::document::{self, Endpoint};
use super::tokens::{self, TokensBody};
use super::{Asking, JsonBody};
use crate::portal::error_page::Fault;
use crate::portal::problem::Problem;
use crate::portal::refusal::{invalid, missing};
use crate::portal::submission::{json, misshapen};
use crate::token::RefreshError;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// What is exchanged.
#[derive(Deserialize, ToSchema)]
#[schema(as = Refresh)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    #[schema(required, value_type = String)]
    refresh_token: Option<String>,
}

/// What may be sent.
const FIELDS: &str = "refreshToken";

/// `POST {refreshToken}`.
pub(super) async fn submit(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let token = match json::<Body>(&body, FIELDS) {
        Ok(Body { refresh_token: Some(token) }) => token,
        Ok(Body { refresh_token: None }) => return invalid(vec![missing("refreshToken")]).into_response(),
        Err(problem) => return problem.into_response(),
    };
    match asking.portal.app.token_login.renew(&token, &asking.client).await {
        Ok(issued) => tokens::renewed(&issued),
        Err(RefreshError::Invalid | RefreshError::Reused) => asking.fault(&Fault::InvalidToken),
        Err(RefreshError::Unavailable(error)) => asking.outage(&error),
    }
}

/// As the document shows it.
pub(super) fn described() -> Endpoint {
    Endpoint::post("/refresh", "refresh", "Renew the tokens")
        .note(
            "A refresh token is good for one renewal. One that was replaced ends its whole line, which renews nothing any more; sent once \
             more within 10 seconds, as after a lost answer, it gets the same successor.",
        )
        .takes::<Body>([
            ("renewed", json!({ "refreshToken": document::REFRESH_TOKEN })),
            ("invalid_token", json!({ "refreshToken": "no-token" })),
            ("validation", json!({})),
            ("invalid_request", json!({ "refresh_token": document::REFRESH_TOKEN })),
        ])
        .answers::<TokensBody<'_>>(200, "The next pair.", [("renewed", document::tokens())])
        .fails([misshapen(FIELDS), invalid(vec![missing("refreshToken")]), Problem::of(&Fault::InvalidToken)])
}
