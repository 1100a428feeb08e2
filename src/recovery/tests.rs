//! What must hold of links that set a new password, whoever asks, whatever fails, and however often.

use super::*;
use crate::account::{CreateError, SessionMark, UpdateError, Username};
use crate::app::App;
use crate::clock::ManualClock;
use crate::config::{MailTransport, RateLimitSettings, SessionStoreKind, Settings};
use crate::fixture::{PASSWORD, attempt, password, settings};
use crate::login::SignedIn;
use crate::profile::PasswordChange;
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use std::sync::Mutex;
use std::time::Duration;
use tempfile::TempDir;

const NEW: &str = "M00nlit-Harbour";
const BASE: &str = "https://auth.example.com";

/// Use cases over real stores, alice among the accounts, and a clock that is moved by hand.
struct Site {
    app: Arc<App>,
    recovery: Recovery,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Site {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::clone(&settings(folder.path(), SessionStoreKind::Memory));
        settings.email.transport = Some(MailTransport::Log);
        settings.rate_limit = RateLimitSettings { attempts: 0, per_client: 0, ..settings.rate_limit };
        change(&mut settings);
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000)));
        let app = App::open(Arc::new(settings), clock.clone()).unwrap();
        let added = crate::administration::AddedAccount {
            username: "alice".to_owned(),
            email: "alice@example.com".to_owned(),
            groups: vec![],
            password: password(PASSWORD),
        };
        app.administration.add(added).await.unwrap();
        Self { recovery: Recovery::clone(&app.recovery), app, clock, _folder: folder }
    }

    fn asked(&self) -> Asked {
        Asked::by(&client(), self.app.clock.now())
    }

    /// What delivering a letter for this address makes: a token, or nothing.
    async fn issued(&self, address: &str) -> Option<Issued> {
        self.recovery.issue_reset(&Email::parse(address).unwrap(), BASE, &self.asked()).await.unwrap()
    }

    /// The token of a link that alice asks for now, a second after whatever was before.
    async fn token(&self) -> LinkToken {
        self.clock.advance(Duration::from_secs(1));
        token_of(&self.issued("alice@example.com").await.expect("alice has an account"))
    }

    async fn reset(&self, token: &LinkToken, text: &str) -> Result<Account, ResetError> {
        self.recovery.reset(new(token, text)).await
    }

    async fn sign_in(&self, text: &str) -> Option<SignedIn> {
        self.app.login.sign_in(attempt("alice", text)).await.ok()
    }

    async fn alice(&self) -> Account {
        self.app.administration.find("alice").await.unwrap()
    }

    async fn lives(&self, signed_in: &SignedIn) -> bool {
        self.app.sessions.find(&signed_in.id.key(), self.app.clock.now()).await.unwrap().is_some()
    }

    async fn works(&self, token: &LinkToken) -> bool {
        self.recovery.open(token).await.unwrap().is_some()
    }
}

fn client() -> Client {
    attempt("", "").client
}

fn new(token: &LinkToken, text: &str) -> NewPassword {
    NewPassword { token: Some(token.clone()), password: password(text), client: client() }
}

fn token_of(issued: &Issued) -> LinkToken {
    let (_, token) = issued.link.split_once("/auth/reset?token=").unwrap();
    LinkToken::parse(token).unwrap()
}

/// S4.6, threats.md S04
#[tokio::test]
async fn a_new_password_by_a_link_signs_out_every_program() {
    let site = Site::new().await;
    let program = site.app.refresh_tokens.issue(&site.alice().await, &client()).await.unwrap();
    let token = site.token().await;
    site.reset(&token, NEW).await.unwrap();
    assert!(site.app.refresh_tokens.renew(&program, &client()).await.is_err());
    assert!(site.app.profile.programs(&site.alice().await).await.unwrap().is_empty());
}

