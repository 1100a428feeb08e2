//! Errors for programs: `application/problem+json` (RFC 9457).

use super::headers::CHALLENGE;
use super::limited;
use crate::registration::FieldProblem;
use crate::throttle::TooMany;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

/// An error, as its JSON says it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip)]
    retry_after: Option<u32>,
    #[serde(skip)]
    limit: Option<TooMany>,
    #[serde(skip)]
    challenge: Option<HeaderValue>,
}

#[derive(Debug, Serialize)]
struct FieldError {
    field: &'static str,
    code: &'static str,
    message: String,
}

impl Problem {
    /// An error with a stable `code`; `title` says what kind of thing happened, `detail` what to do.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:portcullis:{code}"),
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
        let detail = limited::sentence(&limit);
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts", detail);
        Self { limit: Some(limit), ..problem }
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

    /// The response; 401 carries a challenge.
    #[must_use]
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(serde_json::to_vec(self).unwrap_or_default()));
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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
