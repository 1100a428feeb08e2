//! `password-reset/request` and `password-reset/confirm`: the reset for a page of the application's own. Neither signs
//! anyone in, and neither tells who has an account.

use super::{Asking, JsonBody, invalid, missing};
use crate::account::Password;
use crate::link_token::LinkToken;
use crate::portal::call::unavailable;
use crate::portal::links;
use crate::portal::problem::Problem;
use crate::portal::submission::json;
use crate::recovery::{NewPassword, RequestError, ResetError};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    token: Option<String>,
    password: Option<String>,
}

/// What was done, for people.
#[derive(Serialize)]
struct Done {
    message: &'static str,
}

/// `POST {email}`: 202, whoever has the address (S2.1).
pub(super) async fn request(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let email = match json::<Request>(&body, "email") {
        Ok(Request { email: Some(email) }) => email,
        Ok(Request { email: None }) => return invalid(vec![missing("email")]),
        Err(problem) => return problem.into_response(),
    };
    let base = links::base(&asking.portal.settings, &asking.visit);
    match asking.portal.app.recovery.request(&email, base, &asking.client).await {
        Ok(()) => {
            let message = "If there is an account with this address, a link to set a new password was sent to it.";
            (StatusCode::ACCEPTED, Json(Done { message })).into_response()
        }
        Err(RequestError::NoMail) => no_mail(),
        Err(RequestError::Invalid(problem)) => invalid(vec![problem]),
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
            return invalid(absent.into_iter().flatten().collect());
        }
        Err(problem) => return problem.into_response(),
    };
    let client = asking.client.clone();
    match asking.portal.app.recovery.reset(NewPassword { token, password, client }).await {
        Ok(_account) => Json(Done { message: "The password is set. Sign in with it." }).into_response(),
        Err(ResetError::BadToken) => bad_token(),
        Err(ResetError::Invalid(problems)) => invalid(problems),
        Err(ResetError::TooMany(limit)) => Problem::too_many(limit).into_response(),
        Err(ResetError::Busy) => unavailable(),
        Err(ResetError::Unavailable(error)) => asking.outage(&error),
    }
}

fn no_mail() -> Response {
    let detail = "This site mails no links. Ask its administrator to set a new password.";
    Problem::new(StatusCode::FORBIDDEN, "password_reset_unavailable", "No password reset by mail", detail).into_response()
}

fn bad_token() -> Response {
    let detail = "The link was used, is too old, or a newer one was sent. Ask for another.";
    Problem::new(StatusCode::BAD_REQUEST, "invalid_token", "Invalid token", detail).into_response()
}
