//! `{prefix}/admin/invitations`: inviting people to register. A link is shown once, to who made it.

use super::{Admin, groups};
use crate::account::Group;
use crate::config::Registration;
use crate::invitation::{Invitation, InvitationError, InvitationState, Invited, LIFETIME, NewInvitation};
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::error_page::Fault;
use crate::portal::moment::Moment;
use crate::portal::pages::nav::{Here, Nav};
use crate::portal::pages::{Problems, forged};
use crate::portal::submission::Fields;
use crate::store::StoreError;
use axum::response::Response;
use http::StatusCode;
use std::time::Duration;
use uuid::Uuid;

#[derive(askama::Template)]
#[template(path = "admin/invitations.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    notice: Option<&'static str>,
    problems: &'a Problems,
    /// Whether anybody can register at all.
    closed: bool,
    typed: Typed<'a>,
    made: Option<&'a Invited>,
    rows: Vec<Row>,
    older: Option<Uuid>,
}

/// What the form holds.
#[derive(Clone, Copy)]
struct Typed<'a> {
    email: &'a str,
    groups: &'a str,
    days: &'a str,
}

struct Row {
    id: Uuid,
    whom: String,
    groups: Vec<String>,
    by: String,
    state: InvitationState,
    until: Moment,
}

/// What is said above the list.
#[derive(Clone, Copy, Default)]
struct Said<'a> {
    problems: Option<&'a Problems>,
    made: Option<&'a Invited>,
}

/// Invitations on a page.
const SHOWN: usize = 50;

const DAY: Duration = Duration::from_hours(24);

/// Under the prefix.
const PATH: &str = "/admin/invitations";

impl Row {
    fn of(invitation: &Invitation, state: InvitationState) -> Self {
        Self {
            id: invitation.id,
            whom: invitation.email.as_ref().map_or_else(|| "Anybody with the link".to_owned(), |email| email.as_str().to_owned()),
            groups: invitation.groups.iter().map(|group| Group::as_str(group).to_owned()).collect(),
            by: invitation.invited_by.clone(),
            state,
            until: Moment::of(invitation.expires_at),
        }
    }

    /// Whether it can still be used, and so taken back.
    fn is_open(&self) -> bool {
        self.state == InvitationState::Open
    }
}

/// `GET`: the form, and the invitations there are.
pub(in crate::portal) async fn show(admin: Admin) -> Response {
    let days = (LIFETIME.as_secs() / DAY.as_secs()).to_string();
    listed(&admin, StatusCode::OK, Typed { email: "", groups: "", days: &days }, Said::default()).await
}

/// `POST`: makes an invitation, or takes the one back that `revoke` names.
pub(in crate::portal) async fn submit(admin: Admin, fields: Fields) -> Response {
    let typed = Typed { email: fields.text("email"), groups: fields.text("groups"), days: fields.text("days") };
    if !admin.call.is_genuine(&fields) {
        let said = Said { problems: Some(&forged()), made: None };
        return listed(&admin, StatusCode::FORBIDDEN, typed, said).await;
    }
    if !admin.call.is_fresh() {
        return admin.call.to_confirm(PATH);
    }
    if fields.has("revoke") { revoke(&admin, &fields).await } else { invite(&admin, typed).await }
}

async fn revoke(admin: &Admin, fields: &Fields) -> Response {
    let Ok(id) = Uuid::try_parse(fields.text("revoke")) else { return admin.call.fault(&Fault::NotFound) };
    let actor = admin.administration.actor();
    match admin.call.portal.app.invitations.revoke(id, actor.party.clone(), &actor.client).await {
        Ok(_) => admin.call.to_page(StatusCode::SEE_OTHER, "/admin/invitations?revoked"),
        Err(error) => unavailable(admin, &error),
    }
}

