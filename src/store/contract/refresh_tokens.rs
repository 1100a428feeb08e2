//! What must hold of every store of refresh tokens.

use super::{NOW, Under, open_database, redis_link};
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::store::memory::MemoryRefreshTokens;
use crate::store::redis::{self, RedisRefreshTokens};
use crate::store::sqlite::SqliteRefreshTokens;
use crate::token::{RefreshToken, RefreshTokenStore, Renewal, Rotation};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

const GRACE: Duration = Duration::from_secs(10);
const LIFE: Duration = Duration::from_hours(1);

async fn stores<F: Future<Output = ()>>(check: impl Fn(Arc<dyn RefreshTokenStore>) -> F) {
    let (folder, database) = open_database();
    let redis = RedisRefreshTokens::new(redis_link(), &redis::testing::prefix());
    let all: [Under<dyn RefreshTokenStore>; 3] = [
        Under { store: Arc::new(MemoryRefreshTokens::default()), _folder: tempfile::tempdir().unwrap() },
        Under { store: Arc::new(SqliteRefreshTokens::new(database)), _folder: folder },
        Under { store: Arc::new(redis), _folder: tempfile::tempdir().unwrap() },
    ];
    for under in all {
        check(Arc::clone(&under.store)).await;
    }
}

fn second(number: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(number))
}

fn new_id() -> Uuid {
    Uuid::from_bytes(crate::entropy::unique_bytes())
}

fn somebody() -> AccountId {
    AccountId::new(NOW)
}

/// The first token of a family that began at `began`.
fn first(account: AccountId, began: Timestamp) -> RefreshToken {
    RefreshToken {
        id: new_id(),
        account,
        family: new_id(),
        predecessor: None,
        generation: 3,
        began_at: began,
        issued_at: began,
        expires_at: began.plus(LIFE),
        client: Some("2001:db8::1".parse().unwrap()),
        user_agent: "Zoë's app/1 \u{1f98a}".to_owned(),
    }
}

fn renewal(token: &RefreshToken) -> Renewal {
    Renewal {
        account: token.account,
        family: token.family,
        presented: token.id,
        successor: new_id(),
        client: None,
        user_agent: String::new(),
    }
}

/// Rotates and says what the present token is then.
async fn rotated(store: &dyn RefreshTokenStore, token: &RefreshToken, now: Timestamp) -> RefreshToken {
    let renewal = renewal(token);
    assert_eq!(store.rotate(&renewal, GRACE, now).await.unwrap(), Rotation::Rotated);
    token.clone().renewed(renewal, now)
}

async fn present(store: &dyn RefreshTokenStore, token: &RefreshToken, now: Timestamp) -> Option<RefreshToken> {
    store.list(token.account, now).await.unwrap().into_iter().find(|listed| listed.family == token.family)
}

/// S4.4
#[tokio::test]
async fn a_family_is_listed_as_it_was_stored_and_as_it_was_renewed() {
    stores(|store| async move {
        let token = first(somebody(), NOW);
        store.create(&token, 50, NOW).await.unwrap();
        assert_eq!(store.list(token.account, NOW).await.unwrap(), std::slice::from_ref(&token));
        assert!(store.list(somebody(), NOW).await.unwrap().is_empty());
        let second_token = rotated(&*store, &token, second(60)).await;
        let third = Renewal { client: Some([192, 0, 2, 7].into()), user_agent: "App/2".to_owned(), ..renewal(&second_token) };
        assert_eq!(store.rotate(&third, GRACE, second(61)).await.unwrap(), Rotation::Rotated);
        let listed = store.list(token.account, second(61)).await.unwrap();
        assert_eq!(listed, [second_token.clone().renewed(third, second(61))]);
        assert_eq!((listed[0].began_at, listed[0].predecessor), (NOW, Some(second_token.id)));
    })
    .await;
}

/// contract 6: sent twice within 10 s it gets the same successor
#[tokio::test]
async fn a_token_that_is_repeated_in_time_leads_to_the_same_successor() {
    stores(|store| async move {
        let token = first(somebody(), NOW);
        store.create(&token, 50, NOW).await.unwrap();
        let successor = rotated(&*store, &token, second(5)).await;
        for now in [second(5), second(14), NOW] {
            assert_eq!(store.rotate(&renewal(&token), GRACE, now).await.unwrap(), Rotation::Repeated(successor.clone()));
        }
        assert_eq!(present(&*store, &token, second(14)).await, Some(successor.clone()), "nothing has changed");
        rotated(&*store, &successor, second(14)).await;
    })
    .await;
}

