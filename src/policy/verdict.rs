//! From what a rule asks for and who asks to what becomes of the request.

use super::{Access, Requirement};

/// Who asks, as far as rules care.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// Nobody is signed in.
    Nobody,
    /// It cannot be told: the session store did not answer.
    Untold,
    /// Somebody is signed in.
    User(User<'a>),
}

/// Somebody who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    /// Sign-in name.
    pub name: &'a str,
    /// Groups.
    pub groups: &'a [String],
    /// Whether a second factor was given.
    pub second_factor: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on; everyone may.
    Public,
    /// Goes on; the one who asks may.
    Allow,
    /// Must sign in first.
    Login,
    /// Must give a second factor first.
    SecondFactor,
    /// May not, whoever it is or because of who it is.
    Forbidden,
    /// Cannot be decided: the session store did not answer.
    Unavailable,
}

impl Verdict {
    /// Its name in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Allow => "allow",
            Self::Login => "unauthorized",
            Self::Forbidden | Self::SecondFactor => "forbidden",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Requirement<'_> {
    /// What becomes of a request of this caller. Who is let in comes before the second factor: nobody is asked for one
    /// to be refused after it.
    #[must_use]
    pub fn verdict(&self, caller: &Caller<'_>) -> Verdict {
        let user = match (self.access, caller) {
            (Access::Public, _) => return Verdict::Public,
            (Access::Deny, _) => return Verdict::Forbidden,
            (Access::Authenticated | Access::Mfa, Caller::Nobody) => return Verdict::Login,
            (Access::Authenticated | Access::Mfa, Caller::Untold) => return Verdict::Unavailable,
            (Access::Authenticated | Access::Mfa, Caller::User(user)) => user,
        };
        match self.only {
            Some(only) if !only.admits(user.name, user.groups) => Verdict::Forbidden,
            _ if self.access == Access::Mfa && !user.second_factor => Verdict::SecondFactor,
            _ => Verdict::Allow,
        }
    }
}
