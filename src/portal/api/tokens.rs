//! A pair of tokens as programs get it.

use crate::portal::user::User;
use crate::token_login::IssuedTokens;
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Who is signed in, and by what.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedIn)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedInBody<'a> {
    user: User<'a>,
    /// Goes into `Authorization`, after `Bearer `.
    access_token: &'a str,
    /// Is exchanged for the next pair, once.
    refresh_token: &'a str,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: u64,
}

/// The next pair.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
#[serde(rename_all = "camelCase")]
pub(super) struct TokensBody<'a> {
    /// Goes into `Authorization`, after `Bearer `.
    access_token: &'a str,
    /// Is exchanged for the next pair, once.
    refresh_token: &'a str,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: u64,
}

const TOKEN_TYPE: &str = "Bearer";

/// The answer to who has signed in.
pub(super) fn signed_in(status: StatusCode, issued: &IssuedTokens) -> Response {
    let body = SignedInBody {
        user: User::of(&issued.account),
        access_token: &issued.access.text,
        refresh_token: &issued.refresh,
        token_type: TOKEN_TYPE,
        expires_in: issued.access.expires_in.as_secs(),
    };
    (status, Json(body)).into_response()
}

/// The answer to who had a pair before.
pub(super) fn renewed(issued: &IssuedTokens) -> Response {
    let body = TokensBody {
        access_token: &issued.access.text,
        refresh_token: &issued.refresh,
        token_type: TOKEN_TYPE,
        expires_in: issued.access.expires_in.as_secs(),
    };
    Json(body).into_response()
}
