//! Adapters: where accounts and sessions are really kept. SQL lives here and nowhere else.

mod breaker;
mod counter;
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

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoreError {}
