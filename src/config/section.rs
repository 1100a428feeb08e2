//! Reads a map of the tree key by key, and knows in the end which keys nobody asked for.
//!
//! A value that cannot be read is reported and its default takes its place, so that the rest can still be checked; the
//! result is used only if nothing was reported.

use super::field::{Field, allowed_list, suggestion};
use super::file::{Entry, Node, Place, Value};
use super::findings::Findings;

/// A map being read: each key is asked for once, and what nobody asked for is unknown.
pub(super) struct Section<'a> {
    findings: &'a Findings,
    place: &'a Place,
    path: String,
    entries: &'a [Entry],
    known: Vec<String>,
}

impl<'a> Section<'a> {
    /// The whole document; an empty one is an empty map.
    pub(super) fn root(node: &'a Node, findings: &'a Findings) -> Option<Self> {
        if matches!(node.value, Value::Null) {
            return Some(Self::empty(findings, &node.place, String::new()));
        }
        Field::new(findings, node, String::new()).section()
    }

    fn empty(findings: &'a Findings, place: &'a Place, path: String) -> Self {
        Self::new(findings, place, path, &[])
    }

    pub(super) fn new(findings: &'a Findings, place: &'a Place, path: String, entries: &'a [Entry]) -> Self {
        Self { findings, place, path, entries, known: Vec::new() }
    }

    /// The value of a key, if it is written.
    pub(super) fn take(&mut self, key: &str) -> Option<Field<'a>> {
        self.known.push(key.to_owned());
        #[cfg(test)]
        self.findings.known.borrow_mut().insert(self.path_of(key));
        let mut written = self.entries.iter().filter(|entry| entry.key == key);
        let first = written.next()?;
        for again in written {
            self.findings.error(&again.place, &self.path_of(key), "this key stands here a second time, keep one of the two");
        }
        Some(Field::new(self.findings, &first.node, self.path_of(key)))
    }

    /// The value of a key, or its default where it is not written or cannot be read.
    pub(super) fn read<T>(&mut self, key: &str, default: T, read: impl FnOnce(&Field<'a>) -> Option<T>) -> T {
        self.take(key).and_then(|field| read(&field)).unwrap_or(default)
    }

    /// The value of a key that may be null, which means absent.
    pub(super) fn optional<T>(&mut self, key: &str, read: impl FnOnce(&Field<'a>) -> Option<T>) -> Option<T> {
        self.take(key).filter(|field| !field.is_null()).and_then(|field| read(&field))
    }

    /// The value of a key that must be written.
    pub(super) fn required<T>(&mut self, key: &str, allowed: &str, read: impl FnOnce(&Field<'a>) -> Option<T>) -> Option<T> {
        let Some(field) = self.take(key) else {
            self.findings.error(self.place, &self.path_of(key), format!("is missing, {allowed}"));
            return None;
        };
        read(&field)
    }

    /// A map below this one; empty where it is not written, or where nothing below its key is.
    pub(super) fn section(&mut self, key: &str) -> Section<'a> {
        let written = self.optional(key, Field::section);
        written.unwrap_or_else(|| self.empty_below(key))
    }

    /// What stands for a map below this one that is not written.
    pub(super) fn empty_below(&self, key: &str) -> Section<'a> {
        Self::empty(self.findings, self.place, self.path_of(key))
    }

    /// Where a key's value stands; where the map stands, if it is not written.
    pub(super) fn place_of(&self, key: &str) -> &'a Place {
        self.entries.iter().find(|entry| entry.key == key).map_or(self.place, |entry| &entry.node.place)
    }

    /// Where the value of a path such as `access.rules[0]` stands; where the nearest above it stands, if it is not written.
    pub(super) fn place_at(&self, path: &str) -> &'a Place {
        let mut steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
        let first = steps.next().and_then(|key| self.entries.iter().find(|entry| entry.key == key));
        let Some(first) = first else { return self.place };
        let mut at = &first.node;
        for step in steps {
            let below = match &at.value {
                Value::Map(entries) => entries.iter().find(|entry| entry.key == step).map(|entry| &entry.node),
                Value::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            let Some(below) = below else { break };
            at = below;
        }
        &at.place
    }

    /// Whether the key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Reports a key's value.
    pub(super) fn error(&self, key: &str, message: impl Into<String>) {
        self.findings.error(self.place_of(key), &self.path_of(key), message);
    }

    pub(super) fn warn(&self, key: &str, message: impl Into<String>) {
        self.findings.warn(self.place_of(key), &self.path_of(key), message);
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        // A quoted key may hold line breaks and terminal escapes, which must not reach a terminal.
        let key = key.escape_debug();
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn findings(&self) -> &'a Findings {
        self.findings
    }

    /// All entries, for maps whose keys are names of the operator's choice.
    pub(super) fn entries(mut self) -> impl Iterator<Item = (&'a Entry, Field<'a>)> {
        let entries = self.entries;
        entries.iter().filter_map(move |entry| {
            let twice = self.known.contains(&entry.key);
            let field = if twice { None } else { self.take(&entry.key) };
            field.map(|field| (entry, field))
        })
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(&self) {
        for entry in self.entries.iter().filter(|entry| !self.known.contains(&entry.key)) {
            let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
            let hint =
                suggestion(&entry.key, &known).map_or_else(|| allowed_list("known here", &known), |near| format!("did you mean `{near}`?"));
            self.findings.error(&entry.place, &self.path_of(&entry.key), format!("unknown key; {hint}"));
        }
    }
}
