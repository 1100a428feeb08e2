//! `{prefix}/account/password`: changing one's own password.

use super::account::conflict;
use super::nav::{Here, Nav};
use super::own::Own;
use super::{Problems, busy, forged, password_hint, too_many, unavailable as outage};
use crate::account::{Account, Password};
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::submission::Fields;
use crate::profile::{PasswordChange, ProfileError};
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "password.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    problems: &'a Problems,
    username: &'a str,
    password_hint: &'static str,
}

/// `GET`: the form.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    call.page(StatusCode::OK, &page(&call, &account, &Problems::default()))
}

/// `POST`: changes the password; this browser gets a new session, all others end.
pub(in crate::portal) async fn submit(Own { call, account, session }: Own, fields: Fields) -> Response {
    if !call.is_genuine(&fields) {
        return call.page(StatusCode::FORBIDDEN, &page(&call, &account, &forged()));
    }
    let password = |name: &str| Password::new(fields.text(name).to_owned());
    let (current, new, client) = (password("current_password"), password("password"), call.client());
    match call.portal.app.profile.change_password(account.id, PasswordChange { session: &session, current, new, client: &client }).await {
        Ok(signed_in) => {
            let mut response = call.to_page(StatusCode::SEE_OTHER, "/account?password-changed");
            call.give_session(&mut response, &signed_in);
            response
        }
        Err(error) => refusal(&call, &account, error),
    }
}

fn refusal(call: &Call, account: &Account, error: ProfileError) -> Response {
    let again = |status, problems: &Problems| call.page(status, &page(call, account, problems));
    match error {
        ProfileError::Invalid(problems) => again(StatusCode::BAD_REQUEST, &problems.into()),
        ProfileError::WrongPassword => again(StatusCode::UNAUTHORIZED, &wrong()),
        ProfileError::Conflict | ProfileError::UsernameTaken => again(StatusCode::CONFLICT, &conflict()),
        ProfileError::TooMany(limit) => call.too_many_page(limit, &page(call, account, &too_many(limit))),
        ProfileError::Busy => call.outage_page(&page(call, account, &busy())),
        ProfileError::Unavailable(error) => {
            call.note(&error);
            call.outage_page(&page(call, account, &outage()))
        }
    }
}

fn wrong() -> Problems {
    Problems::of_field("current_password", "wrong", "This is not your current password.")
}

fn page<'a>(call: &'a Call, account: &'a Account, problems: &'a Problems) -> Page<'a> {
    Page {
        look: &call.portal.look,
        nav: Nav::of(&call.portal, account, Here::Password),
        csrf: call.csrf_token(),
        problems,
        username: account.username.as_str(),
        password_hint: password_hint(call.portal.settings.accounts.password),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::PasswordProfile;
    use crate::portal::testing::{HOSTILE, look, rendered};

    #[test]
    fn password_managers_learn_whose_password_changes() {
        let (look, problems) = (look(), wrong());
        let password_hint = password_hint(PasswordProfile::Nist);
        let page = Page {
            look: &look,
            nav: Nav::sample(Here::Password),
            csrf: "token".into(),
            problems: &problems,
            username: HOSTILE,
            password_hint,
        };
        let html = rendered("password", &page);
        assert!(html.contains(r#"autocomplete="username" hidden"#));
        assert!(html.contains(r##"<a href="#current_password">"##));
    }
}
