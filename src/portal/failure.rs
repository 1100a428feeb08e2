//! What programs are told when something fails. Codes are stable; the API's document is made of the same words.

use super::problem::Problem;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

/// One way to fail.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    /// What `type` ends in.
    pub(super) code: &'static str,
    /// What kind of thing happened.
    pub(super) title: &'static str,
    /// What to do.
    pub(super) detail: &'static str,
}

pub(super) const INVALID_REQUEST: Failure = Failure {
    status: StatusCode::BAD_REQUEST,
    code: "invalid_request",
    title: "Invalid request",
    detail: "Send a JSON object with no other fields than those of the document.",
};

pub(super) const VALIDATION: Failure = Failure {
    status: StatusCode::BAD_REQUEST,
    code: "validation",
    title: "Validation failed",
    detail: "Some values cannot be taken, see errors.",
};

/// The link of a mail; a token that is presented as a credential is [`Fault::InvalidToken`](super::error_page::Fault).
pub(super) const INVALID_LINK: Failure = Failure {
    status: StatusCode::BAD_REQUEST,
    code: "invalid_token",
    title: "Invalid token",
    detail: "The link was used, is too old, or a newer one was sent. Ask for another.",
};

pub(super) const INVALID_CREDENTIALS: Failure = Failure {
    status: StatusCode::UNAUTHORIZED,
    code: "invalid_credentials",
    title: "Invalid credentials",
    detail: "The name or the password is wrong.",
};

pub(super) const UNAUTHORIZED: Failure = Failure {
    status: StatusCode::UNAUTHORIZED,
    code: "unauthorized",
    title: "Not signed in",
    detail: "Send an access token, as Authorization: Bearer and the token.",
};

pub(super) const CROSS_SITE: Failure = Failure {
    status: StatusCode::FORBIDDEN,
    code: "cross_site",
    title: "Cross-site request",
    detail: "Requests from other sites are refused.",
};

pub(super) const EMAIL_UNVERIFIED: Failure = Failure {
    status: StatusCode::FORBIDDEN,
    code: "email_unverified",
    title: "Address not confirmed",
    detail: "Open the link that was mailed to the account's address, then sign in.",
};

pub(super) const REGISTRATION_CLOSED: Failure = Failure {
    status: StatusCode::FORBIDDEN,
    code: "registration_closed",
    title: "Registration is closed",
    detail: "Accounts on this site are made by its administrator.",
};

pub(super) const INVITE_INVALID: Failure = Failure {
    status: StatusCode::FORBIDDEN,
    code: "invite_invalid",
    title: "Invitation not valid",
    detail: "Send the token of an invitation that was not used and has not expired.",
};

pub(super) const PASSWORD_RESET_UNAVAILABLE: Failure = Failure {
    status: StatusCode::FORBIDDEN,
    code: "password_reset_unavailable",
    title: "No password reset by mail",
    detail: "This site mails no links. Ask its administrator to set a new password.",
};

pub(super) const USERNAME_TAKEN: Failure =
    Failure { status: StatusCode::CONFLICT, code: "username_taken", title: "Already taken", detail: "Someone else has this name." };

pub(super) const EMAIL_TAKEN: Failure =
    Failure { status: StatusCode::CONFLICT, code: "email_taken", title: "Already taken", detail: "There is an account with this address." };

pub(super) const CONFLICT: Failure = Failure {
    status: StatusCode::CONFLICT,
    code: "conflict",
    title: "Changed elsewhere",
    detail: "The account was changed elsewhere at the same time. Try again.",
};

pub(super) const UNSUPPORTED_MEDIA_TYPE: Failure = Failure {
    status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    code: "unsupported_media_type",
    title: "Unsupported media type",
    detail: "Send the body as application/json.",
};

pub(super) const TOO_MANY_ATTEMPTS: Failure = Failure {
    status: StatusCode::TOO_MANY_REQUESTS,
    code: "too_many_attempts",
    title: "Too many attempts",
    detail: "There were too many attempts. Please try again in 15 minutes.",
};

pub(super) const UNAVAILABLE: Failure = Failure {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "unavailable",
    title: "Not available at the moment",
    detail: "Try again in a moment.",
};

impl Failure {
    pub(super) fn problem(&self) -> Problem {
        self.saying(self.detail)
    }

    /// With something more exact to do.
    pub(super) fn saying(&self, detail: impl Into<String>) -> Problem {
        Problem::new(self.status, self.code, self.title, detail)
    }

    pub(super) fn response(&self) -> Response {
        self.problem().into_response()
    }
}
