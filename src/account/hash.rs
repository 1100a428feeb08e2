//! Making and checking password hashes on the calling thread. Who calls, and how many at once, is the hasher's concern.

use super::Password;
use super::password::MAX_BCRYPT_BYTES;
use crate::config::HashAlgorithm;
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq as _;

/// A stored password hash (PHC or modular crypt format).
#[derive(Clone, Debug)]
pub struct PasswordHash(pub String);

/// The hash could not be made: the machine has no memory for it, or bcrypt would cut the password off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotHash;

/// bcrypt's cost (S4.3).
const BCRYPT_COST: u32 = 12;

/// Dearest foreign bcrypt cost that is verified: 16 takes seconds.
const MAX_BCRYPT_COST: u32 = 15;

/// Largest foreign argon2 memory that is verified, in KiB.
const MAX_MEMORY: u32 = 128 * 1024;

/// Most passes and lanes of a foreign argon2 hash that is verified.
const MAX_PASSES: u32 = 16;

/// Well-formed hashes of nothing: what is checked where there is no account, so that it takes as long as where there is.
const NOBODY_ARGON2ID: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const NOBODY_BCRYPT: &str = "$2b$12$......................u3u3u3u3u3u3u3u3u3u3u3u3u3u3u3u";

impl PasswordHash {
    /// Hashes a password on this thread; for commands.
    ///
    /// # Errors
    /// When the machine has no memory for it, or bcrypt would cut the password off.
    pub fn make(algorithm: HashAlgorithm, password: &Password) -> Result<Self, CannotHash> {
        Bench::default().hash(algorithm, password)
    }

    /// What stands in for the hash of an account that does not exist.
    pub(super) fn nobody(algorithm: HashAlgorithm) -> Self {
        Self(match algorithm {
            HashAlgorithm::Argon2id => NOBODY_ARGON2ID.to_owned(),
            HashAlgorithm::Bcrypt => NOBODY_BCRYPT.to_owned(),
        })
    }

    /// Whether a new hash of the same password would be made otherwise.
    #[must_use]
    pub fn needs_rehash(&self, algorithm: HashAlgorithm) -> bool {
        match algorithm {
            HashAlgorithm::Bcrypt => bcrypt_cost(&self.0) != Some(BCRYPT_COST),
            HashAlgorithm::Argon2id => {
                let Some(parsed) = self.argon2() else { return true };
                let wanted = params();
                parsed.algorithm != Algorithm::Argon2id
                    || parsed.params.m_cost() != wanted.m_cost()
                    || parsed.params.t_cost() != wanted.t_cost()
                    || parsed.params.p_cost() != wanted.p_cost()
            }
        }
    }

    /// The parts of an argon2id or argon2i hash whose cost is sane.
    fn argon2(&self) -> Option<ParsedArgon2> {
        let parsed = phc::PasswordHash::new(&self.0).ok()?;
        let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).ok()?;
        let version = parsed.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?;
        let params = Params::try_from(&parsed).ok()?;
        let known = matches!(algorithm, Algorithm::Argon2id | Algorithm::Argon2i);
        let bounded = params.m_cost() <= MAX_MEMORY && params.t_cost() <= MAX_PASSES && params.p_cost() <= MAX_PASSES;
        if !known || !bounded {
            return None;
        }
        Some(ParsedArgon2 { algorithm, version, params, salt: parsed.salt?, output: parsed.hash? })
    }
}

struct ParsedArgon2 {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: phc::Salt,
    output: phc::Output,
}

/// One thread's work-bench: argon2's 19 MiB, mapped at first use and used again and again, since an allocation for each
/// hash is in effect a leak with common allocators.
#[derive(Default)]
pub(super) struct Bench {
    memory: Vec<Block>,
}

impl Bench {
    /// Makes a hash with a new salt.
    pub(super) fn hash(&mut self, algorithm: HashAlgorithm, password: &Password) -> Result<PasswordHash, CannotHash> {
        match algorithm {
            HashAlgorithm::Argon2id => self.hash_argon2id(password).ok_or(CannotHash),
            HashAlgorithm::Bcrypt => hash_bcrypt(password).ok_or(CannotHash),
        }
    }

