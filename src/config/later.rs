//! Keys whose feature this version lacks: accepted at their default, so that a file written for a later version's
//! defaults stays valid, and refused at any other value rather than silently ignored.

use super::file::{self, Entry, Node, Scalar, Value};
use super::reader::{Field, Section};
use super::units;

/// The sections that are altogether of a later version.
pub(super) fn sections(root: &mut Section<'_>) {
    let mut limits = root.section("rate_limit");
    limits.later("attempts", &["5", "0"], "rate limits");
    limits.later("per", &["15m"], "rate limits");
    limits.later("per_client", &["100", "0"], "rate limits");
    limits.finish();
    let tokens = "{ access: 15m, refresh: 7d, algorithm: EdDSA, issuer: null, audience: portcullis }";
    root.later("tokens", &[tokens], "access tokens");
    root.later("mfa", &["{ totp: true, passkeys: true, issuer: Portcullis }"], "second factors");
    let email = "{ from: \"Portcullis <no-reply@localhost>\", transport: null, username: null, password: null }";
    root.later("email", &[email], "mail");
    root.later("api", &["{ allowed_origins: [] }"], "the API for other origins");
    root.later("audit", &["{ retention: 400d }"], "the kept audit trail");
    root.later("tracing", &["{ otlp: null }"], "the export of traces");
}

impl Section<'_> {
    /// A key of a later version: `accepted` are its default and other values that mean what this version does, in YAML.
    pub(super) fn later(&mut self, key: &str, accepted: &[&str], feature: &str) {
        let accepted: Vec<Node> = accepted.iter().filter_map(|text| file::parse(text).ok()).collect();
        let Some(default) = accepted.first() else { return };
        match self.take(key) {
            Some(field) => at_default(&field, default, &accepted, feature),
            None => self.note_below(key, default),
        }
    }

    /// Counts the keys below one that is not written as known, for the test that the documented file has them all.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "only tests keep the list"))]
    fn note_below(&mut self, key: &str, default: &Node) {
        #[cfg(test)]
        if let Value::Map(entries) = &default.value {
            let known = &mut self.findings().known.borrow_mut();
            known.extend(entries.iter().map(|entry| format!("{}.{}", self.path_of(key), entry.key)));
        }
        #[cfg(not(test))]
        let _ = (key, default);
    }
}

fn at_default(field: &Field<'_>, default: &Node, accepted: &[Node], feature: &str) {
    if let (Value::Map(entries), Value::Map(_)) = (&default.value, &field.node().value) {
        let Some(mut section) = field.section() else { return };
        for Entry { key, node, .. } in entries {
            if let Some(below) = section.take(key) {
                at_default(&below, node, std::slice::from_ref(node), feature);
            }
        }
        section.finish();
        return;
    }
    if !accepted.iter().any(|node| same(&field.node().value, &node.value)) {
        let written: Vec<String> = accepted.iter().map(|node| in_yaml(&node.value)).collect();
        field.error::<()>(format!("this version lacks {feature}, so only the default {} is accepted here", written.join(" or ")));
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Scalar(a), Value::Scalar(b)) => same_scalar(a, b),
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.value, &b.value)),
        _ => false,
    }
}

fn same_scalar(a: &Scalar, b: &Scalar) -> bool {
    let durations = units::duration(&a.text).zip(units::duration(&b.text));
    a.text == b.text || durations.is_some_and(|(a, b)| a == b)
}

fn in_yaml(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Scalar(scalar) if scalar.text.is_empty() => "\"\"".into(),
        Value::Scalar(scalar) => scalar.text.clone(),
        Value::List(items) => format!("[{}]", items.iter().map(|item| in_yaml(&item.value)).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| format!("{}: {}", entry.key, in_yaml(&entry.node.value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
    }
}
