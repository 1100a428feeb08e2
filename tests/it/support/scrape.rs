//! A gateway's metrics, read as Prometheus reads them.

use super::gateway::TestGateway;
use super::raw::Raw;
use super::within_patience;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What was read at one moment.
#[derive(Clone, Debug)]
pub struct Scrape {
    text: String,
    values: BTreeMap<String, String>,
}

/// A metric as it describes itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Names of its labels; `le` is none.
    pub labels: BTreeSet<String>,
    /// What it is.
    pub help: String,
}

impl Scrape {
    /// Reads a gateway's metrics.
    pub async fn of(gateway: &TestGateway) -> Self {
        let address = gateway.admin_origin().strip_prefix("http://").unwrap().parse().unwrap();
        let answer = Raw::exchange(address, "GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Self::parse(answer.text())
    }

    /// Reads them again and again until they are so.
    pub async fn until(gateway: &TestGateway, what: &str, holds: impl Fn(&Self) -> bool) -> Self {
        within_patience(what, async {
            loop {
                let scrape = Self::of(gateway).await;
                if holds(&scrape) {
                    return scrape;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    fn parse(text: String) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let read = |line: &str| line.rsplit_once(' ').map(|(series, value)| (series.to_owned(), value.to_owned()));
        let values = samples.map(|line| read(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect();
        Self { text, values }
    }

    /// The value of a series that counts something, as it is spelt out: `requests_total{decision="allow",mode="proxy"}`, labels in the
    /// order of their names, without the prefix `portcullis_`.
    pub fn get(&self, series: &str) -> Option<i64> {
        let value = self.values.get(&format!("portcullis_{series}"))?;
        Some(value.parse().unwrap_or_else(|error| panic!("{series} is {value}: {error}")))
    }

    /// The same, of a series that must be there.
    pub fn value(&self, series: &str) -> i64 {
        self.get(series).unwrap_or_else(|| panic!("no {series} in\n{}", self.text))
    }

    /// All series there are.
    pub fn series(&self) -> BTreeSet<&str> {
        self.values.keys().map(String::as_str).collect()
    }

    /// The labels of those series of a family of counters that have moved since `earlier`, and by how much.
    pub fn since(&self, earlier: &Self, family: &str) -> BTreeMap<String, i64> {
        let name = format!("portcullis_{family}");
        let of_family = self.values.keys().filter(|series| series.split('{').next() == Some(&name));
        let moved = of_family.filter_map(|series| {
            let (series, labels) = (series.strip_prefix("portcullis_")?, series.split_once('{').map_or("", |(_, labels)| labels));
            Some((labels.trim_end_matches('}').to_owned(), self.value(series) - earlier.get(series).unwrap_or(0)))
        });
        moved.filter(|(_, by)| *by != 0).collect()
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every metric, by its name.
    pub fn described(&self) -> BTreeMap<String, Described> {
        let mut described: BTreeMap<String, Described> = BTreeMap::new();
        for line in self.text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words[..] {
                ["#", "HELP", name, help] => described.entry(name.to_owned()).or_default().help = help.to_owned(),
                ["#", "TYPE", name, kind] => described.entry(name.to_owned()).or_default().kind = kind.to_owned(),
                _ => {}
            }
        }
        for series in self.values.keys() {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let family =
                ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix).filter(|of| described.contains_key(*of)));
            let labels =
                labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
            let metric = described.get_mut(family.unwrap_or(name)).unwrap_or_else(|| panic!("{series} is not described"));
            metric.labels.extend(labels.filter(|label| label != "le"));
        }
        described
    }
}
