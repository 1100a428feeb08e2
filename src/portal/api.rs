//! `/api{prefix}`: the API for programs. JSON only, no pages, no redirects, and no cookies: none is read or set, so that
//! no other site can borrow a browser's.

mod credential;
mod document;
mod login;
mod logout;
mod password_reset;
mod profile;
mod refresh;
mod register;
mod tokens;

use super::call::client;
use super::error_page::Fault;
use super::refusal::outage;
use super::submission::{Submission, unsupported};
use super::{Portal, Visit};
use crate::client::Client;
use crate::store::StoreError;
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde::{Deserialize, Deserializer};
use std::sync::Arc;

/// THE ROUTE TABLE of the API.
pub(super) fn router(prefix: &str) -> Router<Arc<Portal>> {
    let document = document::served(prefix);
    Router::new()
        .route("/openapi.json", get(async move || ([(CONTENT_TYPE, JSON)], document.clone())))
        .route("/register", post(register::submit))
        .route("/login", post(login::submit))
        .route("/refresh", post(refresh::submit))
        .route("/profile", get(profile::show).put(profile::change))
        .route("/logout", post(logout::submit))
        .route("/password-reset/request", post(password_reset::request))
        .route("/password-reset/confirm", post(password_reset::confirm))
        .fallback(async |asking: Asking| asking.fault(&Fault::NotFound))
        .method_not_allowed_fallback(async |asking: Asking| asking.fault(&Fault::MethodNotAllowed))
}

/// A request to the API.
struct Asking {
    portal: Arc<Portal>,
    visit: Visit,
    client: Client,
}

/// The body of such a request: JSON, whatever it says.
struct JsonBody(Bytes);

/// The same where it may be left out.
struct MaybeJson(Option<Bytes>);

const JSON: &str = "application/json";

impl FromRequestParts<Arc<Portal>> for Asking {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let Some(visit) = parts.extensions.get::<Visit>().cloned() else {
            tracing::error!(
                event = "page_failed",
                "a request reached the API without its visit; the gateway must put one into its extensions"
            );
            return Err(portal.errors.response(&Fault::Internal, parts));
        };
        let client = client(&visit, &parts.headers);
        Ok(Self { portal: portal.clone(), visit, client })
    }
}

impl FromRequest<Arc<Portal>> for MaybeJson {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Response> {
        match Submission::read(request, portal, JSON).await? {
            Submission::Json(body) => Ok(Self(Some(body))),
            Submission::Nothing => Ok(Self(None)),
            Submission::Form(_) => Err(unsupported(JSON)),
        }
    }
}

impl FromRequest<Arc<Portal>> for JsonBody {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Response> {
        let MaybeJson(body) = MaybeJson::from_request(request, portal).await?;
        body.map(Self).ok_or_else(|| unsupported(JSON))
    }
}

impl Asking {
    /// A refusal: problem+json whatever `Accept` says.
    fn fault(&self, fault: &Fault) -> Response {
        self.portal.errors.render(fault, &HeaderMap::new(), &self.visit.request_id).map(Body::from)
    }

    /// The refusal where a store failed, which is noted.
    fn outage(&self, error: &StoreError) -> Response {
        outage(error, &self.visit.request_id)
    }
}

/// A value that is there, so that `null` is told from what is absent.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
