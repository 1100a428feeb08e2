//! Every act leaves exactly the records that tell of it, in the words that `docs/audit.md` lists.

mod operators;
mod own_account;
mod signing_in;

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::form::Form;
use crate::support::gateway::TestGateway;
use crate::support::within_patience;
use http::Method;
use portcullis::audit::{Filter, Party, Record};
use regex::Regex;
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

const NEW: &str = "New-otter-5-harbour";

/// The records of a gateway, read as they come.
struct Trail<'a> {
    gateway: &'a TestGateway,
    read: Option<Uuid>,
}

impl<'a> Trail<'a> {
    /// Begins after what is there already.
    async fn of(gateway: &'a TestGateway) -> Self {
        let newest = gateway.app().audit.list(Filter::default(), 1).await.unwrap();
        Self { gateway, read: newest.first().map(|record| record.id) }
    }

    /// What was recorded since the last time must be this, as `EVENT OUTCOME REASON by ACTOR to SUBJECT`. What comes of
    /// mails comes a little later.
    async fn tells(&mut self, expected: &[&str]) -> Vec<Record> {
        let records = within_patience("records", async {
            loop {
                let records = self.unread().await;
                if records.len() >= expected.len() {
                    return records;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let told: Vec<String> = records.iter().map(line).collect();
        assert_eq!(told, expected);
        self.read = records.last().map(|record| record.id).or(self.read);
        records
    }

    async fn unread(&self) -> Vec<Record> {
        let mut records = self.gateway.app().audit.list(Filter::default(), 100).await.unwrap();
        records.retain(|record| self.read.is_none_or(|read| record.id > read));
        records.reverse();
        records
    }
}

fn line(record: &Record) -> String {
    let name = |party: &Party| match (&*party.name, party.account) {
        ("", None) => "nobody".to_owned(),
        (name, Some(_)) => name.to_owned(),
        (name, None) => format!("{name:?}"),
    };
    let reason = record.reason.as_deref().unwrap_or("-");
    let subject = record.subject.as_ref().map(|subject| format!(" to {}", name(subject))).unwrap_or_default();
    format!("{} {} {reason} by {}{subject}", record.action, record.outcome, name(&record.actor))
}

async fn sign_in(browser: &mut Browser, username: &str, password: &str) -> Answer {
    let page = browser.open("/auth/login").await;
    browser.submit(&page, &[("username", username), ("password", password)]).await
}

/// Fills in the page's form that has these fields.
async fn fill(browser: &mut Browser, page: &str, fields: &[(&str, &str)]) -> Answer {
    let page = browser.open(page).await;
    assert_eq!(page.status, 200, "{}", page.text());
    browser.submit(&page, fields).await
}

/// Presses a button of a page, whatever forms it has: its name and value, and what else the form holds.
async fn press(browser: &mut Browser, page: &str, fields: &[(&str, &str)]) -> Answer {
    let url = browser.url(page);
    let form = Form::all(&browser.open(page).await.text()).into_iter().find(|form| form.has(&[("csrf", "")])).unwrap();
    let csrf = form.values.iter().find(|(name, _)| name == "csrf").unwrap().1.clone();
    let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("csrf", &csrf).extend_pairs(fields).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
    browser.agent.send(Method::POST, &url, &headers, body).await
}

/// The table of `docs/audit.md` and what the tests of this folder see are the same.
#[test]
fn the_table_of_events_is_true() {
    let seen = Regex::new(r#""(\w+) (success|failure) ([\w-]+) by "#).unwrap();
    let sources = [include_str!("audit/operators.rs"), include_str!("audit/own_account.rs"), include_str!("audit/signing_in.rs")];
    let told: BTreeSet<[&str; 3]> =
        sources.iter().flat_map(|source| seen.captures_iter(source)).map(|told| told.extract::<3>().1).collect();
    let listed = Regex::new(r"(?m)^\| `(\w+)` \| (success|failure) \| `?([\w–]+)`? \|").unwrap();
    let documented: BTreeSet<[&str; 3]> = listed
        .captures_iter(include_str!("../../docs/audit.md"))
        .map(|row| row.extract::<3>().1)
        .map(|[event, outcome, reason]| [event, outcome, if reason == "–" { "-" } else { reason }])
        .collect();
    assert_eq!(documented, told);
    assert!(told.len() > 40);
}
