//! What is said by every token that we sign, and must hold whatever it is for.

use super::LEEWAY;
use crate::clock::Timestamp;
use crate::config::{TokenAlgorithm, TokenSettings};
use serde::Deserialize;
use serde_json::Value;

/// What a signed token is for: its `typ` and its claim `type`, so that none is taken for another (RFC 8725 section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `at+jwt` (RFC 9068).
    Access,
    /// `rt+jwt`.
    Refresh,
    /// `portcullis-assertion+jwt`; never signed with a shared secret.
    Assertion,
}

/// The claims that are checked here (RFC 7519 section 4.1). Times are whole seconds since 1970: `1e30`, `1.5` and `"1"` are none.
#[derive(Deserialize)]
pub(super) struct Registered {
    iss: String,
    aud: String,
    exp: i64,
    iat: i64,
    nbf: i64,
    #[serde(rename = "type")]
    kind: String,
}

impl TokenKind {
    /// The header's `typ`.
    pub(super) const fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Refresh => "rt+jwt",
            Self::Assertion => "portcullis-assertion+jwt",
        }
    }

    /// The claim `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Assertion => "assertion",
        }
    }

    /// Whether tokens of this kind may be signed with this algorithm.
    pub(super) fn accepts(self, algorithm: TokenAlgorithm) -> bool {
        self != Self::Assertion || algorithm != TokenAlgorithm::Hs256
    }
}

impl Registered {
    /// `None` where one is missing or of another type.
    pub(super) fn deserialize_from(members: &Value) -> Option<Self> {
        Self::deserialize(members).ok()
    }

    /// Whether it names us, as who signed and for whom, and what it is for.
    pub(super) fn name(&self, kind: TokenKind, settings: &TokenSettings) -> bool {
        self.iss == settings.issuer && self.aud == settings.audience && self.kind == kind.name()
    }

    pub(super) fn has_begun(&self, now: Timestamp) -> bool {
        let now = seconds(now.plus(LEEWAY));
        self.nbf <= now && self.iat <= now
    }

    pub(super) fn has_not_expired(&self, now: Timestamp) -> bool {
        seconds(now.minus(LEEWAY)) < self.exp
    }
}

/// Whole seconds since 1970, as tokens tell time.
pub(in crate::token) const fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1000)
}
