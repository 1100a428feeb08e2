//! The access log: one line for each request, however it ended.

use super::Passage;
use http::Method;
use pingora::proxy::Session as Exchange;

/// Whether a request's line is still to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is.
    Due,
    /// It was, or none is wanted.
    NotDue,
}

/// How a request ended.
struct End<'a> {
    event: &'static str,
    message: &'static str,
    /// Of a request that was refused before its facts were established.
    method: Option<&'a Method>,
    status: Option<u16>,
    bytes: Option<usize>,
}

/// Writes the line of a request that has come to its end, if it is due.
pub fn write(exchange: &Exchange, passage: &mut Passage) {
    let status = exchange.response_written().map(|response| response.status.as_u16());
    let (method, bytes) = (Some(&exchange.req_header().method), Some(exchange.body_bytes_sent()));
    passage.write_line(&End { event: "request", message: "request", method, status, bytes });
}

/// Writes the line of a request that Envoy asked about over gRPC.
pub fn write_asked(passage: &mut Passage, status: u16) {
    passage.write_line(&End {
        event: "request_asked",
        message: "request asked about by Envoy",
        method: None,
        status: Some(status),
        bytes: None,
    });
}

/// What was cut off, since its session ended or the gateway stopped, never gets to the phase that logs.
impl Drop for Passage {
    fn drop(&mut self) {
        if self.facts.is_some() {
            self.write_line(&End { event: "request_cut_off", message: "request cut off", method: None, status: None, bytes: None });
        }
        self.end_trace(None);
    }
}

impl Passage {
    fn write_line(&mut self, end: &End<'_>) {
        if std::mem::replace(&mut self.line, Line::NotDue) == Line::NotDue {
            return;
        }
        let facts = self.facts.as_ref();
        tracing::info!(
            target: "portcullis::access",
            message = end.message,
            event = end.event,
            request_id = %self.request_id,
            trace_id = self.trace.as_ref().map(|trace| display(trace.id())),
            client = facts.and_then(|facts| facts.client).map(display),
            method = facts.map(|facts| &facts.method).or(end.method).map(Method::as_str),
            host = facts.map(|facts| facts.host.as_str()),
            path = facts.map(|facts| facts.target.raw_path()),
            status = end.status,
            decision = self.decision,
            bytes = end.bytes,
            duration_ms = self.started.elapsed().as_secs_f64() * 1000.0,
        );
    }
}
