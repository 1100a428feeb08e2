//! Sign-in names.

/// A sign-in name that is valid: `[A-Za-z0-9][A-Za-z0-9._-]{1,31}`.
#[derive(Clone, Debug)]
pub struct Username(String);

/// Why a name cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsernameError;

impl Username {
    /// Reads a name as typed.
    ///
    /// # Errors
    /// When it has other characters or another length.
    pub fn parse(_text: &str) -> Result<Self, UsernameError> {
        unimplemented!()
    }

    /// As the user writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
