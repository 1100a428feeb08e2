//! Groups.

/// A group name that is valid: `[A-Za-z0-9][A-Za-z0-9._:-]{0,63}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group(String);

/// Why a group cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupError;

impl Group {
    /// Reads a group name.
    ///
    /// # Errors
    /// When it has other characters or another length.
    pub fn parse(_text: &str) -> Result<Self, GroupError> {
        unimplemented!()
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
