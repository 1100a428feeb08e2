//! Key material: what signs and what verifies with each algorithm. The primitives are ring's, which the TLS of the gateway rests
//! on too; the names for the world are jsonwebtoken's.

use super::jws::Jws;
use crate::config::TokenAlgorithm;
use crate::entropy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, EllipticCurveKeyType, Jwk, KeyAlgorithm,
    OctetKeyPairParameters, OctetKeyPairType, PublicKeyUse,
};
use ring::error::Unspecified;
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
};
use zeroize::Zeroizing;

/// What signs. It never leaves the process but sealed.
pub(super) enum Key {
    /// Ed25519 (RFC 8037).
    Ed25519(Ed25519KeyPair),
    /// ECDSA on P-256 with SHA-256.
    P256(EcdsaKeyPair),
    /// HMAC with SHA-256.
    Hmac(hmac::Key),
}

/// What verifies.
pub(super) enum Verifier {
    /// A public key.
    Ed25519(UnparsedPublicKey<Vec<u8>>),
    /// A public key, as an uncompressed point.
    P256(UnparsedPublicKey<Vec<u8>>),
    /// The shared secret.
    Hmac(hmac::Key),
}

/// Bytes of an Ed25519 seed, and of a shared secret: as long as what HMAC-SHA-256 puts out (RFC 7518 section 3.2).
const SEED: usize = 32;

impl Key {
    /// New material for a key: a seed, a secret, or a PKCS #8 document.
    pub(super) fn generate(algorithm: TokenAlgorithm) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        match algorithm {
            TokenAlgorithm::EdDsa | TokenAlgorithm::Hs256 => Ok(Zeroizing::new(entropy::random_bytes::<SEED>().to_vec())),
            TokenAlgorithm::Es256 => {
                let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &entropy::generator())?;
                Ok(Zeroizing::new(document.as_ref().to_vec()))
            }
        }
    }

    /// The key of this material.
    pub(super) fn read(algorithm: TokenAlgorithm, material: &[u8]) -> Option<Self> {
        Some(match algorithm {
            // There is no public key beside the seed that could disagree with it.
            TokenAlgorithm::EdDsa => Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(material).ok()?),
            TokenAlgorithm::Es256 => {
                Self::P256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, material, &entropy::generator()).ok()?)
            }
            TokenAlgorithm::Hs256 if material.len() == SEED => Self::Hmac(hmac::Key::new(hmac::HMAC_SHA256, material)),
            TokenAlgorithm::Hs256 => return None,
        })
    }

    /// The signature of a message.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        Ok(match self {
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Self::P256(key) => key.sign(&entropy::generator(), message)?.as_ref().to_vec(),
            Self::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
        })
    }

    /// What verifies the key's signatures.
    pub(super) fn verifier(&self) -> Verifier {
        match self {
            Self::Ed25519(key) => Verifier::ed25519(key.public_key().as_ref().to_vec()),
            Self::P256(key) => Verifier::p256(key.public_key().as_ref().to_vec()),
            Self::Hmac(key) => Verifier::Hmac(key.clone()),
        }
    }
}

impl Verifier {
    pub(super) fn ed25519(public: Vec<u8>) -> Self {
        Self::Ed25519(UnparsedPublicKey::new(&ED25519, public))
    }

    pub(super) fn p256(point: Vec<u8>) -> Self {
        Self::P256(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
    }

    /// The one algorithm that the key is used with.
    pub(super) const fn algorithm(&self) -> TokenAlgorithm {
        match self {
            Self::Ed25519(_) => TokenAlgorithm::EdDsa,
            Self::P256(_) => TokenAlgorithm::Es256,
            Self::Hmac(_) => TokenAlgorithm::Hs256,
        }
    }

    /// Whether the key signed the token. The algorithm is the key's: what the token says of it may only agree (RFC 8725
    /// section 3.1).
    pub(super) fn verifies(&self, token: &Jws<'_>) -> bool {
        let (message, signature) = (token.signed, token.signature.as_slice());
        token.header.alg == self.algorithm().name()
            && match self {
                Self::Ed25519(key) | Self::P256(key) => key.verify(message, signature).is_ok(),
                Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            }
    }

    /// The public key for the world (RFC 7517); a shared secret is none.
    pub(super) fn published(&self, id: &str) -> Option<Jwk> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (name, algorithm) = match self {
            Self::Ed25519(key) => (
                KeyAlgorithm::EdDSA,
                AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
                    key_type: OctetKeyPairType::OctetKeyPair,
                    curve: EllipticCurve::Ed25519,
                    x: text(key.as_ref()),
                }),
            ),
            Self::P256(key) => {
                let (x, y) = key.as_ref().strip_prefix(&[4])?.split_at_checked(32)?;
                (
                    KeyAlgorithm::ES256,
                    AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
                        key_type: EllipticCurveKeyType::EC,
                        curve: EllipticCurve::P256,
                        x: text(x),
                        y: text(y),
                    }),
                )
            }
            Self::Hmac(_) => return None,
        };
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(name),
            key_id: Some(id.to_owned()),
            ..CommonParameters::default()
        };
        Some(Jwk { common, algorithm })
    }
}
