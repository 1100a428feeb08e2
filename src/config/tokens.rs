//! `tokens` and `api`: what programs are given, and which pages' scripts may ask.

use super::field::Field;
use super::section::Section;
use super::{ApiSettings, TokenAlgorithm, TokenSettings};
use std::time::Duration;

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
