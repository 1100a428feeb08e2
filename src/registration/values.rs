//! What somebody gives for an account, checked as far as that needs no store.

use super::{NewAccount, RegistrationError};
use crate::account::{Email, Group, Username, is_name_byte, is_reserved};
use crate::config::{AccountSettings, HashAlgorithm};
use crate::invitation::Invitation;

/// Values that can be taken, unless another account has them.
pub(super) struct Values {
    pub(super) names: Names,
    pub(super) email: Email,
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

impl Values {
    /// Tells every problem at once.
    pub(super) fn check(
        new: &NewAccount,
        invitation: Option<&Invitation>,
        settings: &AccountSettings,
        algorithm: HashAlgorithm,
    ) -> Result<Self, RegistrationError> {
        let mut problems = Vec::new();
        let email = check_email(&new.email, invitation).map_err(|problem| problems.push(problem)).ok();
        let names = match (&new.username, &email) {
            (Some(typed), _) => {
                let checked = check_username(typed, &settings.reserved_usernames);
                checked.map_err(|problem| problems.push(problem)).ok().map(Names::Chosen)
            }
            (None, Some(email)) => Some(Names::made_from(email)),
            (None, None) => None,
        };
        let known_as = names.iter().map(|names| names.first().as_str());
        let addressed_as = email.iter().flat_map(|email| [email.as_str(), email.local_part()]);
        let all: Vec<&str> = known_as.chain(addressed_as).collect();
        if let Err(problem) = settings.password.check(&new.password, &all, algorithm) {
            problems.push(FieldProblem::new("password", problem.code(), &problem));
        }
        match (names, email) {
            (Some(names), Some(email)) if problems.is_empty() => Ok(Self { names, email }),
            _ => Err(RegistrationError::Invalid(problems)),
        }
    }
}

/// The address typed, or the one that the invitation is for.
fn check_email(typed: &str, invitation: Option<&Invitation>) -> Result<Email, FieldProblem> {
    let typed = typed.trim();
    let Some(invited) = invitation.and_then(|invitation| invitation.email.as_ref()) else {
        return Email::parse(typed).map_err(|error| FieldProblem::new("email", "invalid", &error));
    };
    if typed.is_empty() || Email::parse(typed).is_ok_and(|email| email == *invited) {
        return Ok(invited.clone());
    }
    Err(FieldProblem::new("email", "not_invited", &"your invitation is for another address"))
}

/// The name that was asked for, or what to make one from.
pub(super) enum Names {
    Chosen(Username),
    Made(Username),
}

/// Up to which number made-up names are counted through; each one tried is a write.
const COUNTED: u32 = 9;

/// Numbers that are drawn after that.
const DRAWN: usize = 3;

impl Names {
    /// A name from the part of the address before the `@`, with what names may not contain left out.
    fn made_from(email: &Email) -> Self {
        let local = email.local_part();
        let kept: String = local.chars().filter(|character| u8::try_from(*character).is_ok_and(is_name_byte)).collect();
        let kept = kept.trim_start_matches(|character: char| !character.is_ascii_alphanumeric());
        let cut = &kept[..kept.len().min(Username::MAX)];
        Self::Made(Username::parse(cut).unwrap_or_else(|_| Username::fallback()))
    }

    pub(super) const fn first(&self) -> &Username {
        match self {
            Self::Chosen(name) | Self::Made(name) => name,
        }
    }

    /// The names to try, in order.
    pub(super) fn candidates(&self, reserved: &[String]) -> Vec<Username> {
        match self {
            Self::Chosen(name) => vec![name.clone()],
            Self::Made(name) => {
                let drawn = std::iter::repeat_with(|| u32::from_be_bytes(crate::entropy::random_bytes())).take(DRAWN);
                let numbered = (2..=COUNTED).chain(drawn).filter_map(|number| with_suffix(name, number));
                std::iter::once(name.clone()).chain(numbered).filter(|name| !is_reserved(&name.canonical(), reserved)).collect()
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

/// The groups that an operator gives, each once.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check_groups(typed: &[String]) -> Result<Vec<Group>, FieldProblem> {
    let mut checked: Vec<Group> = Vec::new();
    for text in typed {
        let group = Group::parse(text).map_err(|error| FieldProblem::new("groups", "invalid", &error))?;
        if !checked.contains(&group) {
            checked.push(group);
        }
    }
    if !Group::fit_together(&checked) {
        let most = Group::MAX_TOGETHER;
        return Err(FieldProblem::new("groups", "too_long", &format_args!("an account's groups may have {most} bytes together")));
    }
    Ok(checked)
}

impl FieldProblem {
    pub(crate) fn new(field: &'static str, code: &'static str, message: &dyn std::fmt::Display) -> Self {
        Self { field, code, message: message.to_string() }
    }
}
