//! What must hold of every store of letters.

use super::{NOW, Under, open_database};
use crate::clock::Timestamp;
use crate::mail::{OutboxStore, Queued};
use crate::store::mongo::server::MongoServer;
use crate::store::mongo::{MongoDatabase, MongoOutbox, MongoUrl};
use crate::store::sqlite::{Database, SqliteOutbox};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn OutboxStore>) -> F) {
    let (folder, database) = open_database();
    let all: [Under<dyn OutboxStore>; 2] = [
        Under { store: Arc::new(SqliteOutbox::new(database)), _folder: folder },
        Under { store: mongo(&MongoServer::fresh_database()), _folder: tempfile::tempdir().unwrap() },
    ];
    for under in all {
        check(Arc::clone(&under.store)).await;
    }
}

fn mongo(address: &str) -> Arc<dyn OutboxStore> {
    let url = MongoUrl::parse(address).unwrap();
    Arc::new(MongoOutbox::new(MongoDatabase::open(&url, Duration::from_secs(30)).unwrap()))
}

const LEASE: Duration = Duration::from_mins(2);

/// The moment so many seconds on.
fn at(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn letter(number: u8, posted_at: Timestamp) -> Queued {
    Queued { id: Uuid::from_bytes([number; 16]), sealed: vec![number, 0, 255], attempts: 0, posted_at }
}

async fn claim(store: &dyn OutboxStore, now: Timestamp) -> Option<Queued> {
    store.claim(now, now.plus(LEASE)).await.unwrap()
}

#[tokio::test]
async fn letters_are_claimed_as_they_were_posted_the_oldest_first() {
    stores(|store| async move {
        for (number, seconds) in [(2, 2), (1, 1), (3, 3)] {
            store.post(&letter(number, at(seconds))).await.unwrap();
        }
        assert_eq!(store.depth().await.unwrap(), 3);
        assert_eq!(claim(&*store, at(0)).await, None, "none is due");
        for number in 1..=3 {
            assert_eq!(claim(&*store, at(3)).await, Some(letter(number, at(number.into()))));
        }
        assert_eq!(claim(&*store, at(3)).await, None, "all are being sent");
        assert_eq!(store.depth().await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_claimed_letter_is_due_again_when_its_lease_ends_and_no_sooner() {
    stores(|store| async move {
        store.post(&letter(1, at(0))).await.unwrap();
        assert!(claim(&*store, at(0)).await.is_some());
        assert_eq!(claim(&*store, at(119)).await, None);
        assert_eq!(claim(&*store, at(120)).await, Some(letter(1, at(0))));
    })
    .await;
}

#[tokio::test]
async fn a_postponed_letter_waits_and_knows_how_often_it_was_tried() {
    stores(|store| async move {
        store.post(&letter(1, at(0))).await.unwrap();
        let claimed = claim(&*store, at(0)).await.unwrap();
        store.postpone(claimed.id, 1, at(30)).await.unwrap();
        assert_eq!(claim(&*store, at(29)).await, None);
        assert_eq!(claim(&*store, at(30)).await, Some(Queued { attempts: 1, ..letter(1, at(0)) }));
    })
    .await;
}

#[tokio::test]
async fn a_removed_letter_is_gone_whatever_comes_after() {
    stores(|store| async move {
        store.post(&letter(1, at(0))).await.unwrap();
        store.remove(letter(1, at(0)).id).await.unwrap();
        store.remove(letter(1, at(0)).id).await.unwrap();
        store.postpone(letter(1, at(0)).id, 1, at(0)).await.unwrap();
        assert_eq!(claim(&*store, at(1_000)).await, None);
        assert_eq!(store.depth().await.unwrap(), 0);
    })
    .await;
}

/// S1.7: of several gateways one sends a letter
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_a_letter_at_once_one_gets_it() {
    stores(|store| async move {
        for round in 0..5 {
            store.post(&letter(round, at(0))).await.unwrap();
            let claims = (0..32).map(|_| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { claim(&*store, at(0)).await })
            });
            let claimed = futures_util::future::join_all(claims).await;
            assert_eq!(claimed.into_iter().filter(|claimed| claimed.as_ref().unwrap().is_some()).count(), 1);
        }
    })
    .await;
}

/// S4.10: what was posted is sent after a restart too
#[tokio::test]
async fn letters_outlive_the_process_that_posted_them() {
    let (folder, database) = open_database();
    SqliteOutbox::new(database).post(&letter(1, at(0))).await.unwrap();
    let reopened = SqliteOutbox::new(Database::open(&folder.path().join("test.db")).unwrap());
    assert_eq!(claim(&reopened, at(0)).await, Some(letter(1, at(0))));

    let address = MongoServer::fresh_database();
    mongo(&address).post(&letter(1, at(0))).await.unwrap();
    assert_eq!(claim(&*mongo(&address), at(0)).await, Some(letter(1, at(0))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_takes_no_more_and_keeps_what_it_has() {
    stores(|store| async move {
        let posts = (0..10_000_u128).map(|number| {
            let (store, posted) = (Arc::clone(&store), Queued { id: Uuid::from_u128(number), ..letter(0, at(0)) });
            async move { store.post(&posted).await.unwrap() }
        });
        let posts = futures_util::stream::iter(posts);
        futures_util::StreamExt::for_each_concurrent(posts, 64, |post| post).await;
        let told = store.post(&Queued { id: Uuid::from_u128(10_000), ..letter(0, at(0)) }).await.unwrap_err();
        assert!(told.0.contains("10000 letters wait"), "{told}");
        assert_eq!(store.depth().await.unwrap(), 10_000);
        store.remove(Uuid::from_u128(0)).await.unwrap();
        store.post(&Queued { id: Uuid::from_u128(10_000), ..letter(0, at(0)) }).await.unwrap();
    })
    .await;
}
