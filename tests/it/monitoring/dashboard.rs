//! The dashboard by itself: Grafana's linter, and what it does not look at.

use super::shipped::{dashboard, files, list, panels, path, queries, string, text, yaml};
use crate::support::guarded::cached;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

const FILE: &str = "deploy/grafana/dashboards/portcullis.json";

/// S1.8: every query is templated by data source, job and instance, uses `$__rate_interval`, and has a unit and a description.
#[test]
fn grafanas_linter_finds_nothing() {
    let version = text("tests/servers/dashboard-linter/version");
    let linter = cached(&format!("dashboard-linter-{}/dashboard-linter", version.trim()));
    assert!(linter.is_file(), "{} is missing, run tests/run once", linter.display());
    let output = Command::new(linter).args(["lint", "--strict", "--verbose"]).arg(path(FILE)).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.matches("Checks that").count() > 10, "the rules were run: {said}");
}

/// Address, links and annotations refer to the dashboard by its uid, and to variables by their names.
#[test]
fn the_dashboard_can_be_provisioned_again_and_again() {
    let dashboard = dashboard();
    assert_eq!((&dashboard["uid"], &dashboard["title"]), (&"portcullis".into(), &"Portcullis".into()));
    assert!(dashboard.get("id").is_none() && dashboard["editable"] == false);
    let names: Vec<String> = list(&dashboard["templating"]["list"]).iter().map(|variable| string(&variable["name"])).collect();
    assert_eq!(names, ["datasource", "job", "instance"]);
    let provider = yaml("deploy/grafana/provisioning/dashboards/portcullis.yml");
    assert_eq!(provider["providers"][0]["options"]["path"], "/var/lib/grafana/dashboards");
    let source = yaml("deploy/grafana/provisioning/datasources/prometheus.yml");
    let interval = yaml("deploy/prometheus/prometheus.yml")["global"]["scrape_interval"].clone();
    assert_eq!(source["datasources"][0]["jsonData"]["timeInterval"], interval, "rates are taken over at least four scrapes");
    assert_eq!(files("deploy/grafana/dashboards"), ["portcullis.json"]);
}

/// Grafana shows something else in place of panels that share an id, and moves those that overlap.
#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let all = list(&dashboard()["panels"]);
    let ids: BTreeSet<u64> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), all.len());
    let titles: BTreeSet<String> = panels().iter().map(|panel| string(&panel["title"])).collect();
    assert_eq!(titles.len(), panels().len(), "a title names one panel");
    let mut taken = BTreeSet::new();
    for panel in &all {
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{panel}");
        for (x, y) in (side("x")..side("x") + side("w")).flat_map(|x| (side("y")..side("y") + side("h")).map(move |y| (x, y))) {
            assert!(taken.insert((x, y)), "{} lies over another", panel["title"]);
        }
    }
}

/// The first row answers the first question, and names the pages to go on at.
#[test]
fn the_first_row_tells_who_it_is_and_where_to_read_on() {
    let all = list(&dashboard()["panels"]);
    let first: Vec<&Value> = all.iter().skip(1).take_while(|panel| panel["type"] != "row").collect();
    for who in ["Us: ", "Store: ", "Mail: ", "Attack: ", "Application: "] {
        assert!(first.iter().any(|panel| string(&panel["title"]).starts_with(who)), "{who}");
    }
    for panel in first {
        assert_eq!(panel["type"], "stat");
        let description = string(&panel["description"]);
        let pages = description.split_once("Runbook").expect("it names a runbook").1;
        for page in pages.split([' ', ',', '.', ':']).filter(|word| word.starts_with("Portcullis")) {
            assert!(path(&format!("docs/runbooks/{page}.md")).is_file(), "{page}");
        }
    }
}

/// After a restart counters begin at zero, and of several gateways each has its own: only rates and increases may be added up.
#[test]
fn no_query_shows_a_counter_as_it_stands() {
    let counter = regex::Regex::new(r"(\w+\()?\w+_(?:total|count|sum|bucket)\{").unwrap();
    for query in queries() {
        for found in counter.captures_iter(&query.expression) {
            let by = found.get(1).map_or("", |call| call.as_str());
            assert!(["rate(", "increase("].contains(&by), "{}: {}", query.panel, query.expression);
        }
        assert!(!query.expression.contains("histogram_quantile") || query.expression.contains("by (le"), "{}", query.panel);
        assert!(!query.legend.is_empty(), "{}", query.panel);
    }
}
