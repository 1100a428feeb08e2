//! Invitations: who may register where registration is not open to all. No HTTP and no storage here.
//!
//! An invitation makes one account. Whoever registers with it first *claims* it for the account that is about to be made,
//! then makes the account, then redeems it. A claim names the account, so that one that was left behind by a crash is
//! settled by looking whether that account was made: the invitation is neither lost nor used twice.

mod store;

pub use store::InvitationStore;

use crate::account::{AccountId, AccountStore, Email, Group};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use crate::config::{self, Settings};
use crate::link_token::LinkToken;
use crate::mail::{Letter, Outbox};
use crate::registration::{FieldProblem, check_groups};
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The use case: an operator's acts on invitations.
pub struct Invitations {
    pub(crate) store: Arc<dyn InvitationStore>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: SharedClock,
    pub(crate) settings: Arc<Settings>,
}

/// A stored invitation; whoever has its link may register once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Identity; ordered by time (UUID version 7).
    pub id: Uuid,
    /// SHA-256 of the link's token.
    pub token: [u8; 32],
    /// The only address that may register with it, where one is named; it counts as confirmed then.
    pub email: Option<Email>,
    /// Groups that the new account gets.
    pub groups: Vec<Group>,
    /// Name of who made it.
    pub invited_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// For which account it is held, and until when that account must have been made.
    pub claimed: Option<(AccountId, Timestamp)>,
    /// Which account was made with it, and when.
    pub used: Option<(AccountId, Timestamp)>,
}

/// What an invitation is to be like.
pub struct NewInvitation {
    /// The address that may register with it, as typed; empty: any. The link is mailed to it, where there is mail.
    pub email: String,
    /// Groups that the new account gets, as typed.
    pub groups: Vec<String>,
    /// How long it works.
    pub lifetime: Duration,
    /// Origin of the link, for example `https://auth.example.com`; without one the link is a path, and is not mailed.
    pub base: Option<String>,
}

/// A new invitation and the only copy of its link.
#[derive(Debug)]
pub struct Invited {
    /// What was stored.
    pub invitation: Invitation,
    /// What to give to whoever is invited: a whole address, or a path where the origin is not known.
    pub link: String,
    /// Whether it is being mailed.
    pub mailed: bool,
}

/// Why nobody was invited.
#[derive(Debug)]
pub enum InvitationError {
    /// Registration is closed, also for those who are invited.
    Closed,
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// A store failed.
    Unavailable(StoreError),
}

/// What has become of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// It can be used.
    Open,
    /// An account was made with it.
    Used,
    /// Nobody used it in time.
    Expired,
}

/// How long an invitation works unless something else is asked for.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);

/// The longest that one may work: a link that is forgotten in a mailbox should not stay a way in.
pub const LONGEST: Duration = Duration::from_hours(366 * 24);

/// How long an invitation can still be seen after it has ended.
const KEPT: Duration = Duration::from_hours(90 * 24);

/// Within which a claimed account is made; many times what the stores may take.
const CLAIM: Duration = Duration::from_mins(1);

/// Claims settled together.
const BATCH: usize = 100;

impl Invitation {
    /// What has become of it at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> InvitationState {
        match self.used {
            Some(_) => InvitationState::Used,
            None if now < self.expires_at => InvitationState::Open,
            None => InvitationState::Expired,
        }
    }
}

impl InvitationState {
    /// As a word, for tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Used => "used",
            Self::Expired => "expired",
        }
    }
}

impl Invitations {
    /// Makes an invitation, and mails its link where an address is named and there is mail.
    ///
    /// # Errors
    /// See [`InvitationError`].
    pub async fn create(&self, new: NewInvitation, by: Party, client: &Client) -> Result<Invited, InvitationError> {
        if self.settings.accounts.registration == config::Registration::Closed {
            return Err(InvitationError::Closed);
        }
        let (email, groups) = self.check(&new).await?;
        let (token, now) = (LinkToken::random(), self.clock.now());
        let invitation = Invitation {
            id: AccountId::new(now).0,
            token: token.sha256(),
            email,
            groups,
            invited_by: by.name.clone(),
            created_at: now,
            expires_at: now.plus(new.lifetime),
            claimed: None,
            used: None,
        };
        self.store.create(&invitation).await?;
        let mut event = Event::by(by, Action::InvitationCreation, Outcome::Success, client);
        event.subject = invitation.email.as_ref().map(|email| Party::unknown(email.as_str()));
        self.audit.record(event);
        let path = format!("{}/register?invite={}", self.settings.server.prefix, token.expose());
        let link = format!("{}{path}", new.base.as_deref().unwrap_or_default());
        let mailed = new.base.is_some() && self.mail(&invitation, &link).await?;
        Ok(Invited { invitation, link, mailed })
    }

