//! Refresh tokens over signed keys and stored accounts; what holds of every store of them stands in the contract suite.

use super::{RefreshError, Renewed};
use crate::account::{Account, Email, SessionMark};
use crate::audit::{Action, Outcome};
use crate::client::Client;
use crate::clock::Clock as _;
use crate::fixture::{Fixture, PASSWORD, account_settings, attempt, password};
use crate::profile::PasswordChange;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const GRACE: Duration = Duration::from_secs(10);
const ALMOST_A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600 - 1);

fn client() -> Client {
    Client { address: Some([10, 0, 0, 7].into()), user_agent: "App/1\u{1b}[31m".to_owned(), ..Client::default() }
}

async fn issue(fixture: &Fixture, account: &Account) -> String {
    fixture.refresh_tokens.issue(account, &client()).await.unwrap()
}

async fn renew(fixture: &Fixture, token: &str) -> Result<Renewed, RefreshError> {
    fixture.refresh_tokens.renew(token, &client()).await
}

async fn renewed(fixture: &Fixture, token: &str) -> String {
    renew(fixture, token).await.unwrap_or_else(|error| panic!("{error:?}")).token
}

async fn is_invalid(fixture: &Fixture, token: &str) -> bool {
    matches!(renew(fixture, token).await, Err(RefreshError::Invalid))
}

async fn is_reused(fixture: &Fixture, token: &str) -> bool {
    matches!(renew(fixture, token).await, Err(RefreshError::Reused))
}

async fn programs(fixture: &Fixture, account: &Account) -> usize {
    fixture.profile.programs(account).await.unwrap().len()
}

async fn stored(fixture: &Fixture, account: &Account) -> usize {
    fixture.marks.refresh_tokens.list(account.id, fixture.clock.now()).await.unwrap().len()
}

fn part(token: &str, number: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(number).unwrap()).unwrap()).unwrap()
}

/// contract 6: `typ: rt+jwt`, `type: "refresh"`, `jti` is the token's id
#[tokio::test]
async fn a_token_says_what_it_is_whose_and_when_it_ends() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let token = issue(&fixture, &alice).await;
    let stored = fixture.profile.programs(&alice).await.unwrap().remove(0);
    assert_eq!(part(&token, 0)["typ"], "rt+jwt");
    let now = super::seconds(fixture.clock.now());
    let expected = json!({
        "iss": "portcullis", "aud": "portcullis", "sub": alice.id, "gen": alice.generation, "type": "refresh",
        "jti": stored.id, "sid": stored.family, "iat": now, "nbf": now, "exp": now + 7 * 24 * 3600,
    });
    assert_eq!(part(&token, 1), expected);
    assert_eq!((stored.client, &*stored.user_agent), (client().address, "App/1[31m"));
}

/// S4.4, J10: a client's retry gets the very same text
#[tokio::test]
async fn each_token_is_replaced_and_leads_to_the_same_successor_for_ten_seconds() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let first = issue(&fixture, &alice).await;
    fixture.clock.advance(Duration::from_millis(1_500));
    let second = renew(&fixture, &first).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(second.account.id == alice.id && !second.repeated && second.token != first);
    fixture.clock.advance(Duration::from_millis(9_999));
    let again = renew(&fixture, &first).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(again.repeated && again.token == second.token, "letter by letter");
    assert_eq!(part(&second.token, 1)["exp"], part(&first, 1)["exp"], "the end does not move");
    let third = renewed(&fixture, &second.token).await;
    assert!(![first, second.token].contains(&third));
    assert_eq!(programs(&fixture, &alice).await, 1);
}

/// threats.md J10
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_at_once_all_get_one_successor() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let first = issue(&fixture, &alice).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| (Arc::clone(&fixture.refresh_tokens), first.clone()))
        .map(|(tokens, first)| tokio::spawn(async move { tokens.renew(&first, &client()).await.map(|renewed| renewed.token).unwrap() }))
        .collect();
    let mut successors = std::collections::HashSet::new();
    for task in tasks {
        successors.insert(task.await.unwrap());
    }
    assert_eq!(successors.len(), 1, "no fork");
    renewed(&fixture, successors.iter().next().unwrap()).await;
    assert_eq!(programs(&fixture, &alice).await, 1);
}