async fn invite(admin: &Admin, typed: Typed<'_>) -> Response {
    let actor = admin.administration.actor();
    let new = NewInvitation {
        email: typed.email.to_owned(),
        groups: groups(typed.groups),
        lifetime: typed.days.trim().parse().map_or(Duration::ZERO, |days: u32| DAY * days),
        base: admin.call.link_base(),
    };
    match admin.call.portal.app.invitations.create(new, actor.party.clone(), &actor.client).await {
        Ok(invited) => {
            let empty = Typed { email: "", groups: "", ..typed };
            listed(admin, StatusCode::OK, empty, Said { problems: None, made: Some(&invited) }).await
        }
        Err(InvitationError::Closed) => listed(admin, StatusCode::CONFLICT, typed, Said { problems: Some(&closed()), made: None }).await,
        Err(InvitationError::Invalid(problems)) => {
            listed(admin, StatusCode::BAD_REQUEST, typed, Said { problems: Some(&problems.into()), made: None }).await
        }
        Err(InvitationError::Unavailable(error)) => unavailable(admin, &error),
    }
}

fn closed() -> Problems {
    Problems::general("registration_closed", "Nobody can register on this site, invited or not.")
}

fn unavailable(admin: &Admin, error: &StoreError) -> Response {
    admin.call.note(error);
    admin.call.fault(&Call::outage())
}

async fn listed(admin: &Admin, status: StatusCode, typed: Typed<'_>, said: Said<'_>) -> Response {
    let portal = &admin.call.portal;
    let before = Uuid::try_parse(admin.call.query.text("before")).ok();
    let mut found = match portal.app.invitations.list(before, SHOWN + 1).await {
        Ok(found) => found,
        Err(error) => return unavailable(admin, &error),
    };
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let (none, now) = (Problems::default(), portal.app.clock.now());
    let page = Page {
        look: &portal.look,
        nav: admin.nav(Here::Invitations),
        csrf: admin.call.csrf_token(),
        notice: admin.call.query.has("revoked").then_some("The invitation is taken back.").filter(|_| said.made.is_none()),
        problems: said.problems.unwrap_or(&none),
        closed: portal.settings.accounts.registration == Registration::Closed,
        typed,
        made: said.made,
        rows: found.iter().map(|invitation| Row::of(invitation, invitation.state(now))).collect(),
        older: found.last().filter(|_| more).map(|invitation| invitation.id),
    };
    admin.call.page(status, &page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Email;
    use crate::clock::Timestamp;
    use crate::portal::testing::{HOSTILE, look, rendered};

    fn invitation() -> Invitation {
        Invitation {
            id: Uuid::nil(),
            token: [0; 32],
            email: Some(Email::parse("zoe@example.com").unwrap()),
            groups: vec![Group::parse("staff").unwrap()],
            invited_by: HOSTILE.to_owned(),
            created_at: Timestamp(0),
            expires_at: Timestamp(1),
            claimed: None,
            used: None,
        }
    }

    fn html(state: InvitationState, closed: bool, made: Option<&Invited>) -> String {
        let (look, problems) = (look(), Problems::of_field("email", "invalid", HOSTILE));
        let typed = Typed { email: HOSTILE, groups: HOSTILE, days: HOSTILE };
        let rows = vec![Row::of(&invitation(), state)];
        let nav = Nav::sample(Here::Invitations);
        let csrf = "token".to_owned();
        let older = Some(Uuid::nil());
        rendered("invitations", &Page { look: &look, nav, csrf, notice: Some("x"), problems: &problems, closed, typed, made, rows, older })
    }

    /// threats.md I07
    #[test]
    fn an_open_invitation_can_be_taken_back_and_a_used_one_not() {
        assert!(html(InvitationState::Open, false, None).contains(r#"name="revoke""#));
        assert!(!html(InvitationState::Used, false, None).contains(r#"name="revoke""#));
        assert!(!html(InvitationState::Open, true, None).contains(r#"name="days""#), "nobody can be invited where nobody can register");
    }

    #[test]
    fn the_link_is_shown_to_who_made_it() {
        let made = Invited { invitation: invitation(), link: "https://auth.example.com/auth/register?invite=x".to_owned(), mailed: true };
        let html = html(InvitationState::Open, false, Some(&made));
        assert!(html.contains("https://auth.example.com/auth/register?invite=x") && html.contains("mailed to zoe@example.com"), "{html}");
    }
}
