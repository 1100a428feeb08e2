//! Secrets in configuration: never printed.

use subtle::ConstantTimeEq as _;

/// A secret text.
#[derive(Clone)]
pub struct Secret(zeroize::Zeroizing<String>);

impl Secret {
    /// Takes the text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(zeroize::Zeroizing::new(text))
    }

    /// The text, for whoever it has to be presented to; never for a log or a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A key for one purpose: HMAC-SHA256 of `label` under the secret, so that no purpose's key tells of another's.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub fn derive(&self, label: &str) -> [u8; 32] {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(self.0.as_bytes()).expect("any length is a key");
        mac.update(label.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
