//! What must hold of links that confirm an address, whoever asks, whatever comes in between, and however often.

use super::*;
use crate::fixture::{Fixture, PASSWORD, account_settings, new_account, password};
use std::sync::atomic::Ordering;

const BASE: &str = "https://auth.example.com";
const NEW: &str = "zoe@example.org";

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn change(account: &Account, address: &str, current: &str) -> AddressChange {
    AddressChange {
        account: account.id,
        email: address.to_owned(),
        current_password: password(current),
        base: Some(BASE.to_owned()),
        client: Client::default(),
    }
}

/// What delivering a letter makes of it: a token, or nothing.
async fn token(fixture: &Fixture, account: &Account, address: &str) -> Option<LinkToken> {
    let issued = fixture.email_confirmation.issue(account.id, &email(address), BASE).await.unwrap()?;
    assert_eq!(issued.account.id, account.id);
    let token = issued.link.strip_prefix("https://auth.example.com/auth/verify-email?token=").unwrap();
    LinkToken::parse(token)
}

async fn stored(fixture: &Fixture, account: &Account) -> Account {
    fixture.accounts.find(account.id).await.unwrap().unwrap()
}

/// Somebody who has registered, and confirmed nothing.
async fn newcomer(fixture: &Fixture) -> Account {
    fixture.registration.register(&new_account(Some("alice"), "alice@example.com", PASSWORD)).await.unwrap()
}

async fn want(fixture: &Fixture, account: &Account, address: &str) {
    fixture.email_confirmation.request_change(change(account, address, PASSWORD)).await.unwrap();
}

async fn confirm(fixture: &Fixture, token: &LinkToken) -> Result<Account, ConfirmError> {
    fixture.email_confirmation.confirm(token, &Client::default()).await
}

/// contract 3.7: an address is told to applications once it is confirmed
#[tokio::test]
async fn a_confirmed_address_is_known_to_the_accounts_sessions() {
    let fixture = Fixture::new();
    let alice = newcomer(&fixture).await;
    let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
    assert_eq!(&*fixture.session(&key).await.unwrap().user.email, "");
    let token = token(&fixture, &alice, "alice@example.com").await.unwrap();
    assert_eq!(fixture.email_confirmation.open(&token).await.unwrap().unwrap().1, email("alice@example.com"));
    assert!(confirm(&fixture, &token).await.unwrap().email_verified);
    assert!(stored(&fixture, &alice).await.email_verified);
    assert_eq!(&*fixture.session(&key).await.unwrap().user.email, "alice@example.com");
}

#[tokio::test]
async fn a_link_works_once_and_for_a_day() {
    let fixture = Fixture::new();
    let alice = newcomer(&fixture).await;
    let late = token(&fixture, &alice, "alice@example.com").await.unwrap();
    let in_time = token(&fixture, &alice, "alice@example.com").await.unwrap();
    fixture.clock.advance(LIFETIME.saturating_sub(Duration::from_secs(1)));
    confirm(&fixture, &in_time).await.unwrap();
    assert!(matches!(confirm(&fixture, &in_time).await, Err(ConfirmError::BadToken)));
    fixture.clock.advance(Duration::from_secs(1));
    assert!(fixture.email_confirmation.open(&late).await.unwrap().is_none());
    assert!(matches!(confirm(&fixture, &late).await, Err(ConfirmError::BadToken)));
    assert!(matches!(confirm(&fixture, &LinkToken::random()).await, Err(ConfirmError::BadToken)));
}

