//! `password-reset/request` and `password-reset/confirm`: the reset for a page of the application's own. Neither signs
//! anyone in, and neither tells who has an account.

use super::{Asking, JsonBody};
use crate::account::Password;
use crate::link_token::LinkToken;
use crate::portal::call::unavailable;
use crate::portal::failure::{INVALID_LINK, PASSWORD_RESET_UNAVAILABLE};
use crate::portal::links;
use crate::portal::problem::Problem;
use crate::portal::refusal::{invalid, missing};
use crate::portal::submission::json;
use crate::recovery::{NewPassword, RequestError, ResetError};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who forgot the password.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResetRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    #[schema(required)]
    email: Option<String>,
}

/// What the link's page sends.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResetConfirmation)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    /// Out of the link.
    #[schema(required)]
    token: Option<String>,
    /// The new one.
    #[schema(required, format = Password)]
    password: Option<String>,
}

/// What was done, for people.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {
    message: &'static str,
}

/// `POST {email}`: 202, whoever has the address (S2.1).
pub(super) async fn request(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let email = match json::<Request>(&body, "email") {
        Ok(Request { email: Some(email) }) => email,
        Ok(Request { email: None }) => return invalid(vec![missing("email")]).into_response(),
        Err(problem) => return problem.into_response(),
    };
    let base = links::base(&asking.portal.settings, &asking.visit);
    match asking.portal.app.recovery.request(&email, base, &asking.client).await {
        Ok(()) => {
            let message = "If there is an account with this address, a link to set a new password was sent to it.";
            (StatusCode::ACCEPTED, Json(Done { message })).into_response()
        }
        Err(RequestError::NoMail) => PASSWORD_RESET_UNAVAILABLE.response(),
        Err(RequestError::Invalid(problem)) => invalid(vec![problem]).into_response(),
        Err(RequestError::TooMany(limit)) => Problem::too_many(limit).into_response(),
        Err(RequestError::Unavailable(error)) => asking.outage(&error),
    }
}

/// `POST {token, password}`: sets the password; every session ends.
pub(super) async fn confirm(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let (token, password) = match json::<Confirmation>(&body, "token and password") {
        Ok(Confirmation { token: Some(token), password: Some(password) }) => (LinkToken::parse(&token), Password::new(password)),
        Ok(Confirmation { token, password }) => {
            let absent = [token.is_none().then(|| missing("token")), password.is_none().then(|| missing("password"))];
            return invalid(absent.into_iter().flatten().collect()).into_response();
        }
        Err(problem) => return problem.into_response(),
    };
    let client = asking.client.clone();
    match asking.portal.app.recovery.reset(NewPassword { token, password, client }).await {
        Ok(_account) => Json(Done { message: "The password is set. Sign in with it." }).into_response(),
        Err(ResetError::BadToken) => INVALID_LINK.response(),
        Err(ResetError::Invalid(problems)) => invalid(problems).into_response(),
        Err(ResetError::TooMany(limit)) => Problem::too_many(limit).into_response(),
        Err(ResetError::Busy) => unavailable(),
        Err(ResetError::Unavailable(error)) => asking.outage(&error),
    }
}