    /// Whether the hash is the password's. Takes a hash's time whatever the answer, unless the hash is unknown.
    pub(super) fn verify(&mut self, hash: &PasswordHash, password: &Password) -> bool {
        if hash.0.starts_with("$argon2") { self.verify_argon2(hash, password) } else { verify_bcrypt(hash, password) }
    }

    /// Gives the memory back.
    pub(super) fn clear(&mut self) {
        self.memory = Vec::new();
    }

    #[cfg(test)]
    pub(super) fn is_unused(&self) -> bool {
        self.memory.is_empty()
    }

    fn hash_argon2id(&mut self, password: &Password) -> Option<PasswordHash> {
        let salt = phc::Salt::new(&crate::entropy::random_bytes::<16>()).ok()?;
        let mut output = [0_u8; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params());
        self.fill(&argon2, password, &salt, &mut output)?;
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: phc::ParamsString::try_from(&params()).ok()?,
            salt: Some(salt),
            hash: Some(phc::Output::new(&output).ok()?),
        };
        Some(PasswordHash(hash.to_string()))
    }

    fn verify_argon2(&mut self, hash: &PasswordHash, password: &Password) -> bool {
        let Some(parsed) = hash.argon2() else { return false };
        let expected = parsed.output.as_bytes();
        let mut output = vec![0_u8; expected.len()];
        let argon2 = Argon2::new(parsed.algorithm, parsed.version, parsed.params.clone());
        self.fill(&argon2, password, &parsed.salt, &mut output).is_some() && output.ct_eq(expected).into()
    }

    /// Runs argon2 in this bench's memory, or in memory of its own where a foreign hash wants more than ours.
    fn fill(&mut self, argon2: &Argon2<'_>, password: &Password, salt: &[u8], output: &mut [u8]) -> Option<()> {
        let ours = params().block_count();
        let wanted = argon2.params().block_count();
        let text = password.expose().as_bytes();
        if wanted > ours {
            return argon2.hash_password_into(text, salt, output).ok();
        }
        if self.memory.is_empty() {
            self.memory.try_reserve_exact(ours).ok()?;
            self.memory.resize(ours, Block::new());
        }
        let memory = self.memory.get_mut(..wanted)?;
        argon2.hash_password_into_with_memory(text, salt, output, memory).ok()
    }
}

/// OWASP Password Storage Cheat Sheet's least: m = 19456 KiB, t = 2, p = 1; also this library's default.
fn params() -> Params {
    Params::default()
}

fn hash_bcrypt(password: &Password) -> Option<PasswordHash> {
    if password.expose().len() > MAX_BCRYPT_BYTES {
        return None;
    }
    let salt = crate::entropy::random_bytes::<16>();
    let parts = bcrypt::hash_with_salt(password.expose(), BCRYPT_COST, salt).ok()?;
    Some(PasswordHash(parts.format_for_version(bcrypt::Version::TwoB)))
}

/// bcrypt reads 72 bytes only, so a longer password never verifies: the library would compare what it cut off
/// (CVE-2025-22228 and its kin).
fn verify_bcrypt(hash: &PasswordHash, password: &Password) -> bool {
    if bcrypt_cost(&hash.0).is_none_or(|cost| cost > MAX_BCRYPT_COST) {
        return false;
    }
    let matches = bcrypt::verify(password.expose(), &hash.0).unwrap_or(false);
    matches && password.expose().len() <= MAX_BCRYPT_BYTES
}

