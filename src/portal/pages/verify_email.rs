//! `{prefix}/verify-email`: where a mailed link leads that confirms an address. Opening it changes nothing, since mail scanners
//! do that, too; the button does.

use super::logout::Message;
use super::{Problems, forged, unavailable as outage};
use crate::account::{Account, AccountId, Email};
use crate::email_confirmation::ConfirmError;
use crate::link_token::LinkToken;
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::submission::Fields;
use crate::store::StoreError;
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "verify_email.html")]
struct Page<'a> {
    look: &'a Look,
    csrf: String,
    problems: &'a Problems,
    token: &'a str,
    username: &'a str,
    email: &'a str,
    /// Whether it takes the place of another one, which whoever got a link by mistake is not told.
    is_change: bool,
}

/// What a link is about, while it works.
struct Confirmable {
    token: LinkToken,
    account: Account,
    email: Email,
}

/// `GET`: asks.
pub(in crate::portal) async fn show(call: Call) -> Response {
    match look_at(&call, call.query.text("token")).await {
        Ok(Some(found)) => call.page(StatusCode::OK, &page(&call, &found, &Problems::default())),
        Ok(None) => dead(&call),
        Err(response) => *response,
    }
}

/// `POST`: confirms the address.
pub(in crate::portal) async fn submit(call: Call, fields: Fields) -> Response {
    let found = match look_at(&call, fields.text("token")).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            call.portal.app.email_confirmation.record_refusal(&call.client());
            return dead(&call);
        }
        Err(response) => return *response,
    };
    if !call.is_genuine(&fields) {
        return call.page(StatusCode::FORBIDDEN, &page(&call, &found, &forged()));
    }
    match call.portal.app.email_confirmation.confirm(&found.token, &call.client()).await {
        Ok(account) => confirmed(&call, account.id),
        Err(ConfirmError::BadToken) => dead(&call),
        Err(ConfirmError::Unavailable(error)) => {
            call.note(&error);
            call.outage_page(&page(&call, &found, &outage()))
        }
    }
}

/// What the link is about; nothing where it does not work, or no longer.
async fn look_at(call: &Call, token: &str) -> Result<Option<Confirmable>, Box<Response>> {
    let Some(token) = LinkToken::parse(token) else { return Ok(None) };
    let opened = call.portal.app.email_confirmation.open(&token).await.map_err(|error| Box::new(failed(call, &error)))?;
    Ok(opened.map(|(account, email)| Confirmable { token, account, email }))
}

fn failed(call: &Call, error: &StoreError) -> Response {
    call.note(error);
    call.fault(&Call::outage())
}

/// Whoever is signed in sees it in their account, unless they are somebody else.
fn confirmed(call: &Call, account: AccountId) -> Response {
    let page = match call.visit.session.account() {
        Some(signed_in) if signed_in == account => "/account/email?confirmed",
        Some(_) => "/login?switch&confirmed",
        None => "/login?confirmed",
    };
    call.to_page(StatusCode::SEE_OTHER, page)
}

fn dead(call: &Call) -> Response {
    let look = &call.portal.look;
    let message = Message {
        look,
        title: "This link no longer works",
        text: "It was used already, is older than a day, or the account was changed since. If your address still is to be \
               confirmed, sign in: you get a new link, or can ask for one in your account.",
        href: format!("{}/account/email", look.prefix),
        link: "Go to your account",
    };
    call.page(StatusCode::BAD_REQUEST, &message)
}

fn page<'a>(call: &'a Call, found: &'a Confirmable, problems: &'a Problems) -> Page<'a> {
    Page {
        look: &call.portal.look,
        csrf: call.csrf_token(),
        problems,
        token: found.token.expose(),
        username: found.account.username.as_str(),
        email: found.email.as_str(),
        is_change: found.account.email != found.email,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    #[test]
    fn a_link_is_answered_with_a_button_that_sends_its_token() {
        let (look, problems) = (look(), forged());
        let page = Page {
            look: &look,
            csrf: "token".into(),
            problems: &problems,
            token: HOSTILE,
            username: HOSTILE,
            email: HOSTILE,
            is_change: true,
        };
        let html = rendered("verify-email", &page);
        assert!(html.contains(r#"<form method="post" action="/auth/verify-email">"#) && html.contains(r#"name="token""#));
    }
}
