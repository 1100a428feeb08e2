//! What must hold of every store of counters.

use super::{NOW, Under, open_database, redis_link};
use crate::clock::Timestamp;
use crate::store::memory::MemoryCounters;
use crate::store::redis::{self, RedisCounters};
use crate::store::sqlite::SqliteCounters;
use crate::store::{Charge, Counted, CounterStore, Limit};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn CounterStore>) -> F) {
    let (folder, database) = open_database();
    let all: [Under<dyn CounterStore>; 3] = [
        Under { store: Arc::new(MemoryCounters::default()), _folder: tempfile::tempdir().unwrap() },
        Under { store: Arc::new(SqliteCounters::new(database)), _folder: folder },
        Under { store: Arc::new(RedisCounters::new(redis_link(), &redis::testing::prefix())), _folder: tempfile::tempdir().unwrap() },
    ];
    for under in all {
        check(Arc::clone(&under.store)).await;
    }
}

const LIMIT: Limit = Limit { most: 2, per: Duration::from_mins(15) };

/// The moment so many seconds on.
fn at(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn so_many_are_allowed_until_the_window_that_the_first_one_opened_closes() {
    stores(|store| async move {
        let resets_at = at(900);
        let count = async |seconds| store.count("rate_limit:auth:a", LIMIT, at(seconds)).await.unwrap();
        assert_eq!(count(0).await, Counted { allowed: true, left: 1, resets_at });
        assert_eq!(count(600).await, Counted { allowed: true, left: 0, resets_at });
        for seconds in [601, 899] {
            assert_eq!(count(seconds).await, Counted { allowed: false, left: 0, resets_at }, "and asking on prolongs nothing");
        }
        assert!(store.count("rate_limit:auth:b", LIMIT, at(601)).await.unwrap().allowed);
        store.purge(at(899)).await.unwrap();
        assert!(!count(899).await.allowed);
        assert_eq!(count(900).await, Counted { allowed: true, left: 1, resets_at: at(1800) });
        store.purge(at(1800)).await.unwrap();
        assert_eq!(count(1800).await.left, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_given_back_may_be_taken_again_in_the_same_window_only() {
    stores(|store| async move {
        let count = async |seconds| store.count("a", LIMIT, at(seconds)).await.unwrap();
        store.give_back(&["a".to_owned()], at(0)).await.unwrap();
        assert_eq!(count(0).await.left, 1);
        assert_eq!(count(0).await.left, 0);
        store.give_back(&["a".to_owned()], at(1)).await.unwrap();
        assert_eq!(count(1).await, Counted { allowed: true, left: 0, resets_at: at(900) });
        store.give_back(&["a".to_owned()], at(900)).await.unwrap();
        for _ in 0..3 {
            store.give_back(&["b".to_owned()], at(1)).await.unwrap();
        }
        assert_eq!(store.count("b", LIMIT, at(1)).await.unwrap().left, 1, "no more than nothing is given back");
        assert!(!count(2).await.allowed);
    })
    .await;
}

/// What one limit refuses uses up no other
#[tokio::test]
async fn of_several_counters_all_count_or_none() {
    stores(|store| async move {
        let charge = |key: &str, most| Charge { key: key.to_owned(), limit: Limit { most, ..LIMIT } };
        let both = [charge("few", 1), charge("many", 5)];
        let left = async |seconds| {
            let counted = store.count_all(&both, at(seconds)).await.unwrap();
            counted.into_iter().map(|counted| (counted.allowed, counted.left)).collect::<Vec<_>>()
        };
        assert_eq!(left(0).await, [(true, 0), (true, 4)]);
        assert_eq!(left(1).await, [(false, 0), (true, 3)]);
        assert_eq!(store.peek("many", at(1)).await.unwrap(), Some((1, at(900))));
        store.give_back(&["few".to_owned(), "many".to_owned(), "unknown".to_owned()], at(2)).await.unwrap();
        assert_eq!(left(3).await, [(true, 0), (true, 4)]);
        store.clear(&["few".to_owned(), "many".to_owned()]).await.unwrap();
        assert_eq!(left(4).await, [(true, 0), (true, 4)]);
        assert_eq!(store.peek("few", at(4)).await.unwrap(), Some((1, at(904))));
    })
    .await;
}

/// of 32 tasks as many win as there is room for
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_count_at_once_no_more_than_the_limit_are_allowed() {
    stores(|store| async move {
        let limit = Limit { most: 5, ..LIMIT };
        let tasks: Vec<_> =
            (0..32).map(|_| Arc::clone(&store)).map(|store| tokio::spawn(async move { store.count("a", limit, NOW).await })).collect();
        let mut allowed = 0;
        for task in tasks {
            allowed += usize::from(task.await.unwrap().unwrap().allowed);
        }
        assert_eq!(allowed, 5);
    })
    .await;
}
