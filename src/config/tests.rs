//! The configuration through its public door: a text and an environment in, settings or problems out.

mod access_rules;
mod documented_file;
mod fixed;
mod from_the_environment;
mod loading;
mod mail;
mod places;
mod risky_settings;
mod routing;
mod schema;
mod secrets;
mod sections;

use super::*;
use crate::policy::Access;
use std::collections::BTreeSet;
use std::path::Path;

const ROUTES: &str = "routes: [{upstream: \"http://127.0.0.1:3000\"}]\n";

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn loaded_with(yaml: &str, pairs: &[(&str, &str)]) -> Loaded {
    load_str(yaml, Path::new("/etc/gate"), &environment(pairs)).unwrap_or_else(|report| panic!("{report}"))
}

/// The settings of a text without a route of its own.
fn settings(yaml: &str) -> Settings {
    loaded_with(&format!("{ROUTES}{yaml}"), &[]).settings
}

/// The problems of a text, each without the file's name.
fn problems_with(yaml: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    match load_str(yaml, Path::new("/etc/gate"), &environment(pairs)) {
        Ok(_) => Vec::new(),
        Err(report) => report.to_string().lines().map(|line| line.trim_start_matches("portcullis.yaml:").to_owned()).collect(),
    }
}

/// A text must have these problems, in this order, and no others; each begins as given.
fn check(yaml: &str, expected: &[&str]) {
    check_with(yaml, &[], expected);
}

fn check_with(yaml: &str, pairs: &[(&str, &str)], expected: &[&str]) {
    let problems = problems_with(yaml, pairs);
    let as_expected = problems.len() == expected.len() && problems.iter().zip(expected).all(|(problem, start)| problem.starts_with(start));
    assert!(as_expected, "{yaml}\n found {problems:#?}\n instead of {expected:#?}");
}

/// Like [`check`], for a text with a route before it, in the first line.
fn check_after_route(yaml: &str, expected: &[&str]) {
    check(&format!("{ROUTES}{yaml}"), expected);
}

fn warnings(yaml: &str) -> Vec<String> {
    let quiet = "server: {listen: [\"127.0.0.1:8080\"]}\n";
    let server = if yaml.contains("server:") { "" } else { quiet };
    loaded_with(&format!("{server}{yaml}"), &[]).warnings.iter().map(ToString::to_string).collect()
}
