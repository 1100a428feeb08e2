//! Many who want the same session at once, on every store of sessions.

use super::{NOW, key, session_of, session_stores, someone};
use crate::session::{Session, SessionUser};
use std::future::Future;
use std::sync::Arc;

/// Runs so many at once and says how many had success.
async fn winners<F: Future<Output = bool> + Send + 'static>(many: u8, run: impl Fn(u8) -> F) -> usize {
    let tasks: Vec<_> = (0..many).map(run).map(tokio::spawn).collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.unwrap());
    }
    winners
}

/// concurrent rotation, 32 tasks, one winner
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_rotate_a_session_at_once_one_wins_and_one_session_is_left() {
    session_stores(|store| async move {
        let session = Arc::new(session_of(someone(), NOW));
        store.create(key(100), &session, 50).await.unwrap();
        let rotated = winners(32, |number| {
            let (store, session) = (Arc::clone(&store), Arc::clone(&session));
            async move { store.rotate(&key(100), key(number), &session).await.unwrap() }
        });
        assert_eq!(rotated.await, 1);
        assert_eq!(store.list(session.user.id, NOW).await.unwrap().len(), 1);
        assert_eq!(store.count(NOW).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_end_a_session_at_once_one_is_told_that_it_was_there() {
    session_stores(|store| async move {
        store.create(key(1), &session_of(someone(), NOW), 50).await.unwrap();
        let ended = winners(32, |_| {
            let store = Arc::clone(&store);
            async move { store.end(&key(1)).await.unwrap() }
        });
        assert_eq!(ended.await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_at_once_leave_no_more_sessions_than_allowed() {
    session_stores(|store| async move {
        let alice = someone();
        let created = winners(32, |number| {
            let store = Arc::clone(&store);
            async move { store.create(key(number), &session_of(alice, NOW), 5).await.is_ok() }
        });
        assert_eq!(created.await, 32);
        assert_eq!(store.list(alice, NOW).await.unwrap().len(), 5);
    })
    .await;
}

/// Unicode, large values
#[tokio::test]
async fn a_session_carries_what_is_long_and_in_any_script() {
    session_stores(|store| async move {
        let plain = session_of(someone(), NOW);
        let user = SessionUser {
            name: "ẞ日本語\u{1f511}\"\\\u{7}".repeat(8),
            email: format!("{}@bücher.example", "ä".repeat(64)),
            groups: (0..60).map(|number| format!("group:{number:02}-of-many")).collect(),
            version: 9_007_199_254_740_991,
            ..plain.user.clone()
        };
        let large = Session { user, user_agent: "\u{1f98a}".repeat(256), remember: false, client: None, ..plain };
        store.create(key(1), &large, 50).await.unwrap();
        assert_eq!(*store.find(&key(1), NOW).await.unwrap().unwrap(), large);
        assert_eq!(*store.list(large.user.id, NOW).await.unwrap()[0].1, large);
    })
    .await;
}
