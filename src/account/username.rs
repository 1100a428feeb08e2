//! Sign-in names.

/// A sign-in name that is valid: `[A-Za-z0-9][A-Za-z0-9._-]{1,31}`. Two names are equal when they differ in case only.
///
/// Nothing outside ASCII is let in, so look-alike letters, zero-width and right-to-left characters cannot be used to
/// pass for someone else (CVE-2026-47203).
#[derive(Clone, Debug)]
pub struct Username(String);

/// Why a name cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsernameError;

impl std::fmt::Display for UsernameError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("use 2 to 32 letters, digits, dots, dashes or underscores, a letter or digit first")
    }
}

impl std::error::Error for UsernameError {}

impl Username {
    /// Longest name, in bytes.
    pub const MAX: usize = 32;

    /// Reads a name as typed.
    ///
    /// # Errors
    /// When it has other characters or another length.
    pub fn parse(text: &str) -> Result<Self, UsernameError> {
        let bytes = text.as_bytes();
        let begins_well = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
        let goes_on_well = bytes.iter().all(|byte| is_name_byte(*byte));
        let length_fits = (2..=Self::MAX).contains(&bytes.len());
        if begins_well && goes_on_well && length_fits { Ok(Self(text.to_owned())) } else { Err(UsernameError) }
    }

    /// What a made-up name starts with where there is nothing to make it from.
    pub(crate) fn fallback() -> Self {
        Self("user".to_owned())
    }

    /// As the user writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which names are compared and found: ASCII lower case.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl PartialEq for Username {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Username {}

/// Whether names may contain the byte after their first.
pub(crate) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_letters_digits_dots_underscores_and_hyphens_are_taken_as_written() {
        for name in ["al", "Alice", "a.b_c-d", "0cool", &"x".repeat(32)] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
    }

    /// threats.md I05, I08, I11
    #[test]
    fn names_that_could_pass_for_another_or_break_a_line_are_refused() {
        let too_long = "x".repeat(33);
        for name in [
            "",
            "a",
            &too_long,
            " admin",
            "admin ",
            ".admin",
            "-rf",
            "_x",
            "\u{430}dmin",
            "\u{ff41}dmin",
            "ad\u{200b}min",
            "\u{202e}nimda",
            "admin\0",
            "a\nlevel=info",
            "a\u{1b}[31m",
            "a\u{2028}b",
            "a,admin",
            "a b",
            "a@b",
            "a/b",
            "adm\u{131}n",
        ] {
            assert_eq!(Username::parse(name), Err(UsernameError), "{name:?}");
        }
    }

    /// threats.md I05
    #[test]
    fn names_are_equal_without_regard_to_case() {
        assert_eq!(Username::parse("ADMIN").unwrap(), Username::parse("admin").unwrap());
        assert_eq!(Username::parse("ADMIN").unwrap().canonical(), "admin");
    }
}
