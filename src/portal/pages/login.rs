//! `{prefix}/login`: signing in, by form and by JSON.

use super::{Problems, busy, circle, forged, spelled_out, too_many, unavailable as outage};
use crate::account::{Account, Password};
use crate::login::{Attempt, LoginError, SignedIn};
use crate::portal::Presence;
use crate::portal::assets::Look;
use crate::portal::call::{Call, cross_site, rd_query, redirect, set_cookie};
use crate::portal::failure::INVALID_REQUEST;
use crate::portal::headers;
use crate::portal::redirect::Onward;
use crate::portal::refusal;
use crate::portal::submission::{Fields, Submission, json, unsupported};
use crate::portal::user::{User, UserBody};
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "login.html")]
struct Page<'a> {
    look: &'a Look,
    csrf: String,
    rd: Option<&'a str>,
    to: Option<&'a str>,
    notice: Option<&'static str>,
    problems: &'a Problems,
    signed_in: Option<&'a str>,
    username: &'a str,
    remember: bool,
    remember_for: Option<String>,
    register: Option<String>,
}

/// What was typed; never the password.
#[derive(Clone, Copy, Default)]
struct Typed<'a> {
    username: &'a str,
    remember: bool,
}

/// `POST` as JSON.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    username: Option<String>,
    email: Option<String>,
    password: Option<String>,
    #[serde(default)]
    remember: bool,
}

/// `GET`: the form; who is signed in goes on, unless they want to be someone else (`?switch`).
pub(in crate::portal) async fn show(call: Call) -> Response {
    let onward = call.onward(&call.query);
    if let Some(page) = circle::broken(&call, &onward) {
        return page;
    }
    match call.somebody() {
        Err(outage) => *outage,
        Ok(Some(_)) if !call.query.has("switch") => {
            let mut response = redirect(StatusCode::SEE_OTHER, &onward.location);
            count_round(&call, &mut response, &onward);
            response
        }
        Ok(_) => form(&call, StatusCode::OK, &onward, Typed::default(), &Problems::default()),
    }
}

/// `POST`: signs in.
pub(in crate::portal) async fn submit(call: Call, submission: Submission) -> Response {
    match submission {
        Submission::Form(fields) => by_form(&call, &fields).await,
        Submission::Json(body) => by_json(&call, body).await,
        Submission::Nothing => unsupported("application/x-www-form-urlencoded or application/json"),
    }
}

async fn by_form(call: &Call, fields: &Fields) -> Response {
    let onward = call.onward(fields);
    let typed = Typed { username: fields.text("username"), remember: fields.has("remember") };
    if !call.is_genuine(fields) {
        let problems = if call.cookies.secure && !call.visit.arrival.is_https() { plain_http() } else { forged() };
        return form(call, StatusCode::FORBIDDEN, &onward, typed, &problems);
    }
    let attempt = attempt(call, typed.username.to_owned(), fields.text("password").to_owned(), typed.remember);
    match call.portal.app.login.sign_in(attempt).await {
        Ok(signed_in) => {
            let mut response = redirect(StatusCode::SEE_OTHER, &onward.location);
            call.give_session(&mut response, &signed_in);
            count_round(call, &mut response, &onward);
            response
        }
        Err(LoginError::Invalid) => form(call, StatusCode::UNAUTHORIZED, &onward, typed, &invalid()),
        Err(LoginError::EmailUnverified(account)) => {
            remind(call, &account).await;
            form(call, StatusCode::FORBIDDEN, &onward, typed, &unverified())
        }
        Err(LoginError::TooMany(limit)) => {
            let problems = too_many(limit);
            let response = call.too_many_page(limit, &page(call, &onward, typed, &problems));
            let_leave(response, &onward)
        }
        Err(LoginError::Busy) => again_later(call, &onward, typed, &busy()),
        Err(LoginError::Unavailable(error)) => {
            call.note(&error);
            again_later(call, &onward, typed, &outage())
        }
    }
}

/// Notes in the browser that it was sent on.
fn count_round(call: &Call, response: &mut Response, onward: &Onward) {
    if onward.asked {
        set_cookie(response, &circle::rounds(call, onward).one_more(&call.cookies));
    }
}

