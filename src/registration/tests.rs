//! What must hold of registering, whoever else wants the same, and whatever fails in between.

use super::*;
use crate::clock::Timestamp;
use crate::config::Registration as Mode;
use crate::fixture::{Fixture, PASSWORD, account_settings, new_account};
use crate::invitation::{InvitationStore, LIFETIME, NewInvitation};
use crate::mail::Letter;
use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

async fn codes(fixture: &Fixture, username: Option<&str>, email: &str, text: &str) -> Vec<(&'static str, &'static str)> {
    match fixture.registration.register(&new_account(username, email, text)).await {
        Err(RegistrationError::Invalid(problems)) => problems.iter().map(|problem| (problem.field, problem.code)).collect(),
        other => panic!("{:?}", other.map(|account| account.id)),
    }
}

/// S0.1
#[tokio::test]
async fn a_registered_account_can_sign_in_and_has_no_rights_yet() {
    let fixture = Fixture::new();
    let made = fixture.registration.register(&new_account(Some("Alice"), " alice@example.com ", PASSWORD)).await.unwrap();
    assert!(made.password.0.starts_with("$argon2id$"));
    assert!(!made.email_verified && made.groups.is_empty());
    assert_eq!(fixture.sign_in("alice", PASSWORD).await.unwrap().account.id, made.id);
}

#[tokio::test]
async fn closed_registration_makes_no_account() {
    let closed = AccountSettings { registration: crate::config::Registration::Closed, ..account_settings() };
    let fixture = Fixture::with(closed);
    let refused = fixture.registration.register(&new_account(Some("alice"), "alice@example.com", PASSWORD)).await;
    assert!(matches!(refused, Err(RegistrationError::Closed)));
}

/// S4.9
#[tokio::test]
async fn all_problems_are_told_at_once() {
    let fixture = Fixture::new();
    let all = codes(&fixture, Some("a b"), "nobody", "short").await;
    assert_eq!(all, [("email", "invalid"), ("username", "invalid"), ("password", "too_short")]);
}

/// contract 2, threats.md I05
#[tokio::test]
async fn reserved_names_are_given_by_an_operator_only() {
    let fixture = Fixture::new();
    for name in ["admin", "ROOT", "Boss"] {
        assert_eq!(codes(&fixture, Some(name), "a@example.com", PASSWORD).await, [("username", "reserved")]);
    }
    fixture.add("admin").await;
}

/// S3.4
#[tokio::test]
async fn a_taken_name_or_address_is_told_apart() {
    let fixture = Fixture::new();
    fixture.add("alice").await;
    let name = fixture.registration.register(&new_account(Some("ALICE"), "new@example.com", PASSWORD)).await;
    assert!(matches!(name, Err(RegistrationError::UsernameTaken)));
    let address = fixture.registration.register(&new_account(Some("bob"), "Alice@EXAMPLE.com", PASSWORD)).await;
    assert!(matches!(address, Err(RegistrationError::EmailTaken(_))));
}

#[tokio::test]
async fn a_missing_name_is_made_from_the_address() {
    let fixture = Fixture::new();
    let made =
        async |email: &str| fixture.registration.register(&new_account(None, email, PASSWORD)).await.unwrap().username.as_str().to_owned();
    assert_eq!(made("Zoe.Smith+x@example.com").await, "Zoe.Smithx");
    assert_eq!(made("zoe.smith+x@example.org").await, "zoe.smithx2");
    assert_eq!(made("zoe.smith+x@example.net").await, "zoe.smithx3");
    assert_eq!(made("admin@example.com").await, "admin2");
    assert_eq!(made("é@example.com").await, "user2");
    assert_eq!(made(&format!("{}@example.com", "x".repeat(60))).await, "x".repeat(32));
    assert_eq!(made(&format!("{}@example.org", "x".repeat(60))).await, format!("{}2", "x".repeat(31)));
}

/// threats.md V15.4.2
#[tokio::test(flavor = "multi_thread")]
async fn of_32_registrations_of_one_name_at_once_exactly_one_succeeds() {
    let fixture = Fixture::new();
    let attempts = (0..32).map(|number| {
        let registration = Arc::clone(&fixture.registration);
        tokio::spawn(async move { registration.register(&new_account(Some("alice"), &format!("a{number}@example.com"), PASSWORD)).await })
    });
    let results = futures_util::future::join_all(attempts).await;
    let made = results.iter().filter(|result| matches!(result, Ok(Ok(_)))).count();
    let taken = results.iter().filter(|result| matches!(result, Ok(Err(RegistrationError::UsernameTaken)))).count();
    assert_eq!((made, taken), (1, 31));
}

/// threats.md G02: a letter in place of each write that a new address costs
#[tokio::test]
async fn a_taken_address_costs_the_form_as_many_writes_as_a_new_one_and_its_owner_is_told() {
    for verify_email in [false, true] {
        let fixture = Fixture::with(AccountSettings { verify_email, ..account_settings() });
        fixture.add("alice").await;
        let new = fixture.registration.register_discreetly(&new_account(Some("bob"), "bob@example.com", PASSWORD)).await.unwrap();
        let for_new = fixture.outbox.letters().await.len();
        let taken = new_account(Some("carol"), "Alice@example.com", PASSWORD);
        let unmade = fixture.registration.register_discreetly(&taken).await.unwrap();
        let letters = fixture.outbox.letters().await;
        assert_eq!(letters.len(), for_new + 1, "one in place of the account");
        let tells = |letter: &Letter| matches!(letter, Letter::AddressTaken { address, .. } if address == "alice@example.com");
        assert!(letters.iter().any(tells), "{letters:?}");
        assert_eq!(fixture.registration.must_confirm(&unmade), fixture.registration.must_confirm(&new));
        assert!(fixture.accounts.find(unmade.id).await.unwrap().is_none());
        // Letters of one millisecond are in no order.
        for letter in &letters {
            let Letter::ConfirmEmail { account, address, .. } = letter else { continue };
            let address = crate::account::Email::parse(address).unwrap();
            assert!(fixture.email_confirmation.issue(*account, &address, "https://x").await.unwrap().is_none(), "it becomes no mail");
        }
    }
}

