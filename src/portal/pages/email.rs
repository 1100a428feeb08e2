//! `{prefix}/account/email`: confirming one's address, and asking for another one, which counts once it is confirmed.

use super::account::conflict;
use super::logout::Message;
use super::nav::{Here, Nav};
use super::own::Own;
use super::{Problems, busy, forged, too_many, unavailable as outage};
use crate::account::{Account, Email, Password};
use crate::email_confirmation::{AddressChange, ChangeError};
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::submission::Fields;
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "email.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    notice: Option<&'static str>,
    problems: &'a Problems,
    username: &'a str,
    current: &'a str,
    is_confirmed: bool,
    /// Asked for, and to be confirmed.
    wanted: Option<&'a str>,
    email: &'a str,
}

/// The account, and the address that it is to have.
struct State {
    account: Account,
    wanted: Option<Email>,
}

/// `GET`: the form.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    match state(&call, account).await {
        Ok(state) => call.page(StatusCode::OK, &page(&call, &state, "", &Problems::default())),
        Err(response) => *response,
    }
}

/// `POST`: mails a link, to the new address or, without one, to the present one.
pub(in crate::portal) async fn submit(Own { call, account, .. }: Own, fields: Fields) -> Response {
    let state = match state(&call, account).await {
        Ok(state) => state,
        Err(response) => return *response,
    };
    if !call.is_genuine(&fields) {
        return call.page(StatusCode::FORBIDDEN, &page(&call, &state, fields.text("email"), &forged()));
    }
    let confirmation = &call.portal.app.email_confirmation;
    let asked = if fields.has("email") {
        confirmation.request_change(change(&call, &state.account, &fields)).await.map(|_| ())
    } else {
        confirmation.request_again(&state.account, call.link_base().as_deref(), &call.client()).await
    };
    match asked {
        Ok(()) => call.to_page(StatusCode::SEE_OTHER, "/account/email?sent"),
        Err(error) => refusal(&call, &state, fields.text("email"), error),
    }
}

/// Of the account; else the response: that this site sends no mail.
async fn state(call: &Call, account: Account) -> Result<State, Box<Response>> {
    let confirmation = &call.portal.app.email_confirmation;
    if !confirmation.is_possible(call.link_base().as_deref()) {
        return Err(Box::new(call.page(StatusCode::OK, &no_mail(call))));
    }
    match confirmation.wanted(&account).await {
        Ok(wanted) => Ok(State { account, wanted }),
        Err(error) => {
            call.note(&error);
            Err(Box::new(call.fault(&Call::outage())))
        }
    }
}

fn change(call: &Call, account: &Account, fields: &Fields) -> AddressChange {
    AddressChange {
        account: account.id,
        email: fields.text("email").to_owned(),
        current_password: Password::new(fields.text("current_password").to_owned()),
        base: call.link_base(),
        client: call.client(),
    }
}

fn refusal(call: &Call, state: &State, typed: &str, error: ChangeError) -> Response {
    let again = |status, problems: &Problems| call.page(status, &page(call, state, typed, problems));
    match error {
        ChangeError::NoMail => call.page(StatusCode::OK, &no_mail(call)),
        ChangeError::Invalid(problems) => again(StatusCode::BAD_REQUEST, &problems.into()),
        ChangeError::WrongPassword => again(StatusCode::UNAUTHORIZED, &wrong()),
        ChangeError::Gone => again(StatusCode::CONFLICT, &conflict()),
        ChangeError::TooMany(limit) => call.too_many_page(limit, &page(call, state, typed, &too_many(limit))),
        ChangeError::Busy => call.outage_page(&page(call, state, typed, &busy())),
        ChangeError::Unavailable(error) => {
            call.note(&error);
            call.outage_page(&page(call, state, typed, &outage()))
        }
    }
}

fn wrong() -> Problems {
    Problems::of_field("current_password", "wrong", "This is not your current password.")
}

fn no_mail(call: &Call) -> Message<'_> {
    let look = &call.portal.look;
    Message {
        look,
        title: "Your email address",
        text: "This site sends no mail, so an address cannot be confirmed here. Ask its administrator to change yours.",
        href: format!("{}/account", look.prefix),
        link: "Back to your account",
    }
}

fn page<'a>(call: &'a Call, state: &'a State, typed: &'a str, problems: &'a Problems) -> Page<'a> {
    Page {
        look: &call.portal.look,
        nav: Nav::of(&call.portal, &state.account, Here::Email),
        csrf: call.csrf_token(),
        notice: notice(&call.query).filter(|_| problems.is_empty()),
        problems,
        username: state.account.username.as_str(),
        current: state.account.email.as_str(),
        is_confirmed: state.account.email_verified,
        wanted: state.wanted.as_ref().map(Email::as_str),
        email: typed,
    }
}

fn notice(query: &Fields) -> Option<&'static str> {
    if query.has("sent") {
        Some("We have sent a link. Open it within a day to confirm the address.")
    } else if query.has("confirmed") {
        Some("Your address is confirmed.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    fn html(is_confirmed: bool) -> String {
        let (look, problems) = (look(), wrong());
        let page = Page {
            look: &look,
            nav: Nav::sample(Here::Email),
            csrf: "token".into(),
            notice: Some("Sent."),
            problems: &problems,
            username: HOSTILE,
            current: HOSTILE,
            is_confirmed,
            wanted: Some(HOSTILE),
            email: HOSTILE,
        };
        rendered("email", &page)
    }

    #[test]
    fn another_address_takes_the_current_password() {
        let html = html(true);
        assert!(html.contains(r##"<a href="#current_password">"##) && html.contains(r#"autocomplete="current-password""#));
        assert_eq!(html.matches("<form ").count(), 1, "there is nothing to confirm");
    }

    #[test]
    fn an_address_that_is_not_confirmed_can_be() {
        assert_eq!(html(false).matches("<form ").count(), 2);
    }
}