/// RFC 9700 section 4.14.2
#[tokio::test]
async fn a_token_that_is_presented_again_later_ends_its_family() {
    stores(|store| async move {
        let account = somebody();
        let (token, other) = (first(account, NOW), first(account, NOW));
        for family in [&token, &other] {
            store.create(family, 50, NOW).await.unwrap();
        }
        let successor = rotated(&*store, &token, NOW).await;
        assert_eq!(store.rotate(&renewal(&token), GRACE, second(10)).await.unwrap(), Rotation::Reused);
        assert_eq!(store.list(account, second(10)).await.unwrap(), [other]);
        for ended in [&token, &successor] {
            assert_eq!(store.rotate(&renewal(ended), GRACE, second(10)).await.unwrap(), Rotation::Unknown);
        }
    })
    .await;
}

/// RFC 9700 section 4.14.2: whoever comes with a token whose successor is in use has a copy, however soon they come
#[tokio::test]
async fn a_token_whose_successor_was_used_ends_its_family_even_in_time() {
    stores(|store| async move {
        let token = first(somebody(), NOW);
        store.create(&token, 50, NOW).await.unwrap();
        let successor = rotated(&*store, &token, NOW).await;
        let last = rotated(&*store, &successor, second(1)).await;
        assert_eq!(store.rotate(&renewal(&token), GRACE, second(1)).await.unwrap(), Rotation::Reused);
        assert_eq!(store.rotate(&renewal(&last), GRACE, second(1)).await.unwrap(), Rotation::Unknown);
    })
    .await;
}

/// An answer may be lost on the way from the store, too
#[tokio::test]
async fn a_rotation_that_is_done_twice_is_done_once() {
    stores(|store| async move {
        let token = first(somebody(), NOW);
        store.create(&token, 50, NOW).await.unwrap();
        let renewal = renewal(&token);
        let successor = token.clone().renewed(renewal.clone(), NOW);
        assert_eq!(store.rotate(&renewal, GRACE, NOW).await.unwrap(), Rotation::Rotated);
        assert_eq!(store.rotate(&renewal, GRACE, NOW).await.unwrap(), Rotation::Repeated(successor));
    })
    .await;
}

/// threats.md J11
#[tokio::test]
async fn a_family_ends_at_its_absolute_end_however_often_it_was_renewed() {
    stores(|store| async move {
        let token = first(somebody(), NOW);
        store.create(&token, 50, NOW).await.unwrap();
        let end = NOW.plus(LIFE);
        let last = rotated(&*store, &token, end.minus(Duration::from_millis(1))).await;
        assert_eq!(last.expires_at, end);
        store.purge(end.minus(Duration::from_millis(1))).await.unwrap();
        assert!(present(&*store, &token, end.minus(Duration::from_millis(1))).await.is_some());
        for presented in [&last, &token] {
            assert_eq!(store.rotate(&renewal(presented), GRACE, end).await.unwrap(), Rotation::Unknown);
        }
        assert_eq!(present(&*store, &token, end).await, None);
        store.purge(end).await.unwrap();
        assert_eq!(present(&*store, &token, end).await, None);
    })
    .await;
}

#[tokio::test]
async fn what_belongs_to_nobody_or_to_another_account_is_unknown() {
    stores(|store| async move {
        let token = first(somebody(), NOW);
        store.create(&token, 50, NOW).await.unwrap();
        let strange = [
            Renewal { account: somebody(), ..renewal(&token) },
            Renewal { family: new_id(), ..renewal(&token) },
            renewal(&first(token.account, NOW)),
        ];
        for renewal in strange {
            assert_eq!(store.rotate(&renewal, GRACE, NOW).await.unwrap(), Rotation::Unknown);
        }
        assert_eq!(present(&*store, &token, NOW).await, Some(token));
    })
    .await;
}

/// threats.md S04
#[tokio::test]
async fn families_end_one_by_one_and_all_at_once() {
    stores(|store| async move {
        let (alice, bob) = (somebody(), somebody());
        let families = [first(alice, NOW), first(alice, second(1)), first(alice, second(2)), first(bob, NOW)];
        for family in &families {
            store.create(family, 50, NOW).await.unwrap();
        }
        assert_eq!(store.list(alice, NOW).await.unwrap(), [families[2].clone(), families[1].clone(), families[0].clone()]);
        assert!(!store.end(bob, families[0].family).await.unwrap(), "another's");
        assert!(store.end(alice, families[0].family).await.unwrap());
        assert!(!store.end(alice, families[0].family).await.unwrap());
        assert_eq!(store.rotate(&renewal(&families[0]), GRACE, NOW).await.unwrap(), Rotation::Unknown);
        assert_eq!(store.end_all(alice).await.unwrap(), 2);
        assert_eq!(store.end_all(alice).await.unwrap(), 0);
        assert!(store.list(alice, NOW).await.unwrap().is_empty());
        assert_eq!(store.list(bob, NOW).await.unwrap(), [families[3].clone()]);
    })
    .await;
}