async fn by_json(call: &Call, body: Bytes) -> Response {
    if !call.is_from_here() {
        return cross_site();
    }
    let body: Body = match json(&body, "username or email, password and remember") {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    let (Some(identifier), Some(password)) = (one_of(body.username, body.email), body.password) else {
        let detail = "Send username or email, one of them, and password.";
        return INVALID_REQUEST.saying(detail).into_response();
    };
    match call.portal.app.login.sign_in(attempt(call, identifier, password, body.remember)).await {
        Ok(signed_in) => signed_in_as_json(call, &signed_in),
        Err(error) => {
            if let LoginError::EmailUnverified(account) = &error {
                remind(call, account).await;
            }
            refusal::login(error, &call.visit.request_id)
        }
    }
}

fn signed_in_as_json(call: &Call, signed_in: &SignedIn) -> Response {
    let mut response = Json(UserBody { user: User::of(&signed_in.account) }).into_response();
    call.give_session(&mut response, signed_in);
    response
}

fn attempt(call: &Call, identifier: String, password: String, remember: bool) -> Attempt {
    let replaces = match &call.visit.session {
        Presence::Somebody { key, .. } => Some(*key),
        _ => None,
    };
    Attempt { identifier, password: Password::new(password), remember, client: call.client(), replaces }
}

fn form(call: &Call, status: StatusCode, onward: &Onward, typed: Typed<'_>, problems: &Problems) -> Response {
    let_leave(call.page(status, &page(call, onward, typed, problems)), onward)
}

fn again_later(call: &Call, onward: &Onward, typed: Typed<'_>, problems: &Problems) -> Response {
    let_leave(call.outage_page(&page(call, onward, typed, problems)), onward)
}

/// Browsers apply `form-action` to where the redirect leads, and to where the application there redirects to.
fn let_leave(mut response: Response, onward: &Onward) -> Response {
    if onward.asked || onward.leaves {
        headers::let_forms_leave(response.headers_mut());
    }
    response
}

fn page<'a>(call: &'a Call, onward: &'a Onward, typed: Typed<'a>, problems: &'a Problems) -> Page<'a> {
    let portal = &call.portal;
    let signed_in = match &call.visit.session {
        Presence::Somebody { session, .. } => Some(session.user.username.as_str()),
        _ => None,
    };
    let register = format!("{}/register{}", portal.look.prefix, rd_query('?', onward.asked_for()));
    Page {
        look: &portal.look,
        csrf: call.csrf_token(),
        rd: onward.asked_for(),
        to: onward.shown_host(),
        notice: notice(&call.query),
        problems,
        signed_in,
        username: typed.username,
        remember: typed.remember,
        remember_for: Some(spelled_out(portal.settings.sessions.remember_for)),
        register: portal.app.registration.is_open().then_some(register),
    }
}

/// What led here, as our own redirects say it.
fn notice(query: &Fields) -> Option<&'static str> {
    if query.has("registered") {
        Some("Your account is ready. Sign in to go on.")
    } else if query.has("confirm") {
        Some("Your account is almost ready. We have sent a link to your address: open it to confirm the address, then sign in.")
    } else if query.has("confirmed") {
        Some("Your address is confirmed.")
    } else if query.has("signed-out") {
        Some("You are signed out.")
    } else {
        None
    }
}

/// The browser kept none of our cookies, and here is why.
fn plain_http() -> Problems {
    let message = "Your browser keeps the cookies of this site over HTTPS only, and you came over plain HTTP. Open it with https://. (For \
                   the administrator: cookies.secure or portal.url asks for HTTPS; a proxy that ends TLS must send X-Forwarded-Proto and \
                   be in server.trusted_proxies.)";
    Problems::general("plain_http", message)
}

/// Mails another link to an address that is still to be confirmed.
async fn remind(call: &Call, account: &Account) {
    call.portal.app.email_confirmation.remind(account, call.link_base().as_deref(), &call.client()).await;
}

/// Only after the right password: it tells nobody else that there is such an account.
fn unverified() -> Problems {
    Problems::general("email_unverified", "First confirm your address: we have sent a new link to it. Open that, then sign in.")
}

/// One sentence, whatever was wrong: names must not be told apart (ASVS V6.3.8).
fn invalid() -> Problems {
    Problems::general("invalid_credentials", "The name or the password is wrong. Check both and try again.")
}

/// The one that is there; `None` where both are, or neither.
fn one_of(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(text), None) | (None, Some(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    fn page<'a>(look: &'a Look, problems: &'a Problems) -> Page<'a> {
        Page {
            look,
            csrf: "token".into(),
            rd: None,
            to: None,
            notice: None,
            problems,
            signed_in: None,
            username: "",
            remember: false,
            remember_for: Some("30 days".into()),
            register: None,
        }
    }

    /// S1.2
    #[test]
    fn a_failed_login_keeps_the_name_and_says_so_in_a_summary_and_the_title() {
        let (look, problems) = (look(), invalid());
        let html = rendered("login-failed", &Page { username: "alice", remember: true, ..page(&look, &problems) });
        assert!(html.contains("<title>Error: Sign in – Portcullis</title>") && html.contains(r#"role="alert" tabindex="-1" autofocus"#));
        assert!(html.contains(r#"value="alice""#) && html.contains(r#"value="on" checked"#));
        assert_eq!(html.matches("autofocus").count(), 1);
    }

    #[test]
    fn password_managers_recognise_the_form() {
        let (look, problems) = (look(), Problems::default());
        let html = rendered("login", &page(&look, &problems));
        assert!(html.contains(r#"autocomplete="username" autocapitalize="none""#) && html.contains(r#"autocomplete="current-password""#));
        assert!(!html.contains("/register") && html.contains(r#"<form method="post" action="/auth/login">"#));
    }

    #[test]
    fn nothing_that_comes_from_outside_is_markup() {
        let problems = Problems::of_field("username", "x", HOSTILE);
        let look = Look { title: HOSTILE.into(), logo: Some(HOSTILE.into()), ..(*look()).clone() };
        let hostile = Page {
            rd: Some(HOSTILE),
            to: Some(HOSTILE),
            signed_in: Some(HOSTILE),
            username: HOSTILE,
            register: Some(HOSTILE.into()),
            ..page(&look, &problems)
        };
        rendered("login-hostile", &hostile);
    }

    #[test]
    fn a_program_names_its_account_in_one_way() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(one_of(text("a"), None), text("a"));
        assert_eq!(one_of(None, text("b")), text("b"));
        assert_eq!((one_of(text("a"), text("b")), one_of(None, None)), (None, None));
    }
}
