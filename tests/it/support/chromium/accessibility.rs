//! axe-core in the page under test.

use fantoccini::Client;
use serde_json::Value;
use std::env::var_os;
use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The package file that pins axe-core's version.
const PACKAGE: &str = include_str!("../../../browser/package.json");

static AXE: LazyLock<String> = LazyLock::new(|| {
    let path = axe_folder().join("axe.min.js");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}; tests/run installs axe-core there", path.display()))
});

/// A rule that the page breaks.
#[derive(Clone, PartialEq, Eq)]
pub struct Violation {
    /// Name of the rule.
    pub rule: String,
    /// What the rule asks for.
    pub help: String,
    /// The elements that break it.
    pub elements: Vec<String>,
}

impl fmt::Debug for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\n  {}: {}", self.rule, self.help)?;
        self.elements.iter().try_for_each(|element| write!(formatter, "\n    {element}"))
    }
}

/// Runs all rules on the page.
pub async fn violations(client: &Client) -> Vec<Violation> {
    client.execute(&AXE, Vec::new()).await.unwrap();
    let script = "const done = arguments[0]; axe.run(document).then(result => done(result.violations), error => done(String(error)));";
    let found = client.execute_async(script, Vec::new()).await.unwrap();
    let found = found.as_array().unwrap_or_else(|| panic!("axe-core failed: {found}"));
    found.iter().map(violation).collect()
}

fn violation(found: &Value) -> Violation {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let nodes = found["nodes"].as_array().into_iter().flatten();
    Violation {
        rule: text(&found["id"]),
        help: text(&found["help"]),
        elements: nodes.map(|node| format!("{} — {}", text(&node["html"]), text(&node["failureSummary"]).replace('\n', " "))).collect(),
    }
}

/// Where axe-core is: `PORTCULLIS_AXE`, else the cache folder that `tests/run` fills.
fn axe_folder() -> PathBuf {
    if let Some(folder) = var_os("PORTCULLIS_AXE") {
        return PathBuf::from(folder);
    }
    let package: Value = serde_json::from_str(PACKAGE).unwrap();
    let version = package["dependencies"]["axe-core"].as_str().unwrap();
    let cache = var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache =
        cache.or_else(|| var_os("HOME").map(|home| PathBuf::from(home).join(".cache"))).expect("neither XDG_CACHE_HOME nor HOME is set");
    cache.join("portcullis-tests").join(format!("axe-core-{version}")).join("node_modules/axe-core")
}
