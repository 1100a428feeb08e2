//! Passwords as typed, and which are good enough.

use crate::config::HashAlgorithm;
use std::collections::HashSet;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// A password exactly as typed, never trimmed or normalised (ASVS V6.2.8); wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

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
    /// More characters than this.
    TooLong(usize),
    /// More bytes than bcrypt reads: what is beyond them would not count.
    TooLongForBcrypt,
    /// Upper case, lower case or digit is missing.
    TooSimple,
    /// Among the most common passwords, but for case.
    TooCommon,
    /// The user's name, or the address or the part of it before the `@`.
    IsName,
}

/// Most characters (code points) a password may have.
pub(crate) const MAX_CHARACTERS: usize = 256;

/// Most bytes that bcrypt reads.
pub(crate) const MAX_BCRYPT_BYTES: usize = 72;

impl Password {
    /// Takes what was typed, as it is.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text; never to be printed or stored.
    #[must_use]
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether no stored password can be this long, so that it need not be looked at.
    pub(crate) fn is_oversized(&self) -> bool {
        self.0.len() > MAX_CHARACTERS * 4 || self.0.chars().count() > MAX_CHARACTERS
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl PasswordProfile {
    /// Whether the password is good enough for a user who is known by `names`.
    ///
    /// # Errors
    /// What is wrong with it first.
    pub fn check(self, password: &Password, names: &[&str], algorithm: HashAlgorithm) -> Result<(), PasswordProblem> {
        if password.is_oversized() {
            return Err(PasswordProblem::TooLong(MAX_CHARACTERS));
        }
        let text = password.expose();
        let least = self.least_characters();
        if text.chars().count() < least {
            return Err(PasswordProblem::TooShort(least));
        }
        if algorithm == HashAlgorithm::Bcrypt && text.len() > MAX_BCRYPT_BYTES {
            return Err(PasswordProblem::TooLongForBcrypt);
        }
        if self == Self::Classic && !has_upper_lower_and_digit(text) {
            return Err(PasswordProblem::TooSimple);
        }
        let folded = Zeroizing::new(text.to_lowercase());
        if names.iter().any(|name| *folded == name.to_lowercase()) {
            return Err(PasswordProblem::IsName);
        }
        if COMMON.contains(folded.as_str()) { Err(PasswordProblem::TooCommon) } else { Ok(()) }
    }

    const fn least_characters(self) -> usize {
        match self {
            Self::Classic => 8,
            Self::Nist => 15,
        }
    }
}

impl PasswordProblem {
    /// Stable code for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort(_) => "too_short",
            Self::TooLong(_) | Self::TooLongForBcrypt => "too_long",
            Self::TooSimple => "too_simple",
            Self::TooCommon => "too_common",
            Self::IsName => "is_name",
        }
    }
}

impl std::fmt::Display for PasswordProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooShort(least) => write!(f, "use at least {least} characters"),
            Self::TooLong(most) => write!(f, "use at most {most} characters"),
            Self::TooLongForBcrypt => write!(f, "use at most {MAX_BCRYPT_BYTES} bytes (letters outside ASCII count as two or more)"),
            Self::TooSimple => f.write_str("use upper-case and lower-case letters and a digit"),
            Self::TooCommon => f.write_str("this is one of the most common passwords, choose another"),
            Self::IsName => f.write_str("do not use your name or address as the password"),
        }
    }
}

fn has_upper_lower_and_digit(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && text.chars().any(char::is_lowercase) && text.chars().any(char::is_numeric)
}

/// The most common passwords, lower case.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().filter(|line| !line.starts_with("# ")).collect());

#[cfg(test)]
mod tests {
    use super::*;

    fn check(profile: PasswordProfile, text: &str) -> Result<(), PasswordProblem> {
        profile.check(&Password::new(text.to_owned()), &["alice", "alice@example.com"], HashAlgorithm::Argon2id)
    }

    /// S4.2
    #[test]
    fn the_classic_profile_wants_eight_characters_with_upper_lower_and_digit() {
        assert_eq!(check(PasswordProfile::Classic, "Tw1ligh"), Err(PasswordProblem::TooShort(8)));
        for text in ["twilight-7", "TWILIGHT-7", "Twilight-x"] {
            assert_eq!(check(PasswordProfile::Classic, text), Err(PasswordProblem::TooSimple), "{text}");
        }
        assert_eq!(check(PasswordProfile::Classic, "Tw1light-Kite"), Ok(()));
        assert_eq!(check(PasswordProfile::Classic, "  Zw1tschern "), Ok(()));
    }

    #[test]
    fn the_nist_profile_wants_fifteen_characters_of_any_kind() {
        assert_eq!(check(PasswordProfile::Nist, "fourteen chars"), Err(PasswordProblem::TooShort(15)));
        assert_eq!(check(PasswordProfile::Nist, "correct horse battery"), Ok(()));
        assert_eq!(check(PasswordProfile::Nist, &"é".repeat(15)), Ok(()));
    }

    /// threats.md V6.2.4
    #[test]
    fn the_most_common_passwords_are_refused_in_any_case() {
        assert!(COMMON.len() > 10_000);
        for text in ["Password1", "PASSWORd123", "Qwerty123", "P@ssw0rd", "1Qaz2wsx"] {
            assert_eq!(check(PasswordProfile::Classic, text), Err(PasswordProblem::TooCommon), "{text}");
        }
    }

    #[test]
    fn the_users_own_name_is_refused_in_any_case() {
        let profile = PasswordProfile::Classic;
        let names = ["Alice.Liddell.1865", "other"];
        let password = Password::new("alice.LIDDELL.1865".to_owned());
        assert_eq!(profile.check(&password, &names, HashAlgorithm::Argon2id), Err(PasswordProblem::IsName));
    }

    /// threats.md, fact 9
    #[test]
    fn bcrypt_refuses_what_it_would_cut_off() {
        let profile = PasswordProfile::Classic;
        let fits = Password::new(format!("Aa1{}", "x".repeat(69)));
        let cut = Password::new(format!("Aa1{}", "x".repeat(70)));
        assert_eq!(profile.check(&fits, &[], HashAlgorithm::Bcrypt), Ok(()));
        assert_eq!(profile.check(&cut, &[], HashAlgorithm::Bcrypt), Err(PasswordProblem::TooLongForBcrypt));
        assert_eq!(profile.check(&cut, &[], HashAlgorithm::Argon2id), Ok(()));
    }

    #[test]
    fn length_is_counted_in_characters_and_is_bounded() {
        assert_eq!(check(PasswordProfile::Classic, &format!("A1{}", "é".repeat(254))), Ok(()));
        assert_eq!(check(PasswordProfile::Classic, &format!("A1{}", "é".repeat(255))), Err(PasswordProblem::TooLong(256)));
        assert_eq!(check(PasswordProfile::Classic, &"x".repeat(1 << 20)), Err(PasswordProblem::TooLong(256)));
    }
}
