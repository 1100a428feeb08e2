//! `refresh`: the next pair of tokens for a refresh token, which ends with that.

use super::{Asking, JsonBody, tokens};
use crate::portal::failure::INVALID_TOKEN;
use crate::portal::refusal::{invalid, missing};
use crate::portal::submission::json;
use crate::token::RefreshError;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

/// What is exchanged.
#[derive(Deserialize, ToSchema)]
#[schema(as = Refresh)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Body {
    #[schema(required)]
    refresh_token: Option<String>,
}

/// `POST {refreshToken}`.
pub(super) async fn submit(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let token = match json::<Body>(&body, "refreshToken") {
        Ok(Body { refresh_token: Some(token) }) => token,
        Ok(Body { refresh_token: None }) => return invalid(vec![missing("refreshToken")]).into_response(),
        Err(problem) => return problem.into_response(),
    };
    match asking.portal.app.token_login.renew(&token, &asking.client).await {
        Ok(issued) => tokens::renewed(&issued),
        Err(RefreshError::Invalid) => INVALID_TOKEN.response(),
        Err(RefreshError::Unavailable(error)) => asking.outage(&error),
    }
}
