//! What programs are told when a use case refuses: one answer each, at the JSON forms of our pages and at the API alike.

use super::call::unavailable;
use super::failure::{
    CONFLICT, EMAIL_TAKEN, EMAIL_UNVERIFIED, Failure, INVALID_CREDENTIALS, INVITE_INVALID, REGISTRATION_CLOSED, USERNAME_TAKEN, VALIDATION,
};
use super::problem::Problem;
use crate::login::LoginError;
use crate::profile::ProfileError;
use crate::registration::{FieldProblem, RegistrationError};
use crate::store::StoreError;
use axum::response::{IntoResponse as _, Response};

/// Nobody was signed in. Whom an address is still to be confirmed of is reminded by the caller.
pub(super) fn login(error: LoginError, request_id: &str) -> Response {
    match error {
        LoginError::Invalid => INVALID_CREDENTIALS.response(),
        LoginError::EmailUnverified(_) => EMAIL_UNVERIFIED.response(),
        LoginError::TooMany(limit) => Problem::too_many(limit).into_response(),
        LoginError::Busy => unavailable(),
        LoginError::Unavailable(error) => outage(&error, request_id),
    }
}

/// No account was made.
pub(super) fn registration(error: RegistrationError, request_id: &str) -> Response {
    match error {
        RegistrationError::Closed => REGISTRATION_CLOSED.response(),
        RegistrationError::InviteInvalid => INVITE_INVALID.response(),
        RegistrationError::Invalid(problems) => invalid(problems).into_response(),
        RegistrationError::UsernameTaken => taken("username", &USERNAME_TAKEN).into_response(),
        RegistrationError::EmailTaken(_) => taken("email", &EMAIL_TAKEN).into_response(),
        RegistrationError::TooMany(limit) => Problem::too_many(limit).into_response(),
        RegistrationError::Busy => unavailable(),
        RegistrationError::Unavailable(error) => outage(&error, request_id),
    }
}

/// An account was not changed.
pub(super) fn profile(error: ProfileError, request_id: &str) -> Response {
    match error {
        ProfileError::Invalid(problems) => invalid(problems).into_response(),
        ProfileError::UsernameTaken => taken("username", &USERNAME_TAKEN).into_response(),
        ProfileError::Conflict | ProfileError::WrongPassword => CONFLICT.response(),
        ProfileError::TooMany(limit) => Problem::too_many(limit).into_response(),
        ProfileError::Busy => unavailable(),
        ProfileError::Unavailable(error) => outage(&error, request_id),
    }
}

/// A store failed, which is noted: the answer says nothing of it.
pub(super) fn outage(error: &StoreError, request_id: &str) -> Response {
    tracing::error!(event = "store_failed", %error, request_id = %request_id, "a store failed");
    unavailable()
}

/// Values that cannot be taken.
pub(super) fn invalid(problems: Vec<FieldProblem>) -> Problem {
    VALIDATION.problem().with_errors(problems)
}

/// What a field that was not sent is told.
pub(super) fn missing(field: &'static str) -> FieldProblem {
    FieldProblem { field, code: "required", message: format!("Send {field}.") }
}

/// A value that somebody else has.
pub(super) fn taken(field: &'static str, failure: &Failure) -> Problem {
    let problem = FieldProblem { field, code: "taken", message: failure.detail.to_owned() };
    failure.problem().with_errors(vec![problem])
}
