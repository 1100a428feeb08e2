//! `{prefix}/register`: making one's own account, by form and by JSON. Never signs in.

use super::{Problems, busy, forged, name_taken, password_hint, too_many, unavailable as outage};
use crate::account::Password;
use crate::client::Client;
use crate::portal::assets::Look;
use crate::portal::call::{Call, cross_site, rd_query, unavailable};
use crate::portal::error_page::Fault;
use crate::portal::problem::Problem;
use crate::portal::redirect::Onward;
use crate::portal::submission::{Fields, Submission, json, unsupported};
use crate::portal::user::{User, UserBody};
use crate::registration::{FieldProblem, NewAccount, RegistrationError};
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
    password_hint: &'static str,
    login: String,
}

/// What was typed; never the password.
#[derive(Clone, Copy, Default)]
struct Typed<'a> {
    username: &'a str,
    email: &'a str,
}

/// `POST` as JSON.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
}

/// `GET`: the form.
pub(in crate::portal) async fn show(call: Call) -> Response {
    if !call.portal.registration.is_open() {
        return call.fault(&Fault::NotFound);
    }
    let onward = call.onward(&call.query);
    call.page(StatusCode::OK, &page(&call, &onward, Typed::default(), &Problems::default()))
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
    if !call.portal.registration.is_open() {
        return call.fault(&Fault::NotFound);
    }
    let onward = call.onward(fields);
    let typed = Typed { username: fields.text("username"), email: fields.text("email") };
    let again = |status, problems: &Problems| call.page(status, &page(call, &onward, typed, problems));
    if !call.is_genuine(fields) {
        return again(StatusCode::FORBIDDEN, &forged());
    }
    let new = NewAccount {
        username: Some(typed.username.to_owned()),
        email: typed.email.to_owned(),
        password: Password::new(fields.text("password").to_owned()),
        client: call.client(),
    };
    match call.portal.registration.register(new).await {
        // An address that has an account is answered like a new one: this form must not tell who is registered.
        made @ (Ok(_) | Err(RegistrationError::EmailTaken)) => {
            let mut response = call.to_page(StatusCode::SEE_OTHER, &format!("/login?registered{}", rd_query('&', onward.asked_for())));
            call.give_registration(&mut response, made.as_ref().ok());
            response
        }
        Err(RegistrationError::TooMany(limit)) => call.too_many_page(limit, &page(call, &onward, typed, &too_many(limit))),
        Err(RegistrationError::Closed) => call.fault(&Fault::NotFound),
        Err(RegistrationError::Invalid(problems)) => again(StatusCode::BAD_REQUEST, &problems.into()),
        Err(RegistrationError::UsernameTaken) => again(StatusCode::CONFLICT, &name_taken()),
        Err(RegistrationError::Busy) => call.outage_page(&page(call, &onward, typed, &busy())),
        Err(RegistrationError::Unavailable(error)) => {
            call.note(&error);
            call.outage_page(&page(call, &onward, typed, &outage()))
        }
    }
}

async fn by_json(call: &Call, body: Bytes) -> Response {
    if !call.is_from_here() {
        return cross_site();
    }
    if !call.portal.registration.is_open() {
        return closed().into_response();
    }
    match json(&body, "username, email and password").and_then(|body| complete(body, call.client())) {
        Ok(new) => match call.portal.registration.register(new).await {
            Ok(account) => (StatusCode::CREATED, Json(UserBody { user: User::of(&account) })).into_response(),
            Err(error) => refusal(call, error),
        },
        Err(problem) => problem.into_response(),
    }
}

fn refusal(call: &Call, error: RegistrationError) -> Response {
    match error {
        RegistrationError::Closed => closed().into_response(),
        RegistrationError::Invalid(problems) => invalid(problems).into_response(),
        RegistrationError::UsernameTaken => taken("username", "Someone else has this name.").into_response(),
        RegistrationError::EmailTaken => taken("email", "There is an account with this address.").into_response(),
        RegistrationError::TooMany(limit) => Problem::too_many(limit).into_response(),
        RegistrationError::Busy => unavailable(),
        RegistrationError::Unavailable(error) => {
            call.note(&error);
            unavailable()
        }
    }
}

/// The account that the body asks for, if nothing needed is missing.
fn complete(body: Body, client: Client) -> Result<NewAccount, Box<Problem>> {
    let missing = |field| FieldProblem { field, code: "required", message: format!("Send {field}.") };
    match (body.email, body.password) {
        (Some(email), Some(password)) => Ok(NewAccount { username: body.username, email, password: Password::new(password), client }),
        (email, password) => {
            let absent = [email.is_none().then(|| missing("email")), password.is_none().then(|| missing("password"))];
            Err(Box::new(invalid(absent.into_iter().flatten().collect())))
        }
    }
}

fn invalid(problems: Vec<FieldProblem>) -> Problem {
    let detail = "Some values cannot be taken, see errors.";
    Problem::new(StatusCode::BAD_REQUEST, "validation", "Validation failed", detail).with_errors(problems)
}

fn taken(field: &'static str, message: &str) -> Problem {
    let problem = FieldProblem { field, code: "taken", message: message.to_owned() };
    Problem::new(StatusCode::CONFLICT, &format!("{field}_taken"), "Already taken", message).with_errors(vec![problem])
}

fn closed() -> Problem {
    let detail = "Accounts on this site are made by its administrator.";
    Problem::new(StatusCode::FORBIDDEN, "registration_closed", "Registration is closed", detail)
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
        password_hint: password_hint(portal.settings.accounts.password),
        login: format!("{}/login{}", portal.look.prefix, rd_query('?', onward.asked_for())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::PasswordProfile;
    use crate::portal::testing::{HOSTILE, look, rendered};

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
                password_hint: password_hint(PasswordProfile::Classic),
                login: HOSTILE.into(),
            },
        );
        assert!(html.contains(r##"<a href="#password">"##) && html.contains(r#"autocomplete="new-password""#));
        assert!(html.contains(r#"aria-describedby="password-hint password-problem" aria-invalid="true""#), "{html}");
        assert!(html.contains(r#"aria-describedby="email-problem" aria-invalid="true""#), "{html}");
    }

    #[test]
    fn a_program_is_told_every_field_that_is_missing() {
        let problem = complete(Body { username: None, email: None, password: None }, Client::default()).err().unwrap();
        let body: serde_json::Value = serde_json::from_slice(problem.response().body()).unwrap();
        assert_eq!(body["errors"][0]["field"], "email");
        assert_eq!(body["errors"][1], serde_json::json!({ "field": "password", "code": "required", "message": "Send password." }));
    }
}
