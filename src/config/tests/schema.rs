//! `config/schema.json`: the same keys and defaults as the reader's, and no stricter than it.

use super::*;
use crate::cli::SCHEMA;
use serde_json::{Map, Value, json};

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// What is wrong with a file by the schema.
fn violations(yaml: &str) -> Vec<String> {
    let written: Value = serde_saphyr::from_str(yaml).unwrap();
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    validator.iter_errors(&written).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The paths of all keys below a schema, those of list items as `list[0].key`.
fn keys(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        keys(below, &path, found);
        keys(&below["items"], &format!("{path}[0]"), found);
        found.insert(path);
    }
}

/// The defaults that the schema states, as a configuration.
fn defaults(schema: &Value) -> Value {
    let mut stated = Map::new();
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let value = below.get("default").cloned().unwrap_or_else(|| defaults(below));
        if below.get("default").is_some() || below.get("properties").is_some() {
            stated.insert(key.clone(), value);
        }
    }
    Value::Object(stated)
}

#[test]
fn it_has_exactly_the_keys_that_are_read() {
    let everything = "
server: {tls: {certificates: [{}]}}
routes: [{basic_auth: {}}]
access: {rules: [{}]}
";
    let findings = findings::Findings::new(Path::new(""));
    let root = file::parse(everything).unwrap();
    section::Section::root(&root, &findings).and_then(check::settings);
    let mut stated = BTreeSet::new();
    keys(&schema(), "", &mut stated);
    assert_eq!(stated, findings.known.into_inner());
}

#[test]
fn the_defaults_that_it_states_are_the_defaults() {
    let schema = schema();
    let mut stated = defaults(&schema);
    let mut route = defaults(&schema["properties"]["routes"]["items"]);
    route["upstream"] = json!("http://127.0.0.1:3000");
    stated["routes"] = json!([route]);
    let loaded = loaded_with(&stated.to_string(), &[]).settings;
    assert_eq!(format!("{loaded:#?}"), format!("{:#?}", settings("")));
}

#[test]
fn every_file_that_comes_with_the_program_is_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["config/portcullis.yaml", "config/minimal.yaml", "config/examples/hosts.yaml", "deploy/compose/portcullis.yaml"] {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert_eq!(violations(&text), Vec::<String>::new(), "{file}");
    }
}

/// contract 1: any scalar may also be a string with `${`
#[test]
fn any_single_value_may_come_from_the_environment() {
    let yaml = "
server: {h2c: '${A}', threads: '${A}', limits: {header: '${A}', connections: '${A:-5}'}, timeouts: {idle: '${A}s'}, tls: null}
cookies: {secure: '${A}'}
log: {format: '${A}', level: 'x${A}'}
routes: [{upstream: '${A}', strip_prefix: '${A}'}]
access: {default: '${A}', rules: [{allow: '${A}'}]}
";
    assert_eq!(violations(yaml), Vec::<String>::new());
}

#[test]
fn what_the_reader_refuses_by_its_form_is_refused() {
    for yaml in [
        "{}",
        "routes: [{}]",
        "routes: [{upstream: sample, hots: a.example.com}]",
        "routes: sample",
        "routes: [{upstream: sample}]\nserver: {listne: []}",
        "routes: [{upstream: sample}]\nserver: {h2c: maybe}",
        "routes: [{upstream: sample}]\nserver: {timeouts: {idle: soon}}",
        "routes: [{upstream: sample}]\nserver: {timeouts: {idle: 30}}",
        "routes: [{upstream: sample}]\nserver: {limits: {header: 16KB}}",
        "routes: [{upstream: sample}]\nlog: {level: loud}",
        "routes: [{upstream: sample}]\naccess: {rules: [{path: /}]}",
    ] {
        assert_ne!(violations(yaml), Vec::<String>::new(), "{yaml}");
        assert!(load_str(yaml, Path::new(""), &[]).is_err(), "{yaml}");
    }
}
