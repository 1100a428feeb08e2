//! nginx: `auth_request`, once for the decision and, where that is no, again for the answer.

use super::Unwritable;
use super::plan::{Address, Elsewhere, Plan, Site};
use askama::Template;

/// Headers that only a proxy may write, beside those that it sets to a value of its own.
pub(super) const WRITTEN_BY_PROXIES: [&str; 15] = [
    "Forwarded",
    "X-Real-IP",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-Method",
    "X-Forwarded-Uri",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Original-Host",
    "X-Original-Forwarded-For",
    "X-Rewrite-URL",
];

/// A browser on one host has four cookies of ours at most.
const COOKIES: usize = 4;

#[derive(Template)]
#[template(path = "snippet/nginx.conf", escape = "none")]
struct File<'a> {
    plan: &'a Plan,
    cookies: std::ops::RangeInclusive<usize>,
    written_by_proxies: &'static [&'static str],
}

pub(super) fn write(plan: &Plan) -> Result<String, Unwritable> {
    Ok(File { plan, cookies: 2..=COOKIES, written_by_proxies: &WRITTEN_BY_PROXIES }.render()?)
}

impl File<'_> {
    /// What a listening address says of itself.
    fn listen(&self, site: &Site) -> String {
        let tls = if self.plan.https { " ssl http2" } else { "" };
        // A host that no server names gets the first one, unless one is there for all.
        let default = if site.host.is_none() { " default_server" } else { "" };
        format!("{}{tls}{default}", self.plan.port)
    }

    /// `Host` as the decision is asked for it: what nginx itself chose the server by.
    fn host(&self) -> String {
        format!("$host{}", self.plan.port_suffix())
    }
}

/// The names of hosts in `server_name`.
fn server_name(site: &Site) -> String {
    site.host.as_ref().map_or_else(|| "_".to_owned(), ToString::to_string)
}

/// An address in an `upstream`.
fn server(address: &Address) -> String {
    match address {
        Address::Tcp { .. } => address.authority(),
        Address::Unix(path) => format!("unix:{path}"),
    }
}

/// The variable of a header of our answer, and the one that keeps it.
fn variable(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