/// RFC 9700 section 4.14.2: whoever comes second, the thief or the owner, both are out
#[tokio::test]
async fn a_token_that_is_used_again_ends_the_family_and_is_recorded() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let (stolen, other) = (issue(&fixture, &alice).await, issue(&fixture, &alice).await);
    let owners = renewed(&fixture, &stolen).await;
    fixture.clock.advance(GRACE);
    assert!(is_reused(&fixture, &stolen).await);
    assert!(is_invalid(&fixture, &owners).await && is_invalid(&fixture, &stolen).await);
    renewed(&fixture, &other).await;
    let records = fixture.recorded().await;
    let reuses: Vec<_> = records.iter().filter(|record| record.action == Action::RefreshTokenReuse).collect();
    assert_eq!(reuses.len(), 1);
    assert_eq!((reuses[0].outcome, reuses[0].reason.as_deref()), (Outcome::Failure, Some("family_ended")));
    assert_eq!((reuses[0].actor.account, reuses[0].client), (Some(alice.id), client().address));
}

/// Within the grace, too, when the successor is in use: then it is no retry.
#[tokio::test]
async fn a_token_long_replaced_ends_the_family_however_soon_it_comes() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let first = issue(&fixture, &alice).await;
    let mut last = first.clone();
    for _ in 0..5 {
        last = renewed(&fixture, &last).await;
    }
    assert!(is_reused(&fixture, &first).await);
    assert!(is_invalid(&fixture, &last).await);
    assert_eq!(programs(&fixture, &alice).await, 0);
}

/// threats.md J11
#[tokio::test]
async fn a_family_ends_at_its_absolute_end() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let first = issue(&fixture, &alice).await;
    fixture.clock.advance(ALMOST_A_WEEK);
    let last = renewed(&fixture, &first).await;
    fixture.clock.advance(Duration::from_secs(1));
    assert!(is_invalid(&fixture, &last).await && is_invalid(&fixture, &first).await);
    assert_eq!(programs(&fixture, &alice).await, 0);
}

/// threats.md S04: by comparison, also where the records could not be ended
#[tokio::test]
async fn a_lock_a_new_password_and_a_deletion_end_all_tokens() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let token = issue(&fixture, &alice).await;
    fixture.administration.lock("alice").await.unwrap();
    assert!(is_invalid(&fixture, &token).await);
    assert_eq!(stored(&fixture, &alice).await, 0, "and the record is gone");
    fixture.administration.unlock("alice").await.unwrap();
    assert!(is_invalid(&fixture, &token).await, "an unlock brings nothing back");

    let alice = fixture.administration.find("alice").await.unwrap();
    let token = issue(&fixture, &alice).await;
    let session = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
    let wanted = PasswordChange { session: &session, current: password(PASSWORD), new: password("M00nlit-Harbour"), client: &client() };
    let changed = fixture.profile.change_password(alice.id, wanted).await.unwrap();
    assert!(is_invalid(&fixture, &token).await && fixture.session(&changed.id.key()).await.is_some());
    assert_eq!(stored(&fixture, &alice).await, 0);

    let token = issue(&fixture, &changed.account).await;
    fixture.administration.set_password("alice", &password("Starl1t-Meadow")).await.unwrap();
    assert!(is_invalid(&fixture, &token).await);

    let alice = fixture.administration.find("alice").await.unwrap();
    let token = issue(&fixture, &alice).await;
    fixture.administration.delete("alice").await.unwrap();
    assert!(is_invalid(&fixture, &token).await);
    assert_eq!(stored(&fixture, &alice).await, 0);
}

/// contract 3.9: a mark that is found later does it, and does not touch what was signed in since
#[tokio::test]
async fn tokens_that_a_change_could_not_end_open_nothing_and_are_ended_later() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let token = issue(&fixture, &alice).await;
    fixture.sessions.fails.store(true, Ordering::SeqCst);
    fixture.administration.set_password("alice", &password("M00nlit-Harbour")).await.unwrap_err();
    assert!(is_invalid(&fixture, &token).await);
    let current = fixture.accounts.find(alice.id).await.unwrap().unwrap();
    assert_eq!(current.mark, Some(SessionMark::End));
    assert_eq!(programs(&fixture, &current).await, 0, "what can do nothing is not shown");
    let new = issue(&fixture, &current).await;
    fixture.sessions.fails.store(false, Ordering::SeqCst);
    fixture.marks.finish().await.unwrap();
    assert_eq!(stored(&fixture, &alice).await, 1);
    renewed(&fixture, &new).await;
}

