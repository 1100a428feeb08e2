//! `tracing`: where traces of requests are sent.

use super::field::{Field, shown};
use super::section::Section;
use super::{OtlpCollector, TracingSettings};
use crate::host::Host;

/// Where collectors listen for OTLP over gRPC, and for OTLP over HTTP.
const GRPC: u16 = 4317;
const HTTP: u16 = 4318;

const ALLOWED: &str = "write null, http://host:4317 or https://host:4317";

pub(super) fn tracing(root: &mut Section<'_>) -> TracingSettings {
    let mut section = root.section("tracing");
    let otlp = section.optional("otlp", collector);
    section.finish();
    TracingSettings { otlp }
}

fn collector(field: &Field<'_>) -> Option<OtlpCollector> {
    let scalar = field.scalar(ALLOWED)?;
    match parse(&scalar.text) {
        Ok(collector) => Some(collector),
        // A login, which some write there, is not repeated.
        Err(reason) if scalar.text.contains('@') => field.error(format!("{reason}; {ALLOWED}")),
        Err(reason) => field.error(format!("{} {reason}; {ALLOWED}", shown(scalar))),
    }
}

fn parse(text: &str) -> Result<OtlpCollector, &'static str> {
    let (scheme, authority) = text.split_once("://").ok_or("is no address of a collector")?;
    let https = match scheme {
        "http" => false,
        "https" => true,
        _ => return Err("has another scheme than http and https"),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    if authority.contains('@') {
        return Err("holds a login, which OTLP has no place for");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("has a path or query, which OTLP over gRPC has not");
    }
    let (host, port) = Host::parse_authority(authority).ok_or("has no usable host and port")?;
    match port.unwrap_or(GRPC) {
        HTTP => Err("is where collectors speak OTLP over HTTP, and spans are sent over gRPC"),
        port => Ok(OtlpCollector { https, host, port }),
    }
}
