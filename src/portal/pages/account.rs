//! `{prefix}/account`: one's own profile, as a page; `{prefix}/profile` and `{prefix}/session`: as JSON.

use super::nav::{Here, Nav};
use super::own::Own;
use super::{Problems, busy, forged, name_taken, too_many, unavailable as outage};
use crate::account::Account;
use crate::portal::assets::Look;
use crate::portal::call::{Call, unavailable};
use crate::portal::problem::Problem;
use crate::portal::submission::Fields;
use crate::portal::user::{SessionBody, User};
use crate::portal::{Portal, Presence, Visit};
use crate::profile::{Change, ProfileError};
use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use std::sync::Arc;

#[derive(askama::Template)]
#[template(path = "account.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    notice: Option<&'static str>,
    problems: &'a Problems,
    signed_in: &'a str,
    email: &'a str,
    groups: Vec<&'a str>,
    rename: bool,
    username: &'a str,
    name: &'a str,
    avatar_url: &'a str,
}

/// What the form holds.
#[derive(Clone, Copy)]
struct Typed<'a> {
    username: &'a str,
    name: &'a str,
    avatar_url: &'a str,
}

/// `GET account`: the profile form.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    call.page(StatusCode::OK, &page(&call, &account, stored(&account), &Problems::default()))
}

/// `POST account`: changes the profile.
pub(in crate::portal) async fn submit(Own { call, account, .. }: Own, fields: Fields) -> Response {
    let typed = typed(&call, &account, &fields);
    if !call.is_genuine(&fields) {
        return call.page(StatusCode::FORBIDDEN, &page(&call, &account, typed, &forged()));
    }
    match call.portal.app.profile.change(account.id, change(&call, &fields), &call.client()).await {
        Ok(_) => call.to_page(StatusCode::SEE_OTHER, "/account?saved"),
        Err(error) => refusal(&call, &account, typed, error),
    }
}

/// `GET profile`: the account as JSON; programs may ask for it by a token.
pub(in crate::portal) async fn profile(State(portal): State<Arc<Portal>>, Extension(visit): Extension<Visit>) -> Response {
    let account = match &visit.session {
        Presence::Somebody { session, .. } => session.user.id,
        Presence::Program(program) => return Json(User::of(&program.bearer.account)).into_response(),
        Presence::Nobody => return nobody(&portal),
        Presence::Unknown => return unavailable(),
        Presence::Refused(fault) => return Problem::of(fault).into_response(),
    };
    match portal.app.profile.read(account).await {
        Ok(Some(account)) => Json(User::of(&account)).into_response(),
        Ok(None) => nobody(&portal),
        Err(error) => {
            tracing::error!(event = "store_failed", %error, "a store failed");
            unavailable()
        }
    }
}

/// `GET session`: who is signed in and for how long. It never extends the session, and goes on without the account store.
pub(in crate::portal) async fn session(State(portal): State<Arc<Portal>>, Extension(visit): Extension<Visit>) -> Response {
    let session = match &visit.session {
        Presence::Somebody { session, .. } => session,
        Presence::Unknown => return unavailable(),
        _ => return nobody(&portal),
    };
    let account = portal.app.profile.read(session.user.id).await.ok().flatten();
    let user = account.as_ref().map_or_else(|| User::of_session(&session.user), User::of);
    Json(SessionBody::new(user, session, portal.app.clock.now())).into_response()
}

fn nobody(portal: &Portal) -> Response {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "Not signed in", "Sign in first.")
        .with_login_url(format!("{}/login", portal.look.prefix))
        .into_response()
}

fn refusal(call: &Call, account: &Account, typed: Typed<'_>, error: ProfileError) -> Response {
    let again = |status, problems: &Problems| call.page(status, &page(call, account, typed, problems));
    match error {
        ProfileError::Invalid(problems) => again(StatusCode::BAD_REQUEST, &problems.into()),
        ProfileError::UsernameTaken => again(StatusCode::CONFLICT, &name_taken()),
        ProfileError::Conflict | ProfileError::WrongPassword => again(StatusCode::CONFLICT, &conflict()),
        ProfileError::TooMany(limit) => call.too_many_page(limit, &page(call, account, typed, &too_many(limit))),
        ProfileError::Busy => call.outage_page(&page(call, account, typed, &busy())),
        ProfileError::Unavailable(error) => {
            call.note(&error);
            call.outage_page(&page(call, account, typed, &outage()))
        }
    }
}

/// The account was changed elsewhere at the same time.
pub(super) fn conflict() -> Problems {
    Problems::general("conflict", "Your account was changed elsewhere at the same time. Please try again.")
}

/// Only what the form holds is changed; a name only where users may change theirs.
fn change(call: &Call, fields: &Fields) -> Change {
    let given = |name: &str| fields.has(name).then(|| fields.text(name).to_owned());
    let username = given("username").filter(|_| call.portal.settings.accounts.rename);
    Change { username, name: given("name"), avatar_url: given("avatar_url") }
}

fn stored(account: &Account) -> Typed<'_> {
    Typed { username: account.username.as_str(), name: &account.name, avatar_url: account.avatar_url.as_deref().unwrap_or_default() }
}

fn typed<'a>(call: &Call, account: &'a Account, fields: &'a Fields) -> Typed<'a> {
    let stored = stored(account);
    let or = |name: &str, stored: &'a str| if fields.has(name) { fields.text(name) } else { stored };
    let username = if call.portal.settings.accounts.rename { or("username", stored.username) } else { stored.username };
    Typed { username, name: or("name", stored.name), avatar_url: or("avatar_url", stored.avatar_url) }
}

fn page<'a>(call: &'a Call, account: &'a Account, typed: Typed<'a>, problems: &'a Problems) -> Page<'a> {
    Page {
        look: &call.portal.look,
        nav: Nav::of(&call.portal, account, Here::Profile),
        csrf: call.csrf_token(),
        notice: notice(&call.query),
        problems,
        signed_in: account.username.as_str(),
        email: account.email.as_str(),
        groups: account.groups.iter().map(crate::account::Group::as_str).collect(),
        rename: call.portal.settings.accounts.rename,
        username: typed.username,
        name: typed.name,
        avatar_url: typed.avatar_url,
    }
}

fn notice(query: &Fields) -> Option<&'static str> {
    if query.has("saved") {
        Some("Your profile is saved.")
    } else if query.has("password-changed") {
        Some("Your password is changed, and other devices are signed out.")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    fn html(rename: bool) -> String {
        let look = look();
        let problems = Problems::of_field("avatar_url", "not_https", HOSTILE);
        let page = Page {
            look: &look,
            nav: Nav::sample(Here::Profile),
            csrf: "token".into(),
            notice: Some("Your profile is saved."),
            problems: &problems,
            signed_in: HOSTILE,
            email: HOSTILE,
            groups: vec!["users", HOSTILE],
            rename,
            username: HOSTILE,
            name: HOSTILE,
            avatar_url: HOSTILE,
        };
        rendered("account", &page)
    }

    /// S4.7
    #[test]
    fn the_profile_can_be_changed_but_for_the_address() {
        let html = html(true);
        assert!(html.contains(r#"name="username""#) && html.contains(r#"name="name""#) && html.contains(r#"name="avatar_url""#));
        assert!(!html.contains(r#"name="email""#));
    }

    #[test]
    fn the_name_is_only_shown_where_users_may_not_change_it() {
        assert!(!html(false).contains(r#"name="username""#));
    }
}