#[tokio::test]
async fn a_change_counts_once_the_new_address_is_confirmed() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
    want(&fixture, &alice, " Zoe@Example.org ").await;
    assert_eq!(stored(&fixture, &alice).await.email, alice.email);
    assert_eq!(fixture.email_confirmation.wanted(&alice).await.unwrap(), Some(email(NEW)));
    let token = token(&fixture, &alice, "Zoe@Example.org").await.unwrap();
    confirm(&fixture, &token).await.unwrap();
    let changed = stored(&fixture, &alice).await;
    assert_eq!((changed.email.as_str(), changed.email_verified, changed.generation), ("Zoe@Example.org", true, alice.generation));
    assert_eq!(&*fixture.session(&key).await.unwrap().user.email, "Zoe@Example.org");
    assert_eq!(fixture.email_confirmation.wanted(&changed).await.unwrap(), None);
    assert!(fixture.sign_in("alice@example.com", PASSWORD).await.is_err());
    assert!(fixture.sign_in(NEW, PASSWORD).await.is_ok());
}

/// Of the mails, one goes to each address
#[tokio::test]
async fn the_former_address_is_told_of_its_change_once() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    want(&fixture, &alice, NEW).await;
    let posted = fixture.outbox.letters().await;
    assert!(matches!(&posted[..], [Letter::ConfirmEmail { account, address, .. }] if *account == alice.id && address == NEW), "{posted:?}");
    let (one, two) = (token(&fixture, &alice, NEW).await.unwrap(), token(&fixture, &alice, NEW).await.unwrap());
    let (client, confirmation) = (Client::default(), &fixture.email_confirmation);
    let (first, second) = tokio::join!(confirmation.confirm(&one, &client), confirmation.confirm(&two, &client));
    assert!(first.is_ok() && second.is_ok(), "both are for what the owner wants");
    let posted = fixture.outbox.letters().await;
    assert!(matches!(&posted[..], [Letter::EmailChanged { former, .. }] if former == "alice@example.com"), "{posted:?}");
}

#[tokio::test]
async fn a_newer_wish_ends_the_links_of_older_ones() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    want(&fixture, &alice, "mistyped@example.org").await;
    let older = token(&fixture, &alice, "mistyped@example.org").await.unwrap();
    want(&fixture, &alice, NEW).await;
    assert!(matches!(confirm(&fixture, &older).await, Err(ConfirmError::BadToken)));
    assert!(token(&fixture, &alice, "mistyped@example.org").await.is_none(), "a letter that is still waiting makes no link");
    confirm(&fixture, &token(&fixture, &alice, NEW).await.unwrap()).await.unwrap();
    assert_eq!(stored(&fixture, &alice).await.email, email(NEW));
}

/// threats.md P05: whoever had stolen the old password must not keep a way in
#[tokio::test]
async fn another_password_and_a_lock_end_links() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    want(&fixture, &alice, NEW).await;
    let before = token(&fixture, &alice, NEW).await.unwrap();
    fixture.administration.set_password("alice", &password("M00nlit-Harbour")).await.unwrap();
    assert!(matches!(confirm(&fixture, &before).await, Err(ConfirmError::BadToken)));
    assert!(token(&fixture, &alice, NEW).await.is_none());
    assert_eq!(fixture.email_confirmation.wanted(&stored(&fixture, &alice).await).await.unwrap(), None);
    fixture.administration.lock("alice").await.unwrap();
    assert!(token(&fixture, &alice, NEW).await.is_none());
    assert_eq!(stored(&fixture, &alice).await.email, alice.email);
}

/// threats.md G02
#[tokio::test]
async fn an_address_of_another_account_is_answered_the_same_and_its_owner_told() {
    let fixture = Fixture::new();
    let (alice, bob) = (fixture.add("alice").await, fixture.add("bob").await);
    want(&fixture, &alice, "BOB@example.com").await;
    let posted = fixture.outbox.letters().await;
    assert!(matches!(&posted[..], [Letter::AddressTaken { address, .. }] if address == "bob@example.com"), "{posted:?}");
    assert_eq!(fixture.email_confirmation.wanted(&alice).await.unwrap(), Some(bob.email.clone()));
    assert!(token(&fixture, &alice, "bob@example.com").await.is_none());
    assert_eq!(stored(&fixture, &bob).await.email, bob.email);
}

