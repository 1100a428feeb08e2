//! Limits and lockouts over counters in memory and a clock that is moved by hand.

use super::*;
use crate::account::Account;
use crate::fixture::{Fixture, PASSWORD, account_settings, attempt, rate_limit_settings};
use crate::login::{Attempt, LoginError};
use crate::metrics::{LoginMethod, LoginResult};

fn client(address: &str) -> Client {
    Client { address: Some(address.parse().unwrap()), ..Client::default() }
}

fn refusal(outcome: Result<Admission, Throttled>) -> Option<(Policy, u64)> {
    match outcome {
        Ok(_) => None,
        Err(Throttled::TooMany(limit)) => Some((limit.policy, limit.retry_after.as_secs())),
        Err(Throttled::Unavailable(error)) => panic!("{error}"),
    }
}

async fn attempt_by(fixture: &Fixture, address: &str, target: &Target) -> Option<(Policy, u64)> {
    refusal(fixture.login.throttle.attempt(Endpoint::Login, &client(address), target).await)
}

/// Fails so often, each time from another address.
async fn fail_from_anywhere(fixture: &Fixture, target: &Target, times: u8) {
    for number in 0..times {
        let admission = fixture.login.throttle.attempt(Endpoint::Login, &client(&format!("198.51.100.{number}")), target).await;
        fixture.login.throttle.failed(admission.unwrap()).await;
    }
}

/// S4.8
#[tokio::test]
async fn a_client_has_five_failures_in_a_quarter_of_an_hour_for_one_account() {
    let fixture = Fixture::new();
    let (alice, bob) = (Target::from(&fixture.add("alice").await), Target::from(&fixture.add("bob").await));
    for _ in 0..5 {
        assert_eq!(attempt_by(&fixture, "192.0.2.1", &alice).await, None);
    }
    fixture.clock.advance(Duration::from_mins(5));
    assert_eq!(attempt_by(&fixture, "192.0.2.1", &alice).await, Some((Policy::Attempts, 600)));
    assert_eq!(attempt_by(&fixture, "192.0.2.1", &bob).await, None, "another account");
    assert_eq!(attempt_by(&fixture, "192.0.2.2", &alice).await, None, "another client");
    fixture.clock.advance(Duration::from_mins(10));
    assert_eq!(attempt_by(&fixture, "192.0.2.1", &alice).await, None);
}

/// threats.md G10
#[tokio::test]
async fn a_client_has_a_hundred_failures_whatever_accounts_it_tries() {
    let fixture = Fixture::new();
    for number in 0..100 {
        assert_eq!(attempt_by(&fixture, "2001:db8::1", &Target::unknown(&format!("user{number}"))).await, None);
    }
    assert_eq!(attempt_by(&fixture, "2001:db8::ffff:1", &Target::unknown("one-more")).await, Some((Policy::Client, 900)));
    assert_eq!(attempt_by(&fixture, "2001:db8:0:1::1", &Target::unknown("one-more")).await, None, "another network");
}

/// What is refused by one limit takes nothing from the others
#[tokio::test]
async fn a_refused_attempt_uses_up_no_other_budget() {
    let fixture = Fixture::new();
    let alice = Target::from(&fixture.add("alice").await);
    for _ in 0..200 {
        let _ = attempt_by(&fixture, "192.0.2.1", &alice).await;
    }
    for number in 0..95 {
        assert_eq!(attempt_by(&fixture, "192.0.2.1", &Target::unknown(&format!("user{number}"))).await, None, "{number}");
    }
    for number in 0..5 {
        assert_eq!(attempt_by(&fixture, &format!("192.0.2.1{number}"), &alice).await, None, "the account's own failures");
    }
}

#[tokio::test]
async fn what_succeeds_is_given_back() {
    let fixture = Fixture::new();
    fixture.add("alice").await;
    for _ in 0..120 {
        fixture.sign_in("alice", PASSWORD).await.unwrap();
    }
}

