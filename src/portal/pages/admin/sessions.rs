//! `{prefix}/admin/sessions`: how many sessions there are, and those of an account.

use super::{Admin, refusal};
use crate::account::Account;
use crate::administration::AdministrationError;
use crate::portal::assets::Look;
use crate::portal::error_page::Fault;
use crate::portal::pages::nav::{Here, Nav};
use crate::portal::pages::sessions::{App, Row};
use crate::portal::pages::{Problems, forged};
use crate::portal::submission::Fields;
use axum::response::Response;
use http::StatusCode;
use uuid::Uuid;

#[derive(askama::Template)]
#[template(path = "admin/sessions.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    notice: Option<&'static str>,
    problems: &'a Problems,
    query: &'a str,
    /// Of all accounts.
    count: u64,
    /// The account asked for, if there is one.
    found: Option<Found>,
}

/// An account and its sessions.
struct Found {
    id: String,
    username: String,
    sessions: Vec<Row>,
    apps: Vec<App>,
}

/// `GET`: the sessions of the account `user`, where it names one.
pub(in crate::portal) async fn show(admin: Admin) -> Response {
    let query = admin.call.query.text("user").trim();
    listed(&admin, query, StatusCode::OK, &Problems::default()).await
}

/// `POST`: ends the session of `user` that `end` names, the app that `app` names, or `all`.
pub(in crate::portal) async fn submit(admin: Admin, fields: Fields) -> Response {
    let query = fields.text("user").trim();
    if !admin.call.is_genuine(&fields) {
        return listed(&admin, query, StatusCode::FORBIDDEN, &forged()).await;
    }
    let account = match admin.administration.find(query).await {
        Ok(account) => account,
        Err(error) => return admin.fault(&error),
    };
    let path = format!("/admin/sessions?user={}", account.id);
    if !admin.call.is_fresh() {
        return admin.call.to_confirm(&path);
    }
    match end(&admin, &account, &fields).await {
        Ok(()) => admin.call.to_page(StatusCode::SEE_OTHER, &format!("{path}&ended")),
        Err(error) => {
            if let AdministrationError::Unavailable(error) = &error {
                admin.call.note(error);
            }
            let (status, problems) = refusal(error);
            listed(&admin, query, status, &problems).await
        }
    }
}

async fn end(admin: &Admin, account: &Account, fields: &Fields) -> Result<(), AdministrationError> {
    let (administration, id) = (&admin.administration, account.id.to_string());
    if let Ok(family) = Uuid::try_parse(fields.text("app")) {
        return administration.end_program(&id, family).await.map(|_| ());
    }
    let name = fields.text("end");
    if name == "all" {
        return administration.end_sessions(&id).await.map(|_| ());
    }
    let sessions = administration.sessions(&id).await?;
    match sessions.iter().find(|(key, _)| key.name() == name) {
        Some((key, _)) => administration.end_session(key).await.map(|_| ()),
        // What ended a moment before has ended.
        None => Ok(()),
    }
}

async fn listed(admin: &Admin, query: &str, status: StatusCode, problems: &Problems) -> Response {
    let shown = async {
        let count = admin.administration.count_sessions().await?;
        let found = if query.is_empty() { None } else { find(admin, query).await? };
        Ok::<_, AdministrationError>((count, found))
    };
    let (count, found) = match shown.await {
        Ok(shown) => shown,
        Err(AdministrationError::OutOfReach) => return admin.call.fault(&Fault::Internal),
        Err(error) => return admin.fault(&error),
    };
    let page = Page {
        look: &admin.call.portal.look,
        nav: admin.nav(Here::AllSessions),
        csrf: admin.call.csrf_token(),
        notice: admin.call.query.has("ended").then_some("Signed out there."),
        problems,
        query,
        count,
        found,
    };
    admin.call.page(status, &page)
}

async fn find(admin: &Admin, query: &str) -> Result<Option<Found>, AdministrationError> {
    let account = match admin.administration.find(query).await {
        Ok(account) => account,
        Err(AdministrationError::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (id, now) = (account.id.to_string(), admin.call.portal.app.clock.now());
    let sessions = admin.administration.sessions(&id).await?;
    let sessions = sessions.iter().map(|(key, session)| Row::of(key, session, now)).collect();
    let apps = admin.administration.programs(&id).await?.iter().map(|program| App::of(program, now)).collect();
    Ok(Some(Found { id, username: account.username.as_str().to_owned(), sessions, apps }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::portal::testing::{HOSTILE, look, program, rendered, session};
    use crate::session::{Session, SessionKey};

    /// threats.md I07
    #[test]
    fn sessions_of_an_account_can_be_ended_one_by_one_and_all_at_once() {
        let (look, problems) = (look(), forged());
        let hostile = Session { user_agent: HOSTILE.to_owned(), ..session("alice") };
        let sessions = vec![Row::of(&SessionKey([1; 32]), &hostile, Timestamp(0))];
        let found = Some(Found {
            id: "1".to_owned(),
            username: HOSTILE.to_owned(),
            sessions,
            apps: vec![App::of(&program(HOSTILE), Timestamp(0))],
        });
        let nav = Nav::sample(Here::AllSessions);
        let page = Page { look: &look, nav, csrf: "token".into(), notice: None, problems: &problems, query: HOSTILE, count: 1, found };
        let html = rendered("admin sessions", &page);
        assert!(html.contains(r#"name="app" value="00000000-0000-0000-0000-000000000007""#), "{html}");
        assert!(html.contains(r#"name="end" value="0101010101010101""#) && html.contains(r#"name="end" value="all""#), "{html}");
    }
}
