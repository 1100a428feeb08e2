//! What must hold of every store of records that are taken once.

use super::{NOW, Under, open_database, redis_link};
use crate::store::OneTimeStore;
use crate::store::memory::MemoryOneTime;
use crate::store::redis::{self, RedisOneTime};
use crate::store::sqlite::SqliteOneTime;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn OneTimeStore>) -> F) {
    let (folder, database) = open_database();
    let all: [Under<dyn OneTimeStore>; 3] = [
        Under { store: Arc::new(MemoryOneTime::default()), _folder: tempfile::tempdir().unwrap() },
        Under { store: Arc::new(SqliteOneTime::new(database)), _folder: folder },
        Under { store: Arc::new(RedisOneTime::new(redis_link(), &redis::testing::prefix())), _folder: tempfile::tempdir().unwrap() },
    ];
    for under in all {
        check(Arc::clone(&under.store)).await;
    }
}

#[tokio::test]
async fn a_record_is_taken_as_it_was_put_and_only_once() {
    stores(|store| async move {
        let end = NOW.plus(Duration::from_mins(1));
        let record: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        store.put("password_reset:a", &record, NOW, end).await.unwrap();
        store.put("password_reset:b", b"b", NOW, end).await.unwrap();
        assert_eq!(store.take("password_reset:a", NOW).await.unwrap().as_ref(), Some(&record));
        assert_eq!(store.take("password_reset:a", NOW).await.unwrap(), None);
        store.put("password_reset:b", b"", NOW, end).await.unwrap();
        assert_eq!(store.take("password_reset:b", NOW).await.unwrap().as_deref(), Some(&b""[..]), "the newer one");
        assert_eq!(store.take("password_reset:c", NOW).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_expired_record_is_nobodys() {
    stores(|store| async move {
        let end = NOW.plus(Duration::from_mins(1));
        store.put("a", b"a", NOW, end).await.unwrap();
        store.put("b", b"b", NOW, end.plus(Duration::from_millis(1))).await.unwrap();
        store.purge(NOW).await.unwrap();
        assert_eq!(store.take("a", end).await.unwrap(), None);
        store.purge(end).await.unwrap();
        assert_eq!(store.take("b", end).await.unwrap().as_deref(), Some(&b"b"[..]));
    })
    .await;
}

/// 32 tasks, one winner
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_take_a_record_at_once_one_gets_it() {
    stores(|store| async move {
        for _ in 0..5 {
            store.put("a", b"a", NOW, NOW.plus(Duration::from_mins(1))).await.unwrap();
            let tasks: Vec<_> =
                (0..32).map(|_| Arc::clone(&store)).map(|store| tokio::spawn(async move { store.take("a", NOW).await })).collect();
            let mut winners = 0;
            for task in tasks {
                winners += usize::from(task.await.unwrap().unwrap().is_some());
            }
            assert_eq!(winners, 1);
        }
    })
    .await;
}
