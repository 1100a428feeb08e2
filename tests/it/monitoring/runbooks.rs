//! The runbooks by themselves: a page for each alert, and on each what somebody needs at night.

use super::shipped::{alerts, files, runbook_blocks, text};
use std::collections::BTreeSet;

/// S1.8: whoever is woken finds the page.
#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let alerts: BTreeSet<String> = alerts().into_iter().map(|alert| format!("{}.md", alert.name)).collect();
    let pages: BTreeSet<String> = files("docs/runbooks").into_iter().filter(|name| name != "README.md").collect();
    assert_eq!(alerts, pages);
    let index = text("docs/runbooks/README.md");
    for page in pages {
        assert_eq!(index.matches(&format!("]({page})")).count(), 1, "{page} in the index");
    }
}

#[test]
fn every_page_says_what_it_means_where_to_look_what_to_do_and_whom_to_wake() {
    for alert in alerts() {
        let name = format!("{}.md", alert.name);
        let page = text(&format!("docs/runbooks/{name}"));
        assert!(page.starts_with(&format!("# {}\n\n", alert.name)), "{name}");
        let word = if alert.labels["severity"] == "critical" { "ritical" } else { "arning" };
        for part in ["\n**Users** ", "\n## First look\n", "\n## Causes, the likeliest first\n", "\n## Wake somebody\n", word] {
            assert!(page.contains(part), "{name} has no {part:?}");
        }
        assert!(page.matches("\n| ").count() >= 4, "{name} names causes");
        assert!(runbook_blocks("promql").iter().any(|(page, _)| *page == name), "{name} has no query");
    }
}

/// Links lead somewhere, in the pages and in what points to them.
#[test]
fn links_of_the_pages_lead_to_files() {
    let link = regex::Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").unwrap();
    for name in files("docs/runbooks") {
        let page = text(&format!("docs/runbooks/{name}"));
        for found in link.captures_iter(&page) {
            let target = super::shipped::path("docs/runbooks").join(&found[1]);
            assert!(target.is_file(), "{name} leads to {}", &found[1]);
        }
    }
}
