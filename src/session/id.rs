//! Session ids: 256 random bits that only the browser holds, and the key they are stored under.

/// What the cookie carries; never stored, never printed.
#[derive(Clone)]
pub struct SessionId(pub(crate) [u8; 32]);

/// SHA-256 of a [`SessionId`]: what stores see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(pub [u8; 32]);

impl SessionId {
    /// A new id.
    #[must_use]
    pub fn random() -> Self {
        Self(crate::entropy::random_bytes())
    }

    /// The key it is stored under.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        use sha2::Digest as _;
        SessionKey(sha2::Sha256::digest(self.0).into())
    }
}