/// threats.md S04
#[tokio::test]
async fn families_of_former_generations_end_and_later_ones_live() {
    stores(|store| async move {
        let account = somebody();
        let of = |generation| RefreshToken { generation, ..first(account, second(generation)) };
        for generation in 1..=3 {
            store.create(&of(generation), 50, NOW).await.unwrap();
        }
        assert_eq!(store.end_outdated(account, 3).await.unwrap(), 2);
        assert_eq!(store.end_outdated(account, 3).await.unwrap(), 0);
        let left: Vec<_> = store.list(account, NOW).await.unwrap().iter().map(|token| token.generation).collect();
        assert_eq!(left, [3]);
    })
    .await;
}

#[tokio::test]
async fn the_oldest_families_beyond_the_limit_end() {
    stores(|store| async move {
        let (alice, bob) = (somebody(), somebody());
        let his = first(bob, NOW);
        store.create(&his, 3, NOW).await.unwrap();
        let families: Vec<_> = (1..=5).map(|number| first(alice, second(number))).collect();
        for family in &families {
            store.create(family, 3, NOW).await.unwrap();
        }
        let newest_first = [families[4].clone(), families[3].clone(), families[2].clone()];
        assert_eq!(store.list(alice, second(5)).await.unwrap(), newest_first);
        assert_eq!(store.rotate(&renewal(&families[0]), GRACE, second(5)).await.unwrap(), Rotation::Unknown);
        let early = first(alice, NOW);
        store.create(&early, 1, second(5)).await.unwrap();
        assert_eq!(store.list(alice, second(5)).await.unwrap(), [early], "the newest never ends, whatever its clock says");
        assert_eq!(store.list(bob, second(5)).await.unwrap(), [his]);
    })
    .await;
}

#[tokio::test]
async fn what_has_expired_takes_no_place_of_what_lives() {
    stores(|store| async move {
        let account = somebody();
        let short = RefreshToken { expires_at: second(2), ..first(account, second(1)) };
        let old = first(account, NOW);
        for family in [&old, &short] {
            store.create(family, 2, NOW).await.unwrap();
        }
        let new = first(account, second(3));
        store.create(&new, 2, second(3)).await.unwrap();
        assert_eq!(store.list(account, second(3)).await.unwrap(), [new, old]);
    })
    .await;
}

/// threats.md J10, V15.4.2: 50 at once, one successor
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_present_a_token_at_once_one_rotates_it_and_all_others_get_the_same() {
    stores(|store| async move {
        let token = first(somebody(), NOW);
        store.create(&token, 50, NOW).await.unwrap();
        let tasks: Vec<_> = (0..50)
            .map(|_| (Arc::clone(&store), renewal(&token)))
            .map(|(store, renewal)| tokio::spawn(async move { (renewal.successor, store.rotate(&renewal, GRACE, NOW).await.unwrap()) }))
            .collect();
        let (mut rotated, mut repeated) = (Vec::new(), Vec::new());
        for task in tasks {
            match task.await.unwrap() {
                (successor, Rotation::Rotated) => rotated.push(successor),
                (_, Rotation::Repeated(token)) => repeated.push(token.id),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((rotated.len(), repeated.len()), (1, 49));
        assert!(repeated.iter().all(|id| *id == rotated[0]));
        assert_eq!(present(&*store, &token, NOW).await.unwrap().id, rotated[0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sign_ins_at_once_leave_no_more_families_than_allowed() {
    stores(|store| async move {
        let account = somebody();
        let tasks: Vec<_> = (0..32)
            .map(|_| (Arc::clone(&store), first(account, NOW)))
            .map(|(store, token)| tokio::spawn(async move { store.create(&token, 5, NOW).await.unwrap() }))
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(store.list(account, NOW).await.unwrap().len(), 5);
    })
    .await;
}

/// What ends a family is never overtaken by a renewal that began before it
#[tokio::test(flavor = "multi_thread")]
async fn a_family_that_is_ended_while_it_is_renewed_stays_ended() {
    stores(|store| async move {
        for _ in 0..20 {
            let token = first(somebody(), NOW);
            store.create(&token, 50, NOW).await.unwrap();
            let renewing = tokio::spawn({
                let (store, renewal) = (Arc::clone(&store), renewal(&token));
                async move { store.rotate(&renewal, GRACE, NOW).await.unwrap() }
            });
            assert!(store.end(token.account, token.family).await.unwrap());
            renewing.await.unwrap();
            assert!(store.list(token.account, NOW).await.unwrap().is_empty());
        }
    })
    .await;
}
