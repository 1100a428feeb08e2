//! What becomes of letters, over a transport that does what a test says.

use super::*;
use crate::account::Email;
use crate::app::App;
use crate::clock::SharedClock;
use crate::clock::{Clock as _, ManualClock, Timestamp};
use crate::config::{Secret, SessionStoreKind};
use crate::fixture::settings;
use crate::mail::transport::Way;
use crate::mail::{Mail, OutboxStore};
use crate::sealing::Sealer;
use crate::store::sqlite::{Database, SqliteOutbox};
use async_trait::async_trait;
use lettre::Message;
use std::sync::Mutex;
use tempfile::TempDir;

/// What the transport does with the next mails; when nothing is said, it takes them.
#[derive(Clone, Default)]
struct Script {
    does: Arc<Mutex<Vec<Answer>>>,
    taken: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy)]
enum Answer {
    Closed,
    Later,
    Refused,
    Panic,
}

#[async_trait]
impl Transport for Script {
    async fn open(&self) -> Result<Box<dyn Way>, SendError> {
        let next = self.does.lock().unwrap().first().copied();
        match next {
            Some(Answer::Closed) => {
                self.does.lock().unwrap().remove(0);
                Err(SendError::Later("closed".to_owned()))
            }
            _ => Ok(Box::new(self.clone())),
        }
    }
}

#[async_trait]
impl Way for Script {
    async fn send(self: Box<Self>, mail: &Mail, _message: &Message) -> Result<(), SendError> {
        let next = {
            let mut does = self.does.lock().unwrap();
            if does.is_empty() { None } else { Some(does.remove(0)) }
        };
        match next {
            Some(Answer::Later | Answer::Closed) => Err(SendError::Later("later".to_owned())),
            Some(Answer::Refused) => Err(SendError::Refused("never".to_owned())),
            Some(Answer::Panic) => panic!("on purpose"),
            None => {
                self.taken.lock().unwrap().push(mail.to.as_str().to_owned());
                Ok(())
            }
        }
    }
}

struct Office {
    delivery: Arc<Delivery>,
    outbox: Arc<Outbox>,
    script: Script,
    clock: Arc<ManualClock>,
    store: Arc<dyn OutboxStore>,
    _app: Arc<App>,
    _folder: TempDir,
}

fn secret(text: &str) -> Secret {
    Secret::new(text.repeat(40))
}

fn test_to(address: &str) -> Letter {
    Letter::Test { address: Email::parse(address).unwrap().as_str().to_owned() }
}

impl Office {
    fn new(does: &[Answer]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn OutboxStore> = Arc::new(SqliteOutbox::new(Database::open(&folder.path().join("letters.db")).unwrap()));
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000)));
        let shared: SharedClock = Arc::<ManualClock>::clone(&clock);
        let outbox = Arc::new(Outbox::new(Arc::clone(&store), Arc::clone(&shared), Sealer::derive(&secret("a"), None)));
        let script = Script { does: Arc::new(Mutex::new(does.to_vec())), taken: Arc::default() };
        let app = App::open(settings(folder.path(), SessionStoreKind::Memory), Arc::clone(&shared)).unwrap();
        let writer = Writer {
            accounts: Arc::clone(&app.accounts),
            recovery: Arc::clone(&app.recovery),
            email_confirmation: Arc::clone(&app.email_confirmation),
            marks: app.marks.clone(),
            settings: Arc::clone(&app.settings),
        };
        let delivery = Delivery::new(Arc::clone(&outbox), writer, Some(Arc::new(script.clone())), Arc::clone(&app.metrics));
        Self { delivery, outbox, script, clock, store, _app: app, _folder: folder }
    }

    /// Handles what is due; how many letters that were.
    async fn send_due(&self) -> usize {
        let mut handled = 0;
        while Arc::clone(&self.delivery).send_next().await.unwrap() {
            handled += 1;
        }
        handled
    }

    fn taken(&self) -> Vec<String> {
        self.script.taken.lock().unwrap().clone()
    }
}

#[test]
fn pauses_double_up_to_an_hour_and_vary() {
    for (attempts, seconds) in [(0, 30), (1, 60), (2, 120), (6, 1_920), (7, 3_600), (u32::MAX, 3_600)] {
        let (shortest, longest) = (Duration::from_secs(seconds), Duration::from_secs(seconds) * 5 / 4);
        assert!((0..100).all(|_| (shortest..longest).contains(&pause_after(attempts))), "{attempts}");
    }
}

