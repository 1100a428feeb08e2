//! The access log: one line for each request, however it ended.

use super::Passage;
use pingora::proxy::Session as Exchange;

/// Whether a request's line is still to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is.
    Due,
    /// It was, or none is wanted.
    NotDue,
}

/// Writes the line of a request that has come to its end, if it is due.
pub fn write(exchange: &Exchange, passage: &mut Passage) {
    if std::mem::replace(&mut passage.line, Line::NotDue) == Line::NotDue {
        return;
    }
    let facts = passage.facts.as_ref();
    tracing::info!(
        target: "portcullis::access",
        request_id = passage.request_id,
        client = facts.and_then(|facts| facts.client).map(tracing::field::display),
        method = facts.map_or(&exchange.req_header().method, |facts| &facts.method).as_str(),
        host = facts.map(|facts| facts.host.as_str()),
        path = facts.map(|facts| facts.target.raw_path()),
        status = exchange.response_written().map(|response| response.status.as_u16()),
        decision = passage.decision,
        bytes = exchange.body_bytes_sent(),
        duration_ms = passage.started.elapsed().as_secs_f64() * 1000.0,
        "request"
    );
}

/// What was cut off, since its session ended or the gateway stopped, never gets to the phase that logs.
impl Drop for Passage {
    fn drop(&mut self) {
        let Some(facts) = self.facts.as_ref().filter(|_| self.line == Line::Due) else { return };
        tracing::info!(
            target: "portcullis::access",
            request_id = self.request_id,
            client = facts.client.map(tracing::field::display),
            method = facts.method.as_str(),
            host = facts.host.as_str(),
            path = facts.target.raw_path(),
            decision = self.decision,
            duration_ms = self.started.elapsed().as_secs_f64() * 1000.0,
            "request cut off"
        );
    }
}
