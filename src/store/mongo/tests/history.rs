//! A server that goes away and comes back under a thousand writes: what was acknowledged is there, what failed is there
//! whole or not at all.

use super::{PATIENCE, account, open};
use crate::account::{Account, AccountId, AccountStore as _, CreateError, UpdateError, Username};
use crate::clock::Stopwatch;
use crate::store::mongo::MongoAccounts;
use crate::store::mongo::server::MongoServer;
use futures_util::future::join_all;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const WORKERS: usize = 10;
const ACCOUNTS: usize = 25;

/// Writes made to each account.
const STEPS: usize = 4;

/// What a step did, as far as its caller was told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Acknowledged.
    Done,
    /// Refused: the account is not as the step expects it.
    Refused,
    /// The store failed: it may be done, not done, or yet to be done.
    Nothing,
}

/// How far the workers are.
#[derive(Default)]
struct Progress {
    taken: AtomicUsize,
    failed: AtomicUsize,
}

/// What can be read of an account: its name and version.
type Seen = Option<(String, u64)>;

fn seen(account: &Account) -> (String, u64) {
    (account.username.as_str().to_owned(), account.version)
}

/// Reads until the store answers.
async fn read(store: &MongoAccounts, id: AccountId) -> Seen {
    let waited = Stopwatch::start();
    loop {
        match store.find(id).await {
            Ok(found) => return found.as_ref().map(seen),
            Err(error) => assert!(waited.elapsed() < PATIENCE, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The account that a step changes.
struct Target<'a> {
    store: &'a MongoAccounts,
    progress: &'a Progress,
    id: AccountId,
}

/// Takes a step again and again until it is done, and checks at each turn what can be read.
async fn take(to: &Target<'_>, before: Seen, after: Seen, step: impl AsyncFn() -> Told) {
    let mut uncertain = false;
    loop {
        let told = step().await;
        assert!(told != Told::Refused || uncertain, "a step was refused that nobody took before");
        to.progress.failed.fetch_add(usize::from(told == Told::Nothing), Ordering::Relaxed);
        let found = read(to.store, to.id).await;
        match told {
            Told::Done => assert!(found == after, "an acknowledged write is gone: {found:?} instead of {after:?}"),
            Told::Refused | Told::Nothing => assert!(found == before || found == after, "half a write: {found:?}"),
        }
        if found == after {
            to.progress.taken.fetch_add(1, Ordering::Relaxed);
            return;
        }
        uncertain = true;
    }
}

/// The life of one account: made, changed, renamed and deleted, in that order.
async fn live(store: &MongoAccounts, name: &str, progress: &Progress) {
    let made = account(name);
    let changed = Account { locked: true, version: 2, ..made.clone() };
    let renamed = Account { username: Username::parse(&format!("{name}.new")).unwrap(), version: 3, ..made.clone() };
    let create = async || match store.create(&made).await {
        Ok(()) => Told::Done,
        Err(CreateError::Taken(_)) => Told::Refused,
        Err(CreateError::Store(_)) => Told::Nothing,
    };
    let update = async |from: u64, to: &Account| match store.update(&Account { version: from, ..to.clone() }).await {
        Ok(()) => Told::Done,
        Err(UpdateError::Conflict | UpdateError::Taken(_)) => Told::Refused,
        Err(UpdateError::Store(_)) => Told::Nothing,
    };
    let delete = async || match store.delete(made.id).await {
        Ok(true) => Told::Done,
        Ok(false) => Told::Refused,
        Err(_) => Told::Nothing,
    };
    let to = Target { store, progress, id: made.id };
    take(&to, None, Some(seen(&made)), create).await;
    take(&to, Some(seen(&made)), Some(seen(&changed)), async || update(1, &changed).await).await;
    take(&to, Some(seen(&changed)), Some(seen(&renamed)), async || update(2, &renamed).await).await;
    take(&to, Some(seen(&renamed)), None, delete).await;
}

async fn until_taken(steps: usize, progress: &Progress) {
    let waited = Stopwatch::start();
    while progress.taken.load(Ordering::Relaxed) < steps {
        assert!(waited.elapsed() < PATIENCE * 3, "the workers are stuck");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// contract 3.9: nothing acknowledged is lost, and no account is half made
#[tokio::test]
async fn a_thousand_writes_survive_a_server_that_hangs_stops_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.h2");
    let server = MongoServer::start_with_file(0, &file);
    let (store, progress) = (open(&server.database("test")), Progress::default());
    let work = join_all((0..WORKERS).map(async |worker| {
        for number in 0..ACCOUNTS {
            live(&store, &format!("w{worker}n{number}"), &progress).await;
        }
    }));
    let outages = async {
        let (port, mut server) = (server.port(), server);
        for part in 1..=3 {
            until_taken(WORKERS * ACCOUNTS * STEPS * part / 4, &progress).await;
            server.hang();
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.resume();
            let file = file.clone();
            let restart = move || {
                server.stop();
                MongoServer::start_with_file(port, &file)
            };
            server = tokio::task::spawn_blocking(restart).await.unwrap();
        }
        server
    };
    let (_server, _) = tokio::join!(outages, work);
    assert!(progress.failed.load(Ordering::Relaxed) > 0, "no write met an outage");
    for worker in 0..WORKERS {
        for name in [format!("w{worker}n0"), format!("w{worker}n0.new")] {
            let squatter = store.create(&account(&name)).await;
            assert!(matches!(squatter, Err(CreateError::Taken(_))), "{name} was given away");
        }
    }
}
