//! What must hold of every store of invitations.

use super::{MongoServer, NOW, Under, email, open_database};
use crate::account::{AccountId, Group};
use crate::clock::Timestamp;
use crate::invitation::{Invitation, InvitationState, InvitationStore};
use crate::store::mongo::{MongoDatabase, MongoInvitations, MongoUrl};
use crate::store::sqlite::SqliteInvitations;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn InvitationStore>) -> F) {
    let (folder, database) = open_database();
    let url = MongoUrl::parse(&MongoServer::fresh_database()).unwrap();
    let mongo = MongoDatabase::open(&url, Duration::from_secs(30)).unwrap();
    let all: [Under<dyn InvitationStore>; 2] = [
        Under { store: Arc::new(SqliteInvitations::new(database)), _folder: folder },
        Under { store: Arc::new(MongoInvitations::new(mongo)), _folder: tempfile::tempdir().unwrap() },
    ];
    for under in all {
        check(Arc::clone(&under.store)).await;
    }
}

/// One that works for an hour; `number` says which.
fn invitation(number: u8) -> Invitation {
    Invitation {
        id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(number)),
        token: [number; 32],
        email: Some(email("Zoë@bücher.example")),
        groups: vec![Group::parse("b").unwrap(), Group::parse("a:1").unwrap()],
        invited_by: "Ann \"O'Hara\"".to_owned(),
        created_at: NOW,
        expires_at: end(),
        claimed: None,
        used: None,
    }
}

fn end() -> Timestamp {
    NOW.plus(Duration::from_hours(1))
}

fn minute(number: u64) -> Timestamp {
    NOW.plus(Duration::from_mins(number))
}

fn somebody() -> AccountId {
    AccountId::new(NOW)
}

