//! `portcullis completions`: what a shell needs to complete our commands and flags.

use super::Failure;
use std::io::Write;

pub(super) fn run<C: clap::CommandFactory>(shell: clap_complete::Shell, out: &mut impl Write) -> Result<(), Failure> {
    // The generator panics when it cannot write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut C::command(), "portcullis", &mut script);
    out.write_all(&script)?;
    Ok(())
}
