//! Names of counters: `rate_limit:auth:` and an HMAC, so that whoever reads the store learns no name and no address, and nobody
//! can choose a name that falls together with another's.

use crate::config::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Makes the names; its key is derived from `secret`.
#[derive(Clone)]
pub(crate) struct CounterKeys(Hmac<Sha256>);

impl CounterKeys {
    /// Derives the key.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    pub(crate) fn derive(secret: &Secret) -> Self {
        Self(Hmac::new_from_slice(&secret.derive("counter names v1")).expect("any length is a key"))
    }

    /// The name of the counter for `what` of these. Each part goes in with its length, so that no two lists are one text.
    pub(crate) fn name(&self, what: &str, of: &[&str]) -> String {
        let mut mac = self.0.clone();
        for part in std::iter::once(&what).chain(of) {
            mac.update(&part.len().to_be_bytes());
            mac.update(part.as_bytes());
        }
        let identifier: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("rate_limit:auth:{identifier}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: &str) -> CounterKeys {
        CounterKeys::derive(&Secret::new(secret.to_owned()))
    }

    /// contract 7, threats.md K07
    #[test]
    fn a_name_is_hex_that_depends_on_the_secret_and_on_every_part() {
        let name = keys("a").name("attempts", &["192.0.2.1", "alice"]);
        let identifier = name.strip_prefix("rate_limit:auth:").unwrap();
        assert!(identifier.len() == 64 && identifier.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
        assert_eq!(keys("a").name("attempts", &["192.0.2.1", "alice"]), name);
        assert_ne!(keys("b").name("attempts", &["192.0.2.1", "alice"]), name);
        for other in [["192.0.2.1", "alic"], ["192.0.2.1a", "lice"], ["alice", "192.0.2.1"]] {
            assert_ne!(keys("a").name("attempts", &other), name);
        }
        assert_ne!(keys("a").name("client", &["192.0.2.1", "alice"]), name);
    }
}