#[tokio::test]
async fn an_invitation_is_found_as_it_was_stored_until_it_expires() {
    stores(|store| async move {
        let bare = Invitation { email: None, groups: Vec::new(), invited_by: String::new(), ..invitation(2) };
        for stored in [invitation(1), bare] {
            store.create(&stored).await.unwrap();
            assert_eq!(store.find(&stored.token, NOW).await.unwrap().as_ref(), Some(&stored));
            assert_eq!(store.find(&stored.token, end()).await.unwrap(), None);
            assert!(!store.claim(stored.id, somebody(), end(), end()).await.unwrap(), "it has expired");
        }
        assert_eq!(store.find(&[3; 32], NOW).await.unwrap(), None);
        assert!(!store.claim(invitation(3).id, somebody(), NOW, minute(1)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_claimed_invitation_is_for_its_account_until_it_is_let_go() {
    stores(|store| async move {
        let (one, other, stored) = (somebody(), somebody(), invitation(1));
        store.create(&stored).await.unwrap();
        assert!(!store.redeem(stored.id, one, NOW).await.unwrap(), "nobody claimed it");
        assert!(store.claim(stored.id, one, NOW, minute(1)).await.unwrap());
        assert_eq!(store.find(&stored.token, NOW).await.unwrap().unwrap().claimed, Some((one, minute(1))));
        assert!(!store.claim(stored.id, other, minute(2), minute(3)).await.unwrap(), "a hold that has lapsed still holds");
        store.release(stored.id, other).await.unwrap();
        assert!(!store.redeem(stored.id, other, minute(2)).await.unwrap());
        assert!(!store.claim(stored.id, other, minute(2), minute(3)).await.unwrap());
        store.release(stored.id, one).await.unwrap();
        assert_eq!(store.find(&stored.token, NOW).await.unwrap(), Some(stored.clone()));
        assert!(!store.redeem(stored.id, one, minute(2)).await.unwrap(), "it was let go");
        assert!(store.claim(stored.id, other, minute(2), minute(3)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_redeemed_invitation_stays_used() {
    stores(|store| async move {
        let (one, other, stored) = (somebody(), somebody(), invitation(1));
        store.create(&stored).await.unwrap();
        assert!(store.claim(stored.id, one, NOW, minute(1)).await.unwrap());
        assert!(store.redeem(stored.id, one, minute(2)).await.unwrap());
        assert!(store.redeem(stored.id, one, minute(3)).await.unwrap(), "once more");
        assert!(!store.redeem(stored.id, other, minute(3)).await.unwrap());
        store.release(stored.id, one).await.unwrap();
        assert!(!store.claim(stored.id, other, minute(3), minute(4)).await.unwrap());
        let found = store.find(&stored.token, minute(4)).await.unwrap().unwrap();
        assert_eq!((found.claimed, found.used), (None, Some((one, minute(2)))));
        assert_eq!(found.state(end()), InvitationState::Used);
    })
    .await;
}

#[tokio::test]
async fn what_was_left_held_is_found() {
    stores(|store| async move {
        let account = somebody();
        for number in 1..=4 {
            store.create(&invitation(number)).await.unwrap();
        }
        for (number, until) in [(1, 1), (2, 2), (3, 1)] {
            assert!(store.claim(invitation(number).id, account, NOW, minute(until)).await.unwrap());
        }
        assert!(store.redeem(invitation(3).id, account, NOW).await.unwrap());
        let lapsed =
            async |now, limit| -> Vec<Uuid> { store.lapsed(now, limit).await.unwrap().iter().map(|invitation| invitation.id).collect() };
        assert!(lapsed(NOW, 10).await.is_empty());
        assert_eq!(lapsed(minute(1), 10).await, [invitation(1).id]);
        assert_eq!(lapsed(minute(2), 10).await.len(), 2);
        assert_eq!(lapsed(minute(2), 1).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn invitations_are_listed_newest_first_in_pages_and_removed() {
    stores(|store| async move {
        for number in [2, 1, 4, 3] {
            store.create(&invitation(number)).await.unwrap();
        }
        let list = async |before: Option<Uuid>, limit| -> Vec<u8> {
            store.list(before, limit).await.unwrap().iter().map(|invitation| invitation.token[0]).collect()
        };
        assert_eq!(list(None, 10).await, [4, 3, 2, 1]);
        assert_eq!(list(None, 2).await, [4, 3]);
        assert_eq!(list(Some(invitation(3).id), 2).await, [2, 1]);
        assert!(list(Some(invitation(1).id), 2).await.is_empty());
        assert!(store.remove(invitation(2).id).await.unwrap());
        assert!(!store.remove(invitation(2).id).await.unwrap());
        assert_eq!(store.find(&[2; 32], NOW).await.unwrap(), None);
        assert_eq!(list(None, 10).await, [4, 3, 1]);
    })
    .await;
}

#[tokio::test]
async fn what_ended_long_ago_is_removed() {
    stores(|store| async move {
        let later = Invitation { expires_at: minute(61), ..invitation(2) };
        for stored in [&invitation(1), &later] {
            store.create(stored).await.unwrap();
        }
        store.purge(end()).await.unwrap();
        assert_eq!(store.list(None, 10).await.unwrap().len(), 2);
        store.purge(minute(61)).await.unwrap();
        assert_eq!(store.list(None, 10).await.unwrap(), [later]);
    })
    .await;
}

/// threats.md V15.4.2: 32 tasks, one winner
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_an_invitation_at_once_one_gets_it() {
    stores(|store| async move {
        for number in 1..=3 {
            let id = invitation(number).id;
            store.create(&invitation(number)).await.unwrap();
            let tasks: Vec<_> = (0..32)
                .map(|_| Arc::clone(&store))
                .map(|store| tokio::spawn(async move { store.claim(id, somebody(), NOW, minute(1)).await }))
                .collect();
            let mut winners = 0;
            for task in tasks {
                winners += usize::from(task.await.unwrap().unwrap());
            }
            assert_eq!(winners, 1);
        }
    })
    .await;
}
