//! `login`: tokens for a name and a password. Never a session, and no cookie.

use super::document::{self, Endpoint};
use super::tokens::{self, SignedInBody};
use super::{Asking, JsonBody};
use crate::account::Password;
use crate::login::{Credentials, LoginError};
use crate::portal::failure::{EMAIL_UNVERIFIED, INVALID_CREDENTIALS};
use crate::portal::links;
use crate::portal::problem::Problem;
use crate::portal::refusal::{self, invalid, missing};
use crate::portal::submission::{json, misshapen};
use crate::registration::FieldProblem;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// Who wants to sign in: `username` or `email`, one of them.
#[derive(Deserialize, ToSchema)]
#[schema(as = Login)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    username: Option<String>,
    email: Option<String>,
    #[schema(required, value_type = String, format = Password)]
    password: Option<String>,
    /// Code of a second factor, where the account has one.
    #[serde(rename = "code")]
    _code: Option<String>,
}

/// What may be sent.
const FIELDS: &str = "username or email, password and code";

/// `POST {username | email, password, code?}`.
pub(super) async fn submit(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let (identifier, password) = match read(&body) {
        Ok(read) => read,
        Err(problem) => return problem.into_response(),
    };
    let credentials = Credentials { identifier: &identifier, password: &password, client: &asking.client };
    match asking.portal.app.token_login.sign_in(credentials).await {
        Ok(issued) => tokens::signed_in(StatusCode::OK, &issued),
        Err(error) => {
            if let LoginError::EmailUnverified(account) = &error {
                let base = links::base(&asking.portal.settings, &asking.visit);
                asking.portal.app.email_confirmation.remind(account, base.as_deref(), &asking.client).await;
            }
            refusal::login(error, &asking.visit.request_id)
        }
    }
}

/// Who, and the password.
fn read(body: &[u8]) -> Result<(String, Password), Box<Problem>> {
    let Body { username, email, password, _code } = json(body, FIELDS)?;
    let (identifier, problem) = match (username, email) {
        (Some(identifier), None) | (None, Some(identifier)) => (Some(identifier), None),
        (None, None) => (None, Some(one_of_them("required"))),
        (Some(_), Some(_)) => (None, Some(one_of_them("ambiguous"))),
    };
    match (identifier, password) {
        (Some(identifier), Some(password)) => Ok((identifier, Password::new(password))),
        (_, password) => {
            let absent = password.is_none().then(|| missing("password"));
            Err(Box::new(invalid(problem.into_iter().chain(absent).collect())))
        }
    }
}

fn one_of_them(code: &'static str) -> FieldProblem {
    FieldProblem { field: "username", code, message: "Send username or email, one of them.".to_owned() }
}

/// As the document shows it.
pub(super) fn described() -> Endpoint {
    Endpoint::post("/login", "login", "Sign in")
        .takes::<Body>([
            ("signed_in", json!({ "username": "ada", "password": "Correct-horse-7-battery" })),
            ("by_email", json!({ "email": "ada@example.com", "password": "Correct-horse-7-battery" })),
            ("invalid_credentials", json!({ "username": "ada", "password": "Incorrect-horse-7-battery" })),
            ("validation", json!({ "username": "ada" })),
            ("invalid_request", json!({ "user": "ada", "password": "Correct-horse-7-battery" })),
        ])
        .answers::<SignedInBody<'_>>(
            200,
            "Tokens, and whose they are.",
            [("signed_in", document::signed_in()), ("by_email", document::signed_in())],
        )
        .fails([misshapen(FIELDS), invalid(vec![missing("password")]), INVALID_CREDENTIALS.problem(), EMAIL_UNVERIFIED.problem()])
        .limited()
}
