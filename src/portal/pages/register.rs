//! `{prefix}/register`: making one's own account, by form and by JSON. Never signs in.

use super::logout::Message;
use super::{Problems, busy, forged, name_taken, password_hint, too_many, unavailable as outage};
use crate::account::{Email, Password};
use crate::invitation::Invitation;
use crate::portal::assets::Look;
use crate::portal::call::{Call, cross_site, rd_query};
use crate::portal::error_page::Fault;
use crate::portal::failure::REGISTRATION_CLOSED;
use crate::portal::redirect::Onward;
use crate::portal::submission::{Fields, Submission, unsupported};
use crate::portal::user::{RegisteredBody, User};
use crate::portal::{newcomer, refusal};
use crate::registration::{NewAccount, RegistrationError};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "register.html")]
struct Page<'a> {
    look: &'a Look,
    csrf: String,
    rd: Option<&'a str>,
    to: Option<&'a str>,
    problems: &'a Problems,
    username: &'a str,
    email: &'a str,
    invite: &'a str,
    invited: Option<&'a str>,
    password_hint: &'static str,
    login: String,
}

/// What was typed; never the password.
#[derive(Clone, Copy)]
struct Typed<'a> {
    username: &'a str,
    email: &'a str,
    invite: &'a str,
    /// The address that the invitation is for.
    invited: Option<&'a str>,
}

/// `GET`: the form.
pub(in crate::portal) async fn show(call: Call) -> Response {
    let token = call.query.text("invite");
    let invitation = match invitation(&call, token).await {
        Ok(invitation) => invitation,
        Err(response) => return *response,
    };
    let typed = Typed { username: "", email: "", invite: token, invited: address(invitation.as_ref()) };
    call.page(StatusCode::OK, &page(&call, &call.onward(&call.query), typed, &Problems::default()))
}

/// `POST`: makes the account.
pub(in crate::portal) async fn submit(call: Call, submission: Submission) -> Response {
    match submission {
        Submission::Form(fields) => by_form(&call, &fields).await,
        Submission::Json(body) => by_json(&call, body).await,
        Submission::Nothing => unsupported("application/x-www-form-urlencoded or application/json"),
    }
}

async fn by_form(call: &Call, fields: &Fields) -> Response {
    let token = fields.text("invite");
    let invitation = match call.portal.app.registration.invitation(token).await {
        Ok(invitation) => invitation,
        Err(error) => {
            call.portal.app.registration.record_refusal(fields.text("username"), &call.client(), &error);
            return turned_away(call, error);
        }
    };
    let onward = call.onward(fields);
    let typed =
        Typed { username: fields.text("username"), email: fields.text("email"), invite: token, invited: address(invitation.as_ref()) };
    let again = |status, problems: &Problems| call.page(status, &page(call, &onward, typed, problems));
    if !call.is_genuine(fields) {
        return again(StatusCode::FORBIDDEN, &forged());
    }
    let new = NewAccount {
        username: Some(typed.username.to_owned()),
        email: typed.email.to_owned(),
        password: Password::new(fields.text("password").to_owned()),
        invite: token.to_owned(),
        base: call.link_base(),
        client: call.client(),
    };
    match call.portal.app.registration.register_discreetly(&new).await {
        Ok(account) => {
            let notice = if call.portal.app.registration.must_confirm(&account) { "confirm" } else { "registered" };
            let mut response = call.to_page(StatusCode::SEE_OTHER, &format!("/login?{notice}{}", rd_query('&', onward.asked_for())));
            call.remember_browser(&mut response, &account);
            response
        }
        Err(RegistrationError::Invalid(problems)) => again(StatusCode::BAD_REQUEST, &problems.into()),
        Err(RegistrationError::UsernameTaken) => again(StatusCode::CONFLICT, &name_taken()),
        Err(RegistrationError::TooMany(limit)) => call.too_many_page(limit, &page(call, &onward, typed, &too_many(limit))),
        Err(RegistrationError::Busy) => call.outage_page(&page(call, &onward, typed, &busy())),
        Err(RegistrationError::Unavailable(error)) => {
            call.note(&error);
            call.outage_page(&page(call, &onward, typed, &outage()))
        }
        Err(error) => turned_away(call, error),
    }
}

