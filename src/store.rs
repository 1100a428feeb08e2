//! Adapters: where accounts and sessions are really kept. SQL lives here and nowhere else.

mod breaker;
mod counter;
pub mod measured;
pub mod memory;
pub mod mongo;
mod one_time;
pub mod redis;
pub mod runtime;
pub mod sqlite;

#[cfg(test)]
mod contract;

pub use counter::{Charge, Counted, CounterStore, Limit};
pub use one_time::OneTimeStore;

/// A store could not do what it was asked: it is unreachable, too slow, or broken. The text is for the log.
#[derive(Clone, Debug)]
pub struct StoreError(pub String);

/// The first and the last text that begin with what was typed, in the order of their bytes; canonical names and addresses
/// are in lower case.
fn beginnings(typed: &str) -> (String, String) {
    let first = typed.trim().to_lowercase();
    let last = format!("{first}{}", char::MAX);
    (first, last)
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}
