//! The API's document (`OpenAPI` 3.1), made of the types that are read and written and of what each endpoint says of itself.
//! Examples of requests are named like the answers that they get; tests send them.

mod endpoint;

pub(super) use endpoint::Endpoint;

use super::{login, logout, password_reset, profile, refresh, register};
use crate::account::PasswordProblem;
use crate::portal::error_page::Fault;
use crate::portal::failure::{TOO_MANY_ATTEMPTS, UNAVAILABLE, UNSUPPORTED_MEDIA_TYPE};
use crate::portal::problem::Problem;
use crate::registration::FieldProblem;
use bytes::Bytes;
use endpoint::{named, problems};
use serde_json::{Value, json};
use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Server};

/// Stand for tokens in examples. Whoever sends the examples puts real ones in their place.
pub(super) const ACCESS_TOKEN: &str = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6IjEifQ.eyJ0eXBlIjoiYWNjZXNzIn0.c2lnbmF0dXJl";
pub(super) const REFRESH_TOKEN: &str = "eyJ0eXAiOiJydCtqd3QiLCJhbGciOiJFZERTQSIsImtpZCI6IjEifQ.eyJ0eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl";
pub(super) const RESET_TOKEN: &str = "cmVzZXQtdG9rZW4tb3V0LW9mLXRoZS1saW5rLW9mLWEtbWFpbA";

/// What many endpoints answer alike, by the name of the component.
pub(super) const TOO_LARGE: &str = "PayloadTooLarge";
pub(super) const UNSUPPORTED: &str = "UnsupportedMediaType";
pub(super) const TOO_MANY: &str = "TooManyAttempts";
pub(super) const INTERNAL: &str = "Internal";
pub(super) const OUTAGE: &str = "Unavailable";

/// The name of the scheme of access tokens.
pub(super) const BEARER: &str = "bearer";

const DESCRIPTION: &str = "\
Accounts and tokens for single-page apps, mobile apps and scripts. JSON in UTF-8 both ways; times are RFC 3339 in UTC, durations \
seconds, and what is not known is null. No cookie is read or set, and nothing redirects.

Errors are `application/problem+json` (RFC 9457). Their `type` is `urn:portcullis:` and a code that is stable; `errors` names the \
fields to blame. Any request may also be refused before it is looked at closely: 400 `bad_request`, 404 `unknown_host`, 405 \
`method_not_allowed`, 408 `request_timeout`, 414 `uri_too_long`, 431 `headers_too_large`.";

/// The document as it is served under this prefix.
pub(super) fn served(prefix: &str) -> Bytes {
    match document(prefix).to_pretty_json() {
        Ok(text) => Bytes::from(text + "\n"),
        Err(error) => {
            tracing::error!(event = "page_failed", %error, "the API's document could not be written");
            Bytes::new()
        }
    }
}

fn document(prefix: &str) -> OpenApi {
    let endpoints = [
        register::described(),
        login::described(),
        refresh::described(),
        profile::described(),
        profile::change_described(),
        logout::described(),
        password_reset::request_described(),
        password_reset::confirm_described(),
        described(),
    ];
    let (mut paths, mut components) = (Paths::new(), shared());
    for endpoint in endpoints {
        endpoint.enter(&mut paths, &mut components);
    }
    OpenApiBuilder::new()
        .info(InfoBuilder::new().title("Portcullis").version("1.0.0").description(Some(DESCRIPTION)))
        .servers(Some([Server::new(format!("/api{prefix}"))]))
        .paths(paths)
        .components(Some(components))
        .build()
}

/// What endpoints have in common.
fn shared() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("An access token. A personal access token (`pat_…`) may read the profile."));
    let too_large = Problem::of(&Fault::PayloadTooLarge);
    let internal = Problem::of(&Fault::Internal);
    ComponentsBuilder::new()
        .schemas_from_iter(named::<Problem>())
        .security_scheme(BEARER, SecurityScheme::Http(bearer.build()))
        .response(TOO_LARGE, problems(413, &[too_large]))
        .response(UNSUPPORTED, problems(415, &[UNSUPPORTED_MEDIA_TYPE.problem()]))
        .response(TOO_MANY, problems(429, &[TOO_MANY_ATTEMPTS.problem()]))
        .response(INTERNAL, problems(500, &[internal]))
        .response(OUTAGE, problems(503, &[UNAVAILABLE.problem()]))
        .build()
}

/// The document describes itself.
fn described() -> Endpoint {
    let example = ("document", json!({ "openapi": "3.1.0" }));
    Endpoint::get("/openapi.json", "document", "This document").answers_with(200, "OpenAPI 3.1", ObjectBuilder::new().build(), [example])
}

/// Somebody, in examples.
pub(super) fn user() -> Value {
    json!({
        "id": "01956f3a-8c00-7d31-9f27-5b64c0a1e8d2", "username": "ada", "email": "ada@example.com", "name": "Ada Lovelace",
        "avatarUrl": null, "groups": ["staff"], "createdAt": "2030-01-01T00:00:00Z",
    })
}

/// What a password is told, in examples.
pub(super) fn too_short() -> FieldProblem {
    let problem = PasswordProblem::TooShort(8);
    FieldProblem::new("password", problem.code(), &problem)
}

/// A pair of tokens, in examples.
pub(super) fn tokens() -> Value {
    json!({ "accessToken": ACCESS_TOKEN, "refreshToken": REFRESH_TOKEN, "tokenType": "Bearer", "expiresIn": 900 })
}

/// Who has signed in, in examples.
pub(super) fn signed_in() -> Value {
    let mut body = tokens();
    body["user"] = user();
    body
}