/// threats.md G04, G07
#[tokio::test]
async fn all_spellings_of_a_name_and_the_address_have_one_budget_and_the_right_password_is_refused_too() {
    let fixture = Fixture::new();
    fixture.add("alice").await;
    for identifier in ["alice", "ALICE", " alice", "alice@example.com", "Alice@EXAMPLE.com"] {
        assert!(matches!(fixture.sign_in(identifier, "wrong").await, Err(LoginError::Invalid)), "{identifier}");
    }
    assert!(matches!(fixture.sign_in("alice", PASSWORD).await, Err(LoginError::TooMany(_))));
    fixture.clock.advance(Duration::from_mins(15));
    assert!(fixture.sign_in("alice", PASSWORD).await.is_ok());
}

/// ASVS V6.3.8
#[tokio::test]
async fn a_name_that_nobody_has_is_limited_and_locked_as_one_that_somebody_has() {
    let fixture = Fixture::new();
    let alice = Target::from(&fixture.add("alice").await);
    for target in [alice, Target::unknown(" NoBody ")] {
        fail_from_anywhere(&fixture, &target, 10).await;
        assert_eq!(attempt_by(&fixture, "192.0.2.1", &target).await, Some((Policy::Lockout, 60)), "{target:?}");
    }
    assert_eq!(attempt_by(&fixture, "192.0.2.1", &Target::unknown("nobody")).await, Some((Policy::Lockout, 60)));
}

/// S2.4
#[tokio::test]
async fn a_lock_ends_by_itself_and_each_one_lasts_longer_until_a_day_has_passed_without() {
    let fixture = Fixture::new();
    let target = Target::from(&fixture.add("alice").await);
    for lasts in [60, 300, 300] {
        fail_from_anywhere(&fixture, &target, 10).await;
        assert_eq!(attempt_by(&fixture, "192.0.2.1", &target).await, Some((Policy::Lockout, lasts)));
        fixture.clock.advance(Duration::from_secs(lasts - 1));
        assert_eq!(attempt_by(&fixture, "192.0.2.1", &target).await, Some((Policy::Lockout, 1)));
        fixture.clock.advance(Duration::from_hours(1));
    }
    fixture.clock.advance(Duration::from_hours(24));
    fail_from_anywhere(&fixture, &target, 10).await;
    assert_eq!(attempt_by(&fixture, "192.0.2.1", &target).await, Some((Policy::Lockout, 60)), "the former ones are forgotten");
}

/// Failures that are counted and not yet known to be failures must not let more be tried
#[tokio::test]
async fn of_many_attempts_under_way_no_more_than_the_lockout_allows_are_let_through() {
    let fixture = Fixture::new();
    let target = Target::from(&fixture.add("alice").await);
    let mut under_way = Vec::new();
    for number in 0..100 {
        if let Ok(admission) = fixture.login.throttle.attempt(Endpoint::Login, &client(&format!("198.51.100.{number}")), &target).await {
            under_way.push(admission);
        }
    }
    assert_eq!(under_way.len(), 10);
    for admission in under_way {
        fixture.login.throttle.failed(admission).await;
    }
    assert_eq!(attempt_by(&fixture, "192.0.2.1", &target).await, Some((Policy::Lockout, 60)));
}

/// The account as it is stored, with a browser that has signed in to it.
async fn signed_in_before(fixture: &Fixture, name: &str) -> (Account, Client) {
    let account = fixture.sign_in(name, PASSWORD).await.unwrap().account;
    let device = crate::device::Device::default().after_sign_in(&account, fixture.login.clock.now());
    let client = Client { address: Some([10, 0, 0, 1].into()), device, ..Client::default() };
    (account, client)
}

async fn sign_in_with(fixture: &Fixture, name: &str, text: &str, client: &Client) -> Result<(), LoginError> {
    let attempt = Attempt { client: client.clone(), ..attempt(name, text) };
    fixture.login.sign_in(attempt).await.map(|_| ())
}

