//! `{prefix}/logout`: `GET` asks, `POST` ends the session. What could not be ended is never said to be.

use super::{Problems, forged, unavailable as outage};
use crate::portal::Presence;
use crate::portal::assets::Look;
use crate::portal::call::{Call, cross_site, unavailable};
use crate::portal::submission::{Fields, Submission};
use crate::store::StoreError;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "logout.html")]
struct Page<'a> {
    look: &'a Look,
    csrf: String,
    username: &'a str,
    problems: &'a Problems,
}

#[derive(askama::Template)]
#[template(path = "message.html")]
pub(super) struct Message<'a> {
    pub(super) look: &'a Look,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    pub(super) href: String,
    pub(super) link: &'a str,
}

/// `GET`: asks.
pub(in crate::portal) async fn show(call: Call) -> Response {
    match call.somebody() {
        Err(outage) => *outage,
        Ok(Some(_)) => call.page(StatusCode::OK, &page(&call, &Problems::default())),
        Ok(None) => call.page(StatusCode::OK, &signed_out(&call)),
    }
}

/// `POST`: ends the session.
pub(in crate::portal) async fn submit(call: Call, submission: Submission) -> Response {
    match submission {
        Submission::Form(fields) => by_form(&call, &fields).await,
        Submission::Json(_) => by_program(&call).await,
        // A program need not send a body; a page always sends its form.
        Submission::Nothing if !call.wants_html() => by_program(&call).await,
        Submission::Nothing => by_form(&call, &Fields::parse(b"")).await,
    }
}

async fn by_form(call: &Call, fields: &Fields) -> Response {
    if !call.is_genuine(fields) {
        return call.page(StatusCode::FORBIDDEN, &page(call, &forged()));
    }
    match end(call).await {
        Ok(()) => {
            let mut response = call.to_page(StatusCode::SEE_OTHER, "/login?signed-out");
            call.take_session(&mut response);
            response
        }
        Err(error) => {
            call.note(&error);
            call.outage_page(&page(call, &outage()))
        }
    }
}

async fn by_program(call: &Call) -> Response {
    if !call.is_from_here() {
        return cross_site();
    }
    match end(call).await {
        Ok(()) => {
            let mut response = StatusCode::NO_CONTENT.into_response();
            call.take_session(&mut response);
            response
        }
        Err(error) => {
            call.note(&error);
            unavailable()
        }
    }
}

/// Ends the session that the cookie names, if there is one.
async fn end(call: &Call) -> Result<(), StoreError> {
    match &call.visit.session {
        Presence::Somebody { key, session } => call.portal.app.login.sign_out(key, &session.user, &call.client()).await,
        Presence::Nobody | Presence::Program(_) | Presence::Refused(_) => Ok(()),
        Presence::Unknown => Err(StoreError("the session to end could not be looked up".into())),
    }
}

fn page<'a>(call: &'a Call, problems: &'a Problems) -> Page<'a> {
    let username = match &call.visit.session {
        Presence::Somebody { session, .. } => session.user.username.as_str(),
        _ => "",
    };
    Page { look: &call.portal.look, csrf: call.csrf_token(), username, problems }
}

fn signed_out(call: &Call) -> Message<'_> {
    let look = &call.portal.look;
    Message {
        look,
        title: "You are signed out",
        text: "Nobody is signed in here.",
        href: format!("{}/login", look.prefix),
        link: "Sign in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    #[test]
    fn signing_out_takes_a_form() {
        let (look, problems) = (look(), forged());
        let page = Page { look: &look, csrf: "token".into(), username: HOSTILE, problems: &problems };
        assert!(rendered("logout", &page).contains(r#"<form method="post" action="/auth/logout">"#));
        let message = Message { look: &look, title: HOSTILE, text: HOSTILE, href: HOSTILE.into(), link: HOSTILE };
        rendered("message", &message);
    }
}
