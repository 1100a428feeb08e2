//! `portcullis hash`: the hash of a password, as the stores keep it.

use super::Failure;
use super::password_input::read_new_password;
use crate::account::Hasher;
use crate::config::HashAlgorithm;
use std::io::Write;

pub(super) fn run(out: &mut impl Write) -> Result<(), Failure> {
    let password = read_new_password()?;
    let failed = |error: std::io::Error| Failure::new(format!("cannot hash the password: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(failed)?;
    let hasher = Hasher::start(HashAlgorithm::Argon2id).map_err(failed)?;
    let hash = runtime.block_on(hasher.hash(&password)).map_err(|_busy| Failure::new("cannot hash the password, run the command again"))?;
    writeln!(out, "{}", hash.0)?;
    Ok(())
}
