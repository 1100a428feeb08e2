//! Making one's own account. No HTTP here.

use crate::account::{
    Account, AccountId, AccountStore, CreateError, Email, Field, HashError, Hasher, Password, Username, is_name_byte, is_reserved,
};
use crate::client::Client;
use crate::clock::SharedClock;
use crate::config::AccountSettings;
use crate::store::StoreError;
use crate::throttle::{Endpoint, Throttle, Throttled, TooMany};
use std::sync::Arc;

/// The use case: turns what somebody typed into an account.
pub struct Registration {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) settings: AccountSettings,
}

/// What somebody who wants an account gives, as typed.
pub struct NewAccount {
    /// Made from the address when absent (JSON only).
    pub username: Option<String>,
    /// Address.
    pub email: String,
    /// Password.
    pub password: Password,
    /// Who asks.
    pub client: Client,
}

/// A value that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// Name of the form or JSON field.
    pub field: &'static str,
    /// Stable code, for example `too_short`.
    pub code: &'static str,
    /// Sentence for the user.
    pub message: String,
}

/// Why no account was made.
#[derive(Debug)]
pub enum RegistrationError {
    /// Registration is not open.
    Closed,
    /// Values that cannot be taken; at least one.
    Invalid(Vec<FieldProblem>),
    /// Another account has the name.
    UsernameTaken,
    /// Another account has the address.
    EmailTaken,
    /// Too many accounts were made, or tried to be.
    TooMany(TooMany),
    /// Too many passwords are being hashed.
    Busy,
    /// A store failed.
    Unavailable(StoreError),
}

impl Registration {
    /// Whether anyone may register.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.settings.registration == crate::config::Registration::Open
    }

    /// Makes an account. A taken name or address is found out after the password was hashed, so that the time it takes
    /// tells nothing.
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn register(&self, new: NewAccount) -> Result<Account, RegistrationError> {
        if !self.is_open() {
            return Err(RegistrationError::Closed);
        }
        let checked = self.check(&new)?;
        let admission = self.throttle.request(Endpoint::Register, &new.client).await?;
        let made = self.make(&new, checked).await;
        // An address that is taken costs the same work as one that is not: forms must not tell them apart.
        if matches!(made, Ok(_) | Err(RegistrationError::EmailTaken | RegistrationError::Busy | RegistrationError::Unavailable(_))) {
            self.throttle.give_back(admission).await;
        }
        made
    }

    async fn make(&self, new: &NewAccount, checked: Checked) -> Result<Account, RegistrationError> {
        let password = self.hasher.hash(&new.password).await?;
        let now = self.clock.now();
        let mut account = Account {
            id: AccountId::new(now),
            username: checked.names.first().clone(),
            email: checked.email,
            email_verified: false,
            name: String::new(),
            avatar_url: None,
            groups: Vec::new(),
            password,
            locked: false,
            locked_until: None,
            reset_requested_at: None,
            reset_requests: 0,
            generation: 1,
            mark: None,
            created_at: now,
            version: 1,
        };
        for name in checked.names.candidates(&self.settings.reserved_usernames) {
            account.username = name;
            match self.accounts.create(&account).await {
                Ok(()) => return Ok(account),
                Err(CreateError::Taken(Field::Username)) => {}
                Err(CreateError::Taken(Field::Email)) => return Err(RegistrationError::EmailTaken),
                Err(CreateError::Store(error)) => return Err(RegistrationError::Unavailable(error)),
            }
        }
        Err(RegistrationError::UsernameTaken)
    }

    /// Everything that can be said of the values without asking a store.
    fn check(&self, new: &NewAccount) -> Result<Checked, RegistrationError> {
        let mut problems = Vec::new();
        let email = Email::parse(new.email.trim()).map_err(|error| problems.push(FieldProblem::new("email", "invalid", &error))).ok();
        let names = match (&new.username, &email) {
            (Some(typed), _) => self.check_username(typed).map_err(|problem| problems.push(problem)).ok().map(Names::Chosen),
            (None, Some(email)) => Some(Names::made_from(email)),
            (None, None) => None,
        };
        let known_as = names.iter().map(|names| names.first().as_str());
        let addressed_as = email.iter().flat_map(|email| [email.as_str(), email.local_part()]);
        let all: Vec<&str> = known_as.chain(addressed_as).collect();
        if let Err(problem) = self.settings.password.check(&new.password, &all, self.hasher.algorithm()) {
            problems.push(FieldProblem::new("password", problem.code(), &problem));
        }
        match (names, email) {
            (Some(names), Some(email)) if problems.is_empty() => Ok(Checked { names, email }),
            _ => Err(RegistrationError::Invalid(problems)),
        }
    }

    fn check_username(&self, typed: &str) -> Result<Username, FieldProblem> {
        check_username(typed, &self.settings.reserved_usernames)
    }
}

struct Checked {
    names: Names,
    email: Email,
}

/// The name that was asked for, or what to make one from.
enum Names {
    Chosen(Username),
    Made(Username),
}

