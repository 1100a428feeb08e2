//! What must hold of every session store that remembers whose the sessions were that have expired.

use super::{MemorySessions, NOW, RedisSessions, SqliteSessions, key, open_database, redis_link, session_of, someone};
use crate::session::SessionStore;
use crate::store::redis;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Sessions end a minute after they began.
async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn SessionStore>) -> F) {
    let (_folder, database) = open_database();
    let all: [Arc<dyn SessionStore>; 3] = [
        Arc::new(MemorySessions::default().remembering(DAY)),
        Arc::new(SqliteSessions::new(database, MINUTE).remembering(DAY)),
        Arc::new(RedisSessions::new(redis_link(), &redis::testing::prefix()).remembering(DAY)),
    ];
    for store in all {
        check(store).await;
    }
}

#[tokio::test]
async fn an_expired_session_is_remembered_for_as_long_as_was_said_and_lives_no_longer_for_it() {
    stores(|store| async move {
        let alice = someone();
        store.create(key(1), &session_of(alice, NOW), 50).await.unwrap();
        let end = NOW.plus(MINUTE);
        assert_eq!(store.find_expired(&key(1), NOW).await.unwrap(), None, "it lives");
        assert_eq!(store.purge(end).await.unwrap(), 0, "it is still known");
        assert_eq!(store.find_expired(&key(1), end).await.unwrap(), Some(alice));
        assert!(store.find(&key(1), end).await.unwrap().is_none());
        assert_eq!((store.count(end).await.unwrap(), store.list(alice, end).await.unwrap().len()), (0, 0));
        store.touch(&key(1), end);
        store.purge(end).await.unwrap();
        assert!(store.find(&key(1), end).await.unwrap().is_none(), "activity does not revive it");
        assert_eq!(store.find_expired(&key(1), end.plus(DAY)).await.unwrap(), None);
        assert_eq!(store.find_expired(&key(2), end).await.unwrap(), None, "never was");
        assert_eq!(store.purge(end.plus(DAY)).await.unwrap(), 1);
        assert_eq!(store.find_expired(&key(1), end).await.unwrap(), None, "removed");
    })
    .await;
}

#[tokio::test]
async fn a_session_that_was_ended_before_or_after_it_expired_is_not_remembered() {
    stores(|store| async move {
        let alice = someone();
        for number in 1..=3 {
            store.create(key(number), &session_of(alice, NOW), 50).await.unwrap();
        }
        let end = NOW.plus(MINUTE);
        store.end(&key(1)).await.unwrap();
        assert_eq!(store.find_expired(&key(1), end).await.unwrap(), None, "logout");
        store.end_outdated(alice, 1).await.unwrap();
        assert_eq!(store.find_expired(&key(2), end).await.unwrap(), Some(alice));
        store.end_outdated(alice, 2).await.unwrap();
        assert_eq!(store.find_expired(&key(2), end).await.unwrap(), None, "lock");
        store.create(key(4), &session_of(alice, NOW), 50).await.unwrap();
        store.end_all(alice, None).await.unwrap();
        assert_eq!(store.find_expired(&key(4), end).await.unwrap(), None, "revocation");
    })
    .await;
}

#[tokio::test]
async fn what_is_only_remembered_makes_way_before_any_session_that_lives() {
    stores(|store| async move {
        let alice = someone();
        let mut lasting = session_of(alice, NOW);
        lasting.idle_timeout = DAY;
        lasting.expires_at = NOW.plus(DAY);
        store.create(key(1), &lasting, 2).await.unwrap();
        store.create(key(2), &session_of(alice, NOW.plus(MINUTE)), 2).await.unwrap();
        let later = NOW.plus(3 * MINUTE);
        store.create(key(3), &session_of(alice, later), 2).await.unwrap();
        assert!(store.find(&key(1), later).await.unwrap().is_some(), "the oldest, but it lives");
        assert_eq!(store.find_expired(&key(2), later).await.unwrap(), None);
    })
    .await;
}
