//! `tokens` and `api`: what programs are given, and which pages' scripts may ask.

use super::field::Field;
use super::section::Section;
use std::time::Duration;

/// `tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// How long an access token lives.
    pub access: Duration,
    /// How long a program stays signed in, whatever it renews.
    pub refresh: Duration,
    /// What new tokens are signed with.
    pub algorithm: TokenAlgorithm,
    /// `iss` of every token: as configured, else `portal.url`, else `portcullis`.
    pub issuer: String,
    /// `aud` of access tokens.
    pub audience: String,
}

/// A way to sign (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenAlgorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// HMAC with SHA-256: only who shares the secret can verify.
    Hs256,
}

/// `api`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiSettings {
    /// Origins of single-page applications that may call the API, exact.
    pub allowed_origins: Vec<String>,
}

/// `issuer` is what stands for it where none is configured.
pub(super) fn tokens(root: &mut Section<'_>, issuer: impl FnOnce() -> String) -> TokenSettings {
    let mut section = root.section("tokens");
    let settings = TokenSettings {
        access: section.read("access", Duration::from_mins(15), Field::positive_duration),
        refresh: section.read("refresh", Duration::from_hours(7 * 24), Field::positive_duration),
        algorithm: section.read("algorithm", TokenAlgorithm::EdDsa, |field| {
            field.word(&TokenAlgorithm::ALL.map(|algorithm| (algorithm.name(), algorithm)))
        }),
        issuer: section.optional("issuer", name).unwrap_or_else(issuer),
        audience: section.optional("audience", name).unwrap_or_else(|| "portcullis".to_owned()),
    };
    section.finish();
    settings
}

pub(super) fn api(root: &mut Section<'_>) -> ApiSettings {
    let mut section = root.section("api");
    let settings = ApiSettings { allowed_origins: section.read("allowed_origins", Vec::new(), |field| field.list(origin)) };
    section.finish();
    settings
}

impl TokenAlgorithm {
    const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Hs256];

    /// As it stands in the configuration, in `alg`, and where keys are kept.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Hs256 => "HS256",
        }
    }

    /// The algorithm of this name, byte for byte.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// What stands in `iss` and `aud`: a name or an address, compared byte for byte.
fn name(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let good = (1..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if good { Some(text) } else { field.error("must be 1 to 256 visible ASCII characters without spaces") }
}

/// Origins as browsers send them, so that they can be compared byte for byte.
fn origin(field: &Field<'_>) -> Option<String> {
    field.parse("an origin", "write for example https://app.example.com: scheme, host and port alone", |text| {
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        Some(url.origin().ascii_serialization()).filter(|origin| origin == text)
    })
}
