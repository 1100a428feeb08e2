//! YAML text → a tree whose nodes know where they stand. What keys mean is not known here.
//!
//! A tree of our own, because deriving the shape would stop at the first error and lose the places of the rest.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Options, Spanned};
use std::fmt;

/// Where something was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Line and column in the file, from 1.
    Position(u64, u64),
    /// Environment variable.
    Variable(String),
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
    /// The text as it came, for what came from the environment: there `[a]` may be a list or a password.
    pub literal: Option<Scalar>,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A text, number or word: what it means is said by who reads it.
#[derive(Clone)]
pub(super) struct Scalar {
    pub text: String,
    /// Whether a message may repeat it: not what came from a variable or a file, which often hold secrets.
    pub printable: bool,
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scalar(…)")
    }
}

/// A key, where it stands, and its value. A key may stand twice; that is for the reader to report.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub place: Place,
    pub node: Node,
}

impl Node {
    pub(super) fn new(place: Place, value: Value) -> Self {
        Self { place, value, literal: None }
    }
}

/// Why a text is not YAML; never repeats what stands there, which may be a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub place: Place,
    pub message: String,
}

/// Reads one YAML document. An empty one is null.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let written: Spanned<Shape> = serde_saphyr::from_str_with_options(text, options()).map_err(|error| syntax_error(&error))?;
    Ok(node(written, text))
}

/// Far more than any configuration needs, and little enough that no file costs noticeable time or memory.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 32,
            flow_nesting_limit: 32,
            max_nodes: 100_000,
            max_events: 300_000,
            max_anchors: 1_000,
            max_aliases: 1_000,
            max_documents: 1,
            max_merge_keys: 1_000,
            max_total_scalar_bytes: 4 << 20,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 100_000, max_replay_stack_depth: 16 },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

