//! Errors for programs: `application/problem+json` (RFC 9457).

use super::failure::TOO_MANY_ATTEMPTS;
use super::headers::CHALLENGE;
use super::limited;
use crate::registration::FieldProblem;
use crate::throttle::TooMany;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

/// What `type` begins with.
const KIND: &str = "urn:portcullis:";

/// An error, as its JSON says it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:portcullis:` and a stable code.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:portcullis:[a-z_]+$")]
    kind: String,
    /// What kind of thing happened.
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What to do.
    detail: String,
    /// The fields to blame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Where to sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    login_url: Option<String>,
    /// Names the request in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
    #[serde(skip)]
    retry_after: Option<u32>,
    #[serde(skip)]
    limit: Option<TooMany>,
    #[serde(skip)]
    challenge: Option<HeaderValue>,
}

#[derive(Debug, Serialize, ToSchema)]
struct FieldError {
    field: &'static str,
    /// Stable.
    code: &'static str,
    /// For people.
    message: String,
}

impl Problem {
    /// An error with a stable `code`; `title` says what kind of thing happened, `detail` what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{KIND}{code}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            login_url: None,
            request_id: None,
            retry_after: None,
            limit: None,
            challenge: (status == StatusCode::UNAUTHORIZED).then_some(CHALLENGE),
        }
    }

    /// The refusal of an attempt, after too many.
    #[must_use]
    pub fn too_many(limit: TooMany) -> Self {
        Self { limit: Some(limit), ..TOO_MANY_ATTEMPTS.saying(limited::sentence(&limit)) }
    }

    /// Names the fields that are to blame.
    #[must_use]
    pub fn with_errors(mut self, problems: Vec<FieldProblem>) -> Self {
        let error = |FieldProblem { field, code, message }| FieldError { field: json_name(field), code, message };
        self.errors = problems.into_iter().map(error).collect();
        self
    }

    /// Says where to sign in.
    #[must_use]
    pub fn with_login_url(mut self, url: String) -> Self {
        self.login_url = Some(url);
        self
    }

    /// Says which request it was.
    #[must_use]
    pub fn with_request_id(mut self, id: &str) -> Self {
        self.request_id = Some(id.to_owned());
        self
    }

    /// Says after how many seconds to try again.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Says how to present a credential otherwise than 401 does.
    #[must_use]
    pub fn with_challenge(mut self, challenge: HeaderValue) -> Self {
        self.challenge = Some(challenge);
        self
    }

    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Its code.
    pub(super) fn code(&self) -> &str {
        self.kind.strip_prefix(KIND).unwrap_or(&self.kind)
    }

    /// Whether it says something of the credential that was presented.
    pub(super) fn challenges(&self) -> bool {
        self.challenge.is_some()
    }

    /// The response; 401 carries a challenge.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(serde_json::to_vec(self).unwrap_or_default()));
        let status = self.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(limit) = &self.limit {
            limited::tell(headers, limit);
        }
        if let Some(challenge) = &self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        self.response().map(axum::body::Body::from)
    }
}

/// Forms and JSON name one field differently.
fn json_name(field: &'static str) -> &'static str {
    match field {
        "avatar_url" => "avatarUrl",
        "current_password" => "currentPassword",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_problem_json_with_the_fields_to_blame() {
        let errors = vec![FieldProblem { field: "avatar_url", code: "not_https", message: "Use https.".into() }];
        let response = Problem::new(StatusCode::BAD_REQUEST, "validation", "Not valid", "See errors.").with_errors(errors).response();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        let expected = serde_json::json!({
            "type": "urn:portcullis:validation", "title": "Not valid", "status": 400, "detail": "See errors.",
            "errors": [{ "field": "avatarUrl", "code": "not_https", "message": "Use https." }],
        });
        assert_eq!(body, expected);
    }
}
