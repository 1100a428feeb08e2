//! What must hold of every store. One suite for each port, run over all adapters: a new adapter joins with a line in
//! [`account_stores`] or [`session_stores`].

mod audit;
mod counters;
mod invitations;
mod one_time;
mod outbox;
mod personal_tokens;
mod races;
mod refresh_tokens;
mod remembered;
mod search;
mod signing_keys;

use super::memory::MemorySessions;
use super::mongo::server::MongoServer;
use super::mongo::{MongoAccounts, MongoDatabase, MongoUrl};
use super::redis::{self, RedisSessions};
use super::sqlite::{Database, SqliteAccounts, SqliteSessions};
use crate::account::{
    Account, AccountId, AccountStore, CreateError, Email, Field, Group, PasswordHash, SessionMark, UpdateError, Username,
};
use crate::clock::Timestamp;
use crate::session::{Session, SessionKey, SessionStore, SessionUser};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A store under test, and the folder it lives in.
struct Under<S: ?Sized> {
    store: Arc<S>,
    _folder: TempDir,
}

async fn account_stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn AccountStore>) -> F) {
    let makers: [fn() -> Under<dyn AccountStore>; 2] = [sqlite_accounts, mongo_accounts];
    for make in makers {
        let under = make();
        check(Arc::clone(&under.store)).await;
    }
}

async fn session_stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn SessionStore>) -> F) {
    let makers: [fn() -> Under<dyn SessionStore>; 4] = [memory_sessions, sqlite_sessions, sqlite_sessions_without_cache, redis_sessions];
    for make in makers {
        let under = make();
        check(Arc::clone(&under.store)).await;
    }
}

fn open_database() -> (TempDir, Arc<Database>) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("test.db")).unwrap();
    (folder, database)
}

fn sqlite_accounts() -> Under<dyn AccountStore> {
    let (folder, database) = open_database();
    Under { store: Arc::new(SqliteAccounts::new(database)), _folder: folder }
}

fn mongo_accounts() -> Under<dyn AccountStore> {
    let url = MongoUrl::parse(&MongoServer::fresh_database()).unwrap();
    Under {
        store: Arc::new(MongoAccounts::new(MongoDatabase::open(&url, Duration::from_secs(30)).unwrap())),
        _folder: tempfile::tempdir().unwrap(),
    }
}

fn memory_sessions() -> Under<dyn SessionStore> {
    Under { store: Arc::new(MemorySessions::default()), _folder: tempfile::tempdir().unwrap() }
}

fn sqlite_sessions() -> Under<dyn SessionStore> {
    sqlite_sessions_with(Duration::from_mins(1))
}

fn sqlite_sessions_without_cache() -> Under<dyn SessionStore> {
    sqlite_sessions_with(Duration::ZERO)
}

fn sqlite_sessions_with(patience: Duration) -> Under<dyn SessionStore> {
    let (folder, database) = open_database();
    Under { store: Arc::new(SqliteSessions::new(database, patience)), _folder: folder }
}

fn redis_link() -> Arc<redis::Link> {
    redis::testing::link()
}

fn redis_sessions() -> Under<dyn SessionStore> {
    let store = RedisSessions::new(redis_link(), &redis::testing::prefix());
    Under { store: Arc::new(store), _folder: tempfile::tempdir().unwrap() }
}

fn account(username: &str, email: &str) -> Account {
    Account {
        id: AccountId::new(Timestamp(1)),
        username: Username::parse(username).unwrap(),
        email: Email::parse(email).unwrap(),
        email_verified: true,
        name: "Zoë \"O'Hara\"".to_owned(),
        avatar_url: Some("https://example.com/a.png".to_owned()),
        groups: vec![Group::parse("b").unwrap(), Group::parse("a:1").unwrap()],
        password: PasswordHash("$argon2id$x".to_owned()),
        locked: false,
        locked_until: None,
        reset_requested_at: None,
        reset_requests: 0,
        resets: 0,
        generation: 3,
        mark: None,
        created_at: Timestamp(1_700_000_000_123),
        version: 1,
    }
}

fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

/// S0.1, S3.3
#[tokio::test]
async fn an_account_is_found_as_it_was_stored_by_id_name_and_address() {
    account_stores(|store| async move {
        let stored = account("Alice", "Alice@bücher.example");
        store.create(&stored).await.unwrap();
        let by_id = store.find(stored.id).await.unwrap().unwrap();
        assert_eq!(format!("{by_id:?}"), format!("{stored:?}"));
        for spelling in ["alice", "ALICE"] {
            assert_eq!(store.find_by_username(&name(spelling)).await.unwrap().unwrap().id, stored.id);
        }
        for spelling in ["alice@BÜCHER.example", "ALICE@xn--bcher-kva.example"] {
            assert_eq!(store.find_by_email(&email(spelling)).await.unwrap().unwrap().id, stored.id);
        }
        assert!(store.find_by_username(&name("bob")).await.unwrap().is_none());
        assert!(store.find_by_email(&email("bob@example.com")).await.unwrap().is_none());
        assert!(store.find(AccountId::new(Timestamp(2))).await.unwrap().is_none());
    })
    .await;
}

/// S0.1, S3.4, threats.md I05
#[tokio::test]
async fn names_and_addresses_are_unique_without_regard_to_case() {
    account_stores(|store| async move {
        store.create(&account("alice", "alice@example.com")).await.unwrap();
        let same_name = store.create(&account("ALICE", "other@example.com")).await;
        assert!(matches!(same_name, Err(CreateError::Taken(Field::Username))));
        let same_address = store.create(&account("bob", "Alice@Example.com")).await;
        assert!(matches!(same_address, Err(CreateError::Taken(Field::Email))));
        assert_eq!(store.list(None, 10).await.unwrap().len(), 1);
    })
    .await;
}

/// threats.md V15.4.2
#[tokio::test]
async fn of_many_accounts_with_one_name_at_once_exactly_one_is_made() {
    account_stores(|store| async move {
        let attempts = (0..32).map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.create(&account("alice", &format!("a{number}@example.com"))).await.is_ok() })
        });
        let made = futures_util::future::join_all(attempts).await.into_iter().filter(|made| *made.as_ref().unwrap()).count();
        assert_eq!(made, 1);
    })
    .await;
}

/// contract 2: a name once used is never given to another account
#[tokio::test]
async fn a_former_name_stays_with_its_account_and_a_deleted_one_with_nobody() {
    account_stores(|store| async move {
        let mut alice = account("alice", "alice@example.com");
        store.create(&alice).await.unwrap();
        alice.username = name("alicia");
        store.update(&alice).await.unwrap();
        let squatter = store.create(&account("alice", "x@example.com")).await;
        assert!(matches!(squatter, Err(CreateError::Taken(Field::Username))));
        assert!(store.find_by_username(&name("alice")).await.unwrap().is_none());
        (alice.username, alice.version) = (name("alice"), 2);
        store.update(&alice).await.unwrap();
        assert!(store.delete(alice.id).await.unwrap());
        assert!(!store.delete(alice.id).await.unwrap());
        for former in ["alice", "alicia"] {
            let squatter = store.create(&account(former, "x@example.com")).await;
            assert!(matches!(squatter, Err(CreateError::Taken(Field::Username))), "{former}");
        }
        store.create(&account("other", "alice@example.com")).await.unwrap();
    })
    .await;
}

/// threats.md V15.4.2
#[tokio::test]
async fn an_update_from_an_old_version_changes_nothing() {
    account_stores(|store| async move {
        let alice = account("alice", "alice@example.com");
        assert!(matches!(store.update(&alice).await, Err(UpdateError::Conflict)));
        store.create(&alice).await.unwrap();
        store.update(&Account { name: "first".to_owned(), ..alice.clone() }).await.unwrap();
        let late = store.update(&Account { name: "late".to_owned(), ..alice.clone() }).await;
        assert!(matches!(late, Err(UpdateError::Conflict)));
        let stored = store.find(alice.id).await.unwrap().unwrap();
        assert_eq!((stored.name.as_str(), stored.version), ("first", 2));
    })
    .await;
}