/// threats.md G08
#[tokio::test]
async fn a_browser_that_signed_in_before_is_let_in_while_the_account_is_locked() {
    let fixture = Fixture::new();
    fixture.add("alice").await;
    let (alice, browser) = signed_in_before(&fixture, "alice").await;
    fail_from_anywhere(&fixture, &Target::from(&alice), 10).await;
    assert!(matches!(fixture.sign_in("alice", PASSWORD).await, Err(LoginError::TooMany(_))));
    assert!(sign_in_with(&fixture, "alice", PASSWORD, &browser).await.is_ok());
    for _ in 0..5 {
        assert!(matches!(sign_in_with(&fixture, "alice", "wrong", &browser).await, Err(LoginError::Invalid)));
    }
    let refused = sign_in_with(&fixture, "alice", PASSWORD, &browser).await;
    assert!(matches!(refused, Err(LoginError::TooMany(TooMany { policy: Policy::Attempts, .. }))), "{refused:?}");
}

/// threats.md G08: the cookie of a stolen browser is no way around the lockout
#[tokio::test]
async fn a_known_browser_has_failures_of_its_own_which_lock_nobody_else_out() {
    let fixture = Fixture::new();
    fixture.add("alice").await;
    let (alice, browser) = signed_in_before(&fixture, "alice").await;
    for number in 0..10_u8 {
        let elsewhere = Client { address: Some([192, 0, 2, number].into()), ..browser.clone() };
        assert!(matches!(sign_in_with(&fixture, "alice", "wrong", &elsewhere).await, Err(LoginError::Invalid)), "{number}");
    }
    let elsewhere = Client { address: Some([192, 0, 2, 99].into()), ..browser };
    let refused = sign_in_with(&fixture, "alice", PASSWORD, &elsewhere).await;
    assert!(matches!(refused, Err(LoginError::TooMany(TooMany { policy: Policy::Device, .. }))), "{refused:?}");
    assert_eq!(attempt_by(&fixture, "192.0.2.99", &Target::from(&alice)).await, None, "the account is not locked");
}

/// threats.md N11
#[tokio::test]
async fn a_browser_that_is_known_to_another_account_or_by_an_old_password_is_locked_out() {
    let fixture = Fixture::new();
    for name in ["alice", "bob"] {
        fixture.add(name).await;
    }
    let (_, browser_of_bob) = signed_in_before(&fixture, "bob").await;
    let (alice, old_browser) = signed_in_before(&fixture, "alice").await;
    fixture.administration.set_password("alice", &crate::fixture::password("M00nlit-Harbour")).await.unwrap();
    let alice = fixture.accounts.find(alice.id).await.unwrap().unwrap();
    fail_from_anywhere(&fixture, &Target::from(&alice), 10).await;
    for browser in [&browser_of_bob, &old_browser] {
        let refused = sign_in_with(&fixture, "alice", "M00nlit-Harbour", browser).await;
        assert!(matches!(refused, Err(LoginError::TooMany(TooMany { policy: Policy::Lockout, .. }))), "{refused:?}");
    }
}

#[tokio::test]
async fn an_operators_unlock_and_a_new_password_lift_the_lock_and_forget_the_ones_before() {
    let fixture = Fixture::new();
    let target = Target::from(&fixture.add("alice").await);
    fail_from_anywhere(&fixture, &target, 10).await;
    fixture.administration.unlock("alice").await.unwrap();
    fail_from_anywhere(&fixture, &target, 10).await;
    assert_eq!(attempt_by(&fixture, "192.0.2.1", &target).await, Some((Policy::Lockout, 60)), "as short as the first");
    fixture.administration.set_password("alice", &crate::fixture::password("M00nlit-Harbour")).await.unwrap();
    assert!(fixture.sign_in("alice", "M00nlit-Harbour").await.is_ok());
}

