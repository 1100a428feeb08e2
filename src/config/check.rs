//! From YAML to [`Settings`](super::Settings), with every problem at once.

use super::Settings;
use std::path::Path;

/// A configuration that can be used, and what is risky about it.
#[derive(Debug)]
pub struct Loaded {
    /// Ready to use.
    pub settings: Settings,
    /// Risky settings, worth a warning.
    pub warnings: Vec<Problem>,
}

/// One thing that is wrong, or risky.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: file, line and column (from 1) or the environment variable.
    pub place: String,
    /// Key path, for example `routes[0].upstream`.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

/// Everything that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub Vec<Problem>);

/// Reads and checks a file, with overrides from the environment.
///
/// # Errors
/// Every problem there is.
pub fn load(_path: &Path) -> Result<Loaded, Report> {
    unimplemented!()
}

/// Checks a text as if it stood in `folder`, with the given environment; for tests and the demo.
///
/// # Errors
/// Every problem there is.
pub fn load_str(_text: &str, _folder: &Path, _environment: &[(String, String)]) -> Result<Loaded, Report> {
    unimplemented!()
}
