//! Parses the command line, runs, maps the outcome to an exit code.

use std::process::ExitCode;

/// Few large and many small allocations on every core: faster here than the system's allocator, and it gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis::cli::main()
}
