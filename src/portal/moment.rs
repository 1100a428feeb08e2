//! Moments on pages: in words for people, and as RFC 3339 for programs that read the page.

use super::user::rfc3339;
use crate::clock::Timestamp;
use std::time::Duration;

/// A moment, for the template's `time`.
#[derive(Debug)]
pub(super) struct Moment {
    /// For the attribute `datetime`.
    pub(super) machine: String,
    /// What is read.
    pub(super) words: String,
}

impl Moment {
    /// For example `21 November 2026, 14:45 UTC`.
    pub(super) fn of(at: Timestamp) -> Self {
        Self { machine: rfc3339(at).unwrap_or_default(), words: at.in_words() }
    }

    /// For example `5 minutes ago`; what is longer ago than a day is dated.
    pub(super) fn ago(at: Timestamp, now: Timestamp) -> Self {
        let dated = Self::of(at);
        let words = match now.since(at) {
            passed if passed >= Duration::from_hours(24) => dated.words,
            passed if passed >= Duration::from_mins(1) => format!("{} ago", super::pages::spelled_out(passed)),
            _ => "just now".to_owned(),
        };
        Self { words, machine: dated.machine }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_700_000_000_000);

    #[test]
    fn a_moment_is_told_in_words_and_to_machines() {
        let moment = Moment::of(AT);
        assert_eq!((&*moment.words, &*moment.machine), ("14 November 2023, 22:13 UTC", "2023-11-14T22:13:20Z"));
    }

    #[test]
    fn what_is_a_short_while_ago_is_told_by_how_long() {
        let ago = |passed| Moment::ago(AT, AT.plus(passed)).words;
        assert_eq!(ago(Duration::from_secs(59)), "just now");
        assert_eq!(ago(Duration::from_mins(5)), "5 minutes ago");
        assert_eq!(ago(Duration::from_mins(119)), "1 hour ago");
        assert_eq!(ago(Duration::from_hours(24)), "14 November 2023, 22:13 UTC");
    }
}
