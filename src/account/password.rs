//! Passwords as typed, and which are good enough.

/// A password as typed; wiped from memory when dropped, never printed.
pub struct Password(zeroize::Zeroizing<String>);

/// `accounts.password.profile`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordProfile {
    /// 8 or more characters with upper case, lower case and a digit (S4.2).
    Classic,
    /// 15 or more characters, no composition rules (NIST SP 800-63B-4).
    Nist,
}

/// Why a password is not good enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordProblem {
    /// Fewer characters than this.
    TooShort(usize),
}

impl Password {
    /// Takes what was typed, as it is.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}
