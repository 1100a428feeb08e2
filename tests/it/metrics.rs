//! Metrics: what is exported, that it agrees with what was done, and that nobody outside can make more of it.

mod cardinality;
mod edge;
mod names;
mod outages;
mod people;

use crate::support::gateway::{Builder, TestGateway};
use crate::support::scrape::Scrape;
use crate::support::upstream::EchoUpstream;
use std::collections::BTreeMap;

/// A gateway in front of `upstream` with routes of every kind.
fn counting(upstream: &EchoUpstream) -> Builder {
    let yaml = format!(
        "server: {{ trusted_proxies: [127.0.0.1] }}\n\
         routes:\n  - {{ host: app.test, upstream: \"{origin}\" }}\n  - {{ host: app.test, path: /api, upstream: \"{origin}\" }}\n  \
         - {{ host: \"*.apps.test\", upstream: none }}\n  - {{ host: dead.test, upstream: \"http://127.0.0.1:1\" }}\n\
         access:\n  rules:\n    - {{ path: /public/**, allow: public }}\n    - {{ host: dead.test, allow: public }}\n    \
         - {{ path: /admin/**, group: [admins], allow: authenticated }}\n",
        origin = upstream.origin()
    );
    TestGateway::with(yaml)
}

/// A site that mails, and where everybody may register.
fn site(upstream: &EchoUpstream) -> Builder {
    let yaml = format!(
        "server: {{ trusted_proxies: [127.0.0.1] }}\nroutes: [{{ upstream: \"{}\" }}]\naccounts: {{ registration: open }}\n\
         portal: {{ url: \"http://app.test\" }}\nemail: {{ transport: \"file:mails\" }}\n",
        upstream.origin()
    );
    TestGateway::with(yaml)
}

/// What has changed of a family since `before`: labels as they are exported, and by how much.
async fn changes(gateway: &TestGateway, before: &Scrape, family: &str) -> BTreeMap<String, i64> {
    Scrape::of(gateway).await.since(before, family)
}

/// As [`changes`] gives them.
fn expected(changes: &[(&str, i64)]) -> BTreeMap<String, i64> {
    changes.iter().map(|(labels, by)| ((*labels).to_owned(), *by)).collect()
}
