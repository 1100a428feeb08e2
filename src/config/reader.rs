//! Reads typed values from the tree, collects what is wrong and goes on.
//!
//! A value that cannot be read is reported and its default takes its place, so that the rest can still be checked; the
//! result is used only if nothing was reported.

use super::file::{Entry, Node, Place, Scalar, Value};
use super::units;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was found so far, and what relative paths are relative to.
pub(super) struct Findings {
    folder: PathBuf,
    errors: RefCell<Vec<Finding>>,
    warnings: RefCell<Vec<Finding>>,
    #[cfg(test)]
    pub known: RefCell<std::collections::BTreeSet<String>>,
}

/// Something wrong or risky: where, at which key, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    pub place: Place,
    pub key: String,
    pub message: String,
}

impl Findings {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            errors: RefCell::default(),
            warnings: RefCell::default(),
            #[cfg(test)]
            known: RefCell::default(),
        }
    }

    pub(super) fn error(&self, place: &Place, key: &str, message: impl Into<String>) {
        self.errors.borrow_mut().push(Finding { place: place.clone(), key: key.to_owned(), message: message.into() });
    }

    pub(super) fn warn(&self, place: &Place, key: &str, message: impl Into<String>) {
        self.warnings.borrow_mut().push(Finding { place: place.clone(), key: key.to_owned(), message: message.into() });
    }

    /// Errors and warnings, each in the order of the file.
    pub(super) fn into_lists(self) -> (Vec<Finding>, Vec<Finding>) {
        let sorted = |list: RefCell<Vec<Finding>>| {
            let mut list = list.into_inner();
            list.sort();
            list.dedup();
            list
        };
        (sorted(self.errors), sorted(self.warnings))
    }

    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}

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
        Field { findings, node, path: String::new() }.section()
    }

    fn empty(findings: &'a Findings, place: &'a Place, path: String) -> Self {
        Self { findings, place, path, entries: &[], known: Vec::new() }
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
        Some(Field { findings: self.findings, node: &first.node, path: self.path_of(key) })
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

/// A value being read.
pub(super) struct Field<'a> {
    findings: &'a Findings,
    node: &'a Node,
    path: String,
}

impl<'a> Field<'a> {
    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    pub(super) fn place(&self) -> &'a Place {
        &self.node.place
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn findings(&self) -> &'a Findings {
        self.findings
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Reports this value; gives `None` for a reader to end with.
    pub(super) fn error<T>(&self, message: impl Into<String>) -> Option<T> {
        self.findings.error(&self.node.place, &self.path, message);
        None
    }

    /// The map that stands here.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        match &self.node.value {
            Value::Map(entries) => {
                Some(Section { findings: self.findings, place: &self.node.place, path: self.path.clone(), entries, known: Vec::new() })
            }
            _ => self.error(format!("{} stands here, write a map of keys and values", self.kind())),
        }
    }

    /// The list that stands here, each item read by `read`.
    pub(super) fn list<T>(&self, read: impl Fn(&Field<'a>) -> Option<T>) -> Option<Vec<T>> {
        let Value::List(items) = &self.node.value else {
            return self.error(format!("{} stands here, write a list such as [a, b]", self.kind()));
        };
        let item = |(index, node)| Field { findings: self.findings, node, path: format!("{}[{index}]", self.path) };
        // All items are read, so that all problems are found, before any missing one spoils the list.
        let read: Vec<Option<T>> = items.iter().enumerate().map(item).map(|field| read(&field)).collect();
        read.into_iter().collect()
    }

    /// The scalar that stands here; `allowed` says what belongs here instead of a list or map.
    pub(super) fn scalar(&self, allowed: &str) -> Option<&'a Scalar> {
        match (&self.node.literal, &self.node.value) {
            (Some(literal), Value::List(_) | Value::Map(_)) => Some(literal),
            (_, Value::Scalar(scalar)) => Some(scalar),
            _ => self.error(format!("{} stands here, {allowed}", self.kind())),
        }
    }

    /// A scalar that `read` understands; else reported as `"soon" is not a duration, write for example 30m`.
    pub(super) fn parse<T>(&self, what: &str, allowed: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let scalar = self.scalar(allowed)?;
        read(&scalar.text).or_else(|| self.error(format!("{} is not {what}, {allowed}", shown(scalar))))
    }

    pub(super) fn flag(&self) -> Option<bool> {
        self.parse("a switch", "write true or false", |text| match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        self.parse("a duration", "write for example 500ms, 90s, 30m, 12h or 7d", units::duration)
    }

    /// A duration longer than nothing.
    pub(super) fn positive_duration(&self) -> Option<Duration> {
        let duration = self.duration()?;
        if duration.is_zero() { self.error("must be longer than 0, write for example 30m") } else { Some(duration) }
    }

    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let size = self.parse("a size", "write for example 64KiB, 1MiB or 1GiB; a plain number is bytes", units::size)?;
        if range.contains(&size) {
            return Some(size);
        }
        self.error(format!("{size} bytes is out of range, allowed are {} to {} bytes", range.start(), range.end()))
    }

    pub(super) fn count(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let allowed = format!("write a number from {} to {}", range.start(), range.end());
        self.parse("allowed", &allowed, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let allowed = allowed_list("allowed are", &names);
        let scalar = self.scalar(&allowed)?;
        let found = words.iter().find(|(name, _)| *name == scalar.text).map(|(_, value)| *value);
        found.or_else(|| {
            let near = suggestion(&scalar.text, &names).filter(|_| scalar.printable);
            let hint = near.map_or(allowed.clone(), |near| format!("did you mean `{near}`? {allowed}"));
            self.error(format!("{} is not allowed; {hint}", shown(scalar)))
        })
    }

    /// A text, not empty.
    pub(super) fn text(&self) -> Option<String> {
        let scalar = self.scalar("write a text")?;
        if scalar.text.is_empty() { self.error("is empty, write a text") } else { Some(scalar.text.clone()) }
    }

    /// A path, made absolute or relative to the working folder.
    pub(super) fn path_to_file(&self) -> Option<PathBuf> {
        let scalar = self.scalar("write the path of a file")?;
        match scalar.text.as_str() {
            "" => self.error("is empty, write the path of a file"),
            text if text.contains('\0') => self.error("is not a path, write the path of a file"),
            text => Some(self.findings.resolve(text)),
        }
    }

    fn kind(&self) -> &'static str {
        match self.node.value {
            Value::Null => "nothing",
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

/// The value for a message, unless it may be or hold a secret.
pub(super) fn shown(scalar: &Scalar) -> String {
    let address_with_password = scalar.text.contains('@') && scalar.text.contains(':');
    if !scalar.printable || address_with_password || scalar.text.chars().count() > 80 {
        return "the value".into();
    }
    format!("{:?}", scalar.text)
}

/// The known word that `written` is a slip of.
pub(super) fn suggestion<'w>(written: &str, known: &[&'w str]) -> Option<&'w str> {
    let folded = written.to_ascii_lowercase().replace('-', "_");
    let best = known.iter().map(|word| (strsim::jaro_winkler(&folded, &word.to_ascii_lowercase()), *word));
    best.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, word)| word)
}

fn allowed_list(lead: &str, words: &[&str]) -> String {
    format!("{lead} {}", words.join(", "))
}
