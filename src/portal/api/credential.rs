//! `Authorization`, as the API takes it: read by the same [`Bearers`](crate::token::Bearers) as on proxied requests. What is
//! somebody else's there is nothing here, too.

use super::Asking;
use crate::portal::Portal;
use crate::portal::error_page::Fault;
use crate::portal::failure::UNAUTHORIZED;
use crate::target::Target;
use crate::token::{Bearer, Destination, Refusal, Unproven};
use axum::extract::{FromRequestParts, OriginalUri};
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// A request that presents a credential of ours, unproven.
pub(super) struct Presented {
    pub(super) asking: Asking,
    pub(super) credential: Unproven,
    method: http::Method,
    target: Target,
}

/// A request of somebody.
pub(super) struct Authorized {
    pub(super) asking: Asking,
    pub(super) bearer: Bearer,
}

impl FromRequestParts<Arc<Portal>> for Presented {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let asking = Asking::from_request_parts(parts, portal).await?;
        let credential = match portal.app.bearers.read(&parts.headers) {
            Ok(Some(credential)) => credential,
            Ok(None) if is_bearer(&parts.headers) => return Err(refused(&asking, &Refusal::Invalid)),
            Ok(None) => return Err(UNAUTHORIZED.response()),
            Err(refusal) => return Err(refused(&asking, &refusal)),
        };
        // A nested router sees the rest of the path only; a scope is about the whole.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let target = Target::parse(uri.path().as_bytes()).map_err(|_| refused(&asking, &Refusal::OutOfScope))?;
        Ok(Self { asking, credential, method: parts.method.clone(), target })
    }
}

impl FromRequestParts<Arc<Portal>> for Authorized {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let presented = Presented::from_request_parts(parts, portal).await?;
        let bearer = presented.prove().await?;
        Ok(Self { asking: presented.asking, bearer })
    }
}

impl Presented {
    /// Whom the credential speaks for.
    pub(super) async fn prove(&self) -> Result<Bearer, Response> {
        let destination = Destination { host: self.asking.visit.host.as_str(), path: self.target.path(), method: self.method.as_str() };
        let proven = self.asking.portal.app.bearers.prove(&self.credential, destination).await;
        proven.map_err(|refusal| refused(&self.asking, &refusal))
    }
}

/// The answer to a credential that opens nothing here.
pub(super) fn refused(asking: &Asking, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Invalid => asking.fault(&Fault::InvalidToken),
        Refusal::OutOfScope => asking.fault(&Fault::InsufficientScope),
        Refusal::Unavailable(error) => asking.outage(error),
    }
}

/// Whether a token was sent, and not one of ours. On proxied requests it may be meant for the application; here it is not.
fn is_bearer(headers: &HeaderMap) -> bool {
    let scheme = |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b' ').next().map(<[u8]>::to_ascii_lowercase);
    headers.get_all(AUTHORIZATION).iter().any(|value| scheme(value).as_deref() == Some(b"bearer"))
}