/// The cost of a `$2a$`, `$2b$` or `$2y$` hash.
fn bcrypt_cost(hash: &str) -> Option<u32> {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| hash.strip_prefix(prefix))?;
    rest.split_once('$')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    fn verifies(hash: &str, text: &str) -> bool {
        Bench::default().verify(&PasswordHash(hash.to_owned()), &password(text))
    }

    /// S0.7
    #[test]
    fn a_new_hash_is_argon2id_with_the_parameters_of_owasp_and_verifies() {
        let hash = PasswordHash::make(HashAlgorithm::Argon2id, &password("Tw1light-Kite")).unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(verifies(&hash.0, "Tw1light-Kite"));
        assert!(!verifies(&hash.0, "tw1light-kite"));
        assert!(!hash.needs_rehash(HashAlgorithm::Argon2id));
        assert!(hash.needs_rehash(HashAlgorithm::Bcrypt));
    }

    /// threats.md G14
    #[test]
    fn passwords_are_verified_exactly_as_typed() {
        for (typed, other) in [(" outer ", "outer"), ("e\u{301}", "é"), ("a\0b", "a"), ("😀", "😁")] {
            let hash = PasswordHash::make(HashAlgorithm::Argon2id, &password(typed)).unwrap();
            assert!(verifies(&hash.0, typed), "{typed:?}");
            assert!(!verifies(&hash.0, other), "{typed:?}");
        }
    }

    /// S4.3
    #[test]
    fn bcrypt_hashes_verify_under_each_of_their_prefixes_and_are_made_anew() {
        let salt = [7; 16];
        let parts = bcrypt::hash_with_salt("Tw1light-Kite", 4, salt).unwrap();
        for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
            let hash = parts.format_for_version(version);
            assert!(verifies(&hash, "Tw1light-Kite") && !verifies(&hash, "Tw1light-Kit"), "{hash}");
            assert!(PasswordHash(hash.clone()).needs_rehash(HashAlgorithm::Argon2id));
            assert!(PasswordHash(hash).needs_rehash(HashAlgorithm::Bcrypt));
        }
    }

    /// S4.3
    #[test]
    fn bcrypt_may_be_chosen_for_new_hashes() {
        let hash = PasswordHash::make(HashAlgorithm::Bcrypt, &password("Tw1light-Kite")).unwrap();
        assert!(hash.0.starts_with("$2b$12$"), "{}", hash.0);
        assert!(verifies(&hash.0, "Tw1light-Kite"));
        assert!(!hash.needs_rehash(HashAlgorithm::Bcrypt));
    }

    /// threats.md fact 9, G13
    #[test]
    fn a_password_longer_than_bcrypt_reads_never_verifies() {
        let cut = "x".repeat(72);
        let hash = bcrypt::hash_with_salt(&cut, 4, [7; 16]).unwrap().to_string();
        assert!(verifies(&hash, &cut));
        assert!(!verifies(&hash, &format!("{cut}y")));
        assert_eq!(PasswordHash::make(HashAlgorithm::Bcrypt, &password(&format!("{cut}y"))).unwrap_err(), CannotHash);
    }

    #[test]
    fn an_argon2i_hash_of_other_cost_verifies_and_is_made_anew() {
        let mut output = [0; 32];
        let params = Params::new(64, 3, 4, None).unwrap();
        let argon2 = Argon2::new(Algorithm::Argon2i, Version::V0x13, params.clone());
        argon2.hash_password_into(b"Tw1light-Kite", &[7; 16], &mut output).unwrap();
        let hash = phc::PasswordHash {
            algorithm: Algorithm::Argon2i.ident(),
            version: Some(Version::V0x13.into()),
            params: phc::ParamsString::try_from(&params).unwrap(),
            salt: Some(phc::Salt::new(&[7; 16]).unwrap()),
            hash: Some(phc::Output::new(&output).unwrap()),
        };
        assert!(verifies(&hash.to_string(), "Tw1light-Kite"));
        assert!(PasswordHash(hash.to_string()).needs_rehash(HashAlgorithm::Argon2id));
    }

    #[test]
    fn hashes_that_would_cost_too_much_or_are_none_never_verify() {
        let salt_and_output = "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for hash in [
            format!("$argon2id$v=19$m=4194304,t=2,p=1${salt_and_output}"),
            format!("$argon2id$v=19$m=19456,t=4000000,p=1${salt_and_output}"),
            format!("$argon2d$v=19$m=19456,t=2,p=1${salt_and_output}"),
            NOBODY_BCRYPT.replace("$12$", "$31$"),
            "$argon2id$".to_owned(),
            "plain".to_owned(),
            String::new(),
        ] {
            assert!(!verifies(&hash, "plain"), "{hash}");
        }
    }

    /// threats.md G01: the stand-in must be parsed, or an unknown name would be answered at once
    #[test]
    fn the_hash_of_nobody_is_as_dear_as_a_real_one() {
        assert!(PasswordHash::nobody(HashAlgorithm::Argon2id).argon2().is_some());
        assert!(!PasswordHash::nobody(HashAlgorithm::Argon2id).needs_rehash(HashAlgorithm::Argon2id));
        assert!(bcrypt::verify("x", NOBODY_BCRYPT).is_ok());
        assert!(!PasswordHash::nobody(HashAlgorithm::Bcrypt).needs_rehash(HashAlgorithm::Bcrypt));
    }
}
