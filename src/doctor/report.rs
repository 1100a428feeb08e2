//! What the doctor says: each check with what was seen, and the mend.

use serde::Serialize;
use std::fmt;

/// Everything that was found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What answers at the address, as far as it tells.
    pub proxy: &'static str,
    /// The checks that were made.
    pub checks: Vec<Check>,
    /// What was not looked at, and what is worth knowing.
    pub notes: Vec<String>,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What it is about.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It could not be seen, which is no pass.
    Unknown,
}

impl Report {
    /// Whether every check that was made came out as a pass.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.verdict == Verdict::Pass)
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }
}

impl Check {
    pub(super) fn pass(name: &'static str, seen: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Pass, seen: seen.into(), mend: None }
    }

    pub(super) fn fail(name: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Fail, seen: seen.into(), mend: Some(mend.into()) }
    }

    pub(super) fn unknown(name: &'static str, seen: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Unknown, seen: seen.into(), mend: Some(mend.into()) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "proxy: {}", self.proxy)?;
        for Check { name, verdict, seen, mend } in &self.checks {
            writeln!(f, "{verdict:<7}  {name}: {seen}")?;
            if let Some(mend) = mend {
                writeln!(f, "         mend: {mend}")?;
            }
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let [passed, failed, unknown] = [Verdict::Pass, Verdict::Fail, Verdict::Unknown].map(|verdict| self.count(verdict));
        let verdict = if self.holds() { "holds" } else { "does not hold" };
        writeln!(f, "verdict: {verdict} ({passed} passed, {failed} failed, {unknown} unknown, which is no pass)")
    }
}