#[tokio::test]
async fn an_update_cannot_take_what_belongs_to_another() {
    account_stores(|store| async move {
        let alice = account("alice", "alice@example.com");
        store.create(&alice).await.unwrap();
        store.create(&account("bob", "bob@example.com")).await.unwrap();
        let renamed = store.update(&Account { username: name("BOB"), ..alice.clone() }).await;
        assert!(matches!(renamed, Err(UpdateError::Taken(Field::Username))));
        let moved = store.update(&Account { email: email("bob@EXAMPLE.com"), ..alice.clone() }).await;
        assert!(matches!(moved, Err(UpdateError::Taken(Field::Email))));
        assert_eq!(store.find(alice.id).await.unwrap().unwrap().version, 1);
    })
    .await;
}

#[tokio::test]
async fn accounts_are_listed_page_by_page_in_the_order_of_their_names() {
    account_stores(|store| async move {
        for username in ["Carol", "alice", "Bob"] {
            store.create(&account(username, &format!("{username}@example.com"))).await.unwrap();
        }
        let first = store.list(None, 2).await.unwrap();
        let rest = store.list(Some(&first[1].username), 2).await.unwrap();
        let names: Vec<_> = first.iter().chain(&rest).map(|account| account.username.as_str()).collect();
        assert_eq!(names, ["alice", "Bob", "Carol"]);
    })
    .await;
}

#[tokio::test]
async fn marked_accounts_are_found_until_the_mark_is_cleared() {
    account_stores(|store| async move {
        let alice = account("alice", "alice@example.com");
        store.create(&alice).await.unwrap();
        store.create(&account("bob", "bob@example.com")).await.unwrap();
        for (version, mark) in [SessionMark::Rewrite, SessionMark::End, SessionMark::Remove].into_iter().enumerate() {
            store.update(&Account { mark: Some(mark), version: version as u64 + 1, ..alice.clone() }).await.unwrap();
            let marked = store.marked(10).await.unwrap();
            assert_eq!((marked.len(), marked[0].mark), (1, Some(mark)));
        }
        store.update(&Account { version: 4, ..alice }).await.unwrap();
        assert!(store.marked(10).await.unwrap().is_empty());
        store.ping().await.unwrap();
    })
    .await;
}

const NOW: Timestamp = Timestamp(1_000_000_000);

fn key(number: u8) -> SessionKey {
    SessionKey([number; 32])
}

fn session_of(account: AccountId, created_at: Timestamp) -> Session {
    Session {
        user: SessionUser {
            id: account,
            username: "alice".to_owned(),
            name: "Zoë".to_owned(),
            email: "alice@example.com".to_owned(),
            groups: vec!["b".to_owned(), "a:1".to_owned()],
            version: 1,
        },
        created_at,
        last_seen: created_at,
        idle_timeout: Duration::from_mins(1),
        expires_at: created_at.plus(Duration::from_mins(10)),
        remember: true,
        client: Some("2001:db8::1".parse().unwrap()),
        user_agent: "Browser/1".to_owned(),
        confirmed_at: Some(created_at),
    }
}

fn someone() -> AccountId {
    AccountId::new(Timestamp(1))
}

/// S0.3
#[tokio::test]
async fn a_session_is_found_as_it_was_stored_until_it_expires() {
    session_stores(|store| async move {
        let session = session_of(someone(), NOW);
        store.create(key(1), &session, 50).await.unwrap();
        for _ in 0..2 {
            assert_eq!(*store.find(&key(1), NOW).await.unwrap().unwrap(), session);
        }
        assert!(store.find(&key(2), NOW).await.unwrap().is_none());
        assert!(store.find(&key(1), NOW.plus(Duration::from_mins(1))).await.unwrap().is_none());
    })
    .await;
}

