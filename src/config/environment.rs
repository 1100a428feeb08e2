//! What the environment adds to the file: overrides (`PORTCULLIS__…`), values from files (`…__FILE`) and `${NAME}` in
//! scalars. Values that come from here are never replaced again, and those that may be secrets are never repeated.

use super::file::{self, Entry, Node, Place, Scalar, Value};
use super::findings::Findings;
use std::collections::BTreeMap;

const PREFIX: &str = "PORTCULLIS__";
const FROM_FILE: &str = "__FILE";

/// The environment as names and values.
pub(super) type Variables = BTreeMap<String, String>;

/// Puts the overrides into the tree, then replaces `${…}` in what the file brought.
pub(super) fn apply(root: &mut Node, variables: &Variables, findings: &Findings) {
    let ours = variables.iter().filter_map(|(name, value)| Some((name, name.strip_prefix(PREFIX)?, value)));
    let mut overrides: Vec<_> = ours.filter_map(|(name, key, value)| an_override(name, key, value, variables, findings)).collect();
    // A whole section first, then single keys in it, then single items of their lists.
    overrides.sort_by(|(one, _), (other, _)| one.len().cmp(&other.len()).then_with(|| one.cmp(other)));
    for (path, node) in overrides {
        set(root, &path, node, findings);
    }
    replace(root, "", variables, findings);
}

/// The keys that a variable names, and the value that it sets them to.
fn an_override(name: &str, key: &str, value: &str, variables: &Variables, findings: &Findings) -> Option<(Vec<String>, Node)> {
    let place = Place::Variable(name.to_owned());
    let plain = key.strip_suffix(FROM_FILE);
    let path: Vec<String> = plain.unwrap_or(key).split("__").map(str::to_ascii_lowercase).collect();
    let dotted = path.join(".");
    if path.iter().any(String::is_empty) {
        findings.error(&place, &dotted, "names no key, write for example PORTCULLIS__SESSIONS__IDLE_TIMEOUT");
        return None;
    }
    let Some(plain) = plain else {
        return Some((path, from_text(place, value.to_owned(), true)));
    };
    if variables.contains_key(&format!("{PREFIX}{plain}")) {
        findings.error(&place, &dotted, format!("{PREFIX}{plain} is set too, keep one of the two"));
        return None;
    }
    match std::fs::read_to_string(findings.resolve(value)) {
        Ok(text) => Some((path, from_text(place, without_newline(text), false))),
        Err(error) => {
            findings.error(&place, &dotted, format!("{}, {}", error_text(&error), file_remedy(plain)));
            None
        }
    }
}

/// Never repeats the value: where someone took the one variable for the other, it is the secret itself.
fn file_remedy(plain: &str) -> String {
    format!("write the path of a file that holds the value; if this variable holds the value itself, name it {PREFIX}{plain}")
}

fn error_text(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "names no existing file",
        std::io::ErrorKind::PermissionDenied => "names a file that may not be read",
        std::io::ErrorKind::InvalidData => "names a file that is not UTF-8 text",
        _ => "names a file that cannot be read",
    }
}

fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// A value as text, and as a list or map too where it looks like one: only its reader knows which is meant.
fn from_text(place: Place, text: String, printable: bool) -> Node {
    let looks_like_flow = text.trim_start().starts_with(['[', '{']);
    let flow = if looks_like_flow { file::parse(&text).ok() } else { None };
    let literal = Scalar { text, printable };
    match flow.map(|node| moved_to(node, &place).value) {
        Some(value) => Node { literal: Some(literal), ..Node::new(place, value) },
        None if printable && literal.text == "null" => Node::new(place, Value::Null),
        None => Node::new(place, Value::Scalar(literal)),
    }
}

