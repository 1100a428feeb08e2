//! What is sent to a page: the fields of a query or form, or a JSON object.

use super::Portal;
use super::error_page::Fault;
use super::failure::{INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE};
use super::problem::Problem;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Fields of a query or form, decoded once, in order. Wiped from memory when dropped: some are passwords.
pub(super) struct Fields(Vec<(String, Zeroizing<String>)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded` (WHATWG URL section 5.1).
    pub(super) fn parse(bytes: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(bytes);
        Self(pairs.map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned()))).collect())
    }

    /// Every value of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A field's first value; empty where it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.as_str())
    }

    /// Whether a field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }
}

/// The body of a `POST`.
pub(super) enum Submission {
    /// A form, by a browser.
    Form(Fields),
    /// JSON, by a program.
    Json(Bytes),
    /// No body of any type.
    Nothing,
}

impl FromRequest<Arc<Portal>> for Submission {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Response> {
        Self::read(request, portal, FORM_OR_JSON).await
    }
}

impl Submission {
    /// Reads the body; what is neither a form nor JSON is told which `types` are taken.
    pub(super) async fn read(request: Request, portal: &Portal, types: &str) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let limit = portal.settings.server.limits.own_body;
        let Ok(body) = to_bytes(body, limit).await else {
            return Err(portal.errors.response(&Fault::PayloadTooLarge, &parts));
        };
        if is_encoded(&parts.headers) {
            return Err(unsupported("plain UTF-8, not compressed"));
        }
        match media_type(&parts.headers).as_deref() {
            Some(FORM) => Ok(Self::Form(Fields::parse(&body))),
            Some("application/json") => Ok(Self::Json(body)),
            None if body.is_empty() => Ok(Self::Nothing),
            _ => Err(unsupported(types)),
        }
    }
}

/// A form, on pages that take nothing else.
impl FromRequest<Arc<Portal>> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Response> {
        match Submission::from_request(request, portal).await? {
            Submission::Form(fields) => Ok(fields),
            Submission::Json(_) | Submission::Nothing => Err(unsupported(FORM)),
        }
    }
}

/// The type that browsers send forms as.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

const FORM_OR_JSON: &str = "application/x-www-form-urlencoded or application/json";

/// Whether a body is said to be a form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).as_deref() == Some(FORM)
}

/// The answer to a body of a type that a page does not take (threats.md F04: no type that a foreign form can send).
pub(super) fn unsupported(types: &str) -> Response {
    UNSUPPORTED_MEDIA_TYPE.saying(format!("Send the body as {types}.")).into_response()
}

/// Whether a body is compressed, or its text is not UTF-8 (threats.md I10): it would be read as what it is not.
fn is_encoded(headers: &HeaderMap) -> bool {
    let compressed = headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let charset = content_type(headers).and_then(|mime| mime.get_param(mime::CHARSET).map(|charset| charset != mime::UTF_8));
    compressed || charset.unwrap_or(false)
}

/// The media type without its parameters.
fn media_type(headers: &HeaderMap) -> Option<String> {
    content_type(headers).map(|mime| mime.essence_str().to_owned())
}

/// What `Content-Type` says; `None` unless it says exactly one thing.
fn content_type(headers: &HeaderMap) -> Option<mime::Mime> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (first, second) = (values.next(), values.next());
    first.filter(|_| second.is_none())?.to_str().ok()?.parse().ok()
}

/// Reads a JSON object of known fields. The error names what is allowed, never what was sent.
pub(super) fn json<T: serde::de::DeserializeOwned>(body: &[u8], allowed: &str) -> Result<T, Box<Problem>> {
    // serde takes a list for an object, its values in the order of the fields.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Box::new(misshapen(allowed)));
    }
    let problem = |error: &serde_json::Error| match error.classify() {
        serde_json::error::Category::Data => misshapen(allowed),
        _ => INVALID_REQUEST.saying(format!("The body is not JSON: line {}, column {}.", error.line(), error.column())),
    };
    serde_json::from_slice(body).map_err(|error| Box::new(problem(&error)))
}

/// What is said of JSON that is no object of these fields.
pub(super) fn misshapen(allowed: &str) -> Problem {
    INVALID_REQUEST.saying(format!("Send a JSON object with no other fields than {allowed}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Only {
        #[serde(rename = "password")]
        _password: Option<String>,
    }

    #[test]
    fn fields_are_decoded_once() {
        let fields = Fields::parse(b"a=%2541+b&a=2&c");
        assert_eq!(fields.text("a"), "%41 b");
        assert_eq!(fields.all("a").count(), 2);
        assert!(fields.has("c") && !fields.has("d") && fields.text("d").is_empty());
    }

    /// threats.md K07
    #[test]
    fn what_is_wrong_with_json_is_told_without_repeating_it() {
        for body in [
            r#"{"password":{"x":"hunter2"}}"#,
            r#"{"hunter2":1}"#,
            r#"{"password":"hunter2"#,
            "[]",
            r#"{"password":"a","password":"hunter2"}"#,
        ] {
            let problem = json::<Only>(body.as_bytes(), "password").unwrap_err().response();
            let text = String::from_utf8(problem.body().to_vec()).unwrap();
            assert!(problem.status() == StatusCode::BAD_REQUEST && !text.contains("hunter2"), "{text}");
        }
    }

    /// threats.md I10
    #[test]
    fn only_plain_utf_8_is_read() {
        let header = |name, text: &'static str| HeaderMap::from_iter([(name, http::HeaderValue::from_static(text))]);
        for kind in ["application/json", "application/json; charset=UTF-8", "application/x-www-form-urlencoded;charset=utf-8"] {
            assert!(!is_encoded(&header(CONTENT_TYPE, kind)), "{kind}");
        }
        assert!(is_encoded(&header(CONTENT_TYPE, "application/json; charset=utf-16")));
        assert!(is_encoded(&header(CONTENT_ENCODING, "gzip")) && !is_encoded(&header(CONTENT_ENCODING, "identity")));
    }

    #[test]
    fn a_media_type_counts_without_its_parameters_and_only_alone() {
        let header = |text: &'static str| HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(text))]);
        assert_eq!(media_type(&header("Application/JSON; charset=utf-8")).as_deref(), Some("application/json"));
        let mut two = header("application/json");
        two.append(CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
        assert_eq!(media_type(&two), None);
    }
}
