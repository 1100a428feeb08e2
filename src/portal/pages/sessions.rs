//! `{prefix}/account/sessions`: where one is signed in, in browsers and in apps, and ending that (ASVS V7.5.2).

use super::nav::{Here, Nav};
use super::own::Own;
use super::{Problems, forged};
use crate::account::Account;
use crate::client::browser;
use crate::clock::Timestamp;
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::moment::Moment;
use crate::portal::submission::Fields;
use crate::profile::ProfileError;
use crate::session::{Session, SessionKey};
use crate::token::RefreshToken;
use axum::response::Response;
use http::StatusCode;
use std::net::IpAddr;
use uuid::Uuid;

#[derive(askama::Template)]
#[template(path = "sessions.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    notice: Option<&'static str>,
    problems: &'a Problems,
    username: &'a str,
    sessions: Vec<Row>,
    apps: Vec<App>,
}

/// A session, as pages show it. Its id is with the browser alone; it is named by the beginning of its key.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) browser: String,
    pub(super) address: Option<IpAddr>,
    pub(super) since: Moment,
    pub(super) seen: Moment,
    /// Whether it is the one that the page is asked for in.
    pub(super) own: bool,
}

/// A program that holds a refresh token, as pages show it. It is named by its family of tokens, which opens nothing.
#[derive(Debug)]
pub(super) struct App {
    pub(super) family: Uuid,
    /// What it calls itself.
    pub(super) name: String,
    pub(super) address: Option<IpAddr>,
    pub(super) since: Moment,
    pub(super) renewed: Moment,
    pub(super) ends: Moment,
}

/// Under the prefix.
const PATH: &str = "/account/sessions";

impl Row {
    pub(super) fn of(key: &SessionKey, session: &Session, now: Timestamp) -> Self {
        Self {
            name: key.name(),
            browser: browser::in_words(&session.user_agent),
            address: session.client,
            since: Moment::of(session.created_at),
            seen: Moment::ago(session.last_seen, now),
            own: false,
        }
    }
}

impl App {
    pub(super) fn of(program: &RefreshToken, now: Timestamp) -> Self {
        Self {
            family: program.family,
            name: browser::app_in_words(&program.user_agent),
            address: program.client,
            since: Moment::of(program.began_at),
            renewed: Moment::ago(program.issued_at, now),
            ends: Moment::of(program.expires_at),
        }
    }
}

/// `GET`: the sessions.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    listed(&call, &account, StatusCode::OK, &Problems::default()).await
}

/// `POST`: ends the session that `end` names, the app that `app` names, or all `others`.
pub(in crate::portal) async fn submit(Own { call, account, .. }: Own, fields: Fields) -> Response {
    if !call.is_genuine(&fields) {
        return listed(&call, &account, StatusCode::FORBIDDEN, &forged()).await;
    }
    if !call.is_fresh() {
        return call.to_confirm(PATH);
    }
    match end(&call, &account, &fields).await {
        Ok(()) => call.to_page(StatusCode::SEE_OTHER, "/account/sessions?ended"),
        Err(error) => failed(&call, &error),
    }
}

async fn end(call: &Call, account: &Account, fields: &Fields) -> Result<(), ProfileError> {
    let (profile, client) = (&call.portal.app.profile, call.client());
    if let Ok(family) = Uuid::try_parse(fields.text("app")) {
        return profile.end_program(account, family, &client).await.map(|_| ());
    }
    match (fields.text("end"), own_key(call)) {
        ("others", Some(own)) => profile.end_other_sessions(account, own, &client).await.map(|_| ()),
        // What ended a moment before has ended.
        (name, _) => profile.end_session(account, name, &client).await.map(|_| ()),
    }
}

async fn listed(call: &Call, account: &Account, status: StatusCode, problems: &Problems) -> Response {
    let profile = &call.portal.app.profile;
    let (sessions, programs) = match (profile.sessions(account.id).await, profile.programs(account).await) {
        (Ok(sessions), Ok(programs)) => (sessions, programs),
        (Err(error), _) | (_, Err(error)) => return failed(call, &error),
    };
    let (now, own) = (call.portal.app.clock.now(), own_key(call));
    let rows = sessions.iter().map(|(key, session)| Row { own: Some(key) == own, ..Row::of(key, session, now) });
    let mut sessions: Vec<Row> = rows.collect();
    sessions.sort_by_key(|row| !row.own);
    let page = Page {
        look: &call.portal.look,
        nav: Nav::of(&call.portal, account, Here::Sessions),
        csrf: call.csrf_token(),
        notice: call.query.has("ended").then_some("Signed out there."),
        problems,
        username: account.username.as_str(),
        sessions,
        apps: programs.iter().map(|program| App::of(program, now)).collect(),
    };
    call.page(status, &page)
}

fn own_key(call: &Call) -> Option<&SessionKey> {
    call.somebody().ok().flatten().map(|(key, _)| key)
}

fn failed(call: &Call, error: &ProfileError) -> Response {
    if let ProfileError::Unavailable(error) = error {
        call.note(error);
    }
    call.fault(&Call::outage())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, program, rendered, session};

    fn row(own: bool) -> Row {
        let hostile = Session { user_agent: HOSTILE.to_owned(), ..session("alice") };
        Row { own, ..Row::of(&SessionKey([0xab; 32]), &hostile, Timestamp(60_000)) }
    }

    /// threats.md I07, S13
    #[test]
    fn a_session_is_shown_in_words_and_only_others_can_be_ended() {
        let (look, problems) = (look(), forged());
        let sessions = vec![row(true), row(false)];
        let apps = vec![App::of(&program(HOSTILE), Timestamp(60_000))];
        let nav = Nav::sample(Here::Sessions);
        let page =
            Page { look: &look, nav, csrf: "token".into(), notice: Some("x"), problems: &problems, username: HOSTILE, sessions, apps };
        let html = rendered("sessions", &page);
        assert_eq!(html.matches("This device").count(), 1);
        assert_eq!(html.matches(r#"name="end" value="abababababababab""#).count(), 1);
        assert_eq!(html.matches(r#"name="app" value="00000000-0000-0000-0000-000000000007""#).count(), 1);
        assert!(html.contains("Unknown app") && html.contains("8 January 1970"), "{html}");
        assert!(html.contains("Unknown browser") && html.contains("1 minute ago") && !html.contains(&"ab".repeat(9)), "{html}");
    }
}
