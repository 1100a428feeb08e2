//! The files as they are shipped, read for the tests.

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A rule that tells somebody.
#[derive(Clone, Debug)]
pub struct Alert {
    pub name: String,
    pub expression: String,
    pub labels: Value,
    pub annotations: Value,
}

/// A rule that keeps what a query answers.
#[derive(Clone, Debug)]
pub struct Recording {
    pub name: String,
    pub expression: String,
}

/// A query of the dashboard.
#[derive(Clone, Debug)]
pub struct Query {
    /// Title of the panel, or name of the annotation.
    pub panel: String,
    pub expression: String,
    /// How its series are called.
    pub legend: String,
}

/// A path below the repository.
pub fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

pub fn text(relative: &str) -> String {
    std::fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

/// The names of the files in a folder, in order.
pub fn files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(path(folder)).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<String> = entries.collect();
    names.into_iter().collect()
}

pub fn yaml(relative: &str) -> Value {
    serde_saphyr::from_str(&text(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

fn rules() -> Vec<Value> {
    let of_file = |name: String| list(&yaml(&format!("deploy/prometheus/rules/{name}"))["groups"]);
    let groups = files("deploy/prometheus/rules").into_iter().flat_map(of_file);
    groups.flat_map(|group| list(&group["rules"])).collect()
}

pub fn alerts() -> Vec<Alert> {
    let alert = |rule: &Value| Alert {
        name: string(&rule["alert"]),
        expression: string(&rule["expr"]),
        labels: rule["labels"].clone(),
        annotations: rule["annotations"].clone(),
    };
    rules().iter().filter(|rule| rule["alert"].is_string()).map(alert).collect()
}

pub fn recordings() -> Vec<Recording> {
    let recording = |rule: &Value| Recording { name: string(&rule["record"]), expression: string(&rule["expr"]) };
    rules().iter().filter(|rule| rule["record"].is_string()).map(recording).collect()
}

pub fn dashboard() -> Value {
    serde_json::from_str(&text("deploy/grafana/dashboards/portcullis.json")).unwrap()
}

/// Panels that show something, in the order of the page.
pub fn panels() -> Vec<Value> {
    list(&dashboard()["panels"]).into_iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query of the panels.
pub fn queries() -> Vec<Query> {
    let of_panel = |panel: Value| {
        let title = string(&panel["title"]);
        list(&panel["targets"]).into_iter().map(move |target| Query {
            panel: title.clone(),
            expression: string(&target["expr"]),
            legend: string(&target["legendFormat"]),
        })
    };
    panels().into_iter().flat_map(of_panel).collect()
}

/// Every query of the annotations.
pub fn annotations() -> Vec<Query> {
    let annotations = list(&dashboard()["annotations"]["list"]).into_iter().filter(|annotation| annotation["expr"].is_string());
    let query = |annotation: Value| Query {
        panel: string(&annotation["name"]),
        expression: string(&annotation["expr"]),
        legend: string(&annotation["textFormat"]),
    };
    annotations.map(query).collect()
}

/// The blocks of this language in all runbooks: name of the page, and text.
pub fn runbook_blocks(language: &str) -> Vec<(String, String)> {
    let fence = Regex::new(&format!(r"(?ms)^ *```{language}\n(.*?)^ *```$")).unwrap();
    let of_page = |name: &String| {
        let page = text(&format!("docs/runbooks/{name}"));
        let blocks: Vec<String> = fence.captures_iter(&page).map(|found| found[1].trim().to_owned()).collect();
        blocks.into_iter().map(|block| (name.clone(), block)).collect::<Vec<_>>()
    };
    files("docs/runbooks").iter().filter(|name| *name != "README.md").flat_map(of_page).collect()
}

/// Metrics of ours, and of the process, that an expression asks for.
pub fn metrics_in(expression: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\b(?:portcullis|process)_\w+").unwrap();
    let quoted = Regex::new(r#""[^"]*""#).unwrap();
    let recorded = Regex::new(r"\w+:\w+:\w+").unwrap();
    let bare = recorded.replace_all(&quoted.replace_all(expression, ""), "").into_owned();
    name.find_iter(&bare).map(|found| found.as_str().to_owned()).collect()
}

pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).clone()
}

pub fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}")).to_owned()
}
