//! A history of many operations while Redis is killed again and again, and whether what it says afterwards agrees.

use super::super::RedisSessions;
use super::super::testing::{RedisServer, link_to};
use super::{beside, session, until_answered};
use crate::clock::{Clock as _, SystemClock};
use crate::session::{Session, SessionKey, SessionStore as _};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What is known of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It was acknowledged that it is there.
    There,
    /// It was acknowledged that it is not.
    Gone,
    /// The operation failed, so it may have been done.
    Either,
}

const WORKERS: u8 = 8;
const OPERATIONS: usize = 1_000;

/// `kill -9` of Redis at any moment during 1,000 mixed operations
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_made_when_redis_is_killed() {
    let mut server = RedisServer::start_durable();
    let sessions = Arc::new(RedisSessions::new(link_to(&server), ""));
    let done = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..WORKERS).map(|worker| tokio::spawn(work(worker, Arc::clone(&sessions), Arc::clone(&done)))).collect();
    for round in 1..=4 {
        while done.load(Ordering::SeqCst) < round * OPERATIONS / 5 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill();
        server.start_again();
    }
    let mut known = HashMap::new();
    for worker in workers {
        known.extend(worker.await.unwrap());
    }
    until_answered(&sessions).await;
    for (key, known) in &known {
        let there = sessions.find(key, SystemClock.now()).await.unwrap().is_some();
        assert!(*known == Known::Either || there == (*known == Known::There), "{key}: {known:?}, and there: {there}");
    }
    assert!(known.values().filter(|known| **known == Known::There).count() > 20);
    assert!(known.values().filter(|known| **known == Known::Gone).count() > 20);
    check_indexes(&server).await;
}

/// Creates, moves and ends sessions of its own until enough has been done.
async fn work(worker: u8, sessions: Arc<RedisSessions>, done: Arc<AtomicUsize>) -> HashMap<SessionKey, Known> {
    let mut known = HashMap::new();
    let session = session();
    for number in 0_u16.. {
        if done.load(Ordering::SeqCst) >= OPERATIONS {
            break;
        }
        let key = |part: u8| SessionKey(std::array::from_fn(|at| [worker, part, number.to_be_bytes()[0], number.to_be_bytes()[1]][at % 4]));
        step(&sessions, &session, [key(0), key(1)], number, &mut known).await;
        done.fetch_add(1, Ordering::SeqCst);
        if sessions.ping().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    known
}

/// A login; every second one gets a new id, and every third is ended.
async fn step(
    sessions: &RedisSessions,
    session: &Session,
    [first, second]: [SessionKey; 2],
    number: u16,
    known: &mut HashMap<SessionKey, Known>,
) {
    let created = sessions.create(first, session, 10_000).await;
    known.insert(first, if created.is_ok() { Known::There } else { Known::Either });
    if created.is_err() {
        return;
    }
    let mut last = first;
    if number.is_multiple_of(2) {
        let rotated = sessions.rotate(&first, second, session).await;
        let (old, new) = if let Ok(there) = rotated {
            assert!(there, "it was acknowledged");
            (Known::Gone, Known::There)
        } else {
            (Known::Either, Known::Either)
        };
        known.extend([(first, old), (second, new)]);
        last = second;
    }
    if number.is_multiple_of(3) {
        let ended = sessions.end(&last).await;
        known.insert(last, if ended.is_ok() { Known::Gone } else { Known::Either });
    }
}

/// Sessions and both indexes name the same.
async fn check_indexes(server: &RedisServer) {
    let mut connection = beside(server).await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    let stored: HashSet<String> = keys.iter().filter_map(|key| key.strip_prefix("session:")).map(str::to_owned).collect();
    let mut by_user = HashSet::new();
    for key in keys.iter().filter(|key| key.starts_with("user_sessions:")) {
        by_user.extend(redis::cmd("ZRANGE").arg(key).arg(0).arg(-1).query_async::<Vec<String>>(&mut connection).await.unwrap());
    }
    let by_expiry: Vec<String> = redis::cmd("ZRANGE").arg("sessions_by_expiry").arg(0).arg(-1).query_async(&mut connection).await.unwrap();
    assert_eq!(stored, by_user);
    assert_eq!(stored, by_expiry.into_iter().collect());
}
