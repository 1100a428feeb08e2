//! `rate_limit`, `accounts.lockout` and `accounts.reset`: how much of what is allowed in how long.

use super::field::Field;
use super::section::Section;
use super::{AuditSettings, LockoutSettings, RateLimitSettings, ResetSettings};
use std::time::Duration;

/// Most that can be counted.
const MOST: usize = 1_000_000;

/// Most durations of locks; each is looked for when an account is locked.
const MOST_LOCKS: usize = 16;

pub(super) fn rate_limit(root: &mut Section<'_>) -> RateLimitSettings {
    let mut section = root.section("rate_limit");
    let settings = RateLimitSettings {
        attempts: section.read("attempts", 5, count),
        per: section.read("per", Duration::from_mins(15), Field::positive_duration),
        per_client: section.read("per_client", 100, count),
    };
    section.finish();
    settings
}

pub(super) fn lockout(accounts: &mut Section<'_>) -> LockoutSettings {
    let mut section = accounts.section("lockout");
    let default = [1, 5, 15, 60].map(Duration::from_mins).to_vec();
    let settings = LockoutSettings {
        failures: section.read("failures", 10, count),
        within: section.read("within", Duration::from_mins(15), Field::positive_duration),
        lasts: section.read("for", default, lasts),
    };
    section.finish();
    settings
}

pub(super) fn reset(accounts: &mut Section<'_>) -> ResetSettings {
    let mut section = accounts.section("reset");
    let settings = ResetSettings {
        token_lifetime: section.read("token_lifetime", Duration::from_mins(30), Field::positive_duration),
        requests_per_hour: section.read("requests_per_hour", 5, |field| field.count(1..=MOST).and_then(narrow)),
        url: section.optional("url", reset_page),
    };
    section.finish();
    settings
}

pub(super) fn audit(root: &mut Section<'_>) -> AuditSettings {
    let mut section = root.section("audit");
    let settings = AuditSettings { retention: section.read("retention", Duration::from_hours(400 * 24), Field::positive_duration) };
    section.finish();
    settings
}

fn count(field: &Field<'_>) -> Option<u32> {
    field.count(0..=MOST).and_then(narrow)
}

fn narrow(count: usize) -> Option<u32> {
    u32::try_from(count).ok()
}

fn lasts(field: &Field<'_>) -> Option<Vec<Duration>> {
    let lasts = field.list(Field::positive_duration)?;
    if lasts.is_empty() || lasts.len() > MOST_LOCKS {
        return field.error("name at least one duration and at most 16, for example [1m, 5m, 15m, 1h]");
    }
    Some(lasts)
}

/// The token stands in the fragment, which browsers send to no server.
fn reset_page(field: &Field<'_>) -> Option<String> {
    let allowed = "write an https address with {token} in its fragment, for example https://app.example.com/reset#{token}";
    field.parse("the address of a page", allowed, |text| {
        let (page, fragment) = text.split_once('#')?;
        let url = url::Url::parse(page).ok()?;
        let exact = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
        (exact && fragment.matches("{token}").count() == 1 && !page.contains("{token}")).then(|| text.to_owned())
    })
}
