//! Authenticated encryption of what is kept or handed out: XChaCha20-Poly1305 under a key derived from `secret`. What
//! is sealed says nothing to whoever reads a store or a backup, and cannot be changed or put in another place.

use crate::config::Secret;
use crate::entropy::random_bytes;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// Seals, and opens what was sealed; also what was sealed under the former secret.
#[derive(Clone)]
pub struct Sealer {
    current: XChaCha20Poly1305,
    previous: Option<XChaCha20Poly1305>,
}

/// First byte of what is sealed: the way it was done, for the day when there is another.
const VERSION: u8 = 1;

/// Bytes of a nonce; 192 random bits never meet again.
const NONCE: usize = 24;

impl Sealer {
    /// Derives the key (and one that only opens, from the former secret).
    #[must_use]
    pub fn derive(secret: &Secret, previous: Option<&Secret>) -> Self {
        let cipher = |secret: &Secret| XChaCha20Poly1305::new(&secret.derive("sealing").into());
        Self { current: cipher(secret), previous: previous.map(cipher) }
    }

    /// Encrypts. `context` says what it is and where it belongs; only who names the same can open it.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "encryption fails beyond 256 GiB only")]
    #[expect(clippy::expect_used, reason = "encryption fails beyond 256 GiB only")]
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let nonce = random_bytes::<NONCE>();
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let encrypted = self.current.encrypt(&XNonce::from(nonce), payload).expect("it is short enough");
        [&[VERSION][..], &nonce, &encrypted].concat()
    }

    /// Decrypts what [`seal`](Self::seal) made for this context.
    #[must_use]
    pub fn open(&self, context: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&self.current, context, sealed).or_else(|| open(self.previous.as_ref()?, context, sealed))
    }

    /// Whether it takes the former secret to decrypt this: time to seal it anew.
    #[must_use]
    pub fn is_former(&self, context: &str, sealed: &[u8]) -> bool {
        self.previous.is_some() && open(&self.current, context, sealed).is_none()
    }
}

fn open(cipher: &XChaCha20Poly1305, context: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, encrypted) = sealed.strip_prefix(&[VERSION])?.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: encrypted, aad: context.as_bytes() };
    cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.repeat(40))
    }

    #[test]
    fn what_is_sealed_is_opened_in_its_context_alone() {
        let sealer = Sealer::derive(&secret("a"), None);
        let sealed = sealer.seal("letter 1", b"alice@example.com");
        assert_eq!(sealer.open("letter 1", &sealed).unwrap().as_slice(), b"alice@example.com");
        assert!(sealer.open("letter 2", &sealed).is_none());
        assert!(!sealed.windows(5).any(|part| part == b"alice"));
        assert_ne!(sealed, sealer.seal("letter 1", b"alice@example.com"), "equal texts look different");
        assert_eq!(sealer.open("", &sealer.seal("", b"")).unwrap().as_slice(), b"");
    }

    #[test]
    fn what_was_changed_or_cut_opens_to_nothing() {
        let sealer = Sealer::derive(&secret("a"), None);
        let sealed = sealer.seal("x", b"text");
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(sealer.open("x", &changed).is_none(), "{position}");
            assert!(sealer.open("x", &sealed[..position]).is_none(), "{position}");
        }
    }

    /// contract 2: `secret_previous` still decrypts
    #[test]
    fn the_former_secret_opens_and_no_longer_seals() {
        let former = Sealer::derive(&secret("a"), None);
        let present = Sealer::derive(&secret("b"), Some(&secret("a")));
        assert!(present.open("x", &former.seal("x", b"text")).is_some());
        assert!(present.is_former("x", &former.seal("x", b"text")) && !present.is_former("x", &present.seal("x", b"text")));
        assert!(former.open("x", &present.seal("x", b"text")).is_none());
        assert!(Sealer::derive(&secret("b"), None).open("x", &former.seal("x", b"text")).is_none());
    }
}
