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

    /// A secret for one purpose that only the holder of the id can make; stores, which know the key, cannot.
    #[must_use]
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes keys of any length")]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mac = Hmac::<sha2::Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.chain_update(purpose).finalize().into_bytes().into()
    }
}

/// Characters of a key's name.
const NAME: usize = 16;

impl SessionKey {
    /// What people are shown to tell sessions apart: the beginning of the key in hex. It opens nothing.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{self:.NAME$}")
    }
}

/// In lower-case hex.
impl std::fmt::Display for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let text: String =
            self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect();
        f.pad(&text)
    }
}

/// What is no [`SessionKey`] in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey;

impl std::str::FromStr for SessionKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAKey);
        }
        let mut key = [0; 32];
        for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| NotAKey)?;
        }
        Ok(Self(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_hex_and_read_again() {
        let key = SessionKey(std::array::from_fn(|index| u8::try_from(index * 8).unwrap()));
        assert_eq!(format!("{key:.8}"), "00081018");
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "00", &"+1".repeat(32), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<SessionKey>(), Err(NotAKey));
        }
    }
}