#[tokio::test]
async fn an_address_that_another_account_took_meanwhile_stays_with_that_one() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    want(&fixture, &alice, NEW).await;
    let link = token(&fixture, &alice, NEW).await.unwrap();
    fixture.registration.register(&new_account(Some("zoe"), NEW, PASSWORD)).await.unwrap();
    assert!(matches!(confirm(&fixture, &link).await, Err(ConfirmError::BadToken)));
    assert_eq!(stored(&fixture, &alice).await.email, alice.email);
    assert!(token(&fixture, &alice, NEW).await.is_none());
}

#[tokio::test]
async fn a_change_takes_the_current_password_and_an_address_that_is_another() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let refused =
        async |address: &str, current: &str| fixture.email_confirmation.request_change(change(&alice, address, current)).await.unwrap_err();
    assert!(matches!(refused(NEW, "Wr0ng-Guess").await, ChangeError::WrongPassword));
    for (address, code) in [("ALICE@example.com", "unchanged"), ("zoe", "invalid"), ("", "invalid"), ("a@b\r\nBcc: c@d", "invalid")] {
        assert!(matches!(refused(address, PASSWORD).await, ChangeError::Invalid(problems) if problems[0].code == code), "{address:?}");
    }
    let without_base = AddressChange { base: None, ..change(&alice, NEW, PASSWORD) };
    assert!(matches!(fixture.email_confirmation.request_change(without_base).await, Err(ChangeError::NoMail)));
    assert!(fixture.outbox.letters().await.is_empty());
    assert_eq!(fixture.email_confirmation.wanted(&alice).await.unwrap(), None);
}

#[tokio::test]
async fn nobodys_mailbox_is_filled() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    for number in 0..5 {
        want(&fixture, &alice, &format!("zoe{number}@example.org")).await;
    }
    let sixth = fixture.email_confirmation.request_change(change(&alice, NEW, PASSWORD)).await;
    assert!(matches!(sixth, Err(ChangeError::TooMany(limit)) if limit.retry_after <= Duration::from_hours(1)));
    let bob = fixture.registration.register(&new_account(Some("bob"), "bob@example.com", PASSWORD)).await.unwrap();
    for _ in 0..5 {
        assert!(token(&fixture, &bob, "bob@example.com").await.is_some());
    }
    assert!(token(&fixture, &bob, "bob@example.com").await.is_none());
    fixture.clock.advance(Duration::from_hours(1));
    assert!(token(&fixture, &bob, "bob@example.com").await.is_some());
    want(&fixture, &alice, NEW).await;
}

/// contract 3.9: a change is acknowledged only when the sessions know
#[tokio::test]
async fn a_link_can_be_tried_again_after_a_failure() {
    let fixture = Fixture::new();
    let alice = fixture.add("alice").await;
    let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
    want(&fixture, &alice, NEW).await;
    let link = token(&fixture, &alice, NEW).await.unwrap();
    fixture.sessions.fails.store(true, Ordering::SeqCst);
    assert!(matches!(confirm(&fixture, &link).await, Err(ConfirmError::Unavailable(_))));
    fixture.sessions.fails.store(false, Ordering::SeqCst);
    confirm(&fixture, &link).await.unwrap();
    assert_eq!(&*fixture.session(&key).await.unwrap().user.email, NEW);
    assert!(matches!(confirm(&fixture, &link).await, Err(ConfirmError::BadToken)));
}

/// A letter that waited makes no second link for what was done meanwhile
#[tokio::test]
async fn what_is_confirmed_is_not_asked_for_again() {
    let fixture = Fixture::with(crate::config::AccountSettings { verify_email: true, ..account_settings() });
    let alice = newcomer(&fixture).await;
    let link = token(&fixture, &alice, "alice@example.com").await.unwrap();
    confirm(&fixture, &link).await.unwrap();
    assert!(token(&fixture, &alice, "alice@example.com").await.is_none());
    let nobody = Account { id: AccountId::new(crate::clock::Timestamp(1)), ..alice };
    assert!(token(&fixture, &nobody, "alice@example.com").await.is_none());
}