/// each try is a write
#[tokio::test]
async fn made_up_names_are_drawn_after_a_few_tries() {
    let fixture = Fixture::new();
    let mut names = Vec::new();
    for number in 0..12 {
        let made = fixture.registration.register(&new_account(None, &format!("zoe@{number}.example.com"), PASSWORD)).await.unwrap();
        names.push(made.username.as_str().to_owned());
    }
    assert_eq!(names[8], "zoe9");
    assert!(names[9..].iter().all(|name| name.len() > 6), "{names:?}");
}

/// An invitation store in which something happens just before an invitation is redeemed.
struct Meanwhile {
    inner: Arc<dyn InvitationStore>,
    happens: Happening,
}

#[derive(Clone, Copy)]
enum Happening {
    Revocation,
    Outage,
}

#[async_trait]
impl InvitationStore for Meanwhile {
    async fn create(&self, invitation: &Invitation) -> Result<(), StoreError> {
        self.inner.create(invitation).await
    }

    async fn find(&self, token: &[u8; 32], now: Timestamp) -> Result<Option<Invitation>, StoreError> {
        self.inner.find(token, now).await
    }

    async fn claim(&self, id: Uuid, account: AccountId, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        self.inner.claim(id, account, now, until).await
    }

    async fn redeem(&self, id: Uuid, account: AccountId, now: Timestamp) -> Result<bool, StoreError> {
        match self.happens {
            Happening::Outage => Err(StoreError("the test wants it so".to_owned())),
            Happening::Revocation => {
                self.inner.remove(id).await?;
                self.inner.redeem(id, account, now).await
            }
        }
    }

    async fn release(&self, id: Uuid, account: AccountId) -> Result<(), StoreError> {
        self.inner.release(id, account).await
    }

    async fn lapsed(&self, now: Timestamp, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        self.inner.lapsed(now, limit).await
    }

    async fn list(&self, before: Option<Uuid>, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        self.inner.list(before, limit).await
    }

    async fn remove(&self, id: Uuid) -> Result<bool, StoreError> {
        self.inner.remove(id).await
    }

    async fn purge(&self, oldest: Timestamp) -> Result<(), StoreError> {
        self.inner.purge(oldest).await
    }
}

/// Registers by invitation while something happens.
async fn register_while(fixture: &Fixture, happens: Happening) -> Result<Account, RegistrationError> {
    let (shared, whole) = (&fixture.registration, &fixture.invitations);
    let store = Arc::new(Meanwhile { inner: Arc::clone(&whole.store), happens });
    let registration = Registration {
        accounts: Arc::clone(&shared.accounts),
        hasher: shared.hasher.clone(),
        clock: Arc::clone(&shared.clock),
        invitations: Arc::new(Invitations {
            store,
            accounts: Arc::clone(&whole.accounts),
            outbox: Arc::clone(&whole.outbox),
            audit: Arc::clone(&whole.audit),
            clock: Arc::clone(&whole.clock),
            settings: Arc::clone(&whole.settings),
        }),
        email_confirmation: Arc::clone(&shared.email_confirmation),
        throttle: Arc::clone(&shared.throttle),
        audit: Arc::clone(&shared.audit),
        settings: shared.settings.clone(),
    };
    let new = NewInvitation { email: String::new(), groups: Vec::new(), lifetime: LIFETIME, base: None };
    let link = whole.create(new, Party::operator(), &Client::default()).await.unwrap().link;
    let invite = link.rsplit_once('=').unwrap().1.to_owned();
    registration.register(&NewAccount { invite, ..new_account(Some("zoe"), "zoe@example.com", PASSWORD) }).await
}

fn by_invitation() -> Fixture {
    Fixture::with(AccountSettings { registration: Mode::Invite, ..account_settings() })
}

#[tokio::test]
async fn an_account_whose_invitation_was_revoked_meanwhile_is_taken_back() {
    let fixture = by_invitation();
    assert!(matches!(register_while(&fixture, Happening::Revocation).await, Err(RegistrationError::InviteInvalid)));
    assert!(fixture.sign_in("zoe", PASSWORD).await.is_err());
    fixture.marks.finish().await.unwrap();
    assert!(fixture.administration.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_invitation_that_cannot_be_noted_as_used_is_so_later() {
    let fixture = by_invitation();
    let made = register_while(&fixture, Happening::Outage).await.unwrap();
    fixture.clock.advance(Duration::from_mins(2));
    fixture.invitations.tidy().await.unwrap();
    let listed = fixture.invitations.list(None, 10).await.unwrap();
    assert_eq!((listed[0].claimed, listed[0].used.map(|(account, _)| account)), (None, Some(made.id)));
}

#[tokio::test]
async fn invitations_that_ended_long_ago_are_forgotten() {
    let fixture = by_invitation();
    let new = NewInvitation { email: String::new(), groups: Vec::new(), lifetime: LIFETIME, base: None };
    fixture.invitations.create(new, Party::operator(), &Client::default()).await.unwrap();
    for (days, left) in [(30, 1), (80, 0)] {
        fixture.clock.advance(Duration::from_hours(days * 24));
        fixture.invitations.tidy().await.unwrap();
        assert_eq!(fixture.invitations.list(None, 10).await.unwrap().len(), left, "{days}");
    }
}
