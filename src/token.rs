//! Tokens for programs: access tokens that are presented, refresh tokens that renew them, personal tokens of scripts, and the
//! assertion that tells an application who asks. All that is signed is signed by the same [`SigningKeys`]. No HTTP here.

mod access;
mod assertion;
mod bearer;
mod keys;
mod personal;
mod refresh;
mod store;
#[cfg(test)]
pub(crate) mod testing;

pub use access::{AccessClaims, AccessError, AccessToken, AccessTokens};
pub use assertion::Assertions;
pub use bearer::{Bearer, BearerKey, Bearers, Destination, Refusal, Unproven};
pub use keys::{LEEWAY, SigningKeys, TokenKind};
pub use personal::{
    LONGEST_NAME, MOST, NewPersonalToken, PersonalKeys, PersonalText, PersonalTokenError, PersonalTokens, PersonalUses, Scope,
};
pub use refresh::{RefreshError, RefreshTokens, Renewed};
pub use store::{PersonalToken, PersonalTokenStore, RefreshToken, RefreshTokenStore, Renewal, Rotation, SealedKey, SigningKeyStore};
