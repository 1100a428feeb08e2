//! `register`: making one's own account, and tokens for it.

use super::document::{self, Endpoint};
use super::tokens::{self, SignedInBody};
use super::{Asking, JsonBody};
use crate::portal::failure::{EMAIL_TAKEN, INVITE_INVALID, REGISTRATION_CLOSED, USERNAME_TAKEN};
use crate::portal::newcomer::{self, Newcomer};
use crate::portal::refusal::taken;
use crate::portal::submission::misshapen;
use crate::portal::user::{RegisteredBody, User};
use crate::portal::{links, refusal};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::json;

/// What who has registered gets.
#[derive(utoipa::ToSchema)]
#[schema(as = Registered)]
#[serde(untagged)]
#[expect(dead_code, reason = "the two are written one by one; this is for the document")]
enum Answer<'a> {
    SignedIn(SignedInBody<'a>),
    VerificationRequired(RegisteredBody<'a>),
}

/// `POST {username?, email, password, invite?}`. A taken name or address is told, as any program can find out by trying both.
pub(super) async fn submit(asking: Asking, JsonBody(body): JsonBody) -> Response {
    let app = &asking.portal.app;
    if app.registration.is_closed() {
        return REGISTRATION_CLOSED.response();
    }
    let base = links::base(&asking.portal.settings, &asking.visit);
    let new = match newcomer::read(&body, base, asking.client.clone()) {
        Ok(new) => new,
        Err(problem) => return problem.into_response(),
    };
    let account = match app.registration.register(&new).await {
        Ok(account) => account,
        Err(error) => return refusal::registration(error, &asking.visit.request_id),
    };
    if app.registration.must_confirm(&account) {
        let body = RegisteredBody { user: User::of(&account), verification_required: true };
        return (StatusCode::CREATED, Json(body)).into_response();
    }
    match app.token_login.admit(account, &asking.client).await {
        Ok(issued) => tokens::signed_in(StatusCode::CREATED, &issued),
        Err(error) => refusal::login(error, &asking.visit.request_id),
    }
}

/// As the document shows it.
pub(super) fn described() -> Endpoint {
    let ada = json!({ "username": "ada", "email": "ada@example.com", "password": "Correct-horse-7-battery" });
    let same_address = json!({ "email": "ada@example.com", "password": "Correct-horse-7-battery" });
    let mut verification_required = json!({ "user": document::user(), "verificationRequired": true });
    verification_required["user"]["name"] = serde_json::Value::Null;
    Endpoint::post("/register", "register", "Make an account")
        .note(
            "Signs in as well, unless the address must be confirmed first. Where registration is by invitation, send its token as invite.",
        )
        .takes::<Newcomer>([
            ("signed_in", ada.clone()),
            ("username_taken", ada),
            ("email_taken", same_address),
            ("validation", json!({ "username": "bob", "email": "bob@example.com", "password": "short" })),
            ("invalid_request", json!({ "name": "Bob", "password": "Correct-horse-7-battery" })),
        ])
        .answers::<Answer<'_>>(
            201,
            "The account is made.",
            [("signed_in", document::signed_in()), ("verification_required", verification_required)],
        )
        .fails([
            misshapen(newcomer::FIELDS),
            refusal::invalid(vec![document::too_short()]),
            taken("username", &USERNAME_TAKEN),
            taken("email", &EMAIL_TAKEN),
        ])
        .fails([REGISTRATION_CLOSED.problem(), INVITE_INVALID.problem()])
        .limited()
}
