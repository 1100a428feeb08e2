//! How a command fails: what is printed, and the exit code.

use crate::config::Report;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

/// Why a command failed, in one sentence that says what to do, or one such line for each problem of a configuration.
#[derive(Debug)]
pub struct Failure {
    message: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Failed,
    WrongUsage,
    /// Lines that begin with their own places.
    Configuration,
}

impl Failure {
    /// It could not be done: exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::Failed }
    }

    /// It cannot be asked for like this: exit code 2.
    pub fn wrong_usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: Kind::WrongUsage }
    }

    /// Whether the command line was wrong, rather than what it asked for.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        self.kind == Kind::WrongUsage
    }

    /// Prints it and gives the exit code.
    pub(super) fn report(&self, err: &mut impl Write) -> ExitCode {
        let lead = if self.kind == Kind::Configuration { "" } else { "error: " };
        // Nobody is left to be told when standard error is closed.
        let _ = writeln!(err, "{lead}{}", self.message);
        ExitCode::from(if self.is_wrong_usage() { 2 } else { 1 })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self { message: report.to_string(), kind: Kind::Configuration }
    }
}

impl From<std::io::Error> for Failure {
    /// Commands do no other input or output than printing.
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("cannot print the result: {error}"))
    }
}