/// S0.6, S2.5, S2.6
#[tokio::test]
async fn a_link_sets_the_password_ends_every_session_and_begins_one() {
    let site = Site::new().await;
    let elsewhere = site.sign_in(PASSWORD).await.unwrap();
    let here = site.sign_in(PASSWORD).await.unwrap();
    let token = site.token().await;
    assert_eq!((site.alice().await.reset_requests, site.alice().await.reset_requested_at), (1, Some(site.app.clock.now())));
    let signed_in = site.recovery.reset_and_sign_in(new(&token, NEW), Some(here.id.key())).await.unwrap();
    assert!(!site.lives(&elsewhere).await && !site.lives(&here).await && site.lives(&signed_in).await);
    assert_eq!(signed_in.session.user.username, "alice");
    assert!(site.sign_in(PASSWORD).await.is_none() && site.sign_in(NEW).await.is_some());
    let alice = site.alice().await;
    assert_eq!((alice.reset_requests, alice.generation, alice.mark), (0, 2, None));
    site.app.marks.finish().await.unwrap();
    assert!(site.lives(&signed_in).await);
}

/// threats.md P04, ASVS V15.4.2
#[tokio::test(flavor = "multi_thread")]
async fn of_50_uses_of_one_token_at_once_exactly_one_sets_its_password() {
    let site = Site::new().await;
    let token = site.token().await;
    let uses = (0..50).map(|number| {
        let (recovery, new) = (site.recovery.clone(), new(&token, &format!("{NEW}-{number}")));
        tokio::spawn(async move { recovery.reset_and_sign_in(new, None).await.is_ok() })
    });
    let results: Vec<_> = futures_util::future::join_all(uses).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<_> = (0..50).filter(|number| results[*number]).collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert!(site.sign_in(&format!("{NEW}-{}", winners[0])).await.is_some());
    assert_eq!(site.alice().await.generation, 2);
}

/// S2.2, threats.md P05
#[tokio::test]
async fn a_link_ends_after_its_time_at_its_use_at_a_newer_one_and_with_the_password_or_address_that_it_was_made_for() {
    let site = Site::new().await;
    let expired = site.token().await;
    site.clock.advance(Duration::from_mins(30).saturating_sub(Duration::from_millis(1)));
    assert!(site.works(&expired).await);
    site.clock.advance(Duration::from_millis(1));
    assert!(!site.works(&expired).await);

    let older = site.token().await;
    let newer = site.token().await;
    assert!(!site.works(&older).await && site.works(&newer).await);

    let current = site.sign_in(PASSWORD).await.unwrap();
    let id = current.account.id;
    let (here, who) = (current.id.key(), client());
    let change = PasswordChange { session: &here, current: password(PASSWORD), new: password(NEW), client: &who };
    site.app.profile.change_password(id, change).await.unwrap();
    assert!(!site.works(&newer).await);

    let before_move = site.token().await;
    let moved = Account { email: Email::parse("alice@example.org").unwrap(), ..site.alice().await };
    site.app.accounts.update(&moved).await.unwrap();
    assert!(!site.works(&before_move).await);
    assert!(site.issued("alice@example.com").await.is_none());

    let used = token_of(&site.issued("alice@example.org").await.unwrap());
    site.reset(&used, PASSWORD).await.unwrap();
    for dead in [expired, older, newer, before_move, used, LinkToken::random()] {
        assert!(matches!(site.reset(&dead, NEW).await, Err(ResetError::BadToken)));
    }
    assert!(matches!(site.recovery.reset(NewPassword { token: None, ..new(&LinkToken::random(), NEW) }).await, Err(ResetError::BadToken)));
    assert!(site.sign_in(PASSWORD).await.is_some());
}

/// A letter that is tried again, or after a newer one, must not end a link that was mailed already
#[tokio::test]
async fn a_letter_written_once_more_is_no_newer_request() {
    let site = Site::new().await;
    let (address, first) = (Email::parse("alice@example.com").unwrap(), site.asked());
    let once = token_of(&site.recovery.issue_reset(&address, BASE, &first).await.unwrap().unwrap());
    let again = token_of(&site.recovery.issue_reset(&address, BASE, &first).await.unwrap().unwrap());
    assert!(site.works(&once).await && site.works(&again).await);
    let newer = site.token().await;
    let late = token_of(&site.recovery.issue_reset(&address, BASE, &first).await.unwrap().unwrap());
    assert!(!site.works(&once).await && site.works(&newer).await && site.works(&late).await);
    assert_eq!(site.alice().await.reset_requests, 2);
    site.reset(&again, NEW).await.unwrap_err();
    site.reset(&newer, NEW).await.unwrap();
    assert!(!site.works(&late).await);
}

