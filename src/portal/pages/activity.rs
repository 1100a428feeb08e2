//! `{prefix}/account/activity`: what happened to one's own account.

use super::nav::{Here, Nav};
use super::own::Own;
use super::record::Entry;
use crate::account::AccountId;
use crate::audit::{Filter, Record};
use crate::portal::assets::Look;
use crate::portal::call::Call;
use axum::response::Response;
use http::StatusCode;
use uuid::Uuid;

#[derive(askama::Template)]
#[template(path = "activity.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    username: &'a str,
    records: Vec<Entry>,
    older: Option<Uuid>,
}

/// Records on a page.
const SHOWN: usize = 50;

/// `GET`: the records, newest first.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    let (records, older) = match records(&call, Some(account.id)).await {
        Ok(found) => found,
        Err(response) => return *response,
    };
    let page = Page {
        look: &call.portal.look,
        nav: Nav::of(&call.portal, &account, Here::Activity),
        username: account.username.as_str(),
        records: records.iter().map(|record| Entry::for_owner(record, account.id)).collect(),
        older,
    };
    call.page(StatusCode::OK, &page)
}

/// A page of records from where the query says, and before which one the next page begins.
pub(super) async fn records(call: &Call, account: Option<AccountId>) -> Result<(Vec<Record>, Option<Uuid>), Box<Response>> {
    let before = Uuid::try_parse(call.query.text("before")).ok();
    let mut found = call.portal.app.audit.list(Filter { account, before }, SHOWN + 1).await.map_err(|error| {
        call.note(&error);
        Box::new(call.fault(&Call::outage()))
    })?;
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let older = found.last().filter(|_| more).map(|record| record.id);
    Ok((found, older))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::portal::moment::Moment;
    use crate::portal::testing::{HOSTILE, look, rendered};

    /// threats.md I07
    #[test]
    fn what_clients_call_themselves_is_text() {
        let entry = Entry {
            what: HOSTILE.to_owned(),
            whom: Some(HOSTILE.to_owned()),
            at: Moment::of(Timestamp(0)),
            from: Some(HOSTILE.to_owned()),
            failed: true,
        };
        let (look, older) = (look(), Some(Uuid::nil()));
        let page = Page { look: &look, nav: Nav::sample(Here::Activity), username: HOSTILE, records: vec![entry], older };
        let html = rendered("activity", &page);
        assert!(html.contains(r#"href="/auth/account/activity" aria-current="page""#), "{html}");
        assert!(html.contains("before=00000000-0000-0000-0000-000000000000"), "{html}");
    }
}