    /// Up to `limit` invitations, newest first, from the first before `before`.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list(&self, before: Option<Uuid>, limit: usize) -> Result<Vec<Invitation>, StoreError> {
        self.store.list(before, limit).await
    }

    /// Takes an invitation back; an account that was made with it stays. `false` when there was none.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn revoke(&self, id: Uuid, by: Party, client: &Client) -> Result<bool, StoreError> {
        let revoked = self.store.remove(id).await?;
        if revoked {
            self.audit.record(Event::by(by, Action::InvitationRevocation, Outcome::Success, client));
        }
        Ok(revoked)
    }

    /// The invitation that a link's token opens, if it can be used now.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn open(&self, token: &str) -> Result<Option<Invitation>, StoreError> {
        let Some(token) = LinkToken::parse(token) else { return Ok(None) };
        let now = self.clock.now();
        let Some(mut found) = self.store.find(&token.sha256(), now).await? else { return Ok(None) };
        if found.claimed.is_some_and(|(_, until)| until <= now) {
            self.settle_claim(&mut found).await?;
        }
        Ok((found.used.is_none() && found.claimed.is_none()).then_some(found))
    }

    /// Holds an invitation for the account that is about to be made. `false` where somebody else uses it.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn claim(&self, invitation: &Invitation, account: AccountId) -> Result<bool, StoreError> {
        let now = self.clock.now();
        self.store.claim(invitation.id, account, now, now.plus(CLAIM)).await
    }

    /// Notes that the account was made. `false` where the invitation is revoked, or settled for somebody else, by now.
    ///
    /// # Errors
    /// When the store failed; the claim is settled later.
    pub async fn redeem(&self, invitation: &Invitation, account: AccountId) -> Result<bool, StoreError> {
        self.store.redeem(invitation.id, account, self.clock.now()).await
    }

    /// Lets go of an invitation, since the account was not made.
    ///
    /// # Errors
    /// When the store failed; the claim is settled later.
    pub async fn release(&self, invitation: &Invitation, account: AccountId) -> Result<(), StoreError> {
        self.store.release(invitation.id, account).await
    }

    /// Settles claims that were left behind, and removes invitations that ended long ago.
    ///
    /// # Errors
    /// When a store failed.
    pub async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        for mut invitation in self.store.lapsed(now, BATCH).await? {
            self.settle_claim(&mut invitation).await?;
        }
        self.store.purge(now.minus(KEPT)).await
    }

    /// Whether the account that a lapsed claim names was made decides what becomes of the invitation.
    async fn settle_claim(&self, invitation: &mut Invitation) -> Result<(), StoreError> {
        let Some((account, _)) = invitation.claimed else { return Ok(()) };
        if self.accounts.find(account).await?.is_none() {
            self.store.release(invitation.id, account).await?;
        } else {
            let now = self.clock.now();
            self.store.redeem(invitation.id, account, now).await?;
            invitation.used = Some((account, now));
        }
        invitation.claimed = None;
        Ok(())
    }

    async fn mail(&self, invitation: &Invitation, link: &str) -> Result<bool, StoreError> {
        let Some(address) = invitation.email.as_ref().filter(|_| self.settings.email.transport.is_some()) else { return Ok(false) };
        let letter = Letter::Invitation { address: address.as_str().to_owned(), link: link.to_owned(), until: invitation.expires_at };
        self.outbox.post(&letter).await.map(|()| true)
    }

    async fn check(&self, new: &NewInvitation) -> Result<(Option<Email>, Vec<Group>), InvitationError> {
        let mut problems = Vec::new();
        let email = match new.email.trim() {
            "" => None,
            typed => Email::parse(typed).map_err(|error| problems.push(FieldProblem::new("email", "invalid", &error))).ok(),
        };
        if let Some(email) = &email
            && self.accounts.find_by_email(email).await?.is_some()
        {
            problems.push(FieldProblem::new("email", "taken", &"there is an account with this address"));
        }
        let groups = check_groups(&new.groups).map_err(|problem| problems.push(problem)).unwrap_or_default();
        if new.lifetime.is_zero() || new.lifetime > LONGEST {
            problems.push(FieldProblem::new("expires", "invalid", &"an invitation works for at least a moment and at most 366 days"));
        }
        if problems.is_empty() { Ok((email, groups)) } else { Err(InvitationError::Invalid(problems)) }
    }
}

impl std::fmt::Display for InvitationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed => f.write_str("nobody can register, invited or not; set accounts.registration to invite"),
            Self::Invalid(problems) => {
                let sentences: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
                f.write_str(&sentences.join("; "))
            }
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}

impl From<StoreError> for InvitationError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}
