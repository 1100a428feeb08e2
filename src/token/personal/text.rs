//! The text of a personal token, and the hash that it is kept under.
//!
//! `pat_` and 48 characters of base64url: 256 random bits and a check sum, by which what was mistyped, cut or invented is told
//! without asking a store, and by which scanners for secrets know one for certain. It opens everything that its scope names, so
//! it is printed by nothing but [`PersonalText::expose`].

use crate::config::Secret;
use crate::entropy::random_bytes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// What each begins with.
const PREFIX: &str = "pat_";

/// Random bytes.
const RANDOM: usize = 32;

/// Bytes of the check sum: of the SHA-256 of the random ones. With them, no bit of the last character is left open.
const CHECK: usize = 4;

/// A text that may be a personal token's: as far as its check sum tells.
#[derive(Clone)]
pub struct PersonalText(Zeroizing<[u8; RANDOM]>);

/// The keys of the hashes that tokens are kept under: a copy of the store opens nothing, and a guess cannot be tried against it.
pub struct PersonalKeys {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl PersonalText {
    /// Of a new token.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(random_bytes()))
    }

    /// Whether a text calls itself a personal token, whatever follows.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads a text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?);
        let (random, check) = bytes.split_first_chunk::<RANDOM>()?;
        (check == check_sum(random)).then(|| Self(Zeroizing::new(*random)))
    }

    /// The text, for its owner; never for a log.
    #[must_use]
    pub fn expose(&self) -> String {
        let bytes = Zeroizing::new([&self.0[..], &check_sum(&self.0)].concat());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(&*bytes))
    }
}

fn check_sum(random: &[u8; RANDOM]) -> [u8; CHECK] {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(random).into();
    [a, b, c, d]
}

impl fmt::Debug for PersonalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonalText(…)")
    }
}

impl PersonalKeys {
    /// Derives the key, and the one that tokens made under the former secret are still found by.
    #[must_use]
    pub fn derive(secret: &Secret, previous: Option<&Secret>) -> Self {
        Self { current: derive(secret), previous: previous.map(derive) }
    }

    /// What the token is kept under. It is looked up as it is: how long a look takes tells an attacker nothing, who cannot choose
    /// hashes without knowing the key.
    #[must_use]
    pub fn hash(&self, text: &PersonalText) -> [u8; 32] {
        hash(&self.current, text)
    }

    /// All that it may be kept under, the present one first.
    #[must_use]
    pub fn hashes(&self, text: &PersonalText) -> Vec<[u8; 32]> {
        std::iter::once(&self.current).chain(&self.previous).map(|key| hash(key, text)).collect()
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn derive(secret: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(&secret.derive("personal token")).expect("any length is a key")
}

fn hash(key: &Hmac<Sha256>, text: &PersonalText) -> [u8; 32] {
    key.clone().chain_update(*text.0).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_as_it_was_written_and_no_two_are_equal() {
        let one = PersonalText::random();
        let text = one.expose();
        assert_eq!(text.len(), 4 + 48);
        assert!(text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(PersonalText::parse(&text).unwrap().expose(), text);
        assert_ne!(PersonalText::random().expose(), text);
        assert_eq!(format!("{one:?}"), "PersonalText(…)");
    }

    /// threats.md J13
    #[test]
    fn what_was_mistyped_cut_or_invented_is_no_token() {
        let text = PersonalText::random().expose();
        for position in 4..text.len() {
            let other = if text.as_bytes()[position] == b'A' { "B" } else { "A" };
            let mistyped = format!("{}{other}{}", &text[..position], &text[position + 1..]);
            assert!(PersonalText::parse(&mistyped).is_none(), "{position}");
            assert!(PersonalText::parse(&text[..position]).is_none(), "{position}");
        }
        for wrong in ["", "pat_", "pat_x", &text[4..], &format!("{text}A"), &format!("{text}="), &text.to_ascii_uppercase(), "pat_é"] {
            assert!(PersonalText::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    /// contract 2: `secret_previous` still verifies
    #[test]
    fn the_hash_is_another_under_another_secret_and_the_former_is_still_looked_for() {
        let secret = |text: &str| Secret::new(text.repeat(40));
        let (old, text) = (PersonalKeys::derive(&secret("a"), None), PersonalText::random());
        let new = PersonalKeys::derive(&secret("b"), Some(&secret("a")));
        assert_ne!(old.hash(&text), new.hash(&text));
        assert_eq!(new.hashes(&text), [new.hash(&text), old.hash(&text)]);
        assert_eq!(old.hashes(&text), [old.hash(&text)]);
    }
}
