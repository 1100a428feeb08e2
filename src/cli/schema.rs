//! `portcullis schema`: the JSON Schema of the configuration, for editors and for those who check files elsewhere.

use super::Failure;
use std::io::Write;

/// The schema; a test compares it with what the configuration's reader takes.
pub(crate) const SCHEMA: &str = include_str!("../../config/schema.json");

pub(super) fn run(out: &mut impl Write) -> Result<(), Failure> {
    out.write_all(SCHEMA.as_bytes())?;
    Ok(())
}
