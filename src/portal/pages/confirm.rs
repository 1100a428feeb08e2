//! `{prefix}/account/confirm`: giving the password once more before something dangerous is done.

use super::nav::{Here, Nav};
use super::own::Own;
use super::{Problems, busy, forged, too_many, unavailable as outage};
use crate::account::{Account, Password};
use crate::portal::assets::Look;
use crate::portal::call::{Call, redirect};
use crate::portal::submission::Fields;
use crate::profile::ProfileError;
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "confirm.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    problems: &'a Problems,
    username: &'a str,
    rd: &'a str,
}

/// Under the prefix.
const PATH: &str = "/account/confirm";

/// `GET`: the form.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    let rd = onward(&call, &call.query);
    call.page(StatusCode::OK, &page(&call, &account, &rd, &Problems::default()))
}

/// `POST`: makes the session fresh, under a new id, and goes on.
pub(in crate::portal) async fn submit(Own { call, account, session }: Own, fields: Fields) -> Response {
    let rd = onward(&call, &fields);
    if !call.is_genuine(&fields) {
        return call.page(StatusCode::FORBIDDEN, &page(&call, &account, &rd, &forged()));
    }
    let password = Password::new(fields.text("password").to_owned());
    match call.portal.app.profile.confirm(account.id, &session, password, &call.client()).await {
        Ok(signed_in) => {
            let mut response = redirect(StatusCode::SEE_OTHER, &rd);
            call.give_session(&mut response, &signed_in);
            response
        }
        Err(error) => refusal(&call, &account, &rd, error),
    }
}

fn refusal(call: &Call, account: &Account, rd: &str, error: ProfileError) -> Response {
    match error {
        // The session has ended meanwhile, or the account may have none any more.
        ProfileError::Conflict => call.to_login(StatusCode::SEE_OTHER, "", PATH),
        ProfileError::WrongPassword | ProfileError::Invalid(_) | ProfileError::UsernameTaken => {
            call.page(StatusCode::UNAUTHORIZED, &page(call, account, rd, &wrong()))
        }
        ProfileError::TooMany(limit) => call.too_many_page(limit, &page(call, account, rd, &too_many(limit))),
        ProfileError::Busy => call.outage_page(&page(call, account, rd, &busy())),
        ProfileError::Unavailable(error) => {
            call.note(&error);
            call.outage_page(&page(call, account, rd, &outage()))
        }
    }
}

fn wrong() -> Problems {
    Problems::of_field("password", "wrong", "This is not your password.")
}

/// Where to go on to: a page on this host that was asked for, else the account. Nothing leads elsewhere, so the policy of
/// the page lets forms go nowhere else, either.
fn onward(call: &Call, fields: &Fields) -> String {
    let onward = call.onward(fields);
    if onward.asked && !onward.leaves { onward.location } else { format!("{}/account", call.portal.look.prefix) }
}

fn page<'a>(call: &'a Call, account: &'a Account, rd: &'a str, problems: &'a Problems) -> Page<'a> {
    Page {
        look: &call.portal.look,
        nav: Nav::of(&call.portal, account, Here::Elsewhere),
        csrf: call.csrf_token(),
        problems,
        username: account.username.as_str(),
        rd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    #[test]
    fn password_managers_learn_whose_password_is_asked_for() {
        let (look, problems) = (look(), wrong());
        let nav = Nav::sample(Here::Elsewhere);
        let page = Page { look: &look, nav, csrf: "token".into(), problems: &problems, username: HOSTILE, rd: HOSTILE };
        let html = rendered("confirm", &page);
        assert!(html.contains(r#"autocomplete="username" hidden"#) && html.contains("aria-invalid"), "{html}");
        assert!(!html.contains("aria-current"), "{html}");
    }
}