/// contract 6: `attempts` per client, for each kind apart
#[tokio::test]
async fn registrations_and_reset_requests_are_counted_apart_and_not_given_back() {
    let fixture = Fixture::new();
    let throttle = &fixture.login.throttle;
    for endpoint in [Endpoint::Register, Endpoint::ResetRequest] {
        for _ in 0..5 {
            let admission = throttle.request(endpoint, &client("192.0.2.1")).await.unwrap();
            throttle.give_back(admission).await;
        }
        assert_eq!(refusal(throttle.request(endpoint, &client("192.0.2.1")).await), Some((Policy::Requests, 900)));
    }
    for _ in 0..20 {
        let admission = throttle.request(Endpoint::ResetConfirm, &client("192.0.2.1")).await.unwrap();
        throttle.give_back(admission).await;
    }
}

/// S2.3
#[tokio::test]
async fn an_address_gets_five_reset_mails_an_hour_whoever_asks_and_whether_or_not_someone_has_it() {
    let fixture = Fixture::new();
    let throttle = &fixture.login.throttle;
    let ask = async |from: u8, address: &str| {
        let asked = throttle.reset_request(&client(&format!("192.0.2.{from}")), &Email::parse(address).unwrap()).await;
        refusal(asked)
    };
    for number in 0..5 {
        assert_eq!(ask(number, "Nobody@Example.com").await, None);
    }
    assert_eq!(ask(6, "nobody@example.com").await, Some((Policy::Resets, 3_600)));
    for _ in 0..5 {
        assert_eq!(ask(6, "alice@example.com").await, None, "what was refused was not counted for the client");
    }
    fixture.clock.advance(Duration::from_hours(1));
    assert_eq!(ask(7, "nobody@example.com").await, None);
}

/// contract 2: 0 turns a limit off
#[tokio::test]
async fn limits_of_nothing_are_off() {
    let mut settings = account_settings();
    settings.lockout.failures = 0;
    let fixture = Fixture::with(settings);
    let target = Target::from(&fixture.add("alice").await);
    let off = RateLimitSettings { attempts: 0, per_client: 0, ..rate_limit_settings() };
    let throttle = Throttle::new(Arc::clone(&fixture.login.throttle.lockout), off, account_settings().reset, Metrics::new().unwrap());
    for _ in 0..2_000 {
        throttle.knock(Endpoint::Login, &client("192.0.2.1")).unwrap();
        let admission = throttle.attempt(Endpoint::Login, &client("192.0.2.1"), &target).await.unwrap();
        throttle.failed(admission).await;
    }
}

/// contract 8: of what a flood tries there is no record that could be counted
#[tokio::test]
async fn a_flood_is_counted_as_what_it_tries() {
    let fixture = Fixture::new();
    let (few, metrics) = (RateLimitSettings { per_client: 1, ..rate_limit_settings() }, Metrics::new().unwrap());
    let lockout = Arc::clone(&fixture.login.throttle.lockout);
    let throttle = Throttle::new(lockout, few, account_settings().reset, Arc::clone(&metrics));
    let refused = |endpoint| (0..1000).filter(|_| throttle.knock(endpoint, &client("192.0.2.1")).is_err()).count() as u64;
    let (logins, registrations) = (refused(Endpoint::Login), refused(Endpoint::Register));
    assert!(logins > 0 && registrations > 0);
    assert_eq!(metrics.rate_limited_total[Endpoint::Login].get(), logins);
    assert_eq!(metrics.rate_limited_total[Endpoint::Register].get(), registrations);
    assert_eq!(metrics.logins_total[(LoginMethod::Password, LoginResult::RateLimited)].get(), logins);
}

/// A program that keeps no cookies must not bury its owner in mails
#[tokio::test]
async fn an_account_is_told_of_ten_sign_ins_a_day() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await.id;
    let mut told = 0;
    for _ in 0..30 {
        told += u32::from(fixture.login.throttle.notice(alice).await.unwrap());
    }
    assert_eq!(told, 10);
    fixture.clock.advance(Duration::from_hours(24));
    assert!(fixture.login.throttle.notice(alice).await.unwrap());
}
