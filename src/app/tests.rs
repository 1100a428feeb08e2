//! One app beside others: commands, restarts, many in one process.

use super::*;
use crate::account::Password;
use crate::administration::{AddedAccount, AdministrationError};
use crate::clock::{Clock as _, ManualClock, Stopwatch, SystemClock, Timestamp};
use crate::config::StoreSettings;
use crate::fixture::{PASSWORD, attempt, password, settings};
use crate::metrics::SessionEnd;
use crate::session::SessionKey;
use crate::store::mongo::MongoUrl;
use crate::store::mongo::server::MongoServer;

fn open(settings: &Arc<Settings>) -> Arc<App> {
    App::open(Arc::clone(settings), Arc::new(SystemClock)).unwrap()
}

fn kinds(folder: &Path) -> [SessionStoreKind; 4] {
    let sqlite = |name| SessionStoreKind::Sqlite(folder.join(name));
    let redis = SessionStoreKind::Redis(Box::new(crate::store::redis::testing::shared_address()));
    [SessionStoreKind::Memory, sqlite("portcullis.db"), sqlite("sessions.db"), redis]
}

async fn gone_within_a_second(gateway: &App, key: &SessionKey, what: &str) {
    let begun = Stopwatch::start();
    while gateway.sessions.find(key, gateway.clock.now()).await.unwrap().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(1), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn add(app: &App, username: &str, password: Password) {
    let email = format!("{username}@example.com");
    app.administration.add(AddedAccount { username: username.to_owned(), email, groups: vec![], password }).await.unwrap();
}

fn with_users_in_mongodb(settings: &Settings) -> Arc<Settings> {
    let users = UserStore::Mongo(MongoUrl::parse(&MongoServer::fresh_database()).unwrap());
    let stores = StoreSettings { users, ..settings.stores.clone() };
    Arc::new(Settings { stores, ..settings.clone() })
}

/// contract 3.9, threats.md V7.4.2
#[tokio::test]
async fn a_change_by_a_command_holds_in_a_running_gateway_within_a_second_on_every_store() {
    let folder = tempfile::tempdir().unwrap();
    for (number, kind) in kinds(folder.path()).into_iter().enumerate() {
        let embedded = settings(folder.path(), kind);
        changes_by_a_command_hold(&embedded, &format!("{number}")).await;
        changes_by_a_command_hold(&with_users_in_mongodb(&embedded), &format!("{number}-mongodb")).await;
    }
}

async fn changes_by_a_command_hold(settings: &Arc<Settings>, case: &str) {
    let gateway = open(settings);
    gateway.start().unwrap();
    let (alice, bob) = (format!("alice{case}"), format!("bob{case}"));
    for name in [&alice, &bob] {
        add(&gateway, name, password(PASSWORD)).await;
    }
    let command = App::open_for_command(Arc::clone(settings), Arc::new(SystemClock)).unwrap();
    let key = gateway.login.sign_in(attempt(&alice, PASSWORD)).await.unwrap().id.key();
    command.administration.lock(&alice).await.unwrap();
    gone_within_a_second(&gateway, &key, &format!("a lock on store {case}")).await;
    let key = gateway.login.sign_in(attempt(&bob, PASSWORD)).await.unwrap().id.key();
    match command.administration.end_sessions(&bob).await {
        Ok(ended) => {
            assert_eq!(ended, 1);
            gone_within_a_second(&gateway, &key, &format!("a revocation on store {case}")).await;
        }
        Err(AdministrationError::OutOfReach) => assert!(!gateway.sessions.shared()),
        Err(error) => panic!("{error}"),
    }
    if gateway.sessions.shared() {
        command.administration.unlock(&alice).await.unwrap();
        let key = gateway.login.sign_in(attempt(&alice, PASSWORD)).await.unwrap().id.key();
        command.administration.set_groups(&alice, &["ops".to_owned()]).await.unwrap();
        let begun = Stopwatch::start();
        while gateway.sessions.find(&key, gateway.clock.now()).await.unwrap().unwrap().user.groups != ["ops"] {
            assert!(begun.elapsed() < Duration::from_secs(1), "new groups on store {case}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn stores_in_one_file_share_a_database_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut databases = Databases::default();
    let one = databases.open(&folder.path().join("portcullis.db")).unwrap();
    let other = databases.open(&folder.path().join("./portcullis.db")).unwrap();
    assert!(Arc::ptr_eq(&one, &other));
}

#[tokio::test]
async fn cookies_and_sessions_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), kinds(folder.path())[1].clone());
    let before = open(&settings);
    add(&before, "alice", password(PASSWORD)).await;
    let cookie = before.cookie_key.seal(&before.login.sign_in(attempt("alice", PASSWORD)).await.unwrap().id);
    drop(before);
    let after = open(&settings);
    let id = after.cookie_key.open(cookie.as_bytes()).unwrap();
    assert!(after.sessions.find(&id.key(), after.clock.now()).await.unwrap().is_some());
}

/// contract 8
#[tokio::test]
async fn sessions_that_have_expired_are_counted_when_they_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    // Redis is left out: other tests keep sessions in it, which have not expired.
    for (number, kind) in kinds(folder.path()).into_iter().take(3).enumerate() {
        let clock = Arc::new(ManualClock::at(Timestamp(1_900_000_000_000)));
        let app = App::open(settings(folder.path(), kind), Arc::<ManualClock>::clone(&clock)).unwrap();
        let name = format!("alice{number}");
        add(&app, &name, password(PASSWORD)).await;
        let signed_in = app.login.sign_in(attempt(&name, PASSWORD)).await.unwrap();
        let expired = || app.metrics.sessions_ended_total[SessionEnd::Expired].get();
        app.housekeeping().purge().await.unwrap();
        assert_eq!(expired(), 0, "{name} has just signed in");
        clock.advance(signed_in.session.ends_at().since(clock.now()));
        app.housekeeping().purge().await.unwrap();
        assert_eq!(expired(), 1, "{name}");
    }
}

#[tokio::test]
async fn many_are_opened_started_and_closed() {
    let folder = tempfile::tempdir().unwrap();
    for kind in kinds(folder.path()).iter().cycle().take(60) {
        open(&settings(folder.path(), kind.clone())).start().unwrap();
    }
}

#[test]
fn what_cannot_be_opened_is_told_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.secret"), "short").unwrap();
    let refused = App::open(settings(folder.path(), SessionStoreKind::Memory), Arc::new(SystemClock)).err().unwrap();
    assert!(refused.to_string().contains("is shorter than 32 bytes"));
}
