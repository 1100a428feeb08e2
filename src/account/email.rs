//! Email addresses.

/// An address that is valid, as the user writes it.
#[derive(Clone, Debug)]
pub struct Email(String);

/// Why an address cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmailError;

impl Email {
    /// Reads an address as typed.
    ///
    /// # Errors
    /// When it is not one.
    pub fn parse(_text: &str) -> Result<Self, EmailError> {
        unimplemented!()
    }

    /// As the user writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