#[tokio::test]
async fn a_locked_account_spends_no_token() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let token = issue(&fixture, &alice).await;
    let locked = Account { locked: true, ..alice.clone() };
    fixture.accounts.update(&locked).await.unwrap();
    assert!(is_invalid(&fixture, &token).await);
    fixture.accounts.update(&Account { locked: false, version: 2, ..locked }).await.unwrap();
    renewed(&fixture, &token).await;
}

#[tokio::test]
async fn an_account_that_could_not_sign_in_renews_nothing() {
    let fixture = Fixture::with(crate::config::AccountSettings { verify_email: true, ..account_settings() });
    let alice = fixture.add("alice").await;
    let token = issue(&fixture, &alice).await;
    let unverified = Account { email_verified: false, email: Email::parse("new@example.com").unwrap(), ..alice };
    fixture.accounts.update(&unverified).await.unwrap();
    assert!(is_invalid(&fixture, &token).await);
}

/// threats.md S13: signing out everywhere else means everywhere
#[tokio::test]
async fn programs_end_with_the_other_sessions_one_by_one_and_by_an_operator() {
    let fixture = Fixture::new();
    let (alice, bob) = (fixture.add("alice").await, fixture.add("bob").await);
    let session = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
    let (one, his) = (issue(&fixture, &alice).await, issue(&fixture, &bob).await);
    let family = fixture.profile.programs(&alice).await.unwrap()[0].family;
    assert!(!fixture.profile.end_program(&bob, family, &client()).await.unwrap(), "another's");
    assert!(fixture.profile.end_program(&alice, family, &client()).await.unwrap());
    assert!(is_invalid(&fixture, &one).await);
    let two = issue(&fixture, &alice).await;
    assert_eq!(fixture.profile.end_other_sessions(&alice, &session, &client()).await.unwrap(), 1);
    assert!(is_invalid(&fixture, &two).await && fixture.session(&session).await.is_some());
    let three = issue(&fixture, &alice).await;
    assert_eq!(fixture.administration.end_sessions("alice").await.unwrap(), 2);
    assert!(is_invalid(&fixture, &three).await);
    renewed(&fixture, &his).await;
    let records = fixture.recorded().await;
    let ended: Vec<_> = records.iter().filter(|record| record.action == Action::SessionRevocation).collect();
    let reasons: Vec<_> = ended.iter().filter_map(|record| record.reason.as_deref()).collect();
    assert_eq!(reasons, ["program", "all_others", "all"]);
}

#[tokio::test]
async fn a_family_ends_by_any_of_its_tokens_and_only_for_its_account() {
    let fixture = Fixture::new();
    let (alice, bob) = (fixture.add("alice").await, fixture.add("bob").await);
    let first = issue(&fixture, &alice).await;
    let second = renewed(&fixture, &first).await;
    for (account, token) in [(&bob, &*second), (&alice, "nonsense"), (&alice, "")] {
        fixture.refresh_tokens.end_by(account.id, token).await.unwrap();
    }
    assert_eq!(programs(&fixture, &alice).await, 1);
    fixture.refresh_tokens.end_by(alice.id, &first).await.unwrap();
    assert!(is_invalid(&fixture, &second).await);
}

/// contract 2: `sessions.max_per_user` bounds programs, too
#[tokio::test]
async fn the_oldest_program_ends_when_there_are_too_many() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(issue(&fixture, &alice).await);
        fixture.clock.advance(Duration::from_secs(1));
    }
    assert!(is_invalid(&fixture, &tokens[0]).await);
    for token in &tokens[1..] {
        renewed(&fixture, token).await;
    }
}

/// threats.md J01, J07: what is no refresh token of ours, and no other kind of token
#[tokio::test]
async fn nothing_else_renews_anything() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let token = issue(&fixture, &alice).await;
    let session = fixture.login.sign_in(attempt("alice", PASSWORD)).await.unwrap().id.key().to_string();
    let [header, claims, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let unsigned = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "typ": "rt+jwt" }).to_string());
    let renamed = URL_SAFE_NO_PAD.encode(json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": part(&token, 0)["kid"] }).to_string());
    let forgeries = [
        String::new(),
        session,
        format!("{header}.{claims}."),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{renamed}.{claims}.{signature}"),
        format!("{header}.{claims}.{signature}="),
        format!(" {token}"),
    ];
    for forged in forgeries {
        assert!(is_invalid(&fixture, &forged).await, "{forged:?}");
    }
    renewed(&fixture, &token).await;
}
