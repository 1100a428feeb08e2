//! What holds of MongoDB beyond the contract of all stores: outages, and what is left of a deleted account.

mod history;

use super::server::MongoServer;
use super::{MongoAccounts, MongoDatabase, MongoUrl};
use crate::account::{Account, AccountId, AccountStore as _, CreateError, Email, Field, PasswordHash, UpdateError, Username};
use crate::clock::{Stopwatch, Timestamp};
use crate::store::StoreError;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use mongodb::bson::Document;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

fn open(address: &str) -> MongoAccounts {
    MongoAccounts::new(MongoDatabase::open(&MongoUrl::parse(address).unwrap(), PATIENCE).unwrap())
}

fn account(username: &str) -> Account {
    Account {
        id: AccountId::new(Timestamp(1)),
        username: Username::parse(username).unwrap(),
        email: Email::parse(&format!("{username}@example.com")).unwrap(),
        email_verified: true,
        name: String::new(),
        avatar_url: None,
        groups: Vec::new(),
        password: PasswordHash("$argon2id$x".to_owned()),
        locked: false,
        locked_until: None,
        reset_requested_at: None,
        reset_requests: 0,
        resets: 0,
        generation: 1,
        mark: None,
        created_at: Timestamp(1),
        version: 1,
    }
}

/// Asks until the store answers; how long that took is bounded.
async fn answers_again(store: &MongoAccounts) {
    let waited = Stopwatch::start();
    while let Err(error) = store.ping().await {
        assert!(waited.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// contract 3.9: a store that takes connections and never answers costs a bounded wait, and then none
#[tokio::test]
async fn calls_to_a_hanging_server_end_in_time_then_at_once_and_succeed_when_it_goes_on() {
    let server = MongoServer::start();
    let store = open(&server.database("test"));
    let alice = account("alice");
    store.create(&alice).await.unwrap();
    server.hang();
    let waited = Stopwatch::start();
    let calls = join_all((0..40).map(|_| store.find(alice.id))).await;
    assert!(calls.iter().all(Result::is_err));
    assert!(waited.elapsed() < Duration::from_secs(2), "{:?}", waited.elapsed());
    let waited = Stopwatch::start();
    let calls = join_all((0..40).map(|_| store.find(alice.id))).await;
    assert!(calls.iter().all(Result::is_err));
    assert!(waited.elapsed() < Duration::from_millis(300), "{:?}", waited.elapsed());
    server.resume();
    let waited = Stopwatch::start();
    answers_again(&store).await;
    assert!(waited.elapsed() < Duration::from_secs(4), "{:?}", waited.elapsed());
    assert!(store.find(alice.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again_with_all_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.h2");
    let server = MongoServer::start_with_file(0, &file);
    let store = open(&server.database("test"));
    let (port, alice) = (server.port(), account("alice"));
    store.create(&alice).await.unwrap();
    server.stop();
    assert!(store.find(alice.id).await.is_err());
    let _server = MongoServer::start_with_file(port, &file);
    answers_again(&store).await;
    assert!(store.find(alice.id).await.unwrap().is_some());
    assert!(matches!(store.create(&account("ALICE")).await, Err(CreateError::Taken(Field::Username))));
}

/// contract 2: where both are taken every store tells of the name
#[tokio::test]
async fn an_account_whose_name_and_address_are_taken_is_told_of_the_name() {
    let store = open(&MongoServer::fresh_database());
    store.create(&account("alice")).await.unwrap();
    assert!(matches!(store.create(&account("alice")).await, Err(CreateError::Taken(Field::Username))));
    let bob = account("bob");
    store.create(&bob).await.unwrap();
    let both = Account { username: Username::parse("Alice").unwrap(), email: Email::parse("Alice@example.com").unwrap(), ..bob };
    assert!(matches!(store.update(&both).await, Err(UpdateError::Taken(Field::Username))));
}

/// threats.md V15.4.2
#[tokio::test]
async fn of_new_accounts_and_renames_to_one_name_at_once_exactly_one_has_it() {
    let store = Arc::new(open(&MongoServer::fresh_database()));
    let others: Vec<_> = (0..16).map(|number| account(&format!("user{number}"))).collect();
    for other in &others {
        store.create(other).await.unwrap();
    }
    let wanted = Username::parse("wanted").unwrap();
    let renames = others.iter().map(|other| {
        let (store, renamed) = (Arc::clone(&store), Account { username: wanted.clone(), ..other.clone() });
        tokio::spawn(async move { store.update(&renamed).await.is_ok() })
    });
    let creations = (0..16).map(|number| {
        let email = Email::parse(&format!("new{number}@example.com")).unwrap();
        let (store, new) = (Arc::clone(&store), Account { email, ..account("wanted") });
        tokio::spawn(async move { store.create(&new).await.is_ok() })
    });
    let won = join_all(renames.chain(creations)).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
    assert_eq!(won, 1);
    assert!(store.find_by_username(&wanted).await.unwrap().is_some());
}

#[tokio::test]
async fn nothing_is_left_of_deleted_accounts_but_ids_and_names() {
    let address = MongoServer::fresh_database();
    let store = open(&address);
    for username in ["alice", "bob"] {
        let account = account(username);
        store.create(&account).await.unwrap();
        assert!(store.delete(account.id).await.unwrap());
        assert!(store.find(account.id).await.unwrap().is_none());
        assert!(matches!(store.update(&account).await, Err(UpdateError::Conflict)));
    }
    assert!(store.list(None, 10).await.unwrap().is_empty());
    let client = mongodb::Client::with_uri_str(&address).await.unwrap();
    let documents = client.default_database().unwrap().collection::<Document>("accounts").find(Document::new()).await.unwrap();
    let documents: Vec<Document> = documents.try_collect().await.unwrap();
    assert_eq!(documents.len(), 2);
    for document in documents {
        let mut fields: Vec<_> = document.keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["_id", "deleted", "email_key", "names", "username_key"]);
        assert!(!document.to_string().contains("@example.com"));
    }
}

#[test]
fn a_server_that_does_not_come_up_is_told_in_one_sentence_without_the_password() {
    let url = MongoUrl::parse("mongodb://root:hunter2@127.0.0.1:1/gate").unwrap();
    let StoreError(told) = MongoDatabase::open(&url, Duration::from_millis(100)).err().unwrap();
    assert!(told.starts_with("MongoDB at 127.0.0.1:1 could not be reached within 100ms, start it or correct stores.users: "), "{told}");
    assert!(!told.contains("hunter2") && !told.contains('\n'), "{told}");
}

#[test]
fn refused_credentials_are_told_at_once_without_the_password() {
    let address = MongoServer::fresh_database().replace("mongodb://", "mongodb://root:hunter2@");
    let waited = Stopwatch::start();
    let StoreError(told) = MongoDatabase::open(&MongoUrl::parse(&address).unwrap(), Duration::from_mins(1)).err().unwrap();
    assert!(waited.elapsed() < PATIENCE);
    assert!(told.contains("refuses the user name or password of stores.users"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test]
async fn a_server_that_comes_up_late_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.h2");
    let server = MongoServer::start_with_file(0, &file);
    let (port, address) = (server.port(), server.database("test"));
    server.stop();
    let opening = tokio::task::spawn_blocking(move || MongoDatabase::open(&MongoUrl::parse(&address).unwrap(), PATIENCE));
    let _server = MongoServer::start_with_file(port, &file);
    opening.await.unwrap().unwrap();
}
