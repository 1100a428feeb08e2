//! What must hold of every store of signing keys.

use super::{MongoServer, NOW, Under, open_database};
use crate::clock::Timestamp;
use crate::config::TokenAlgorithm;
use crate::store::mongo::{MongoDatabase, MongoSigningKeys, MongoUrl};
use crate::store::sqlite::SqliteSigningKeys;
use crate::token::{SealedKey, SigningKeyStore};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn SigningKeyStore>) -> F) {
    let (folder, database) = open_database();
    let url = MongoUrl::parse(&MongoServer::fresh_database()).unwrap();
    let mongo = MongoDatabase::open(&url, Duration::from_secs(30)).unwrap();
    let all: [Under<dyn SigningKeyStore>; 2] = [
        Under { store: Arc::new(SqliteSigningKeys::new(database)), _folder: folder },
        Under { store: Arc::new(MongoSigningKeys::new(mongo)), _folder: tempfile::tempdir().unwrap() },
    ];
    for under in all {
        check(Arc::clone(&under.store)).await;
    }
}

fn key(id: &str, algorithm: TokenAlgorithm, number: u64) -> SealedKey {
    SealedKey {
        id: id.to_owned(),
        algorithm,
        number,
        sealed: vec![0, 255, 1, u8::try_from(number).unwrap()],
        created_at: NOW.plus(Duration::from_secs(number)),
        signs_from: Timestamp(NOW.0 + 86_400_123),
    }
}

#[tokio::test]
async fn keys_are_listed_as_they_were_stored_oldest_first_until_they_are_removed() {
    stores(|store| async move {
        assert!(store.list().await.unwrap().is_empty());
        let keys = [key("c", TokenAlgorithm::Hs256, 1), key("-b_", TokenAlgorithm::Es256, 2), key("a", TokenAlgorithm::EdDsa, 3)];
        for added in [&keys[2], &keys[0], &keys[1]] {
            assert!(store.add(added).await.unwrap());
        }
        assert_eq!(store.list().await.unwrap(), keys);
        store.remove("-b_").await.unwrap();
        store.remove("none").await.unwrap();
        assert_eq!(store.list().await.unwrap(), [keys[0].clone(), keys[2].clone()]);
    })
    .await;
}

#[tokio::test]
async fn there_is_one_key_of_an_algorithm_and_number() {
    stores(|store| async move {
        let first = key("a", TokenAlgorithm::EdDsa, 1);
        assert!(store.add(&first).await.unwrap());
        assert!(!store.add(&key("b", TokenAlgorithm::EdDsa, 1)).await.unwrap());
        assert_eq!(store.list().await.unwrap(), [first]);
        assert!(store.add(&key("c", TokenAlgorithm::Es256, 1)).await.unwrap());
        assert!(store.add(&key("d", TokenAlgorithm::EdDsa, 2)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_is_sealed_is_replaced_where_nobody_was_faster() {
    stores(|store| async move {
        let stored = key("a", TokenAlgorithm::EdDsa, 1);
        store.add(&stored).await.unwrap();
        assert!(!store.reseal("a", b"other", b"new").await.unwrap());
        assert!(!store.reseal("b", &stored.sealed, b"new").await.unwrap());
        assert_eq!(store.list().await.unwrap(), std::slice::from_ref(&stored));
        assert!(store.reseal("a", &stored.sealed, b"new").await.unwrap());
        assert!(!store.reseal("a", &stored.sealed, b"newer").await.unwrap());
        assert_eq!(store.list().await.unwrap(), [SealedKey { sealed: b"new".to_vec(), ..stored }]);
    })
    .await;
}

/// threats.md V15.4.2: 32 tasks, one winner
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_add_the_same_key_at_once_one_does() {
    stores(|store| async move {
        for number in 1..=3 {
            let tasks: Vec<_> = (0..32)
                .map(|task| (Arc::clone(&store), key(&format!("{number}-{task}"), TokenAlgorithm::Es256, number)))
                .map(|(store, key)| tokio::spawn(async move { store.add(&key).await }))
                .collect();
            let mut winners = 0;
            for task in tasks {
                winners += usize::from(task.await.unwrap().unwrap());
            }
            assert_eq!(winners, 1);
        }
        assert_eq!(store.list().await.unwrap().len(), 3);
    })
    .await;
}
