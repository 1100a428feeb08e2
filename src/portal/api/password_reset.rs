//! `password-reset/request` and `password-reset/confirm`: the reset for a page of the application's own. Neither signs
//! anyone in, and neither tells who has an account.

use super::document::{self, Endpoint};
use super::{Asking, JsonBody};
use crate::account::Password;
use crate::link_token::LinkToken;
use crate::portal::call::unavailable;
use crate::portal::failure::{INVALID_LINK, PASSWORD_RESET_UNAVAILABLE};
use crate::portal::links;
use crate::portal::problem::Problem;
use crate::portal::refusal::{invalid, missing};
use crate::portal::submission::{json, misshapen};
use crate::recovery::{NewPassword, RequestError, ResetError};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// Who forgot the password.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResetRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    #[schema(required, value_type = String)]
    email: Option<String>,
}

/// What the link's page sends.
#[derive(Deserialize, ToSchema)]
#[schema(as = ResetConfirmation)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmation {
    /// Out of the link.
    #[schema(required, value_type = String)]
    token: Option<String>,
    /// The new one.
    #[schema(required, value_type = String, format = Password)]
    password: Option<String>,
}

/// What was done, for people.
#[derive(Serialize, ToSchema)]
pub(super) struct Done {
    message: &'static str,
}

const SENT: &str = "If there is an account with this address, a link to set a new password was sent to it.";
const SET: &str = "The password is set. Sign in with it.";

/// `POST {email}`: 202, whoever has the address (S2.1).
pub(super) async fn request(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let email = match json::<Request>(&body, "email") {
        Ok(Request { email: Some(email) }) => email,
        Ok(Request { email: None }) => return invalid(vec![missing("email")]).into_response(),
        Err(problem) => return problem.into_response(),
    };
    let base = links::base(&asking.portal.settings, &asking.visit);
    match asking.portal.app.recovery.request(&email, base, &asking.client).await {
        Ok(()) => (StatusCode::ACCEPTED, Json(Done { message: SENT })).into_response(),
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
        Ok(_account) => Json(Done { message: SET }).into_response(),
        Err(ResetError::BadToken) => INVALID_LINK.response(),
        Err(ResetError::Invalid(problems)) => invalid(problems).into_response(),
        Err(ResetError::TooMany(limit)) => Problem::too_many(limit).into_response(),
        Err(ResetError::Busy) => unavailable(),
        Err(ResetError::Unavailable(error)) => asking.outage(&error),
    }
}

/// As the document shows it.
pub(super) fn request_described() -> Endpoint {
    Endpoint::post("/password-reset/request", "requestPasswordReset", "Ask for a link to set a new password")
        .note("The answer is the same whoever has the address, and if nobody has.")
        .takes::<Request>([
            ("sent", json!({ "email": "ada@example.com" })),
            ("validation", json!({})),
            ("invalid_request", json!({ "username": "ada" })),
        ])
        .answers::<Done>(202, "A link is mailed if there is such an account.", [("sent", json!({ "message": SENT }))])
        .fails([misshapen("email"), invalid(vec![missing("email")]), PASSWORD_RESET_UNAVAILABLE.problem()])
        .limited()
}

/// The same of the confirmation.
pub(super) fn confirm_described() -> Endpoint {
    let new = "Better-horse-8-battery";
    Endpoint::post("/password-reset/confirm", "confirmPasswordReset", "Set a new password by a link")
        .note("All sessions and tokens of the account end. Nobody is signed in by this.")
        .takes::<Confirmation>([
            ("set", json!({ "token": document::RESET_TOKEN, "password": new })),
            ("invalid_token", json!({ "token": "no-token", "password": new })),
            ("validation", json!({ "token": document::RESET_TOKEN, "password": "short" })),
            ("invalid_request", json!({ "token": document::RESET_TOKEN, "password": new, "email": "ada@example.com" })),
        ])
        .answers::<Done>(200, "The password is set.", [("set", json!({ "message": SET }))])
        .fails([misshapen("token and password"), invalid(vec![document::too_short()]), INVALID_LINK.problem()])
        .limited()
}