/// S0.4
#[tokio::test]
async fn an_ended_session_is_gone() {
    session_stores(|store| async move {
        store.create(key(1), &session_of(someone(), NOW), 50).await.unwrap();
        assert!(store.find(&key(1), NOW).await.unwrap().is_some());
        assert!(store.end(&key(1)).await.unwrap());
        assert!(!store.end(&key(1)).await.unwrap());
        assert!(store.find(&key(1), NOW).await.unwrap().is_none());
    })
    .await;
}

/// threats.md S01
#[tokio::test]
async fn rotation_moves_a_session_that_lives_and_never_revives_one_that_ended() {
    session_stores(|store| async move {
        let session = session_of(someone(), NOW);
        store.create(key(1), &session, 50).await.unwrap();
        let moved = Session { remember: false, ..session.clone() };
        assert!(store.rotate(&key(1), key(2), &moved).await.unwrap());
        assert!(store.find(&key(1), NOW).await.unwrap().is_none());
        assert_eq!(*store.find(&key(2), NOW).await.unwrap().unwrap(), moved);
        assert!(!store.rotate(&key(1), key(3), &session).await.unwrap());
        assert!(store.find(&key(3), NOW).await.unwrap().is_none());
    })
    .await;
}

/// contract 3.10
#[tokio::test]
async fn activity_moves_the_idle_end_on_but_not_back_nor_past_the_absolute_end() {
    session_stores(|store| async move {
        store.create(key(1), &session_of(someone(), NOW), 50).await.unwrap();
        let seen = NOW.plus(Duration::from_secs(50));
        store.touch(&key(1), seen);
        store.touch(&key(1), NOW);
        store.touch(&key(2), seen);
        settled(&*store).await;
        assert_eq!(store.find(&key(1), seen).await.unwrap().unwrap().last_seen, seen);
        assert!(store.find(&key(1), NOW.plus(Duration::from_secs(109))).await.unwrap().is_some());
        assert!(store.find(&key(2), seen).await.unwrap().is_none());
        store.purge(NOW.plus(Duration::from_secs(100))).await.unwrap();
        assert_eq!(store.count(NOW.plus(Duration::from_secs(100))).await.unwrap(), 1);
    })
    .await;
}

/// threats.md S10
#[tokio::test]
async fn activity_does_not_revive_a_session_that_ended_by_disuse() {
    session_stores(|store| async move {
        store.create(key(1), &session_of(someone(), NOW), 50).await.unwrap();
        let late = NOW.plus(Duration::from_secs(61));
        store.touch(&key(1), late);
        settled(&*store).await;
        assert!(store.find(&key(1), late).await.unwrap().is_none());
        assert_eq!(store.count(late).await.unwrap(), 0);
    })
    .await;
}

/// Activity is written in its own time, but before any later write.
async fn settled(store: &dyn SessionStore) {
    store.end(&key(255)).await.unwrap();
}

#[tokio::test]
async fn the_oldest_sessions_beyond_the_limit_end() {
    session_stores(|store| async move {
        let (alice, bob) = (someone(), someone());
        store.create(key(9), &session_of(bob, NOW), 3).await.unwrap();
        for number in 1..=5 {
            let created = NOW.plus(Duration::from_secs(u64::from(number)));
            let ended = store.create(key(number), &session_of(alice, created), 3).await.unwrap();
            assert_eq!(ended, u64::from(number > 3), "{number}");
        }
        let now = NOW.plus(Duration::from_secs(5));
        let left: Vec<_> = store.list(alice, now).await.unwrap().into_iter().map(|(key, _)| key).collect();
        assert_eq!(left, [key(5), key(4), key(3)]);
        assert!(store.find(&key(1), now).await.unwrap().is_none());
        assert!(store.find(&key(9), now).await.unwrap().is_some());
        assert_eq!(store.create(key(6), &session_of(alice, NOW), 1).await.unwrap(), 3);
        assert_eq!(store.list(alice, now).await.unwrap().len(), 1);
        assert!(store.find(&key(6), now).await.unwrap().is_some(), "the newest never ends, whatever its clock says");
    })
    .await;
}

