//! Reads one typed value from the tree: what cannot be read is reported with what is allowed.

use super::file::{Node, Place, Scalar, Value};
use super::findings::Findings;
use super::section::Section;
use super::units;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// A value being read.
pub(super) struct Field<'a> {
    findings: &'a Findings,
    node: &'a Node,
    path: String,
}

impl<'a> Field<'a> {
    pub(super) fn new(findings: &'a Findings, node: &'a Node, path: String) -> Self {
        Self { findings, node, path }
    }

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
            Value::Map(entries) => Some(Section::new(self.findings, &self.node.place, self.path.clone(), entries)),
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

pub(super) fn allowed_list(lead: &str, words: &[&str]) -> String {
    format!("{lead} {}", words.join(", "))
}
