//! `{prefix}/account/sessions`: where one is signed in, and ending that (ASVS V7.5.2).

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
use axum::response::Response;
use http::StatusCode;
use std::net::IpAddr;

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

/// `GET`: the sessions.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    listed(&call, &account, StatusCode::OK, &Problems::default()).await
}

/// `POST`: ends the session that `end` names, or all `others`.
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
    match (fields.text("end"), own_key(call)) {
        ("others", Some(own)) => profile.end_other_sessions(account, own, &client).await.map(|_| ()),
        // What ended a moment before has ended.
        (name, _) => profile.end_session(account, name, &client).await.map(|_| ()),
    }
}

async fn listed(call: &Call, account: &Account, status: StatusCode, problems: &Problems) -> Response {
    let sessions = match call.portal.app.profile.sessions(account.id).await {
        Ok(sessions) => sessions,
        Err(error) => return failed(call, &error),
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
    use crate::portal::testing::{HOSTILE, look, rendered, session};

    fn row(own: bool) -> Row {
        let hostile = Session { user_agent: HOSTILE.to_owned(), ..session("alice") };
        Row { own, ..Row::of(&SessionKey([0xab; 32]), &hostile, Timestamp(60_000)) }
    }

    /// threats.md I07, S13
    #[test]
    fn a_session_is_shown_in_words_and_only_others_can_be_ended() {
        let (look, problems) = (look(), forged());
        let sessions = vec![row(true), row(false)];
        let nav = Nav::sample(Here::Sessions);
        let page = Page { look: &look, nav, csrf: "token".into(), notice: Some("x"), problems: &problems, username: HOSTILE, sessions };
        let html = rendered("sessions", &page);
        assert_eq!(html.matches("This device").count(), 1);
        assert_eq!(html.matches(r#"name="end" value="abababababababab""#).count(), 1);
        assert!(html.contains("Unknown browser") && html.contains("1 minute ago") && !html.contains(&"ab".repeat(9)), "{html}");
    }
}