/// contract 4 "Reset": a lock by an operator is none that a mail lifts
#[tokio::test]
async fn an_account_that_an_operator_locked_gets_no_link_and_one_it_has_stops_working() {
    let site = Site::new().await;
    let token = site.token().await;
    site.app.administration.lock("alice").await.unwrap();
    assert!(site.issued("alice@example.com").await.is_none());
    assert!(matches!(site.reset(&token, NEW).await, Err(ResetError::BadToken)));
    site.app.administration.unlock("alice").await.unwrap();
    assert!(!site.works(&token).await, "the lock has raised the generation");
    assert!(site.sign_in(PASSWORD).await.is_some());
}

/// The race with a lock: it comes as the account is written, or before the session is there
#[tokio::test]
async fn a_lock_that_overtakes_a_reset_leaves_the_account_locked_and_without_a_session() {
    for moment in [Moment::BeforeUpdate, Moment::AfterUpdate] {
        let site = Site::new().await;
        let token = site.token().await;
        let administration = Arc::clone(&site.app.administration);
        let lock = async move {
            administration.lock("alice").await.unwrap();
        };
        let recovery = site.meddled(moment, Meddling::Happens(Box::pin(lock)));
        assert!(matches!(recovery.reset_and_sign_in(new(&token, NEW), None).await, Err(ResetError::BadToken)), "{moment:?}");
        let alice = site.alice().await;
        assert!(alice.locked && site.app.sessions.list(alice.id, site.app.clock.now()).await.unwrap().is_empty(), "{moment:?}");
    }
}

/// The race with somebody else's write that changes nothing about the link
#[tokio::test]
async fn a_change_of_groups_in_between_is_kept() {
    let site = Site::new().await;
    let token = site.token().await;
    let administration = Arc::clone(&site.app.administration);
    let change = async move {
        administration.set_groups("alice", &["staff".to_owned()]).await.unwrap();
    };
    let recovery = site.meddled(Moment::BeforeUpdate, Meddling::Happens(Box::pin(change)));
    let signed_in = recovery.reset_and_sign_in(new(&token, NEW), None).await.unwrap();
    assert_eq!(signed_in.session.user.groups, ["staff"]);
    assert!(site.sign_in(NEW).await.is_some());
}

/// A failed write costs nobody their link
#[tokio::test]
async fn a_token_that_led_to_nothing_is_put_back_and_ends_when_it_would_have() {
    let site = Site::new().await;
    let token = site.token().await;
    site.clock.advance(Duration::from_mins(10));
    let recovery = site.meddled(Moment::BeforeUpdate, Meddling::Fails);
    assert!(matches!(recovery.reset(new(&token, NEW)).await, Err(ResetError::Unavailable(_))));
    assert!(site.works(&token).await && site.sign_in(PASSWORD).await.is_some());
    site.clock.advance(Duration::from_mins(20));
    assert!(!site.works(&token).await);
    let token = site.token().await;
    assert!(recovery.reset(new(&token, NEW)).await.is_ok(), "it failed once only");
}

/// The write that a crash of the connection hid from us must not let the link work a second time
#[tokio::test]
async fn a_token_put_back_after_a_write_that_did_happen_is_worth_nothing() {
    let site = Site::new().await;
    let token = site.token().await;
    let recovery = site.meddled(Moment::AfterUpdate, Meddling::Fails);
    assert!(matches!(recovery.reset(new(&token, NEW)).await, Err(ResetError::Unavailable(_))));
    assert!(!site.works(&token).await);
    assert!(site.sign_in(NEW).await.is_some());
}

/// S0.6, ASVS V6.2.1
#[tokio::test]
async fn a_password_that_is_not_good_enough_spends_nothing() {
    let site = Site::new().await;
    let token = site.token().await;
    for (text, code) in [("short", "too_short"), ("Password1", "too_common"), ("alllowercase1", "too_simple")] {
        let Err(ResetError::Invalid(problems)) = site.reset(&token, text).await else { panic!("{text} was taken") };
        assert_eq!((problems[0].field, problems[0].code), ("password", code));
    }
    assert!(site.reset(&token, NEW).await.is_ok());
}

