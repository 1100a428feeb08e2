//! Keys whose feature this version lacks: accepted at their default, so that a file written for a later version's
//! defaults stays valid, and refused at any other value rather than silently ignored.

use super::field::Field;
use super::file::{self, Node, Scalar, Value};
use super::section::Section;
use super::units;

/// The sections that are altogether of a later version.
pub(super) fn sections(root: &mut Section<'_>) {
    root.later("mfa", &["{ totp: true, passkeys: true, issuer: Portcullis }"], "second factors");
}

impl Section<'_> {
    /// A key of a later version: `accepted` are its default and other values that mean what this version does, in YAML.
    pub(super) fn later(&mut self, key: &str, accepted: &[&str], feature: &str) {
        let accepted: Vec<Node> = accepted.iter().filter_map(|text| file::parse(text).ok()).collect();
        self.at_default(key, &accepted, feature);
    }

    fn at_default(&mut self, key: &str, accepted: &[Node], feature: &str) {
        let Some(default) = accepted.first() else { return };
        let field = self.take(key);
        if let Value::Map(entries) = &default.value
            && field.as_ref().is_none_or(Field::is_map)
        {
            let mut below = field.and_then(|field| field.section()).unwrap_or_else(|| self.empty_below(key));
            for entry in entries {
                below.at_default(&entry.key, std::slice::from_ref(&entry.node), feature);
            }
            below.finish();
            return;
        }
        let Some(field) = field else { return };
        if !accepted.iter().any(|node| same(&field.node().value, &node.value)) {
            let written: Vec<String> = accepted.iter().map(|node| in_yaml(&node.value)).collect();
            field.error::<()>(format!("this version lacks {feature}, so only the default {} is accepted here", written.join(" or ")));
        }
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