/// The tree with every place being the variable that it came from.
fn moved_to(node: Node, place: &Place) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| moved_to(item, place)).collect()),
        Value::Map(entries) => {
            let moved = |entry: Entry| Entry { key: entry.key, place: place.clone(), node: moved_to(entry.node, place) };
            Value::Map(entries.into_iter().map(moved).collect())
        }
        other => other,
    };
    Node::new(place.clone(), value)
}

/// Sets what stands at `path`, making the maps on the way.
fn set(root: &mut Node, path: &[String], node: Node, findings: &Findings) {
    let mut at = root;
    for (depth, segment) in path.iter().enumerate() {
        if matches!(at.value, Value::Null) {
            *at = Node::new(node.place.clone(), Value::Map(Vec::new()));
        }
        at.literal = None;
        let below = match &mut at.value {
            Value::Map(entries) => Some(child(entries, segment, &node.place)),
            Value::List(items) => item(items, segment, &node.place),
            _ => None,
        };
        let Some(below) = below else {
            let dotted = path[..=depth].join(".");
            findings.error(&node.place, &dotted, "there is nothing of that name here to set; items of a list are numbered from 0");
            return;
        };
        at = below;
    }
    *at = node;
}

fn child<'n>(entries: &'n mut Vec<Entry>, key: &str, place: &Place) -> &'n mut Node {
    let index = entries.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
        entries.push(Entry { key: key.to_owned(), place: place.clone(), node: Node::new(place.clone(), Value::Null) });
        entries.len() - 1
    });
    &mut entries[index].node
}

/// An item of a list, or one more at its end.
fn item<'n>(items: &'n mut Vec<Node>, index: &str, place: &Place) -> Option<&'n mut Node> {
    let index: usize = index.parse().ok()?;
    if index == items.len() {
        items.push(Node::new(place.clone(), Value::Null));
    }
    items.get_mut(index)
}

/// Replaces `${…}` in every scalar that the file brought.
fn replace(node: &mut Node, path: &str, variables: &Variables, findings: &Findings) {
    let from_file = matches!(node.place, Place::Position(..));
    let value = match &mut node.value {
        Value::Scalar(scalar) if from_file => match replaced(&scalar.text, variables) {
            Ok(Some(text)) if text == "null" => Value::Null,
            Ok(Some(text)) => Value::Scalar(Scalar { text, printable: false }),
            Ok(None) => return,
            Err(message) => {
                findings.error(&node.place, path, message);
                return;
            }
        },
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                replace(item, &format!("{path}[{index}]"), variables, findings);
            }
            return;
        }
        Value::Map(entries) => {
            for entry in entries {
                let below = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                replace(&mut entry.node, &below, variables, findings);
            }
            return;
        }
        _ => return,
    };
    node.value = value;
}

/// The text with its `${…}` replaced; `None` if there are none.
fn replaced(text: &str, variables: &Variables) -> Result<Option<String>, String> {
    if !text.contains("${") {
        return Ok(None);
    }
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = (&rest[..start], &rest[start + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            result.push_str(before);
            result.push_str("${");
            rest = after;
            continue;
        }
        result.push_str(before);
        let end = after.find('}').ok_or("`${` without `}`; write ${NAME} or ${NAME:-default}, or $${ for a literal ${")?;
        result.push_str(variable(&after[..end], variables)?);
        rest = &after[end + 1..];
    }
    result.push_str(rest);
    Ok(Some(result))
}

/// The value of `NAME` or `NAME:-default`; as in a shell, the default also stands in for an empty value.
fn variable<'v>(reference: &'v str, variables: &'v Variables) -> Result<&'v str, String> {
    let (name, default) = reference.split_once(":-").map_or((reference, None), |(name, default)| (name, Some(default)));
    let valid =
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err("`${` begins a variable: write ${NAME} or ${NAME:-default}, or $${ for a literal ${".into());
    }
    match (variables.get(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(default)) => Ok(if value.is_empty() { default } else { value }),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(format!("the environment has no {name}; set it, or write ${{{name}:-default}}")),
    }
}