fn syntax_error(error: &Error) -> SyntaxError {
    let place = error.location().map_or(Place::Position(1, 1), |location| position(&location));
    let message = match error.without_snippet() {
        Error::UnknownAnchor { .. } => "no anchor of that name stands before this alias; a text that begins with * needs quotes".into(),
        Error::MultipleDocuments { .. } => "a second document begins here, write one only".into(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. } => "larger or deeper nested than any configuration, with its aliases expanded".into(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias may not stand inside what it repeats".into(),
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "<< takes a map, or a list of maps".into(),
        Error::Message { msg, .. } => format!("not valid YAML: {}", one_line(msg)),
        Error::Eof { .. } => "not valid YAML: it ends too early".into(),
        Error::NullIntoString { .. } | Error::Unexpected { .. } => "a key must be a plain text".into(),
        Error::AliasError { error, .. } => return SyntaxError { place, ..syntax_error(error) },
        Error::UnsupportedTag { .. } => "only YAML's own tags are known; a text that begins with ! needs quotes".into(),
        Error::ExternalMessage { msg, .. } if !msg.contains(['`', '"']) => format!("not valid YAML: {}", one_line(msg)),
        _ => "not valid YAML; a text with special characters needs quotes".into(),
    };
    SyntaxError { place, message }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn position(location: &Location) -> Place {
    Place::Position(location.line().max(1), location.column().max(1))
}

/// What serde tells of a node; `Plain` is a word or number, whose spelling only the text tells.
enum Shape {
    Null,
    Plain,
    Text(String),
    List(Vec<Spanned<Shape>>),
    Map(Vec<(Spanned<String>, Spanned<Shape>)>),
}

fn node(written: Spanned<Shape>, text: &str) -> Node {
    let place = place_of(&written.referenced, &written.defined);
    let value = match written.value {
        Shape::Null => Value::Null,
        Shape::Plain => Value::Scalar(Scalar { text: spelling(&written.defined, text).to_owned(), printable: true }),
        Shape::Text(text) => Value::Scalar(Scalar { text, printable: true }),
        Shape::List(items) => Value::List(items.into_iter().map(|item| node(item, text)).collect()),
        Shape::Map(entries) => Value::Map(entries.into_iter().map(|(key, value)| entry(key, value, text)).collect()),
    };
    Node::new(place, value)
}

fn entry(key: Spanned<String>, value: Spanned<Shape>, text: &str) -> Entry {
    Entry { place: place_of(&key.referenced, &key.defined), key: key.value, node: node(value, text) }
}

fn place_of(referenced: &Location, defined: &Location) -> Place {
    position(if referenced.line() == 0 { defined } else { referenced })
}

fn spelling<'a>(location: &Location, text: &'a str) -> &'a str {
    let span = location.span();
    let bytes = span.byte_offset().zip(span.byte_len());
    let range = bytes.and_then(|(start, length)| Some(usize::try_from(start).ok()?..usize::try_from(start + length).ok()?));
    range.and_then(|range| text.get(range)).unwrap_or_default().trim()
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list or a map")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<Shape, E> {
        Ok(Shape::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Shape, E> {
        Ok(Shape::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Shape::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in one line, each scalar with its place.
    fn shown(node: &Node) -> String {
        let at = |place: &Place| match place {
            Place::Position(line, column) => format!("@{line}:{column}"),
            Place::Variable(name) => format!("@{name}"),
        };
        match &node.value {
            Value::Null => format!("null{}", at(&node.place)),
            Value::Scalar(scalar) => format!("{}{}", scalar.text, at(&node.place)),
            Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(" ")),
            Value::Map(entries) => {
                let entries = entries.iter().map(|e| format!("{}{}={}", e.key, at(&e.place), shown(&e.node)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(" "))
            }
        }
    }

    fn tree(text: &str) -> String {
        parse(text).map_or_else(|error| format!("{:?} {}", error.place, error.message), |node| shown(&node))
    }

    #[test]
    fn every_node_knows_its_line_and_column() {
        assert_eq!(tree("a: 1\nb:\n  - x\n  - c: {d: y}\n"), "{a@1:1=1@1:4 b@2:1=[x@3:5 {c@4:5={d@4:9=y@4:12}}]}");
        assert_eq!(tree("ä: ö\nb: 'q'"), "{ä@1:1=ö@1:4 b@2:1=q@2:4}");
    }

    #[test]
    fn words_and_numbers_keep_their_spelling() {
        assert_eq!(
            tree("[007, 0x1F, 1.10, 1e3, yes, TRUE, .inf, 99999999999999999999999999, '12', 12:30:00]"),
            "[007@1:2 0x1F@1:7 1.10@1:13 1e3@1:19 yes@1:24 TRUE@1:29 .inf@1:35 99999999999999999999999999@1:41 12@1:69 12:30:00@1:75]"
        );
        assert_eq!(tree("a: &x 010\nb: *x"), "{a@1:1=010@1:7 b@2:1=010@2:4}");
        assert_eq!(tree("ä: 5 # c\nb: !!int 7"), "{ä@1:1=5@1:4 b@2:1=7@2:10}");
        assert_eq!(tree("443: x\ntrue: y"), "{443@1:1=x@1:6 true@2:1=y@2:7}");
    }

    #[test]
    fn duplicate_keys_are_all_kept_for_the_reader_to_report() {
        assert_eq!(tree("a: 1\na: 2"), "{a@1:1=1@1:4 a@2:1=2@2:4}");
    }

    #[test]
    fn anchors_and_merge_keys_are_expanded() {
        assert_eq!(tree("- &a {x: 1, y: 2}\n- {<<: *a, y: 3}"), "[{x@1:7=1@1:10 y@1:13=2@1:16} {y@2:12=3@2:15 x@2:8=1@2:8}]");
    }

    #[test]
    fn an_empty_file_is_null() {
        assert_eq!(tree(""), "null@1:1");
        assert_eq!(tree("# nothing\n"), "null@2:1");
    }

    #[test]
    fn a_syntax_error_has_its_place_and_repeats_nothing() {
        for text in [
            "a: [hunter2",
            "a: \"hunter2",
            "a: *hunter2",
            "a: !hunter2 x",
            "a: hunter2: b",
            "a: @hunter2",
            "? [hunter2]\n: 1",
            "a: &hunter2 &hunter2 x",
            "a: 'b' hunter2",
            "a: %hunter2",
            "a: \"\\hunter2\"",
            "--- a\n--- hunter2",
            "%hunter2",
            "a: !!float hunter2",
        ] {
            let error = parse(text).expect_err(text);
            assert!(!error.message.contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn bombs_and_deep_nesting_are_refused() {
        let bomb = (0..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
            let alias = format!("*a{i}");
            format!("{text}a{}: &a{} [{}]\n", i + 1, i + 1, [alias.as_str(); 10].join(","))
        });
        for text in [
            bomb,
            format!("a: {}", "[".repeat(5000)),
            (0..500).fold(String::new(), |text, i| format!("{text}{}a:\n", " ".repeat(i))),
            "a: &a [*a]".into(),
        ] {
            let message = parse(&text).expect_err("refused").message;
            assert!(["larger", "alias may not", "recursion limit"].iter().any(|reason| message.contains(reason)), "{message}");
        }
    }
}
