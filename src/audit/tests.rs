use super::*;
use crate::client::Client;
use crate::clock::{ManualClock, Stopwatch};
use crate::metrics::Metrics;
use async_trait::async_trait;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Keeps records, and refuses them while it is away.
#[derive(Default)]
struct Kept {
    away: AtomicBool,
    appends: AtomicUsize,
    records: Mutex<Vec<Record>>,
}

#[async_trait]
impl AuditStore for Kept {
    async fn append(&self, records: &[Record]) -> Result<(), StoreError> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError("the test wants it so".to_owned()));
        }
        self.records.lock().unwrap().extend_from_slice(records);
        Ok(())
    }

    async fn list(&self, _filter: Filter, limit: usize) -> Result<Vec<Record>, StoreError> {
        Ok(self.records.lock().unwrap().iter().rev().take(limit).cloned().collect())
    }

    async fn purge(&self, _oldest: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
}

fn audit(store: &Arc<Kept>) -> Audit {
    let store: Arc<dyn AuditStore> = Arc::<Kept>::clone(store);
    Audit::start(store, Arc::new(ManualClock::at(Timestamp(1_700_000_000_000))), Metrics::new().unwrap()).unwrap()
}

fn event(name: &str) -> Event {
    Event::by(Party::unknown(name), Action::Login, Outcome::Failure, &Client::default()).because("invalid_credentials")
}

fn names(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.actor.name.as_str()).collect()
}

#[tokio::test]
async fn what_was_recorded_is_listed_at_once_and_in_order() {
    let store = Arc::new(Kept::default());
    let audit = audit(&store);
    for name in ["a", "b", "c"] {
        audit.record(event(name));
    }
    let listed = audit.list(Filter::default(), 2).await.unwrap();
    assert_eq!(names(&listed), ["c", "b"]);
    assert_eq!((listed[0].reason.as_deref(), listed[0].at), (Some("invalid_credentials"), Timestamp(1_700_000_000_000)));
    assert!(listed[1].id < listed[0].id);
    assert_eq!(store.appends.load(Ordering::SeqCst), 1);
}

/// A command records and ends
#[test]
fn dropping_it_stores_what_was_recorded() {
    let store = Arc::new(Kept::default());
    let audit = audit(&store);
    for number in 0..1_000 {
        audit.record(event(&number.to_string()));
    }
    drop(audit);
    let records = store.records.lock().unwrap();
    assert_eq!(records.len(), 1_000);
    assert!(records.is_sorted_by(|one, next| one.id < next.id));
}

#[tokio::test]
async fn nothing_is_lost_while_the_store_is_away_for_a_while() {
    let store = Arc::new(Kept::default());
    let audit = audit(&store);
    store.away.store(true, Ordering::SeqCst);
    audit.record(event("a"));
    let patience = Stopwatch::start();
    while store.appends.load(Ordering::SeqCst) == 0 {
        assert!(patience.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    audit.record(event("b"));
    store.away.store(false, Ordering::SeqCst);
    while store.records.lock().unwrap().len() < 2 {
        assert!(patience.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(names(&store.records.lock().unwrap()), ["a", "b"]);
}

/// Memory stays in bounds, and nobody waits
#[test]
fn a_store_that_is_away_costs_neither_time_nor_unbounded_memory() {
    let store = Arc::new(Kept { away: AtomicBool::new(true), ..Kept::default() });
    let audit = audit(&store);
    let begun = Stopwatch::start();
    for number in 0..20_000 {
        audit.record(event(&number.to_string()));
    }
    store.away.store(false, Ordering::SeqCst);
    drop(audit);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let kept = store.records.lock().unwrap().len();
    assert!((256..=8192 + 256).contains(&kept), "{kept}");
}