/// threats.md S04
#[tokio::test]
async fn all_sessions_of_an_account_end_but_for_the_one_excepted() {
    session_stores(|store| async move {
        let (alice, bob) = (someone(), someone());
        for number in 1..=3 {
            store.create(key(number), &session_of(alice, NOW), 50).await.unwrap();
        }
        store.create(key(4), &session_of(bob, NOW), 50).await.unwrap();
        assert_eq!(store.end_all(alice, Some(&key(2))).await.unwrap(), 2);
        assert!(store.find(&key(1), NOW).await.unwrap().is_none());
        assert!(store.find(&key(2), NOW).await.unwrap().is_some());
        assert_eq!(store.end_all(alice, None).await.unwrap(), 1);
        assert_eq!(store.count(NOW).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn sessions_older_than_a_version_of_the_account_end_and_newer_ones_live() {
    session_stores(|store| async move {
        let alice = someone();
        for (number, version) in [(1, 1), (2, 2), (3, 3)] {
            let mut session = session_of(alice, NOW);
            session.user.version = version;
            store.create(key(number), &session, 50).await.unwrap();
        }
        assert_eq!(store.end_outdated(alice, 3).await.unwrap(), 2);
        assert!(store.find(&key(2), NOW).await.unwrap().is_none());
        assert!(store.find(&key(3), NOW).await.unwrap().is_some());
    })
    .await;
}

/// contract 3.9
#[tokio::test]
async fn sessions_carry_the_newest_version_of_their_account_never_an_older_one() {
    session_stores(|store| async move {
        let alice = someone();
        store.create(key(1), &session_of(alice, NOW), 50).await.unwrap();
        assert!(store.find(&key(1), NOW).await.unwrap().is_some());
        let newer = SessionUser { groups: vec!["c".to_owned()], version: 5, ..session_of(alice, NOW).user };
        store.rewrite(&newer).await.unwrap();
        store.rewrite(&SessionUser { version: 4, groups: vec![], ..newer.clone() }).await.unwrap();
        assert_eq!(store.find(&key(1), NOW).await.unwrap().unwrap().user, newer);
    })
    .await;
}

/// S0.3
#[tokio::test]
async fn what_has_expired_is_not_counted_and_is_removed() {
    session_stores(|store| async move {
        let alice = someone();
        store.create(key(1), &session_of(alice, NOW), 50).await.unwrap();
        store.create(key(2), &session_of(alice, NOW.plus(Duration::from_secs(30))), 50).await.unwrap();
        let later = NOW.plus(Duration::from_mins(1));
        assert_eq!(store.count(later).await.unwrap(), 1);
        assert_eq!(store.list(alice, later).await.unwrap().len(), 1);
        assert_eq!(store.purge(later).await.unwrap(), 1);
        assert_eq!(store.purge(later).await.unwrap(), 0);
        assert_eq!(store.count(NOW).await.unwrap(), 1);
        store.ping().await.unwrap();
    })
    .await;
}

/// The race that a slow reader could win: whatever is found after `end` returned was put back by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_read_while_it_ends_stays_ended() {
    session_stores(|store| async move {
        let alice = someone();
        for round in 0..20 {
            store.create(key(round), &session_of(alice, NOW), 50).await.unwrap();
            let reading = tokio::spawn({
                let store = Arc::clone(&store);
                async move { while store.find(&key(round), NOW).await.unwrap().is_some() {} }
            });
            store.end(&key(round)).await.unwrap();
            assert!(store.find(&key(round), NOW).await.unwrap().is_none());
            reading.await.unwrap();
            assert!(store.find(&key(round), NOW).await.unwrap().is_none());
        }
    })
    .await;
}
