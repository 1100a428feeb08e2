//! A form that meets an expired session is kept while its sender signs in again. Only through the proxy, and only for whom a cookie
//! of ours proves to have been here: what strangers send is not even read.

use super::decision::{Asked, Mode};
use super::exchange::Facts;
use super::{Gateway, bridge, redirect};
use crate::parked_forms::{KEPT_FOR, LARGEST, ParkedForm};
use crate::portal::error_page::Fault;
use crate::session::SessionCookies;
use crate::store::StoreError;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response};
use pingora::proxy::Session as Exchange;

impl Gateway {
    /// Keeps the form of a navigation that is sent to the login, and sends it there and on to the page that offers the form again;
    /// `None` where it is not kept.
    ///
    /// # Errors
    /// The refusal to answer with instead.
    pub(super) async fn park(&self, exchange: &mut Exchange, facts: &Facts, route: usize) -> Result<Option<Response<Bytes>>, Fault> {
        let parts = &self.0;
        let headers = &exchange.req_header().headers;
        if !parts.routes.route(route).park_forms || !can_be_parked(headers) {
            return Ok(None);
        }
        let cookies = SessionCookies::for_scheme(facts.https, &parts.settings.cookies);
        let Some(id) = parts.gate.session_id(headers, cookies.session_name()) else { return Ok(None) };
        let Some(sender) = parts.parked_forms.sender(&id).await.map_err(|error| unavailable(&error))? else { return Ok(None) };
        let body = bridge::read_body(exchange, LARGEST).await?;
        let Some(form) = ParkedForm::new(sender, &facts.authority, facts.target.as_str(), &body) else { return Ok(None) };
        let token = parts.parked_forms.park(&id, &form).await.map_err(|error| unavailable(&error))?;
        let asked = Asked { facts, headers: &exchange.req_header().headers, route, mode: Mode::Proxy };
        let mut response = redirect(303, &self.login_to(asked, &format!("{}/parked", parts.settings.server.prefix)));
        let cookie = HeaderValue::from_str(&cookies.set_form(token.expose(), KEPT_FOR)).map_err(|_| Fault::Internal)?;
        response.headers_mut().append(SET_COOKIE, cookie);
        Ok(Some(response))
    }
}

/// Whether this is a form of a page of the same origin, as browsers prove, and of a length that is told and kept.
fn can_be_parked(headers: &HeaderMap) -> bool {
    let is = |name, expected: &str| headers.get(name).is_some_and(|value: &HeaderValue| value.as_bytes() == expected.as_bytes());
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default());
    is("sec-fetch-site", "same-origin")
        && length.is_some_and(|length| (1..=LARGEST).contains(&length))
        && kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded"))
}

fn unavailable(error: &StoreError) -> Fault {
    tracing::warn!(event = "form_not_parked", %error, "a form could not be kept: the session store did not answer");
    Fault::Unavailable { retry_after: 2 }
}
