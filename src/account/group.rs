//! Groups.

/// A group name that is valid: `[A-Za-z0-9][A-Za-z0-9._:-]{0,63}`; compared exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group(String);

/// Why a group cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupError;

impl std::fmt::Display for GroupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a group has 1 to 64 characters: letters a to z, digits, and after the first also . _ : -")
    }
}

impl std::error::Error for GroupError {}

impl Group {
    /// How many bytes an account's groups may have together, separators included: they travel in one header.
    pub const MAX_TOGETHER: usize = 1024;

    /// Reads a group name.
    ///
    /// # Errors
    /// When it has other characters or another length.
    pub fn parse(text: &str) -> Result<Self, GroupError> {
        let bytes = text.as_bytes();
        let begins_well = bytes.first().is_some_and(u8::is_ascii_alphanumeric);
        let goes_on_well = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-'));
        if begins_well && goes_on_well && bytes.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(GroupError) }
    }

    /// Whether an account may have all of these.
    #[must_use]
    pub fn fit_together(groups: &[Self]) -> bool {
        groups.iter().map(|group| group.0.len() + 1).sum::<usize>() <= Self::MAX_TOGETHER + 1
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// threats.md A10
    #[test]
    fn groups_that_could_forge_a_list_or_a_header_are_refused() {
        let too_long = "x".repeat(65);
        for name in ["", "a,admins", "a b", "a\r\nX-Role: x", "é", ":a", &too_long] {
            assert_eq!(Group::parse(name), Err(GroupError), "{name:?}");
        }
        for name in ["a", "team:ops", "a.b_c-d", &"x".repeat(64)] {
            assert_eq!(Group::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn an_accounts_groups_fit_together_in_one_kibibyte() {
        let groups = |count: usize| vec![Group::parse(&"x".repeat(63)).unwrap(); count];
        assert!(Group::fit_together(&groups(16)));
        assert!(!Group::fit_together(&groups(17)));
    }
}