/// The invitation that a token opens; else the page that says why nobody can register.
async fn invitation(call: &Call, token: &str) -> Result<Option<Invitation>, Box<Response>> {
    call.portal.app.registration.invitation(token).await.map_err(|error| Box::new(turned_away(call, error)))
}

fn turned_away(call: &Call, error: RegistrationError) -> Response {
    match error {
        RegistrationError::InviteInvalid => call.page(StatusCode::FORBIDDEN, &not_invited(call)),
        RegistrationError::Unavailable(error) => {
            call.note(&error);
            call.fault(&Call::outage())
        }
        _ => call.fault(&Fault::NotFound),
    }
}

fn not_invited(call: &Call) -> Message<'_> {
    let look = &call.portal.look;
    if call.portal.app.registration.is_open() {
        return Message {
            look,
            title: "This invitation no longer works",
            text: "Each works once and for a limited time. Ask whoever invited you for a new one, or create an account without one.",
            href: format!("{}/register", look.prefix),
            link: "Create an account",
        };
    }
    Message {
        look,
        title: "You need an invitation",
        text: "To create an account here, open the link of an invitation. Each works once and for a limited time; if yours no \
               longer does, ask whoever invited you for a new one.",
        href: format!("{}/login", look.prefix),
        link: "Sign in instead",
    }
}

fn address(invitation: Option<&Invitation>) -> Option<&str> {
    invitation.and_then(|invitation| invitation.email.as_ref()).map(Email::as_str)
}

async fn by_json(call: &Call, body: Bytes) -> Response {
    if !call.is_from_here() {
        return cross_site();
    }
    let registration = &call.portal.app.registration;
    if registration.is_closed() {
        return REGISTRATION_CLOSED.response();
    }
    let new = match newcomer::read(&body, call.link_base(), call.client()) {
        Ok(new) => new,
        Err(problem) => return problem.into_response(),
    };
    match registration.register(&new).await {
        Ok(account) => {
            let verification_required = registration.must_confirm(&account);
            (StatusCode::CREATED, Json(RegisteredBody { user: User::of(&account), verification_required })).into_response()
        }
        Err(error) => refusal::registration(error, &call.visit.request_id),
    }
}

fn page<'a>(call: &'a Call, onward: &'a Onward, typed: Typed<'a>, problems: &'a Problems) -> Page<'a> {
    let portal = &call.portal;
    Page {
        look: &portal.look,
        csrf: call.csrf_token(),
        rd: onward.asked_for(),
        to: onward.shown_host(),
        problems,
        username: typed.username,
        email: typed.email,
        invite: typed.invite,
        invited: typed.invited,
        password_hint: password_hint(portal.settings.accounts.password),
        login: format!("{}/login{}", portal.look.prefix, rd_query('?', onward.asked_for())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::PasswordProfile;
    use crate::portal::testing::{HOSTILE, look, rendered};
    use crate::registration::FieldProblem;

    #[test]
    fn every_field_in_error_is_described_by_its_problem() {
        let look = look();
        let problem = |field| FieldProblem { field, code: "x", message: HOSTILE.into() };
        let problems = Problems::from(vec![problem("username"), problem("email"), problem("password")]);
        let html = rendered(
            "register-failed",
            &Page {
                look: &look,
                csrf: "token".into(),
                rd: Some(HOSTILE),
                to: Some(HOSTILE),
                problems: &problems,
                username: HOSTILE,
                email: HOSTILE,
                invite: HOSTILE,
                invited: None,
                password_hint: password_hint(PasswordProfile::Classic),
                login: HOSTILE.into(),
            },
        );
        assert!(html.contains(r##"<a href="#password">"##) && html.contains(r#"autocomplete="new-password""#));
        assert!(html.contains(r#"aria-describedby="password-hint password-problem" aria-invalid="true""#), "{html}");
        assert!(html.contains(r#"aria-describedby="email-problem" aria-invalid="true""#), "{html}");
    }
}
