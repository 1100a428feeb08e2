//! What is counted of one request: its decision once, what its application answered once, and how long all of it took,
//! however it ends. Own pages are not counted here. It reads the clock three times and adds to a few numbers, no more.

use crate::metrics::{CodeClass, Decision, Metrics, Mode, UpstreamMeter};
use http::StatusCode;
use std::sync::Arc;
use std::time::Instant;

/// The counting of one request; dropped at its end.
pub struct Tally {
    metrics: Arc<Metrics>,
    started: Instant,
    state: State,
    answered: bool,
    /// It became a WebSocket, whose length says nothing.
    upgraded: bool,
}

#[derive(Clone, Copy)]
enum State {
    Undecided,
    OwnPage,
    Decided { mode: Mode, at: Instant },
}

impl Tally {
    /// For a request whose head was there at `started`.
    pub fn begin(metrics: Arc<Metrics>, started: Instant) -> Self {
        Self { metrics, started, state: State::Undecided, answered: false, upgraded: false }
    }

    /// It is for a page of our own.
    pub fn own_page(&mut self) {
        self.state = State::OwnPage;
    }

    /// Counts the decision; whether it is the first. What goes wrong afterwards is no decision.
    pub fn decided(&mut self, mode: Mode, decision: Decision) -> bool {
        if !matches!(self.state, State::Undecided) {
            return false;
        }
        let at = Instant::now();
        self.metrics.decided(mode, decision, at - self.started);
        self.state = State::Decided { mode, at };
        true
    }

    /// Counts the head of the application's answer; heads that announce another one are passed over.
    pub fn answered(&mut self, upstream: &UpstreamMeter, status: StatusCode) {
        self.upgraded = status == StatusCode::SWITCHING_PROTOCOLS;
        if let State::Decided { at, .. } = self.state
            && (self.upgraded || !status.is_informational())
            && !std::mem::replace(&mut self.answered, true)
        {
            upstream.answered(CodeClass::of(status), at.elapsed());
        }
    }

    /// Counts that the application gave no answer, if it gave none.
    pub fn unanswered(&mut self, upstream: &UpstreamMeter) {
        if !std::mem::replace(&mut self.answered, true) {
            upstream.count(CodeClass::Error);
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if let State::Decided { mode, .. } = self.state
            && !self.upgraded
        {
            self.metrics.request_duration_seconds[mode].observe(self.started.elapsed().as_secs_f64());
        }
    }
}
