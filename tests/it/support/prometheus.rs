//! A real Prometheus of a test's own (Debian's package `prometheus`), on a free port of 127.0.0.1. It scrapes twice a second, so
//! that a test need not wait for the quarter of a minute that operators do.

use super::agent::Agent;
use super::guarded::{Guarded, free_port};
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

/// Labels of a series.
pub type Labels = BTreeMap<String, String>;

/// Longest that anything may take to be seen: a scrape, a rule, and what a busy machine adds.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it scrapes, and evaluates rules.
const INTERVAL: &str = "500ms";

/// A running server.
#[derive(Debug)]
pub struct Prometheus {
    process: Guarded,
    origin: Url,
    agent: Agent,
}

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its labels; the name is `__name__`.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// An alert that is `pending` or `firing`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaisedAlert {
    /// Its name.
    pub name: String,
    /// Labels, the name and those of the rule included.
    pub labels: Labels,
    /// What somebody would be told.
    pub annotations: Labels,
    /// Whether its time has come.
    pub firing: bool,
}

impl Prometheus {
    /// A server that scrapes these addresses as the job `portcullis`, with these files of rules; waits until it has seen them all.
    pub async fn start(targets: &[String], rules: &[String]) -> Self {
        let folder = tempfile::Builder::new().prefix("portcullis-prometheus-").tempdir().unwrap().keep();
        for (number, rules) in rules.iter().enumerate() {
            std::fs::write(folder.join(format!("{number}.rules.yml")), rules).unwrap();
        }
        let configuration = format!(
            "global: {{ scrape_interval: {INTERVAL}, scrape_timeout: {INTERVAL}, evaluation_interval: {INTERVAL} }}\n\
             rule_files: ['*.rules.yml']\n\
             scrape_configs: [{{ job_name: portcullis, static_configs: [{{ targets: {targets:?} }}] }}]\n"
        );
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, configuration).unwrap();
        let port = free_port();
        let arguments = [
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", folder.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=warn".to_owned(),
        ];
        let process = Guarded::run(folder, "prometheus".as_ref(), &arguments.each_ref().map(String::as_str));
        let origin = Url::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let mut prometheus = Self { process, origin, agent: Agent::new() };
        let scraped = |samples: &[Sample]| samples.iter().filter(|sample| sample.value > 0.0).count() == targets.len();
        prometheus.until("up{job=\"portcullis\"}", scraped).await;
        prometheus
    }

    /// What a query answers now.
    pub async fn query(&mut self, expression: &str) -> Vec<Sample> {
        let answer = self.ask("/api/v1/query", &[("query", expression)]).await.unwrap_or_else(|| panic!("{}", self.process.log()));
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let result = answer["data"]["result"].as_array().unwrap();
        result.iter().map(|sample| Sample { labels: labels(&sample["metric"]), value: number(&sample["value"][1]) }).collect()
    }

    /// Asks until the answer is as wanted, and gives it.
    pub async fn until(&mut self, expression: &str, wanted: impl Fn(&[Sample]) -> bool) -> Vec<Sample> {
        let started = std::time::Instant::now();
        loop {
            let query = [("query", expression)];
            let answered = self.ask("/api/v1/query", &query).await.is_some_and(|answer| answer["status"] == "success");
            let samples = if answered { self.query(expression).await } else { Vec::new() };
            if wanted(&samples) {
                return samples;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain: {expression} is {samples:?}; {}", self.process.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Alerts whose condition holds, in the order of their names.
    pub async fn alerts(&mut self) -> Vec<RaisedAlert> {
        let answer = self.ask("/api/v1/alerts", &[]).await.unwrap_or_else(|| panic!("{}", self.process.log()));
        let alert = |alert: &Value| {
            let (labels, annotations) = (labels(&alert["labels"]), labels(&alert["annotations"]));
            RaisedAlert { name: labels["alertname"].clone(), labels, annotations, firing: alert["state"] == "firing" }
        };
        let mut alerts: Vec<RaisedAlert> = answer["data"]["alerts"].as_array().unwrap().iter().map(alert).collect();
        alerts.sort_by(|one, other| one.labels.cmp(&other.labels));
        alerts
    }

    /// Waits until alerts are as wanted.
    pub async fn until_alerts(&mut self, what: &str, wanted: impl Fn(&[RaisedAlert]) -> bool) -> Vec<RaisedAlert> {
        let started = std::time::Instant::now();
        loop {
            let alerts = self.alerts().await;
            if wanted(&alerts) {
                return alerts;
            }
            assert!(started.elapsed() < PATIENCE, "waited in vain: {what}; raised are {alerts:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Rules that could not be evaluated, and why.
    pub async fn failing_rules(&mut self) -> Vec<String> {
        let answer = self.ask("/api/v1/rules", &[]).await.unwrap_or_else(|| panic!("{}", self.process.log()));
        let groups = answer["data"]["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        rules.filter(|rule| rule["health"] != "ok").map(ToString::to_string).collect()
    }

    async fn ask(&mut self, path: &str, form: &[(&str, &str)]) -> Option<Value> {
        let mut url = self.origin.join(path).unwrap();
        url.query_pairs_mut().extend_pairs(form);
        let answer = self.agent.try_send(Method::GET, &url, &[], "").await.ok()?;
        serde_json::from_slice(&answer.body).ok()
    }
}

fn labels(value: &Value) -> Labels {
    value.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// Numbers come as texts, since JSON has neither NaN nor infinity.
fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}
