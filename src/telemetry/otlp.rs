//! Spans as OpenTelemetry's protocol has them (OTLP 1, over gRPC).

use super::span::{Kind, Recorded, Span, Value};
use crate::entropy;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status};
use std::time::Duration;

/// Bits of a span's flags by which it says that it knows whether its parent is another server's, and that it is.
const PARENT_IS_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

/// What this process says of itself.
pub(super) fn resource() -> Resource {
    let instance = format!("{:032x}", u128::from_be_bytes(entropy::unique_bytes()));
    let attributes = [("service.name", "portcullis"), ("service.version", env!("CARGO_PKG_VERSION")), ("service.instance.id", &instance)];
    Resource { attributes: attributes.iter().map(|(key, value)| attribute(key, &Value::from(*value))).collect(), ..Resource::default() }
}

/// These spans of this process.
pub(super) fn request(resource: &Resource, recorded: &[Recorded]) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: "portcullis".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: recorded.iter().flat_map(spans).collect(), ..ScopeSpans::default() };
    let resource_spans = ResourceSpans { resource: Some(resource.clone()), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

fn spans(recorded: &Recorded) -> impl Iterator<Item = OtlpSpan> {
    recorded.spans.iter().map(|span| one(recorded, span))
}

fn one(recorded: &Recorded, span: &Span) -> OtlpSpan {
    let is_request = span.id == recorded.context.span;
    let parent = if is_request { recorded.parent } else { Some(recorded.context.span) };
    let remote = if is_request && parent.is_some() { PARENT_IS_REMOTE } else { 0 };
    let status = Status { code: StatusCode::Error.into(), ..Status::default() };
    OtlpSpan {
        trace_id: recorded.context.trace.bytes().to_vec(),
        span_id: span.id.bytes().to_vec(),
        trace_state: recorded.state.clone(),
        parent_span_id: parent.map(|parent| parent.bytes().to_vec()).unwrap_or_default(),
        flags: u32::from(recorded.context.flags()) | PARENT_IS_KNOWN | remote,
        name: span.name.clone(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: after(recorded.begun, span.begun),
        end_time_unix_nano: after(recorded.begun, span.ended),
        attributes: span.attributes.iter().map(|(key, value)| attribute(key, value)).collect(),
        status: span.failed.then_some(status),
        ..OtlpSpan::default()
    }
}

fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Internal => SpanKind::Internal,
    }
}

fn after(begun: u64, duration: Duration) -> u64 {
    begun.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn attribute(key: &str, value: &Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.clone()),
        Value::Number(number) => any_value::Value::IntValue(*number),
        Value::Seconds(seconds) => any_value::Value::DoubleValue(*seconds),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
