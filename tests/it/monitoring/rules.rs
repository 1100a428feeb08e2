//! The rules by themselves: `promtool`, of Debian's package `prometheus`, reads them and runs their own tests.

use super::shipped::{alerts, files, list, path, recordings, string, yaml};
use regex::Regex;
use std::collections::BTreeSet;
use std::process::Command;

fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(path("deploy/prometheus")).output();
    let output = output.expect("promtool to run; is Debian's package prometheus installed?");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

/// S1.8: Prometheus takes the files as they are shipped.
#[test]
fn prometheus_takes_the_configuration_and_the_rules() {
    let said = promtool(&["check", "config", "--lint=all", "--lint-fatal", "prometheus.yml"]);
    assert!(said.contains("2 rule files found"), "{said}");
    for name in files("deploy/prometheus/rules") {
        promtool(&["check", "rules", "--lint=all", "--lint-fatal", &format!("rules/{name}")]);
    }
}

/// S1.8: over made-up series, hours in a moment.
#[test]
fn alerts_fire_and_keep_quiet_over_series_that_are_made_up() {
    let names: Vec<String> = files("deploy/prometheus/tests").iter().map(|name| format!("tests/{name}")).collect();
    let arguments: Vec<&str> = ["test", "rules"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let said = promtool(&arguments);
    assert_eq!(said.matches("SUCCESS").count(), names.len(), "{said}");
}

/// S1.8
#[test]
fn every_alert_is_tested_firing_and_quiet() {
    let (mut firing, mut quiet) = (BTreeSet::new(), BTreeSet::new());
    for name in files("deploy/prometheus/tests") {
        let tests = list(&yaml(&format!("deploy/prometheus/tests/{name}"))["tests"]);
        for asked in tests.iter().flat_map(|test| list(&test["alert_rule_test"])) {
            let expected = list(&asked["exp_alerts"]);
            let alert = string(&asked["alertname"]);
            if expected.is_empty() {
                quiet.insert((alert, String::new()));
                continue;
            }
            firing.extend(expected.iter().map(|expected| (alert.clone(), string(&expected["exp_labels"]["severity"]))));
        }
    }
    for alert in alerts() {
        assert!(firing.contains(&(alert.name.clone(), string(&alert.labels["severity"]))), "{} is never tested firing", alert.name);
        assert!(quiet.contains(&(alert.name.clone(), String::new())), "{} is never tested quiet", alert.name);
    }
}

/// S1.8
#[test]
fn every_alert_says_how_bad_it_is_what_happens_and_where_to_read_on() {
    assert!(alerts().len() >= 12);
    for alert in alerts() {
        assert!(["critical", "warning"].contains(&alert.labels["severity"].as_str().unwrap()), "{alert:?}");
        for annotation in ["summary", "description"] {
            assert!(string(&alert.annotations[annotation]).len() > 20, "{alert:?}");
        }
        let page = format!("https://docs.example.com/portcullis/runbooks/{}.md", alert.name);
        assert_eq!(alert.annotations["runbook_url"], page.as_str());
    }
}

/// Recording rules are named level:metric:operations, and kept only if something asks for them.
#[test]
fn every_recording_rule_is_named_by_what_is_left_of_what() {
    let name = Regex::new(r"^(instance|job)(_[a-z]+)*:portcullis_[a-z_]+:(ratio_rate5m|rate5m|p99_5m)$").unwrap();
    let recordings = recordings();
    let expressions = alerts().into_iter().map(|alert| alert.expression).chain(recordings.iter().map(|rule| rule.expression.clone()));
    let expressions: Vec<String> = expressions.collect();
    for recording in &recordings {
        assert!(name.is_match(&recording.name), "{}", recording.name);
        let level = recording.name.split(':').next().unwrap().replace('_', ", ");
        let grouped = format!("by ({level}");
        let inherits = recording.expression.contains(":portcullis_");
        assert!(inherits || recording.expression.contains(&grouped), "{} is not {grouped})", recording.name);
        let asked = expressions.iter().any(|expression| expression.contains(&recording.name));
        assert!(asked || recording.name.contains("p99"), "nothing asks for {}", recording.name);
    }
}
