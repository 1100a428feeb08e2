//! `{prefix}/admin/users/{id}`: one account, and what an administrator can do about it. Nobody sets another's password
//! here: a link is sent to its owner (ASVS V6.4.6).

use super::{Admin, groups, refusal};
use crate::account::{Account, Group};
use crate::administration::AdministrationError;
use crate::portal::assets::Look;
use crate::portal::error_page::Fault;
use crate::portal::moment::Moment;
use crate::portal::pages::nav::{Here, Nav};
use crate::portal::pages::tokens::Row;
use crate::portal::pages::{Problems, forged};
use crate::portal::submission::Fields;
use axum::extract::Path;
use axum::response::Response;
use http::StatusCode;
use uuid::Uuid;

#[derive(askama::Template)]
#[template(path = "admin/user.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    notice: Option<&'static str>,
    problems: &'a Problems,
    user: User<'a>,
    tokens: &'a [Row],
    /// Groups, as they stand in the field.
    groups: &'a str,
    /// Whether it is the administrator's own account.
    own: bool,
    /// Whether a link can be mailed.
    mail: bool,
}

/// What is shown of an account.
struct User<'a> {
    id: String,
    username: &'a str,
    name: &'a str,
    email: &'a str,
    email_verified: bool,
    created: Moment,
    locked: bool,
    /// Until when the gateway itself has locked it.
    locked_until: Option<Moment>,
    reset_requested: Option<Moment>,
    reset_requests: u32,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Lock,
    Unlock,
    SetGroups,
    EndSessions,
    SendReset,
    RevokeToken,
    Delete,
}

const ACTS: [(&str, Act, &str); 7] = [
    ("lock", Act::Lock, "The account is locked, and signed out everywhere."),
    ("unlock", Act::Unlock, "The account is unlocked."),
    ("groups", Act::SetGroups, "The groups are saved."),
    ("end-sessions", Act::EndSessions, "The account is signed out everywhere."),
    ("reset", Act::SendReset, "A link to set a new password is on its way to the account's email."),
    ("revoke-token", Act::RevokeToken, "The token is revoked."),
    ("delete", Act::Delete, "The account is deleted."),
];

/// `GET`: the account.
pub(in crate::portal) async fn show(admin: Admin, Path(id): Path<String>) -> Response {
    match find(&admin, &id).await {
        Ok(subject) => {
            let (groups, problems) = (joined(&subject.account), Problems::default());
            admin.call.page(StatusCode::OK, &page(&admin, &subject, &groups, &problems))
        }
        Err(response) => *response,
    }
}

/// `POST`: does what `act` says.
pub(in crate::portal) async fn submit(admin: Admin, Path(id): Path<String>, fields: Fields) -> Response {
    let subject = match find(&admin, &id).await {
        Ok(subject) => subject,
        Err(response) => return *response,
    };
    let account = &subject.account;
    let typed = if fields.has("groups") { fields.text("groups").to_owned() } else { joined(account) };
    let again = |status, problems: &Problems| admin.call.page(status, &page(&admin, &subject, &typed, problems));
    if !admin.call.is_genuine(&fields) {
        return again(StatusCode::FORBIDDEN, &forged());
    }
    let Some((word, act, _)) = ACTS.iter().find(|(word, ..)| *word == fields.text("act")) else {
        return admin.call.fault(&Fault::BadRequest("The form does not say what to do."));
    };
    let path = format!("/admin/users/{}", account.id);
    if !admin.call.is_fresh() {
        return admin.call.to_confirm(&path);
    }
    match perform(&admin, account, *act, &fields).await {
        Ok(()) if *act == Act::Delete => admin.call.to_page(StatusCode::SEE_OTHER, "/admin/users?deleted"),
        Ok(()) => admin.call.to_page(StatusCode::SEE_OTHER, &format!("{path}?done={word}")),
        Err(error) => {
            if let AdministrationError::Unavailable(error) = &error {
                admin.call.note(error);
            }
            let (status, problems) = refusal(error);
            again(status, &problems)
        }
    }
}

async fn perform(admin: &Admin, account: &Account, act: Act, fields: &Fields) -> Result<(), AdministrationError> {
    let (administration, id) = (&admin.administration, &account.id.to_string());
    match act {
        Act::Lock => administration.lock(id).await.map(|_| ()),
        Act::Unlock => administration.unlock(id).await.map(|_| ()),
        Act::SetGroups => administration.set_groups(id, &groups(fields.text("groups"))).await.map(|_| ()),
        Act::EndSessions => administration.end_sessions(id).await.map(|_| ()),
        Act::SendReset => match base(admin) {
            Some(base) => administration.send_reset(id, base).await,
            None => Err(invalid("", "no_mail", "this site sends no mail, or does not know the address of its own pages")),
        },
        Act::RevokeToken => match Uuid::try_parse(fields.text("token")) {
            Ok(token) => {
                let (tokens, actor) = (&admin.call.portal.app.personal_tokens, administration.actor());
                let revoked = tokens.revoke(account, token, actor.party.clone(), &actor.client).await;
                // What was revoked a moment before is revoked.
                revoked.map(|_| ()).map_err(AdministrationError::Unavailable)
            }
            Err(_) => Err(AdministrationError::NotFound),
        },
        Act::Delete if fields.text("confirm").trim() == account.username.as_str() => administration.delete(id).await.map(|_| ()),
        Act::Delete => Err(invalid("confirm", "mismatch", "write the account's name to delete it")),
    }
}

