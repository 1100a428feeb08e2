//! A request by somebody who is signed in. Handlers of the account's pages take an [`Own`], so that each begins with what it
//! is about.

use crate::account::Account;
use crate::portal::Portal;
use crate::portal::call::Call;
use crate::portal::submission::{FORM, is_form, unsupported};
use crate::session::SessionKey;
use axum::extract::FromRequestParts;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use std::sync::Arc;

/// Who asks; everybody else is sent to the login, and from there back to the page.
pub(in crate::portal) struct Own {
    pub(super) call: Call,
    /// Of whoever is signed in, as it is stored now.
    pub(super) account: Account,
    /// The session that they are signed in by.
    pub(super) session: SessionKey,
}

impl FromRequestParts<Arc<Portal>> for Own {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let call = Call::from_request_parts(parts, portal).await?;
        if parts.method == Method::POST && !is_form(&parts.headers) {
            return Err(unsupported(FORM));
        }
        let (status, page) = way_back(parts);
        let Some((session, signed_in)) = call.somebody().map_err(|outage| *outage)? else {
            return Err(call.to_login(status, "", page));
        };
        let session = *session;
        match portal.app.profile.read(signed_in.user.id).await {
            Ok(Some(account)) => Ok(Self { call, account, session }),
            // The account is gone and its session about to: without `switch` the login page would lead straight back here.
            Ok(None) => Err(call.to_login(status, "switch", page)),
            Err(error) => {
                call.note(&error);
                Err(call.fault(&Call::outage()))
            }
        }
    }
}

/// With which status a browser is sent elsewhere, and the page to come back to, without the prefix: what a form was sent to is
/// also the page that it stands on.
pub(super) fn way_back(parts: &Parts) -> (StatusCode, &str) {
    match parts.method {
        Method::GET | Method::HEAD => (StatusCode::FOUND, parts.uri.path_and_query().map_or("/", |target| target.as_str())),
        _ => (StatusCode::SEE_OTHER, parts.uri.path()),
    }
}
