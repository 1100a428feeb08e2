//! One request on its way through the gateway: what is known of it so far, and what is noted of it for the log, the traces and the
//! metrics.

use super::exchange::Facts;
use super::identities::Introduction;
use super::tally::Tally;
use super::trace::{Ending, Trace};
use super::upstream::Server;
use super::{Gateway, access_log};
use crate::gate::Activity;
use crate::logging;
use crate::metrics::{self, Label as _};
use std::sync::Arc;
use std::time::Instant;

/// One request on its way: what is known of it so far.
pub struct Passage {
    /// The one that it began with, to its end.
    pub(super) gateway: Gateway,
    pub(super) started: Instant,
    pub(super) request_id: String,
    pub(super) facts: Option<Arc<Facts>>,
    pub(super) route: Option<usize>,
    pub(super) names_methods: bool,
    pub(super) takes_authorization: bool,
    pub(super) private: bool,
    pub(super) identity: Option<Introduction>,
    pub(super) activity: Option<Activity>,
    pub(super) server: Option<Arc<Server>>,
    pub(super) tried: Vec<Arc<Server>>,
    pub(super) body: u64,
    pub(super) upgrade: bool,
    pub(super) decision: &'static str,
    pub(super) trace: Option<Trace>,
    pub(super) tally: Tally,
    pub(super) line: access_log::Line,
}

impl Gateway {
    /// A request that begins.
    pub(super) fn passage(&self) -> Passage {
        let started = Instant::now();
        Passage {
            gateway: self.clone(),
            started,
            tally: Tally::begin(Arc::clone(&self.0.metrics), started),
            request_id: String::new(),
            facts: None,
            route: None,
            names_methods: false,
            takes_authorization: false,
            private: true,
            identity: None,
            activity: None,
            server: None,
            tried: Vec::new(),
            body: 0,
            upgrade: false,
            decision: "bad_request",
            trace: None,
            line: if self.0.settings.log.access { access_log::Line::Due } else { access_log::Line::NotDue },
        }
    }
}

impl Passage {
    /// Notes and counts what a front proxy is told.
    pub(super) fn answered_front(&mut self, decision: metrics::Decision) {
        self.tally.decided(metrics::Mode::ForwardAuth, decision);
        self.decision = decision.value();
    }

    /// Gives it its id, which all that is logged from here on has.
    pub(super) fn name(&mut self, id: String) {
        logging::request::name(&id);
        self.request_id = id;
    }

    /// The same, with its trace.
    pub(super) fn with(&mut self, trace: Trace) -> &mut Self {
        self.trace = Some(trace);
        self
    }

    pub(super) fn traced(&mut self, note: impl FnOnce(&mut Trace)) {
        if let Some(trace) = &mut self.trace {
            note(trace);
        }
    }

    /// The request has come to its end; `status` is what it was answered, if it was.
    pub(super) fn end_trace(&mut self, status: Option<u16>) {
        if let (Some(trace), Some(facts)) = (self.trace.take(), &self.facts) {
            trace.finish(&Ending { facts, request_id: &self.request_id, decision: self.decision, status });
        }
    }

    /// Notes and counts what was decided on a request that goes through us; only the first time.
    pub(super) fn decided(&mut self, decision: metrics::Decision) {
        if self.tally.decided(metrics::Mode::Proxy, decision) {
            self.decision = decision.value();
        }
    }
}
