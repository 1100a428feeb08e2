//! Caddy: `forward_auth` in a Caddyfile.

use super::Unwritable;
use super::plan::{Address, Destination, Elsewhere, Plan, Site};
use crate::host::HostPattern;
use askama::Template;

#[derive(Template)]
#[template(path = "snippet/Caddyfile", escape = "none")]
struct File<'a> {
    plan: &'a Plan,
    /// Every character but the hyphen that a header's name may have between letters and digits (RFC 9110 section 5.6.2).
    separators: std::str::Chars<'static>,
}

pub(super) fn write(plan: &Plan) -> Result<String, Unwritable> {
    Ok(File { plan, separators: "!#$%&'*+.^_`|~".chars() }.render()?)
}

impl File<'_> {
    /// The addresses of a host. `*` is one label to Caddy, so there are several of a domain whose hosts are all meant.
    fn site_address(&self, site: &Site) -> String {
        let scheme = if self.plan.https && self.plan.is_default_port() { "" } else { self.plan.scheme() };
        let separator = if scheme.is_empty() { "" } else { "://" };
        let port = self.plan.port_suffix();
        let address = |host: &str| format!("{scheme}{separator}{host}{port}");
        match &site.host {
            Some(HostPattern::Exact(host)) => address(host.as_str()),
            Some(HostPattern::Under(domain)) => ["*", "*.*", "*.*.*"].map(|labels| address(&format!("{labels}.{domain}"))).join(", "),
            None => format!("{}://:{}", self.plan.scheme(), self.plan.port),
        }
    }
}

fn server(address: &Address) -> String {
    match address {
        Address::Tcp { .. } => address.authority(),
        Address::Unix(path) => format!("unix/{path}"),
    }
}