/// contract 6: tokens that do not work are failures of whoever tries them; one that does is never held up by those
#[tokio::test]
async fn who_tries_tokens_is_stopped_and_a_link_that_was_sent_works_all_the_same() {
    let site = Site::with(|settings| settings.rate_limit.attempts = 5).await;
    for _ in 0..5 {
        assert!(matches!(site.reset(&LinkToken::random(), NEW).await, Err(ResetError::BadToken)));
    }
    assert!(matches!(site.reset(&LinkToken::random(), NEW).await, Err(ResetError::TooMany(_))));
    let token = site.token().await;
    for _ in 0..6 {
        assert!(matches!(site.reset(&token, "short").await, Err(ResetError::Invalid(_))));
    }
    assert!(site.reset(&token, NEW).await.is_ok());
    site.clock.advance(Duration::from_mins(15));
    assert!(matches!(site.reset(&token, NEW).await, Err(ResetError::BadToken)));
}

/// threats.md G08: an attacker who has the account locked does not keep its owner out, whose failures led to it
#[tokio::test]
async fn a_reset_lifts_a_lock_after_failed_sign_ins() {
    let site = Site::with(|settings| settings.accounts.lockout.failures = 3).await;
    for _ in 0..3 {
        assert!(site.sign_in("Wr0ng-Guess").await.is_none());
    }
    assert!(site.sign_in(PASSWORD).await.is_none(), "it is locked");
    let token = site.token().await;
    assert!(site.recovery.reset_and_sign_in(new(&token, NEW), None).await.is_ok());
    assert!(site.sign_in(NEW).await.is_some());
}

/// contract 4: the link shows the address to be the owner's
#[tokio::test]
async fn a_reset_verifies_the_address_it_was_mailed_to() {
    let site = Site::new().await;
    let unverified = Account { email_verified: false, locked_until: Some(Timestamp(1)), ..site.alice().await };
    site.app.accounts.update(&unverified).await.unwrap();
    let token = site.token().await;
    let reset = site.reset(&token, NEW).await.unwrap();
    assert!(reset.email_verified && reset.locked_until.is_none());
}

/// A gateway died after a password change, before it had ended the sessions
#[tokio::test]
async fn asking_for_a_link_ends_no_login_that_came_after_an_unfinished_password_change() {
    let site = Site::new().await;
    let before = site.sign_in(PASSWORD).await.unwrap();
    let unfinished = Account { mark: Some(SessionMark::End), generation: 2, ..site.alice().await };
    site.app.accounts.update(&unfinished).await.unwrap();
    let after = site.sign_in(PASSWORD).await.unwrap();
    site.token().await;
    site.app.marks.finish().await.unwrap();
    assert!(!site.lives(&before).await && site.lives(&after).await);
}

/// threats.md P08: CVE-2019-19844
#[tokio::test]
async fn letters_that_only_look_alike_or_fold_into_others_are_other_addresses() {
    let site = Site::new().await;
    for (name, email) in [("mike", "mike@example.com"), ("kim", "kim@example.com"), ("strasse", "strasse@b\u{fc}cher.example")] {
        let added = crate::administration::AddedAccount {
            username: name.to_owned(),
            email: email.to_owned(),
            groups: vec![],
            password: password(PASSWORD),
        };
        site.app.administration.add(added).await.unwrap();
    }
    for other in ["m\u{131}ke@example.com", "\u{212a}im@example.com", "stra\u{df}e@b\u{fc}cher.example", "mike@ex\u{e4}mple.com"] {
        assert!(site.issued(other).await.is_none(), "{other}");
    }
    for (same, stored) in [
        ("MIKE@EXAMPLE.COM", "mike@example.com"),
        ("strasse@xn--bcher-kva.example", "strasse@b\u{fc}cher.example"),
        ("Strasse@B\u{dc}CHER.example", "strasse@b\u{fc}cher.example"),
    ] {
        assert_eq!(site.issued(same).await.unwrap().account.email.as_str(), stored, "mail goes to what is stored");
    }
}

