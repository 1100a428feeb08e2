//! `{prefix}/reset`: setting a new password by a link from a mail. Opening the link moves its token from the address into
//! a cookie and spends nothing, since mail scanners open links, too (threats.md P07); only the form spends it.

use super::logout::Message;
use super::{Problems, busy, forged, password_hint, unavailable as outage};
use crate::account::{Account, Password};
use crate::link_token::LinkToken;
use crate::portal::Presence;
use crate::portal::assets::Look;
use crate::portal::call::{Call, redirect};
use crate::portal::headers;
use crate::portal::limited;
use crate::portal::redirect::Onward;
use crate::portal::submission::Fields;
use crate::recovery::{NewPassword, ResetError};
use crate::throttle::TooMany;
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "reset.html")]
struct Page<'a> {
    look: &'a Look,
    csrf: String,
    problems: &'a Problems,
    username: &'a str,
    password_hint: &'static str,
}

/// `GET` with a token: into the cookie. Without: the form, or that the link no longer works.
pub(in crate::portal) async fn show(call: Call) -> Response {
    if call.query.has("token") {
        return take_from_address(&call);
    }
    form(&call, call.reset_token(), StatusCode::OK, &Problems::default()).await
}

/// `POST`: sets the password and signs this browser in.
pub(in crate::portal) async fn submit(call: Call, fields: Fields) -> Response {
    let token = presented(&call, &fields);
    if !call.is_genuine(&fields) {
        return form(&call, token, StatusCode::FORBIDDEN, &forged()).await;
    }
    let new = NewPassword { token: token.clone(), password: Password::new(fields.text("password").to_owned()), client: call.client() };
    let replaces = match &call.visit.session {
        Presence::Somebody { key, .. } => Some(*key),
        _ => None,
    };
    match call.portal.app.recovery.reset_and_sign_in(new, replaces).await {
        Ok(signed_in) => {
            let mut response = redirect(StatusCode::SEE_OTHER, &landing(&call).location);
            call.give_session(&mut response, &signed_in);
            call.drop_reset_token(&mut response);
            response
        }
        Err(error) => refusal(&call, token, error).await,
    }
}

/// Always leads to the form, whatever the token is worth; one that cannot be any leaves no older one behind.
fn take_from_address(call: &Call) -> Response {
    let mut response = call.to_page(StatusCode::SEE_OTHER, "/reset");
    match LinkToken::parse(call.query.text("token")) {
        Some(token) => call.keep_reset_token(&mut response, &token),
        None => call.drop_reset_token(&mut response),
    }
    response
}

/// The token that the form holds, else the one that the browser keeps.
fn presented(call: &Call, fields: &Fields) -> Option<LinkToken> {
    if fields.has("token") { LinkToken::parse(fields.text("token")) } else { call.reset_token() }
}

async fn refusal(call: &Call, token: Option<LinkToken>, error: ResetError) -> Response {
    match error {
        ResetError::BadToken => dead(call),
        ResetError::Invalid(problems) => form(call, token, StatusCode::BAD_REQUEST, &problems.into()).await,
        ResetError::TooMany(limit) => wait(call, limit),
        ResetError::Busy => Call::later(form(call, token, StatusCode::SERVICE_UNAVAILABLE, &busy()).await),
        ResetError::Unavailable(error) => {
            call.note(&error);
            Call::later(form(call, token, StatusCode::SERVICE_UNAVAILABLE, &outage()).await)
        }
    }
}

/// The form, for a token that works; else that it does not.
async fn form(call: &Call, token: Option<LinkToken>, status: StatusCode, problems: &Problems) -> Response {
    let Some(token) = token else { return dead(call) };
    let account = match call.portal.app.recovery.open(&token).await {
        Ok(Some(account)) => account,
        Ok(None) => return dead(call),
        Err(error) => {
            call.note(&error);
            return call.fault(&Call::outage());
        }
    };
    let mut response = call.page(status, &page(call, &account, problems));
    // Browsers apply `form-action` to where the redirect leads.
    if landing(call).leaves {
        headers::let_forms_leave(response.headers_mut());
    }
    response
}

/// Where a new password leads.
fn landing(call: &Call) -> Onward {
    call.onward(&Fields::parse(b""))
}

fn page<'a>(call: &'a Call, account: &'a Account, problems: &'a Problems) -> Page<'a> {
    Page {
        look: &call.portal.look,
        csrf: call.csrf_token(),
        problems,
        username: account.username.as_str(),
        password_hint: password_hint(call.portal.settings.accounts.password),
    }
}

/// Whatever is wrong with a token, the answer is one.
fn dead(call: &Call) -> Response {
    let look = &call.portal.look;
    let page = Message {
        look,
        title: "This link no longer works",
        text: "It was used already, it is too old, or a newer one was sent. You can ask for another.",
        href: format!("{}/forgot", look.prefix),
        link: "Ask for a new link",
    };
    let mut response = call.page(StatusCode::BAD_REQUEST, &page);
    call.drop_reset_token(&mut response);
    response
}

/// Too many tokens were tried, or one by too many at once.
fn wait(call: &Call, limit: TooMany) -> Response {
    let look = &call.portal.look;
    let page = Message {
        look,
        title: "Too many attempts",
        text: &limited::sentence(&limit),
        href: format!("{}/reset", look.prefix),
        link: "Try again",
    };
    call.too_many_page(limit, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::PasswordProfile;
    use crate::portal::testing::{HOSTILE, look, rendered};

    /// threats.md P11: the page holds no token
    #[test]
    fn password_managers_learn_whose_password_is_set() {
        let (look, problems) = (look(), Problems::of_field("password", "too_short", HOSTILE));
        let password_hint = password_hint(PasswordProfile::Classic);
        let page = Page { look: &look, csrf: "csrf".into(), problems: &problems, username: HOSTILE, password_hint };
        let html = rendered("reset-failed", &page);
        assert!(html.contains(r#"autocomplete="username" hidden"#) && html.contains(r#"autocomplete="new-password""#));
        assert!(html.contains(r##"<a href="#password">"##) && !html.contains(r#"name="token""#));
    }
}
