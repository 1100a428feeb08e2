//! The house rules, read from the sources: who may use what.

use std::fs;
use std::path::{Path, PathBuf};

/// Source files below `src`, as paths relative to it, with their text.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    let text = |path: &PathBuf| fs::read_to_string(path).unwrap();
    found.iter().map(|path| (path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(), text(path))).collect()
}

/// Fails if a file outside `allowed` (prefixes of paths) mentions `word` in its code.
fn only_in(word: &str, allowed: &[&str]) {
    let breaches: Vec<String> = sources()
        .into_iter()
        .filter(|(path, _)| !allowed.iter().any(|prefix| path.starts_with(prefix)))
        .filter(|(_, text)| text.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word)))
        .map(|(path, _)| path)
        .collect();
    assert!(breaches.is_empty(), "{word} is used in {breaches:?}, allowed are {allowed:?}");
}

#[test]
fn pingora_is_known_at_the_edge_only() {
    // The log names its targets, to leave out what they say.
    only_in("pingora", &["gateway", "server", "logging.rs"]);
}

#[test]
fn axum_is_known_to_our_own_pages_only() {
    only_in("axum", &["portal", "admin.rs", "sample", "gateway.rs", "gateway/bridge.rs"]);
}

#[test]
fn protocols_over_grpc_are_known_to_their_ends_only() {
    only_in("tonic::", &["gateway/verify/ext_authz.rs", "server/ext_authz.rs", "telemetry/"]);
    only_in("opentelemetry", &["telemetry/"]);
    only_in("envoy_types", &["gateway/verify/ext_authz.rs", "server/ext_authz.rs"]);
}

#[test]
fn databases_are_known_to_the_stores_only() {
    only_in("rusqlite", &["store"]);
    only_in("mongodb::", &["store"]);
    only_in("redis::cmd", &["store"]);
    only_in("redis::aio", &["store"]);
}

#[test]
fn how_metrics_are_kept_is_known_to_them_only() {
    only_in("prometheus", &["metrics"]);
}

#[test]
fn the_environment_is_read_by_the_configuration_only() {
    only_in("env::var", &["config"]);
}

#[test]
fn time_and_randomness_have_one_source_each() {
    only_in("SystemTime::now", &["clock.rs"]);
    only_in("now_utc", &["clock.rs"]);
    only_in("getrandom", &["entropy.rs"]);
}

#[test]
fn the_domain_does_no_input_or_output() {
    let domain = ["policy", "identity", "target.rs", "host.rs", "address.rs", "routing.rs", "explain"];
    for (path, text) in sources().into_iter().filter(|(path, _)| domain.iter().any(|prefix| path.starts_with(prefix))) {
        for word in ["std::fs", "std::net::Tcp", "tokio", "async fn", "std::io", "std::process"] {
            assert!(!text.contains(word), "{path} uses {word}");
        }
    }
}

#[test]
fn no_source_file_is_longer_than_a_reader_holds_in_mind() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 600, "{path} has {lines} lines");
    }
}
