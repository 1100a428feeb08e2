//! What is recorded of a request: a span for it, and one for each step of it. How that is sent is no matter here.

use super::Telemetry;
use crate::clock::Stopwatch;
use crate::trace_context::{SpanId, TraceContext};
use std::time::Duration;

/// A request that is being recorded. Times are those since it began.
pub struct Recording {
    recorded: Recorded,
    watch: Stopwatch,
    telemetry: Telemetry,
}

/// The spans of a request that has ended.
pub(super) struct Recorded {
    /// The request's own context: its trace and flags, and its span.
    pub(super) context: TraceContext,
    /// The span that caused it, where that is known.
    pub(super) parent: Option<SpanId>,
    /// `tracestate`, as it came.
    pub(super) state: String,
    /// When it began, in nanoseconds since the Unix epoch.
    pub(super) begun: u64,
    /// The request itself last, its steps before it.
    pub(super) spans: Vec<Span>,
}

/// One step of a trace.
#[derive(Clone, Debug)]
pub struct Span {
    pub(super) id: SpanId,
    /// What it is called; of few different names.
    pub name: String,
    /// What kind of step it is.
    pub kind: Kind,
    pub(super) begun: Duration,
    pub(super) ended: Duration,
    /// What is told of it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether it failed.
    pub failed: bool,
}

/// A step that has begun.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    id: SpanId,
    begun: Duration,
}

/// What kind of step a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request that was answered here.
    Server,
    /// A request that was made of another server.
    Client,
    /// Work of our own.
    Internal,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Seconds.
    Seconds(f64),
}

impl Recording {
    /// Begins now, `begun`, as a step of the trace.
    pub(super) fn begin(context: TraceContext, begun: u64, telemetry: Telemetry) -> Self {
        let own = context.below(SpanId::random());
        let recorded = Recorded { context: own, parent: None, state: String::new(), begun, spans: Vec::with_capacity(3) };
        Self { recorded, watch: Stopwatch::start(), telemetry }
    }

    /// It was caused by this span of another server, which sent this `tracestate`.
    #[must_use]
    pub fn caused_by(mut self, parent: SpanId, state: String) -> Self {
        self.recorded.parent = Some(parent);
        self.recorded.state = state;
        self
    }

    /// Begins a step.
    #[must_use]
    pub fn open(&self) -> Open {
        Open { id: SpanId::random(), begun: self.watch.elapsed() }
    }

    /// A step that has taken this long, and ends now.
    #[must_use]
    pub fn open_since(&self, taken: Duration) -> Open {
        Open { id: SpanId::random(), begun: self.watch.elapsed().saturating_sub(taken) }
    }

    /// What a server is told that this step asks.
    #[must_use]
    pub fn context_of(&self, step: Open) -> TraceContext {
        self.recorded.context.below(step.id)
    }

    /// Ends a step.
    pub fn close(&mut self, step: Open, kind: Kind, name: &str) -> &mut Span {
        let ended = self.watch.elapsed();
        let span = Span { id: step.id, name: name.to_owned(), kind, begun: step.begun, ended, attributes: Vec::new(), failed: false };
        let spans = &mut self.recorded.spans;
        spans.push(span);
        let last = spans.len() - 1;
        &mut spans[last]
    }

    /// Ends the request itself, and hands all over to be sent.
    pub fn finish(mut self, name: &str, describe: impl FnOnce(&mut Span)) {
        let own = Open { id: self.recorded.context.span, begun: Duration::ZERO };
        describe(self.close(own, Kind::Server, name));
        self.telemetry.push(self.recorded);
    }
}

impl Span {
    /// Tells more of it.
    pub fn tell(&mut self, name: &'static str, value: impl Into<Value>) -> &mut Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// Tells more of it, where there is something to tell.
    pub fn tell_if(&mut self, name: &'static str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.tell(name, value);
        }
        self
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Duration> for Value {
    fn from(duration: Duration) -> Self {
        Self::Seconds(duration.as_secs_f64())
    }
}
