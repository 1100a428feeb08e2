//! A circuit breaker: when a store no longer answers, callers are refused at once instead of waiting in a pile, and one
//! call at a time tries whether it answers again.

use super::StoreError;
use crate::clock::Stopwatch;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Unanswered calls in a row after which the store counts as down.
const TOLERATED: u32 = 3;

/// How long after a failure the next call is let through to try.
const PAUSE: Duration = Duration::from_millis(500);

/// Lets calls to one store through, or not.
pub(super) struct Breaker {
    store: &'static str,
    most_at_once: usize,
    state: Mutex<State>,
}

struct State {
    circuit: Circuit,
    under_way: usize,
}

enum Circuit {
    /// Calls pass; so many in a row were not answered.
    Closed { unanswered: u32 },
    /// Calls are refused since then.
    Open { since: Stopwatch },
    /// As open, and one call is trying.
    Trying,
}

/// A call on its way. Dropped without [`Pass::answered`], it counts as not answered.
pub(super) struct Pass {
    breaker: Arc<Breaker>,
    answered: bool,
}

impl Breaker {
    /// A breaker for the store of this name, which has at most so many calls under way at once.
    pub(super) fn new(store: &'static str, most_at_once: usize) -> Arc<Self> {
        let state = State { circuit: Circuit::Closed { unanswered: 0 }, under_way: 0 };
        Arc::new(Self { store, most_at_once, state: Mutex::new(state) })
    }

    /// Asks to make a call.
    ///
    /// # Errors
    /// When the store does not answer, or has too much to do.
    pub(super) fn pass(self: &Arc<Self>) -> Result<Pass, StoreError> {
        let mut state = self.state();
        if state.under_way >= self.most_at_once {
            return Err(StoreError(format!("{} has {} calls under way, no more are begun", self.store, state.under_way)));
        }
        match &state.circuit {
            Circuit::Closed { .. } => {}
            Circuit::Open { since } if since.elapsed() >= PAUSE => state.circuit = Circuit::Trying,
            Circuit::Open { .. } | Circuit::Trying => {
                return Err(StoreError(format!("{} did not answer of late and is tried again soon", self.store)));
            }
        }
        state.under_way += 1;
        Ok(Pass { breaker: Arc::clone(self), answered: false })
    }

    fn ended(&self, answered: bool) {
        let mut state = self.state();
        state.under_way -= 1;
        let closed = matches!(state.circuit, Circuit::Closed { .. });
        state.circuit = match state.circuit {
            _ if answered => Circuit::Closed { unanswered: 0 },
            Circuit::Closed { unanswered } if unanswered + 1 < TOLERATED => Circuit::Closed { unanswered: unanswered + 1 },
            _ => Circuit::Open { since: Stopwatch::start() },
        };
        match (closed, matches!(state.circuit, Circuit::Closed { .. })) {
            (true, false) => {
                tracing::warn!(event = "store_down", store = self.store, "the store does not answer, calls are refused until it does");
            }
            (false, true) => tracing::info!(event = "store_up", store = self.store, "the store answers again"),
            _ => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The store answered, were it with a refusal.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.breaker.ended(self.answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Arc<Breaker>, times: u32) {
        for _ in 0..times {
            drop(breaker.pass().unwrap());
        }
    }

    fn wait_for_a_try(breaker: &Arc<Breaker>) -> Pass {
        loop {
            match breaker.pass() {
                Ok(pass) => return pass,
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    #[test]
    fn calls_are_refused_after_some_in_a_row_went_unanswered() {
        let breaker = Breaker::new("test", 10);
        fail(&breaker, TOLERATED - 1);
        breaker.pass().unwrap().answered();
        fail(&breaker, TOLERATED);
        assert!(breaker.pass().is_err());
    }

    #[test]
    fn one_call_at_a_time_tries_and_an_answer_lets_all_through() {
        let breaker = Breaker::new("test", 10);
        fail(&breaker, TOLERATED);
        let trying = wait_for_a_try(&breaker);
        assert!(breaker.pass().is_err());
        drop(trying);
        assert!(breaker.pass().is_err(), "a failed try opens it again");
        wait_for_a_try(&breaker).answered();
        let (_one, _other) = (breaker.pass().unwrap(), breaker.pass().unwrap());
    }

    #[test]
    fn no_more_calls_are_under_way_than_allowed() {
        let breaker = Breaker::new("test", 1);
        let only = breaker.pass().unwrap();
        assert!(breaker.pass().is_err());
        only.answered();
        assert!(breaker.pass().is_ok());
    }
}
