//! Making one's own account. No HTTP here.

use crate::account::{
    Account, AccountId, AccountStore, CreateError, Email, Field, HashError, Hasher, Password, Username, is_name_byte, is_reserved,
};
use crate::clock::SharedClock;
use crate::config::AccountSettings;
use crate::store::StoreError;
use std::sync::Arc;

/// The use case: turns what somebody typed into an account.
pub struct Registration {
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) hasher: Hasher,
    pub(crate) clock: SharedClock,
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

impl From<HashError> for RegistrationError {
    fn from(_: HashError) -> Self {
        Self::Busy
    }
}
