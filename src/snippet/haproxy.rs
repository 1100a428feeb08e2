//! `HAProxy`: a Lua action of ours, which asks by `HAProxy`'s own HTTP client, and a configuration that lets nothing pass
//! without its word.

use super::plan::{Address, Elsewhere, Plan, Site};
use super::{Unwritable, spelling};
use askama::Template;

/// The script, the same for every configuration.
pub(super) const SCRIPT: &str = include_str!("../../static/templates/snippet/portcullis.lua");

#[derive(Template)]
#[template(path = "snippet/haproxy.cfg", escape = "none")]
struct File<'a> {
    plan: &'a Plan,
    forged: String,
    forwarded: String,
}

pub(super) fn write(plan: &Plan) -> Result<String, Unwritable> {
    let (forged, forwarded) = (spelling::identity(plan), spelling::forwarded());
    Ok(File { plan, forged, forwarded }.render()?)
}

impl File<'_> {
    /// What the script is told of us: our address as the client takes it.
    fn endpoint(&self) -> String {
        format!("{} {}/verify/haproxy", server(&self.plan.gateway), self.plan.prefix)
    }
}

fn server(address: &Address) -> String {
    match address {
        Address::Tcp { .. } => address.authority(),
        Address::Unix(path) => format!("unix@{path}"),
    }
}

/// Which requests are for a host: the condition of its `acl`.
fn host_condition(site: &Site) -> String {
    match (site.exact(), site.domain()) {
        (Some(host), _) => format!("hdr(host),host_only -i -m str {host}"),
        (None, Some(domain)) => format!("hdr(host),host_only -i -m end .{domain}"),
        (None, None) => "always_true".to_owned(),
    }
}
