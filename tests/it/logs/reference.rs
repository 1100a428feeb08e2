//! `docs/logs.md` against the sources: every event that is logged, its levels and its fields.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Levels and fields of an event.
type Described = (BTreeSet<String>, BTreeSet<String>);

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// The arguments of a macro, from behind its opening parenthesis on.
fn arguments(text: &str) -> Vec<String> {
    let (mut all, mut one, mut depth, mut quoted, mut escaped) = (Vec::new(), String::new(), 0, false, false);
    for character in text.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' | ',' if depth == 0 => {
                all.push(std::mem::take(&mut one).trim().to_owned());
                if character == ')' {
                    break;
                }
                continue;
            }
            _ => {}
        }
        one.push(character);
    }
    all.retain(|argument| !argument.is_empty());
    all
}

/// Every record that the sources log on their own account: the records of `audit` have their own reference.
fn logged() -> BTreeMap<String, Described> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut logged: BTreeMap<String, Described> = BTreeMap::new();
    for text in files {
        for level in LEVELS {
            for call in text.split(&format!("tracing::{level}!(")).skip(1) {
                let arguments = arguments(call);
                if arguments[0] == "target: TARGET" {
                    continue;
                }
                let fields = arguments.iter().filter(|argument| !argument.starts_with("target:"));
                let fields: Vec<&String> = fields.take_while(|argument| !argument.starts_with('"')).collect();
                let name = |field: &&String| field.split(" = ").next().unwrap().trim_start_matches(['%', '?']).to_owned();
                let value = |wanted: &str| fields.iter().find_map(|field| field.strip_prefix(&format!("{wanted} = ")));
                let event = value("event").unwrap_or_else(|| panic!("a record has no `event`: {arguments:?}"));
                let events = match event {
                    "end.event" => ["request", "request_asked", "request_cut_off"].map(str::to_owned).to_vec(),
                    literal => vec![literal.trim_matches('"').to_owned()],
                };
                for event in events {
                    let (levels, names) = logged.entry(event).or_default();
                    levels.insert(level.to_owned());
                    names.extend(fields.iter().map(name).filter(|name| !["event", "message"].contains(&name.as_str())));
                }
            }
        }
    }
    logged
}

/// What the reference says; the request's id stands on every record of a request.
fn documented() -> BTreeMap<String, Described> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md")).unwrap();
    let words = |cell: &str| cell.split(',').map(|word| word.trim().trim_matches('`').to_owned()).filter(|word| word != "–").collect();
    let mut documented = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", event, levels, fields, _, ""] = cells[..]
            && event.starts_with('`')
        {
            let twice = documented.insert(event.trim_matches('`').to_owned(), (words(levels), words(fields)));
            assert!(twice.is_none(), "{event} stands there twice");
        }
    }
    documented
}

/// Issue "events with stable names and fields"
#[test]
fn the_reference_names_every_event_with_its_levels_and_fields() {
    let (mut logged, mut documented) = (logged(), documented());
    for (_, fields) in logged.values_mut().chain(documented.values_mut()) {
        fields.remove("request_id");
    }
    assert!(logged.len() > 30, "{logged:?}");
    let missing: Vec<_> = logged.iter().filter(|(event, described)| documented.get(*event) != Some(described)).collect();
    assert!(missing.is_empty(), "docs/logs.md lacks these, or says something else of them: {missing:#?}");
    let gone: Vec<_> = documented.keys().filter(|event| !logged.contains_key(*event)).collect();
    assert!(gone.is_empty(), "docs/logs.md has what nobody logs: {gone:?}");
}

#[test]
fn arguments_end_where_the_macro_does() {
    let found = arguments("target: T, a = f(1, 2), %b, \"said, \\\"so)\\\"\", c[0, 1]); other(1)");
    assert_eq!(found, ["target: T", "a = f(1, 2)", "%b", "\"said, \\\"so)\\\"\"", "c[0, 1]"]);
}
