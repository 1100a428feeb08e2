//! Browsers that have signed in before, known by a cookie that we alone can make. It signs nobody in: it says whose
//! password this browser has given, so that an attacker who has an account locked does not lock its owner out (OWASP
//! Authentication Cheat Sheet, "device cookies"), and a sign-in with another browser can be told to the owner.
//! Nothing is stored of it.

use crate::account::{Account, AccountId};
use crate::clock::Timestamp;
use crate::config::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::time::Duration;
use uuid::Uuid;

/// How long a browser is known after it last signed in.
pub const KNOWN_FOR: Duration = Duration::from_hours(180 * 24);

/// A browser, and the accounts that it has signed in to. The default is one that we know nothing of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    id: Option<[u8; ID]>,
    sign_ins: Vec<SignIn>,
}

/// The last sign-in to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SignIn {
    account: AccountId,
    generation: u64,
    at: Timestamp,
}

/// The key that device cookies are authenticated with; derived from `secret`.
#[derive(Clone)]
pub struct DeviceKey {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

/// Bytes of a browser's id.
const ID: usize = 16;

/// Bytes of a sign-in: account, generation, moment.
const SIGN_IN: usize = 16 + 8 + 8;

/// Most accounts that are remembered of one browser; the one that was not used for longest gives way.
const MOST: usize = 4;

/// Bytes of the MAC: HMAC-SHA256 cut to 128 bits.
const TAG: usize = 16;

/// Longest value of a cookie, in characters.
const LONGEST: usize = (ID + MOST * SIGN_IN + TAG).div_ceil(3) * 4;

impl Device {
    /// Proof that the browser has signed in to the account since its credentials last changed: the browser's id.
    #[must_use]
    pub fn known_to(&self, account: AccountId, generation: u64) -> Option<String> {
        let signed_in = self.sign_ins.iter().any(|sign_in| sign_in.account == account && sign_in.generation == generation);
        self.id.filter(|_| signed_in).map(|id| Uuid::from_bytes(id).simple().to_string())
    }

    /// The same browser, after it has signed in.
    #[must_use]
    pub fn after_sign_in(&self, account: &Account, now: Timestamp) -> Self {
        self.with(SignIn { account: account.id, generation: account.generation, at: now })
    }

