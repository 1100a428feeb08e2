//! What is traced of a request: the request itself, the decision on it, and what the upstream was asked. Names are those of
//! OpenTelemetry's conventions for HTTP; nothing that a query, a header or a body holds is told.

use super::decision::{Judged, Mode};
use super::exchange::Facts;
use super::upstream::Server;
use crate::config::Route;
use crate::telemetry::{Kind, Open, Recording, Telemetry};
use crate::trace_context::{TraceContext, TraceId};
use http::HeaderMap;

/// Longest `tracestate` that is kept with spans; servers need pass on no more (Trace Context, section 3.3.1.5).
const LONGEST_STATE: usize = 512;

/// The trace of a request.
pub struct Trace {
    /// As the proxy in front told, or begun here.
    context: TraceContext,
    /// Whether a proxy in front told.
    told: bool,
    recording: Option<Box<Recorded>>,
}

/// What is recorded of it so far.
struct Recorded {
    recording: Recording,
    mode: Mode,
    route: Option<String>,
    host: Option<String>,
    upstream: Option<Asking>,
}

/// An upstream that was asked.
struct Asking {
    step: Open,
    server: String,
    status: Option<u16>,
}

/// What the request was, once it has come to its end.
pub struct Ending<'a> {
    /// Its facts.
    pub facts: &'a Facts,
    /// Its id.
    pub request_id: &'a str,
    /// What was decided.
    pub decision: &'static str,
    /// What was answered; nothing where it was cut off.
    pub status: Option<u16>,
}

impl Trace {
    /// The trace of a request with these headers. They are believed only where a trusted proxy sent them: strangers could
    /// make us record what they like, and mix their requests into others' traces.
    pub fn of(headers: &HeaderMap, facts: &Facts, mode: Mode, telemetry: &Telemetry) -> Self {
        let told = if facts.behind_proxy { TraceContext::read(headers) } else { None };
        let context = told.unwrap_or_else(|| TraceContext::begin(telemetry.is_on()));
        let recording = telemetry.record(context).map(|recording| {
            let recording = if told.is_some() { recording.caused_by(context.span, state(headers)) } else { recording };
            Box::new(Recorded { recording, mode, route: None, host: None, upstream: None })
        });
        Self { context, told: told.is_some(), recording }
    }

    /// The trace's id, for the log.
    pub fn id(&self) -> TraceId {
        self.context.trace
    }

    /// Whether a proxy in front told of the trace; if not, what it sent beside is of no trace.
    pub fn was_told(&self) -> bool {
        self.told
    }

    /// Notes which route takes the request.
    pub fn takes(&mut self, route: &Route) {
        if let Some(recorded) = &mut self.recording {
            recorded.route = Some(route.path.clone());
            recorded.host = route.host.as_ref().map(ToString::to_string);
        }
    }

    /// Notes that it is for a page of ours; they are all below this path.
    pub fn is_for_us(&mut self, prefix: &str) {
        if let Some(recorded) = &mut self.recording {
            recorded.route = Some(prefix.to_owned());
        }
    }

    /// Notes what was decided, just now.
    pub fn decided(&mut self, judged: &Judged) {
        let Some(recorded) = &mut self.recording else { return };
        let recording = &mut recorded.recording;
        let step = recording.open_since(judged.taken);
        let span = recording.close(step, Kind::Internal, "decide");
        span.tell("portcullis.verdict", judged.verdict.name())
            .tell("portcullis.rule", judged.rule.map_or_else(|| "default".to_owned(), |index| (index + 1).to_string()))
            .tell("portcullis.route", judged.route)
            .tell("portcullis.store.duration", judged.store);
    }

    /// What an upstream is told that is asked now. Where nothing is recorded, no span of ours stands between the caller's
    /// and the upstream's.
    pub fn ask(&mut self, server: &Server) -> TraceContext {
        let Some(recorded) = &mut self.recording else { return self.context };
        recorded.end_asking();
        let step = recorded.recording.open();
        recorded.upstream = Some(Asking { step, server: server.authority(), status: None });
        recorded.recording.context_of(step)
    }

    /// Notes what the upstream answers.
    pub fn answers(&mut self, status: u16) {
        if let Some(asking) = self.recording.as_mut().and_then(|recorded| recorded.upstream.as_mut()) {
            asking.status = Some(status);
        }
    }

    /// The request has come to its end.
    pub fn finish(self, ending: &Ending<'_>) {
        if let Some(recorded) = self.recording {
            recorded.finish(ending);
        }
    }
}

impl Recorded {
    /// The upstream that was asked last has answered to the end, or never will.
    fn end_asking(&mut self) {
        let Some(asking) = self.upstream.take() else { return };
        let span = self.recording.close(asking.step, Kind::Client, "upstream");
        span.tell("portcullis.upstream", asking.server).tell_if("http.response.status_code", asking.status);
        span.failed = asking.status.is_none_or(|status| status >= 400);
    }

    fn finish(mut self, ending: &Ending<'_>) {
        self.end_asking();
        let Ending { facts, request_id, decision, status } = *ending;
        let mode = match self.mode {
            Mode::Proxy => "proxy",
            Mode::ForwardAuth => "forward_auth",
        };
        let name = self.route.as_ref().map_or_else(|| facts.method.to_string(), |route| format!("{} {route}", facts.method));
        self.recording.finish(&name, |span| {
            span.tell("http.request.method", facts.method.as_str())
                .tell("url.scheme", facts.scheme())
                .tell("url.path", facts.target.raw_path())
                .tell_if("http.route", self.route)
                .tell_if("server.address", self.host)
                .tell_if("http.response.status_code", status)
                .tell_if("error.type", status.is_none().then_some("cut_off"))
                .tell("portcullis.mode", mode)
                .tell("portcullis.decision", decision)
                .tell("portcullis.request_id", request_id);
            span.failed = status.is_none_or(|status| status >= 500);
        });
    }
}

/// `tracestate` as one line, if it is one that can be kept.
fn state(headers: &HeaderMap) -> String {
    let lines: Vec<&str> = headers.get_all("tracestate").iter().filter_map(|line| line.to_str().ok()).collect();
    let joined = lines.join(",");
    if joined.len() <= LONGEST_STATE { joined } else { String::new() }
}
