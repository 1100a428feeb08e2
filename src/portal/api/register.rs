//! `register`: making one's own account, and tokens for it.

use super::{Asking, JsonBody, tokens};
use crate::portal::failure::REGISTRATION_CLOSED;
use crate::portal::user::{RegisteredBody, User};
use crate::portal::{links, newcomer, refusal};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

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