fn invalid(field: &'static str, code: &'static str, message: &str) -> AdministrationError {
    AdministrationError::Invalid(vec![crate::registration::FieldProblem { field, code, message: message.to_owned() }])
}

/// An account, and its tokens.
struct Subject {
    account: Account,
    tokens: Vec<Row>,
}

/// The account that the address names; names are no ids, since they change.
async fn find(admin: &Admin, id: &str) -> Result<Subject, Box<Response>> {
    let Ok(id) = Uuid::try_parse(id) else { return Err(Box::new(admin.call.fault(&Fault::NotFound))) };
    let fault = |error| Box::new(admin.fault(&error));
    let account = admin.administration.find(&id.to_string()).await.map_err(fault)?;
    let app = &admin.call.portal.app;
    let tokens = app.personal_tokens.list(account.id).await.map_err(|error| fault(AdministrationError::Unavailable(error)))?;
    let (now, tokens) = (app.clock.now(), tokens.iter());
    Ok(Subject { tokens: tokens.map(|token| Row::of(token, now)).collect(), account })
}

/// Where links in mails lead, if there are any.
fn base(admin: &Admin) -> Option<String> {
    admin.call.portal.settings.email.transport.as_ref().and_then(|_| admin.call.link_base())
}

fn joined(account: &Account) -> String {
    account.groups.iter().map(Group::as_str).collect::<Vec<_>>().join(", ")
}

fn page<'a>(admin: &'a Admin, subject: &'a Subject, groups: &'a str, problems: &'a Problems) -> Page<'a> {
    let Subject { account, tokens } = subject;
    let done = admin.call.query.text("done");
    let now = admin.call.portal.app.clock.now();
    Page {
        look: &admin.call.portal.look,
        nav: admin.nav(Here::Users),
        csrf: admin.call.csrf_token(),
        notice: ACTS.iter().find(|(word, ..)| *word == done).map(|(.., notice)| *notice).filter(|_| problems.is_empty()),
        problems,
        user: User {
            id: account.id.to_string(),
            username: account.username.as_str(),
            name: &account.name,
            email: account.email.as_str(),
            email_verified: account.email_verified,
            created: Moment::of(account.created_at),
            locked: account.locked,
            locked_until: account.locked_until.filter(|until| now < *until).map(Moment::of),
            reset_requested: account.reset_requested_at.map(Moment::of),
            reset_requests: account.reset_requests,
        },
        tokens,
        groups,
        own: account.id == admin.account.id,
        mail: base(admin).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::portal::testing::{HOSTILE, look, rendered};

    fn html(own: bool, locked: bool, mail: bool) -> String {
        let (look, problems) = (look(), Problems::of_field("groups", "invalid", HOSTILE));
        let at = || Moment::of(Timestamp(0));
        let user = User {
            id: "1".to_owned(),
            username: HOSTILE,
            name: HOSTILE,
            email: HOSTILE,
            email_verified: false,
            created: at(),
            locked,
            locked_until: Some(at()),
            reset_requested: Some(at()),
            reset_requests: 2,
        };
        let (nav, csrf, notice, tokens) = (Nav::sample(Here::Users), "token".into(), Some("x"), &[Row::sample(HOSTILE)]);
        rendered("user", &Page { look: &look, nav, csrf, notice, problems: &problems, user, tokens, groups: HOSTILE, own, mail })
    }

    fn offers(html: &str, act: &str) -> bool {
        html.contains(&format!(r#"name="act" value="{act}""#))
    }

    /// threats.md I07, S2.6
    #[test]
    fn an_account_is_shown_with_its_lock_state_and_its_resets() {
        let html = html(false, false, true);
        assert!(html.contains("Not confirmed") && html.contains("Locked until") && html.contains("asked for 2 times"), "{html}");
        for act in ["lock", "groups", "end-sessions", "reset", "revoke-token", "delete"] {
            assert!(offers(&html, act), "{act}: {html}");
        }
        assert!(offers(&html, "unlock"), "a timed lock can be lifted, too");
    }

    #[test]
    fn what_cannot_be_done_is_not_offered() {
        let own = html(true, false, true);
        assert!(!offers(&own, "lock") && !offers(&own, "delete"), "{own}");
        let locked = html(false, true, false);
        assert!(offers(&locked, "unlock") && !offers(&locked, "lock") && !offers(&locked, "reset"), "{locked}");
    }
}
