//! What must hold of every store of audit records.

use super::{NOW, Under, open_database};
use crate::account::AccountId;
use crate::audit::{Action, AuditStore, Filter, Outcome, Party, Record};
use crate::clock::Timestamp;
use crate::store::mongo::server::MongoServer;
use crate::store::mongo::{MongoAudit, MongoDatabase, MongoUrl};
use crate::store::sqlite::SqliteAudit;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn AuditStore>) -> F) {
    let (folder, database) = open_database();
    let url = MongoUrl::parse(&MongoServer::fresh_database()).unwrap();
    let mongo = MongoDatabase::open(&url, Duration::from_secs(30)).unwrap();
    let all: [Under<dyn AuditStore>; 2] = [
        Under { store: Arc::new(SqliteAudit::new(database)), _folder: folder },
        Under { store: Arc::new(MongoAudit::new(mongo)), _folder: tempfile::tempdir().unwrap() },
    ];
    for under in all {
        check(Arc::clone(&under.store)).await;
    }
}

/// Made at so many milliseconds after [`NOW`].
fn at(millis: u64) -> Timestamp {
    NOW.plus(Duration::from_millis(millis))
}

fn record(millis: u64, actor: Party) -> Record {
    let id = uuid::Builder::from_unix_timestamp_millis(u64::try_from(at(millis).0).unwrap(), &[7; 10]).into_uuid();
    Record {
        id,
        at: at(millis),
        action: Action::Login,
        outcome: Outcome::Success,
        reason: None,
        actor,
        subject: None,
        client: None,
        user_agent: String::new(),
        request_id: String::new(),
    }
}

fn somebody(name: &str) -> Party {
    Party { account: Some(AccountId::new(NOW)), name: name.to_owned() }
}

/// The times of all that is listed, in milliseconds after [`NOW`].
async fn listed(store: &Arc<dyn AuditStore>, filter: Filter, limit: usize) -> Vec<i64> {
    store.list(filter, limit).await.unwrap().iter().map(|record| record.at.0 - NOW.0).collect()
}

fn of(party: &Party) -> Filter {
    Filter { account: party.account, before: None }
}

#[tokio::test]
async fn a_record_is_listed_as_it_was_made() {
    stores(|store| async move {
        let full = Record {
            action: Action::PasswordResetRequest,
            outcome: Outcome::Failure,
            reason: Some("rate_limited".to_owned()),
            subject: Some(somebody("bob")),
            client: Some("2001:db8::7".parse().unwrap()),
            user_agent: "\u{1f98a} \"'\u{1b}[31m\u{202e}".to_owned(),
            request_id: "r-1".to_owned(),
            ..record(1, Party::unknown("a\nlevel=info $where {}"))
        };
        let bare = record(2, Party::operator());
        store.append(&[full.clone(), bare.clone()]).await.unwrap();
        store.append(&[]).await.unwrap();
        assert_eq!(store.list(Filter::default(), 10).await.unwrap(), [bare, full]);
    })
    .await;
}

#[tokio::test]
async fn an_account_sees_what_it_did_and_what_was_done_to_it() {
    stores(|store| async move {
        let (alice, bob) = (somebody("alice"), somebody("bob"));
        let done_to_bob = Record { subject: Some(bob.clone()), ..record(3, alice.clone()) };
        let done_to_herself = Record { subject: Some(alice.clone()), ..record(4, alice.clone()) };
        let by_nobody = Record { subject: Some(Party::unknown("alice")), ..record(5, Party::unknown("bob")) };
        let all = [record(1, alice.clone()), record(2, bob.clone()), done_to_bob, done_to_herself, by_nobody];
        store.append(&all).await.unwrap();
        assert_eq!(listed(&store, of(&alice), 10).await, [4, 3, 1]);
        assert_eq!(listed(&store, of(&bob), 10).await, [3, 2]);
        assert_eq!(listed(&store, of(&somebody("eve")), 10).await, Vec::<i64>::new());
        assert_eq!(listed(&store, Filter::default(), 10).await, [5, 4, 3, 2, 1]);
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_overlap() {
    stores(|store| async move {
        let (alice, bob) = (somebody("alice"), somebody("bob"));
        let records: Vec<_> = (0..10)
            .map(|number| match number % 3 {
                0 => record(number, bob.clone()),
                1 => record(number, alice.clone()),
                _ => Record { subject: Some(alice.clone()), ..record(number, bob.clone()) },
            })
            .collect();
        store.append(&records).await.unwrap();
        let pages = async |account| {
            let (mut all, mut before) = (Vec::new(), None);
            loop {
                let page = store.list(Filter { account, before }, 2).await.unwrap();
                assert!(page.len() <= 2);
                let Some(last) = page.last() else { return all };
                before = Some(last.id);
                all.extend(page.iter().map(|record| record.at.0 - NOW.0));
            }
        };
        assert_eq!(pages(None).await, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
        assert_eq!(pages(alice.account).await, [8, 7, 5, 4, 2, 1]);
        assert_eq!(listed(&store, Filter::default(), 0).await, Vec::<i64>::new());
    })
    .await;
}

/// An append may have come to pass though its answer was lost
#[tokio::test]
async fn what_is_appended_again_is_there_once_and_unchanged() {
    stores(|store| async move {
        let first = record(1, Party::unknown("first"));
        store.append(std::slice::from_ref(&first)).await.unwrap();
        let forged = Record { actor: Party::unknown("forged"), ..first.clone() };
        let batch = [record(0, Party::operator()), forged, record(2, Party::operator())];
        store.append(&batch).await.unwrap();
        let all = store.list(Filter::default(), 10).await.unwrap();
        assert_eq!(all, [batch[2].clone(), first, batch[0].clone()]);
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_wanted_is_removed_however_much_it_is() {
    stores(|store| async move {
        let old: Vec<_> = (0..4_500).map(|number| record(number, Party::operator())).collect();
        for batch in old.chunks(500) {
            store.append(batch).await.unwrap();
        }
        store.purge(at(0)).await.unwrap();
        assert_eq!(listed(&store, Filter::default(), 9_000).await.len(), 4_500);
        store.purge(at(4_499)).await.unwrap();
        assert_eq!(listed(&store, Filter::default(), 10).await, [4_499]);
    })
    .await;
}