/// S4.10, threats.md P01
#[tokio::test]
async fn a_link_leads_to_our_page_or_into_the_fragment_of_the_one_that_is_configured() {
    let site = Site::new().await;
    let issued = site.issued("alice@example.com").await.unwrap();
    assert_eq!(issued.link, format!("{BASE}/auth/reset?token={}", token_of(&issued).expose()));
    assert!(!format!("{issued:?}").contains(token_of(&issued).expose()));
    let elsewhere = |settings: &mut Settings| settings.accounts.reset.url = Some("https://app.example.com/#/reset/{token}".to_owned());
    let site = Site::with(elsewhere).await;
    let link = site.issued("alice@example.com").await.unwrap().link;
    let token = link.strip_prefix("https://app.example.com/#/reset/").unwrap();
    assert!(site.works(&LinkToken::parse(token).unwrap()).await);
}

#[tokio::test]
async fn without_mail_or_an_address_of_its_own_a_site_sends_no_links() {
    let site = Site::new().await;
    let ask =
        async |recovery: &Recovery, base: Option<&str>| recovery.request("alice@example.com", base.map(str::to_owned), &client()).await;
    let silent = Recovery { sends_mail: false, ..site.recovery.clone() };
    assert!(matches!(ask(&silent, Some(BASE)).await, Err(RequestError::NoMail)));
    assert!(matches!(ask(&site.recovery, None).await, Err(RequestError::NoMail)));
    let refused = site.recovery.request("alice at example", Some(BASE.to_owned()), &client()).await;
    assert!(matches!(refused, Err(RequestError::Invalid(problem)) if (problem.field, problem.code) == ("email", "invalid")));
}

impl Site {
    /// The use case, with something that goes wrong once when an account is written.
    fn meddled(&self, moment: Moment, meddling: Meddling) -> Recovery {
        let accounts = Arc::new(Meddled { inner: Arc::clone(&self.app.accounts), moment, meddling: Mutex::new(Some(meddling)) });
        Recovery { accounts, ..self.recovery.clone() }
    }
}

/// Accounts; once, something happens at a write, or it fails.
struct Meddled {
    inner: Arc<dyn AccountStore>,
    moment: Moment,
    meddling: Mutex<Option<Meddling>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    BeforeUpdate,
    AfterUpdate,
}

enum Meddling {
    Happens(BoxFuture<'static, ()>),
    Fails,
}

impl Meddled {
    async fn meddle(&self, moment: Moment) -> Result<(), StoreError> {
        let meddling = if moment == self.moment { self.meddling.lock().unwrap().take() } else { None };
        match meddling {
            Some(Meddling::Happens(happens)) => happens.await,
            Some(Meddling::Fails) => return Err(StoreError("the test wants it so".to_owned())),
            None => {}
        }
        Ok(())
    }
}

#[async_trait]
impl AccountStore for Meddled {
    async fn create(&self, account: &Account) -> Result<(), CreateError> {
        self.inner.create(account).await
    }

    async fn find(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.inner.find(id).await
    }

    async fn find_by_username(&self, username: &Username) -> Result<Option<Account>, StoreError> {
        self.inner.find_by_username(username).await
    }

    async fn find_by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        self.inner.find_by_email(email).await
    }

    async fn update(&self, account: &Account) -> Result<(), UpdateError> {
        self.meddle(Moment::BeforeUpdate).await?;
        self.inner.update(account).await?;
        self.meddle(Moment::AfterUpdate).await?;
        Ok(())
    }

    async fn delete(&self, id: AccountId) -> Result<bool, StoreError> {
        self.inner.delete(id).await
    }

    async fn list(&self, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError> {
        self.inner.list(after, limit).await
    }

    async fn search(&self, text: &str, after: Option<&Username>, limit: usize) -> Result<Vec<Account>, StoreError> {
        self.inner.search(text, after, limit).await
    }

    async fn marked(&self, limit: usize) -> Result<Vec<Account>, StoreError> {
        self.inner.marked(limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
