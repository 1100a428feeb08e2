//! A record as the library formats it, and the id of the request in which it was logged.

use super::line::Format;
use super::request;
use std::fmt;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// The field that has it. A record that brings its own keeps it.
const FIELD: &str = "request_id";

/// Formats records as `inner` does.
pub(super) struct Records<F> {
    inner: F,
    format: Format,
}

impl<F> Records<F> {
    pub(super) fn new(inner: F, format: Format) -> Self {
        Self { inner, format }
    }
}

impl<S, N, F> FormatEvent<S, N> for Records<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let has_own = event.metadata().fields().field(FIELD).is_some();
        let Some(id) = request::current().filter(|_| !has_own) else {
            return self.inner.format_event(context, writer, event);
        };
        let mut record = String::with_capacity(256);
        self.inner.format_event(context, Writer::new(&mut record), event)?;
        let record = record.trim_end_matches('\n');
        match self.format {
            Format::Text => writeln!(writer, "{record} {FIELD}={id}"),
            // Ids are plain words, which JSON need not escape.
            Format::Json => writeln!(writer, "{},\"{FIELD}\":\"{id}\"}}", record.strip_suffix('}').unwrap_or(record)),
        }
    }
}
