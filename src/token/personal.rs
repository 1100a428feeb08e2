//! Personal access tokens, `pat_…`: made by users for their scripts, good for some hosts, paths and methods only.

mod scope;
#[cfg(test)]
mod tests;
mod text;

pub use scope::Scope;
pub use text::{PersonalKeys, PersonalText};

use super::store::{PersonalToken, PersonalTokenStore};
use crate::account::display::check_name;
use crate::account::{Account, AccountId};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::clock::{SharedClock, Timestamp};
use crate::config::Settings;
use crate::registration::FieldProblem;
use crate::store::StoreError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Makes, checks and revokes personal tokens.
pub struct PersonalTokens {
    pub(crate) store: Arc<dyn PersonalTokenStore>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) clock: SharedClock,
    pub(crate) keys: PersonalKeys,
    pub(crate) uses: PersonalUses,
    pub(crate) settings: Arc<Settings>,
}

/// What somebody wants a token to be, as typed.
#[derive(Clone, Debug, Default)]
pub struct NewPersonalToken {
    /// What to call it.
    pub name: String,
    /// Where it may be used.
    pub scope: Scope,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
}

/// Why no token was made.
#[derive(Debug)]
pub enum PersonalTokenError {
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// The account has as many as it may have.
    TooMany,
    /// A store failed.
    Unavailable(StoreError),
}

/// When uses were noted here last, so that many at once are noted once.
#[derive(Default)]
pub struct PersonalUses(Mutex<HashMap<Uuid, Timestamp>>);

/// Most tokens of one account.
pub const MOST: usize = 50;

/// Longest name of a token, in characters.
pub const LONGEST_NAME: usize = 64;

/// How much later another use is noted.
const NOTED_EVERY: Duration = Duration::from_mins(1);

/// Tokens whose last use is remembered here; when there are more, all are forgotten.
const REMEMBERED: usize = 4096;

impl PersonalTokens {
    /// A new token for the account, and the only copy of its text.
    ///
    /// # Errors
    /// See [`PersonalTokenError`].
    pub async fn create(
        &self,
        account: &Account,
        wanted: NewPersonalToken,
        by: Party,
        client: &Client,
    ) -> Result<(PersonalToken, PersonalText), PersonalTokenError> {
        let (text, now) = (PersonalText::random(), self.clock.now());
        let (name, scope) = self.check(&wanted, now).map_err(PersonalTokenError::Invalid)?;
        let token = PersonalToken {
            id: AccountId::new(now).0,
            account: account.id,
            resets: account.resets,
            hash: self.keys.hash(&text),
            name,
            scope,
            created_at: now,
            expires_at: wanted.expires_at,
            last_used: None,
        };
        if !self.store.create(&token, MOST).await.map_err(PersonalTokenError::Unavailable)? {
            return Err(PersonalTokenError::TooMany);
        }
        self.note(Action::TokenCreation, account, by, client);
        Ok((token, text))
    }

    /// The token with this text and its owner, if it is one and neither expired nor its owner locked. Its scope is for the caller
    /// to look at.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn authenticate(&self, text: &PersonalText) -> Result<Option<(PersonalToken, Account)>, StoreError> {
        let now = self.clock.now();
        Ok(self.find(text).await?.filter(|(token, _)| token.expires_at.is_none_or(|end| now < end)))
    }

    /// Whether nobody has revoked the token with this text, or locked its owner: for exchanges that go on, also past its end.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn is_alive(&self, text: &PersonalText) -> Result<bool, StoreError> {
        Ok(self.find(text).await?.is_some())
    }

    /// Notes a use, at most once a minute and off the caller's path. Where the secret has changed since the token was made, it is
    /// kept under a hash of the present one from then on, so that the former can be forgotten.
    pub fn note_use(&self, token: &PersonalToken, text: &PersonalText) {
        let (now, hash) = (self.clock.now(), self.keys.hash(text));
        let is_due = token.hash != hash || token.last_used.is_none_or(|last| now.since(last) >= NOTED_EVERY);
        if is_due && self.uses.is_due(token.id, now) {
            self.store.touch(token, &hash, now);
        }
    }

    /// The account's tokens, newest first.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list(&self, account: AccountId) -> Result<Vec<PersonalToken>, StoreError> {
        self.store.list(account).await
    }

    /// Revokes one; whether it was there.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn revoke(&self, account: &Account, id: Uuid, by: Party, client: &Client) -> Result<bool, StoreError> {
        let revoked = self.store.remove(account.id, id).await?;
        if revoked {
            self.note(Action::TokenRevocation, account, by, client);
        }
        Ok(revoked)
    }

    /// The moment `lifetime` from now.
    #[must_use]
    pub fn end_after(&self, lifetime: Duration) -> Timestamp {
        self.clock.now().plus(lifetime)
    }

    async fn find(&self, text: &PersonalText) -> Result<Option<(PersonalToken, Account)>, StoreError> {
        let found = self.store.find(&self.keys.hashes(text)).await?;
        Ok(found.filter(|(_, account)| !account.locked && !account.is_deleted()))
    }

    fn check(&self, wanted: &NewPersonalToken, now: Timestamp) -> Result<(String, Scope), Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let name = check_token_name(&wanted.name).map_err(|problem| problems.push(problem)).unwrap_or_default();
        let scope = Scope::check(&wanted.scope, &self.settings).map_err(|found| problems.extend(found)).unwrap_or_default();
        if wanted.expires_at.is_some_and(|end| end <= now) {
            problems.push(FieldProblem::new("expires", "invalid", &"choose an end that is still to come"));
        }
        if problems.is_empty() { Ok((name, scope)) } else { Err(problems) }
    }

    fn note(&self, action: Action, account: &Account, by: Party, client: &Client) {
        let owner = Party::from(account);
        let own = by == owner;
        let event = Event::by(by, action, Outcome::Success, client);
        self.audit.record(if own { event } else { event.to(owner) });
    }
}

impl PersonalUses {
    fn is_due(&self, token: Uuid, now: Timestamp) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&token).is_some_and(|last| now.since(*last) < NOTED_EVERY) {
            return false;
        }
        if noted.len() >= REMEMBERED {
            noted.clear();
        }
        noted.insert(token, now);
        true
    }
}

fn check_token_name(typed: &str) -> Result<String, FieldProblem> {
    let problem = |code, message: &str| FieldProblem::new("name", code, &message);
    let name = check_name(typed).map_err(|(code, message)| problem(code, message))?;
    match name.chars().count() {
        0 => Err(problem("required", "say what the token is for")),
        1..=LONGEST_NAME => Ok(name),
        _ => Err(problem("too_long", "use at most 64 characters")),
    }
}

impl std::fmt::Display for PersonalTokenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(problems) => {
                let sentences: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.message)).collect();
                f.write_str(&sentences.join("; "))
            }
            Self::TooMany => write!(f, "the account has {MOST} tokens, the most there can be; revoke one"),
            Self::Unavailable(error) => error.fmt(f),
        }
    }
}
