//! `{prefix}/admin/activity`: what happened to all accounts, or to one.

use super::Admin;
use crate::account::AccountId;
use crate::administration::AdministrationError;
use crate::portal::assets::Look;
use crate::portal::pages::activity::records;
use crate::portal::pages::nav::{Here, Nav};
use crate::portal::pages::record::Entry;
use axum::response::Response;
use http::StatusCode;
use uuid::Uuid;

#[derive(askama::Template)]
#[template(path = "admin/activity.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    query: &'a str,
    records: Vec<Entry>,
    /// The rest of the address of the next page.
    older: Option<String>,
}

/// `GET`: the records, newest first; those of the account `user` where it names one.
pub(in crate::portal) async fn show(admin: Admin) -> Response {
    let call = &admin.call;
    let query = call.query.text("user").trim();
    let found = match account(&admin, query).await {
        Ok(Whose::Everybody) => records(call, None).await,
        Ok(Whose::Account(id)) => records(call, Some(id)).await,
        Ok(Whose::Nobody) => Ok((Vec::new(), None)),
        Err(error) => return admin.fault(&error),
    };
    let (records, older) = match found {
        Ok(found) => found,
        Err(response) => return *response,
    };
    let page = Page {
        look: &call.portal.look,
        nav: admin.nav(Here::AllActivity),
        query,
        records: records.iter().map(Entry::for_administrator).collect(),
        older: older.map(|before| next(query, before)),
    };
    call.page(StatusCode::OK, &page)
}

/// Whose records are wanted.
enum Whose {
    Everybody,
    Account(AccountId),
    Nobody,
}

/// An id need not be one of an account that is still there.
async fn account(admin: &Admin, query: &str) -> Result<Whose, AdministrationError> {
    if query.is_empty() {
        return Ok(Whose::Everybody);
    }
    match admin.administration.find(query).await {
        Ok(account) => Ok(Whose::Account(account.id)),
        Err(AdministrationError::NotFound) => Ok(Uuid::try_parse(query).map_or(Whose::Nobody, |id| Whose::Account(AccountId(id)))),
        Err(error) => Err(error),
    }
}

fn next(query: &str, before: Uuid) -> String {
    let pairs = [("user", query), ("before", &before.to_string())];
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
