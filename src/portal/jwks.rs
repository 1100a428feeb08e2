//! `/.well-known/jwks.json`: the public keys by which applications verify what we sign.

use super::Portal;
use super::call::unavailable;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use std::sync::Arc;

/// Where the keys are.
pub(super) const PATH: &str = "/.well-known/jwks.json";

/// What a set of keys is by RFC 7517 section 8.5.1; libraries take it as they take `application/json`.
const JWK_SET: HeaderValue = HeaderValue::from_static("application/jwk-set+json");

/// Much shorter than a key is published before it signs. Libraries that meet an unknown key ask anew anyway.
const FIVE_MINUTES: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// `GET jwks.json`. It is for servers: pages of other origins are given no leave to read it.
pub(super) async fn show(State(portal): State<Arc<Portal>>) -> Response {
    match portal.app.signing_keys.jwks().await {
        Ok(keys) => ([(CONTENT_TYPE, JWK_SET), (CACHE_CONTROL, FIVE_MINUTES)], Json(keys)).into_response(),
        Err(error) => {
            tracing::error!(event = "page_failed", %error, "the public keys cannot be shown");
            unavailable()
        }
    }
}