    fn with(&self, latest: SignIn) -> Self {
        let others = self.sign_ins.iter().filter(|sign_in| sign_in.account != latest.account).copied();
        Self {
            id: Some(self.id.unwrap_or_else(crate::entropy::random_bytes)),
            sign_ins: std::iter::once(latest).chain(others).take(MOST).collect(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.unwrap_or_default().to_vec();
        for SignIn { account, generation, at } in &self.sign_ins {
            bytes.extend(account.0.as_bytes());
            bytes.extend(generation.to_be_bytes());
            bytes.extend(at.0.to_be_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8], now: Timestamp) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk::<ID>()?;
        let (sign_ins, []) = rest.as_chunks::<SIGN_IN>() else { return None };
        let sign_ins = sign_ins.iter().filter_map(SignIn::from_bytes).filter(|sign_in| now < sign_in.at.plus(KNOWN_FOR));
        Some(Self { id: Some(*id), sign_ins: sign_ins.take(MOST).collect() })
    }
}

impl SignIn {
    fn from_bytes(bytes: &[u8; SIGN_IN]) -> Option<Self> {
        let (account, rest) = bytes.split_first_chunk::<16>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let at = Timestamp(i64::from_be_bytes(*rest.first_chunk::<8>()?));
        Some(Self { account: AccountId(Uuid::from_bytes(*account)), generation: u64::from_be_bytes(*generation), at })
    }
}

impl DeviceKey {
    /// Derives the key (and one that only verifies, from the former secret).
    #[must_use]
    pub fn derive(secret: &Secret, previous: Option<&Secret>) -> Self {
        Self { current: derive(secret), previous: previous.map(derive) }
    }

    /// The cookie's value for this browser.
    #[must_use]
    pub fn seal(&self, device: &Device) -> String {
        let mut sealed = device.to_bytes();
        let tag = self.current.clone().chain_update(&sealed).finalize().into_bytes();
        sealed.extend(&tag[..TAG]);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The browser that a cookie's value names, if we made it; what is older than [`KNOWN_FOR`] is forgotten. Constant
    /// time in the MAC.
    #[must_use]
    pub fn open(&self, value: &[u8], now: Timestamp) -> Option<Device> {
        if value.len() > LONGEST {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (bytes, tag) = sealed.split_last_chunk::<TAG>()?;
        let made_with = |key: &Hmac<Sha256>| key.clone().chain_update(bytes).verify_truncated_left(tag).is_ok();
        let ours = made_with(&self.current) || self.previous.as_ref().is_some_and(made_with);
        if ours { Device::from_bytes(bytes, now) } else { None }
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn derive(secret: &Secret) -> Hmac<Sha256> {
    Hmac::new_from_slice(&secret.derive("device cookie v1")).expect("any length is a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn key(secret: &str, previous: Option<&str>) -> DeviceKey {
        let secret_of = |text: &str| Secret::new(text.to_owned());
        DeviceKey::derive(&secret_of(secret), previous.map(secret_of).as_ref())
    }

    fn account(number: u128) -> AccountId {
        AccountId(Uuid::from_u128(number))
    }

    fn device(accounts: &[u128]) -> Device {
        accounts.iter().fold(Device::default(), |device, number| device.with(SignIn { account: account(*number), generation: 1, at: NOW }))
    }

    /// threats.md N11
    #[test]
    fn a_browser_is_known_to_the_accounts_it_signed_in_to_until_their_credentials_change() {
        let key = key("a", None);
        let back = key.open(key.seal(&device(&[1])).as_bytes(), NOW).unwrap();
        assert!(back.known_to(account(1), 1).is_some());
        assert_eq!(back.known_to(account(1), 2), None, "the password was changed");
        assert_eq!(back.known_to(account(2), 1), None, "another's account");
        assert_eq!(Device::default().known_to(account(1), 1), None);
    }

    #[test]
    fn it_keeps_its_id_and_the_last_four_accounts() {
        let before = device(&[1]);
        let after = [2, 3, 1, 4, 5]
            .iter()
            .fold(before.clone(), |device, number| device.with(SignIn { account: account(*number), generation: 1, at: NOW }));
        let known: Vec<_> = (1..=5).filter(|number| after.known_to(account(*number), 1).is_some()).collect();
        assert_eq!((after.id, known), (before.id, vec![1, 3, 4, 5]));
        assert_ne!(device(&[1]).id, before.id);
        let key = key("a", None);
        let value = key.seal(&after);
        assert!(value.len() <= LONGEST && key.open(value.as_bytes(), NOW) == Some(after));
    }

    #[test]
    fn a_sign_in_is_forgotten_after_180_days() {
        let key = key("a", None);
        let value = key.seal(&device(&[1]));
        let known = |after: Duration| key.open(value.as_bytes(), NOW.plus(after)).unwrap().known_to(account(1), 1).is_some();
        assert!(known(Duration::from_hours(180 * 24 - 1)) && !known(KNOWN_FOR));
    }

    /// threats.md S11
    #[test]
    fn a_made_up_or_changed_value_is_no_browser() {
        let opened = key("a", None);
        let value = opened.seal(&device(&[1, 2]));
        for index in 0..value.len() {
            let mut changed = value.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(opened.open(&changed, NOW), None, "{index}");
        }
        let long = "A".repeat(1 << 20);
        for made_up in ["", "*", &value[1..], &value[..value.len() - 4], &long, "\u{e9}"] {
            assert_eq!(opened.open(made_up.as_bytes(), NOW), None);
        }
        assert_eq!(key("b", None).open(value.as_bytes(), NOW), None);
        assert!(key("b", Some("a")).open(value.as_bytes(), NOW).is_some(), "the former secret still opens");
    }
}