/// Made-up names that are tried before giving up.
const MADE_UP: u32 = 100;

impl Names {
    /// A name from the part of the address before the `@`, with what names may not contain left out.
    fn made_from(email: &Email) -> Self {
        let local = email.local_part();
        let kept: String = local.chars().filter(|character| u8::try_from(*character).is_ok_and(is_name_byte)).collect();
        let kept = kept.trim_start_matches(|character: char| !character.is_ascii_alphanumeric());
        let cut = &kept[..kept.len().min(Username::MAX)];
        Self::Made(Username::parse(cut).unwrap_or_else(|_| Username::fallback()))
    }

    const fn first(&self) -> &Username {
        match self {
            Self::Chosen(name) | Self::Made(name) => name,
        }
    }

    /// The names to try, in order.
    fn candidates(&self, reserved: &[String]) -> Vec<Username> {
        match self {
            Self::Chosen(name) => vec![name.clone()],
            Self::Made(name) => {
                let numbered = (2..MADE_UP).filter_map(|number| with_suffix(name, number));
                let drawn = with_suffix(name, u32::from_be_bytes(crate::entropy::random_bytes()));
                let all = std::iter::once(name.clone()).chain(numbered).chain(drawn);
                all.filter(|name| !is_reserved(&name.canonical(), reserved)).collect()
            }
        }
    }
}

fn with_suffix(name: &Username, number: u32) -> Option<Username> {
    let suffix = number.to_string();
    let stem = &name.as_str()[..name.as_str().len().min(Username::MAX - suffix.len())];
    Username::parse(&format!("{stem}{suffix}")).ok()
}

/// A name that a user may choose.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_username(typed: &str, reserved: &[String]) -> Result<Username, FieldProblem> {
    let username = Username::parse(typed.trim()).map_err(|error| FieldProblem::new("username", "invalid", &error))?;
    if is_reserved(&username.canonical(), reserved) {
        return Err(FieldProblem::new("username", "reserved", &"this name is reserved, choose another"));
    }
    Ok(username)
}

impl FieldProblem {
    pub(crate) fn new(field: &'static str, code: &'static str, message: &dyn std::fmt::Display) -> Self {
        Self { field, code, message: message.to_string() }
    }
}

impl From<Throttled> for RegistrationError {
    fn from(throttled: Throttled) -> Self {
        match throttled {
            Throttled::TooMany(too_many) => Self::TooMany(too_many),
            Throttled::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<HashError> for RegistrationError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, PASSWORD, account_settings, new_account};

    async fn codes(fixture: &Fixture, username: Option<&str>, email: &str, text: &str) -> Vec<(&'static str, &'static str)> {
        match fixture.registration.register(new_account(username, email, text)).await {
            Err(RegistrationError::Invalid(problems)) => problems.iter().map(|problem| (problem.field, problem.code)).collect(),
            other => panic!("{:?}", other.map(|account| account.id)),
        }
    }

    /// S0.1
    #[tokio::test]
    async fn a_registered_account_can_sign_in_and_has_no_rights_yet() {
        let fixture = Fixture::new();
        let made = fixture.registration.register(new_account(Some("Alice"), " alice@example.com ", PASSWORD)).await.unwrap();
        assert!(made.password.0.starts_with("$argon2id$"));
        assert!(!made.email_verified && made.groups.is_empty());
        assert_eq!(fixture.sign_in("alice", PASSWORD).await.unwrap().account.id, made.id);
    }

    #[tokio::test]
    async fn closed_registration_makes_no_account() {
        let closed = AccountSettings { registration: crate::config::Registration::Closed, ..account_settings() };
        let fixture = Fixture::with(closed);
        let refused = fixture.registration.register(new_account(Some("alice"), "alice@example.com", PASSWORD)).await;
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
        let name = fixture.registration.register(new_account(Some("ALICE"), "new@example.com", PASSWORD)).await;
        assert!(matches!(name, Err(RegistrationError::UsernameTaken)));
        let address = fixture.registration.register(new_account(Some("bob"), "Alice@EXAMPLE.com", PASSWORD)).await;
        assert!(matches!(address, Err(RegistrationError::EmailTaken)));
    }

    #[tokio::test]
    async fn a_missing_name_is_made_from_the_address() {
        let fixture = Fixture::new();
        let made = async |email: &str| {
            fixture.registration.register(new_account(None, email, PASSWORD)).await.unwrap().username.as_str().to_owned()
        };
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
            tokio::spawn(
                async move { registration.register(new_account(Some("alice"), &format!("a{number}@example.com"), PASSWORD)).await },
            )
        });
        let results = futures_util::future::join_all(attempts).await;
        let made = results.iter().filter(|result| matches!(result, Ok(Ok(_)))).count();
        let taken = results.iter().filter(|result| matches!(result, Ok(Err(RegistrationError::UsernameTaken)))).count();
        assert_eq!((made, taken), (1, 31));
    }
}
