//! What must hold of every store of personal tokens.

use super::{MongoServer, NOW, account, email, name, open_database};
use crate::account::{Account, AccountStore};
use crate::clock::Timestamp;
use crate::store::mongo::{MongoAccounts, MongoDatabase, MongoPersonalTokens, MongoUrl};
use crate::store::sqlite::{SqliteAccounts, SqlitePersonalTokens};
use crate::token::{PersonalToken, PersonalTokenStore, Scope};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

/// A store of tokens, and that of their owners, who are two.
struct Stores {
    tokens: Arc<dyn PersonalTokenStore>,
    accounts: Arc<dyn AccountStore>,
    ann: Account,
    bob: Account,
    _folder: TempDir,
}

async fn stores<F: Future<Output = ()>>(check: impl Fn(Stores) -> F) {
    let (folder, database) = open_database();
    let accounts = Arc::new(SqliteAccounts::new(Arc::clone(&database)));
    check(Stores::new(Arc::new(SqlitePersonalTokens::new(database)), accounts, folder).await).await;
    let url = MongoUrl::parse(&MongoServer::fresh_database()).unwrap();
    let mongo = MongoDatabase::open(&url, Duration::from_secs(30)).unwrap();
    let accounts = Arc::new(MongoAccounts::new(Arc::clone(&mongo)));
    check(Stores::new(Arc::new(MongoPersonalTokens::new(mongo)), accounts, tempfile::tempdir().unwrap()).await).await;
}

impl Stores {
    async fn new(tokens: Arc<dyn PersonalTokenStore>, accounts: Arc<dyn AccountStore>, folder: TempDir) -> Self {
        let (ann, bob) = (account("ann", "ann@example.com"), account("bob", "bob@example.com"));
        for owner in [&ann, &bob] {
            accounts.create(owner).await.unwrap();
        }
        Self { tokens, accounts, ann, bob, _folder: folder }
    }

    async fn is_found(&self, token: &PersonalToken) -> bool {
        self.tokens.find(&[token.hash]).await.unwrap().is_some()
    }

    /// Waits until a use that was noted beside requests is stored.
    async fn noted(&self, hash: &[u8; 32], used: Timestamp) -> PersonalToken {
        for _ in 0..2_000 {
            let found = self.tokens.find(&[*hash]).await.unwrap();
            if let Some((token, _)) = found.filter(|(token, _)| token.last_used == Some(used)) {
                return token;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the use was not noted");
    }
}

/// `number` says which.
fn token(owner: &Account, number: u8) -> PersonalToken {
    PersonalToken {
        id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)),
        account: owner.id,
        resets: owner.resets,
        hash: [number; 32],
        name: "Zoë's \"laptop\" $x.y".to_owned(),
        scope: Scope { host: Some("wiki.example.com".to_owned()), path: Some("/a/ü".to_owned()), methods: vec!["GET".to_owned()] },
        created_at: NOW,
        expires_at: Some(NOW.plus(Duration::from_hours(1))),
        last_used: None,
    }
}