/// S1.7
#[tokio::test]
async fn a_letter_that_is_not_taken_waits_longer_each_time_and_is_sent_once() {
    let office = Office::new(&[Answer::Closed, Answer::Later]);
    office.outbox.post(&test_to("ann@example.com")).await.unwrap();
    for pause in [30, 60] {
        assert_eq!(office.send_due().await, 1);
        office.clock.advance(Duration::from_secs(pause - 1));
        assert_eq!(office.send_due().await, 0, "before {pause} s");
        office.clock.advance(Duration::from_secs(pause / 4 + 1));
    }
    assert_eq!(office.taken(), Vec::<String>::new());
    assert_eq!(office.send_due().await, 1);
    assert_eq!(office.taken(), ["ann@example.com"]);
    assert_eq!(office.outbox.depth().await.unwrap(), 0);
}

/// S1.7, contract 4: retried for 24 h, erased when given up
#[tokio::test]
async fn a_letter_is_tried_for_a_day_and_then_erased() {
    let office = Office::new(&[Answer::Later; 100]);
    office.outbox.post(&test_to("ann@example.com")).await.unwrap();
    let mut attempts = 0;
    while office.outbox.depth().await.unwrap() > 0 {
        attempts += office.send_due().await;
        office.clock.advance(Duration::from_mins(1));
    }
    assert!((24..40).contains(&attempts), "{attempts}");
    let waited = office.clock.now().since(Timestamp(1_700_000_000_000));
    assert!(waited > Duration::from_hours(22) && waited <= Duration::from_hours(24) + Duration::from_mins(1), "{waited:?}");
}

#[tokio::test]
async fn a_letter_that_nobody_could_send_for_a_day_is_not_sent_any_more() {
    let office = Office::new(&[]);
    office.outbox.post(&test_to("ann@example.com")).await.unwrap();
    office.clock.advance(Duration::from_hours(24));
    assert_eq!((office.send_due().await, office.outbox.depth().await.unwrap()), (1, 0));
    assert!(office.taken().is_empty());
}

#[tokio::test]
async fn a_letter_that_is_refused_for_good_holds_up_no_other() {
    let office = Office::new(&[Answer::Refused]);
    for address in ["ann@example.com", "bob@example.com"] {
        office.outbox.post(&test_to(address)).await.unwrap();
    }
    assert_eq!((office.send_due().await, office.outbox.depth().await.unwrap()), (2, 0));
    assert_eq!(office.taken().len(), 1);
}

/// threats.md E01: whatever brings a delivery down costs one attempt of one letter
#[tokio::test]
async fn a_letter_that_brings_its_delivery_down_is_tried_again_and_holds_up_no_other() {
    let office = Office::new(&[Answer::Panic]);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    for address in ["ann@example.com", "bob@example.com"] {
        office.outbox.post(&test_to(address)).await.unwrap();
    }
    let running = tokio::spawn(Delivery::run(Arc::new(ArcSwap::new(Arc::clone(&office.delivery))), async { drop(stopped.await) }));
    let until = async |many| {
        while office.taken().len() < many {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), until(1)).await.unwrap();
    office.clock.advance(Duration::from_mins(1));
    tokio::time::timeout(Duration::from_secs(10), until(2)).await.unwrap();
    drop(stop);
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap();
    assert_eq!(office.outbox.depth().await.unwrap(), 0);
}

/// contract 2, `secret_previous`; contract 4: encrypted with `secret`
#[tokio::test]
async fn a_letter_of_another_secret_waits_until_that_is_known() {
    let office = Office::new(&[]);
    let clock: SharedClock = Arc::<ManualClock>::clone(&office.clock);
    let other = Outbox::new(Arc::clone(&office.store), Arc::clone(&clock), Sealer::derive(&secret("b"), None));
    other.post(&test_to("ann@example.com")).await.unwrap();
    assert_eq!((office.send_due().await, office.outbox.depth().await.unwrap()), (1, 1));
    assert!(office.taken().is_empty());
    office.clock.advance(Duration::from_mins(1));
    let later = Outbox::new(Arc::clone(&office.store), clock, Sealer::derive(&secret("c"), Some(&secret("b"))));
    assert_eq!(later.letters().await, [test_to("ann@example.com")]);
}

#[tokio::test]
async fn what_waits_shows_neither_whom_it_is_for_nor_what_it_is() {
    let office = Office::new(&[]);
    office.outbox.post(&test_to("ann@example.com")).await.unwrap();
    let now = office.clock.now();
    let queued = office.store.claim(now, now).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&queued.sealed).into_owned();
    assert!(!text.contains("ann") && !text.contains("test"), "{text}");
}
