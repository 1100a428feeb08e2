//! `{prefix}/admin/users`: finding accounts.

use super::Admin;
use crate::account::{Account, Group, Username};
use crate::portal::assets::Look;
use crate::portal::pages::nav::{Here, Nav};
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "admin/users.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    notice: Option<&'static str>,
    query: &'a str,
    rows: Vec<Row<'a>>,
    /// The rest of the address of the next page.
    next: Option<String>,
}

struct Row<'a> {
    id: String,
    username: &'a str,
    email: &'a str,
    groups: Vec<&'a str>,
    locked: bool,
}

/// Accounts on a page.
const SHOWN: usize = 50;

impl<'a> Row<'a> {
    fn of(account: &'a Account) -> Self {
        Self {
            id: account.id.to_string(),
            username: account.username.as_str(),
            email: account.email.as_str(),
            groups: account.groups.iter().map(Group::as_str).collect(),
            locked: account.locked,
        }
    }
}

/// `GET`: accounts whose name or address begins with `q`, from the first after the name `after`.
pub(in crate::portal) async fn show(admin: Admin) -> Response {
    let call = &admin.call;
    let query = call.query.text("q").trim();
    let after = Username::parse(call.query.text("after")).ok();
    let found = match admin.administration.search(query, after.as_ref(), SHOWN).await {
        Ok(found) => found,
        Err(error) => return admin.fault(&error),
    };
    let last = found.accounts.last().filter(|_| found.more);
    let page = Page {
        look: &call.portal.look,
        nav: admin.nav(Here::Users),
        notice: call.query.has("deleted").then_some("The account is deleted."),
        query,
        rows: found.accounts.iter().map(Row::of).collect(),
        next: last.map(|account| next(query, account)),
    };
    call.page(StatusCode::OK, &page)
}

fn next(query: &str, last: &Account) -> String {
    let pairs = [("q", query), ("after", last.username.as_str())];
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    /// threats.md I07
    #[test]
    fn what_users_call_themselves_is_text() {
        let look = look();
        let row = Row { id: "1".to_owned(), username: HOSTILE, email: HOSTILE, groups: vec![HOSTILE], locked: true };
        let nav = Nav::sample(Here::Users);
        let page = Page { look: &look, nav, notice: Some("x"), query: HOSTILE, rows: vec![row], next: Some("q=a&after=b".to_owned()) };
        let html = rendered("users", &page);
        assert!(html.contains("/auth/admin/users?q=a&#38;after=b"), "{html}");
    }
}