/// S4.5, issue "personal access tokens"
#[tokio::test]
async fn a_token_is_found_by_its_hash_with_its_owner_as_stored_now() {
    stores(|stores| async move {
        let bare = PersonalToken { scope: Scope::default(), expires_at: None, ..token(&stores.ann, 2) };
        for made in [&token(&stores.ann, 1), &bare] {
            assert!(stores.tokens.create(made, 50).await.unwrap());
            let (found, owner) = stores.tokens.find(&[[99; 32], made.hash]).await.unwrap().unwrap();
            assert_eq!((&found, owner.id, owner.generation), (made, stores.ann.id, 3));
        }
        let changed = Account { username: name("anna"), email: email("anna@example.com"), locked: true, ..stores.ann.clone() };
        stores.accounts.update(&changed).await.unwrap();
        let (_, owner) = stores.tokens.find(&[bare.hash]).await.unwrap().unwrap();
        assert_eq!((owner.username.as_str(), owner.locked, owner.version), ("anna", true, 2));
        assert!(stores.tokens.find(&[[99; 32]]).await.unwrap().is_none());
        assert!(stores.tokens.find(&[]).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn tokens_are_listed_newest_first_and_removed_one_by_one() {
    stores(|stores| async move {
        for made in [token(&stores.ann, 1), token(&stores.ann, 2), token(&stores.bob, 3)] {
            assert!(stores.tokens.create(&made, 50).await.unwrap());
        }
        let listed = stores.tokens.list(stores.ann.id).await.unwrap();
        assert_eq!(listed, [token(&stores.ann, 2), token(&stores.ann, 1)]);
        let id = listed[0].id;
        assert!(!stores.tokens.remove(stores.bob.id, id).await.unwrap(), "only its owner's");
        assert!(stores.tokens.remove(stores.ann.id, id).await.unwrap());
        assert!(!stores.tokens.remove(stores.ann.id, id).await.unwrap());
        assert_eq!(stores.tokens.list(stores.ann.id).await.unwrap(), [token(&stores.ann, 1)]);
        assert!(!stores.is_found(&listed[0]).await && stores.is_found(&listed[1]).await);
    })
    .await;
}

#[tokio::test]
async fn of_many_made_at_once_no_more_are_kept_than_may_be() {
    stores(|stores| async move {
        let made: Vec<_> = (0..12).map(|number| token(&stores.ann, number)).collect();
        let added = futures_util::future::join_all(made.iter().map(|token| stores.tokens.create(token, 5))).await;
        assert_eq!(added.into_iter().filter(|added| *added.as_ref().unwrap()).count(), 5);
        assert_eq!(stores.tokens.list(stores.ann.id).await.unwrap().len(), 5);
        assert!(!stores.tokens.create(&token(&stores.ann, 20), 5).await.unwrap());
        assert!(stores.tokens.create(&token(&stores.bob, 21), 5).await.unwrap(), "each has as many");
        let one = stores.tokens.list(stores.ann.id).await.unwrap()[0].id;
        stores.tokens.remove(stores.ann.id, one).await.unwrap();
        assert!(stores.tokens.create(&token(&stores.ann, 20), 5).await.unwrap());
    })
    .await;
}

/// contract 3.5: deleted at a reset, from the write on that sets the password
#[tokio::test]
async fn a_reset_leaves_no_token_and_any_other_change_leaves_all() {
    stores(|stores| async move {
        let before = token(&stores.ann, 1);
        for made in [&before, &token(&stores.bob, 2)] {
            assert!(stores.tokens.create(made, 50).await.unwrap());
        }
        let changed = Account { generation: 4, ..stores.ann.clone() };
        stores.accounts.update(&changed).await.unwrap();
        assert!(stores.is_found(&before).await, "a password change");
        let reset = Account { resets: 1, version: 2, ..changed };
        stores.accounts.update(&reset).await.unwrap();
        assert!(!stores.is_found(&before).await);
        assert!(stores.tokens.list(stores.ann.id).await.unwrap().is_empty());
        assert!(stores.is_found(&token(&stores.bob, 2)).await);
        assert!(!stores.tokens.create(&token(&stores.ann, 3), 50).await.unwrap(), "by whoever had read the account before");
        assert!(stores.tokens.create(&token(&reset, 4), 1).await.unwrap(), "what is gone takes no room");
        assert!(stores.is_found(&token(&reset, 4)).await);
    })
    .await;
}

#[tokio::test]
async fn a_token_goes_with_its_account() {
    stores(|stores| async move {
        assert!(stores.tokens.create(&token(&stores.ann, 1), 50).await.unwrap());
        stores.accounts.delete(stores.ann.id).await.unwrap();
        assert!(!stores.is_found(&token(&stores.ann, 1)).await);
        assert!(stores.tokens.list(stores.ann.id).await.unwrap().is_empty());
        assert!(!stores.tokens.create(&token(&stores.ann, 2), 50).await.unwrap(), "and none is made after it");
    })
    .await;
}

#[tokio::test]
async fn a_use_is_noted_moves_the_token_to_its_new_hash_and_brings_none_back() {
    stores(|stores| async move {
        let made = token(&stores.ann, 1);
        assert!(stores.tokens.create(&made, 50).await.unwrap());
        let later = NOW.plus(Duration::from_mins(5));
        stores.tokens.touch(&made, &made.hash, later);
        let used = stores.noted(&made.hash, later).await;
        assert_eq!(used, PersonalToken { last_used: Some(later), ..made.clone() });
        stores.tokens.touch(&used, &[77; 32], NOW);
        let found = async || stores.tokens.find(&[[77; 32]]).await.unwrap();
        for _ in 0..2_000 {
            if found().await.is_some() && !stores.is_found(&made).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (moved, _) = found().await.unwrap();
        assert_eq!((moved.hash, moved.last_used, stores.is_found(&made).await), ([77; 32], Some(later), false));
        stores.tokens.remove(stores.ann.id, made.id).await.unwrap();
        stores.tokens.touch(&moved, &[78; 32], NOW.plus(Duration::from_hours(1)));
        // What is asked for after it is done after it: nothing came back.
        assert!(stores.tokens.create(&token(&stores.ann, 2), 1).await.unwrap());
        assert!(stores.tokens.find(&[[77; 32], [78; 32]]).await.unwrap().is_none());
    })
    .await;
}
