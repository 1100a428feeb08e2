//! `/api{prefix}`: the API for programs. JSON only, no pages, no redirects, and no cookies: none is read or set, so that
//! no other site can borrow a browser's.

mod password_reset;

use super::call::{client, unavailable};
use super::error_page::Fault;
use super::problem::Problem;
use super::submission::{Submission, unsupported};
use super::{Portal, Visit};
use crate::client::Client;
use crate::registration::FieldProblem;
use crate::store::StoreError;
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use std::sync::Arc;

/// THE ROUTE TABLE of the API.
pub(super) fn router() -> Router<Arc<Portal>> {
    Router::new()
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

impl FromRequest<Arc<Portal>> for JsonBody {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Arc<Portal>) -> Result<Self, Response> {
        match Submission::from_request(request, portal).await? {
            Submission::Json(body) => Ok(Self(body)),
            Submission::Form(_) | Submission::Nothing => Err(unsupported("application/json")),
        }
    }
}

impl Asking {
    /// A refusal: problem+json whatever `Accept` says.
    fn fault(&self, fault: &Fault) -> Response {
        self.portal.errors.render(fault, &HeaderMap::new(), &self.visit.request_id).map(Body::from)
    }

    /// The refusal where a store failed, which is noted.
    fn outage(&self, error: &StoreError) -> Response {
        tracing::error!(event = "store_failed", %error, request_id = self.visit.request_id, "a store failed");
        unavailable()
    }
}

/// The refusal of values that cannot be taken.
fn invalid(problems: Vec<FieldProblem>) -> Response {
    let detail = "Some values cannot be taken, see errors.";
    Problem::new(StatusCode::BAD_REQUEST, "validation", "Validation failed", detail).with_errors(problems).into_response()
}

/// What a field that was not sent is told.
fn missing(field: &'static str) -> FieldProblem {
    FieldProblem { field, code: "required", message: format!("Send {field}.") }
}
