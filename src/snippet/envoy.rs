//! Envoy: the filter `ext_authz` over HTTP, between two small Lua filters that take away what is not to pass.

use super::Unwritable;
use super::plan::{Address, Elsewhere, Place, Plan, Site};
use crate::identity::folded;
use askama::Template;

#[derive(Template)]
#[template(path = "snippet/envoy.yaml", escape = "none")]
struct File<'a> {
    plan: &'a Plan,
}

pub(super) fn write(plan: &Plan) -> Result<String, Unwritable> {
    for (_, _, servers) in plan.applications() {
        if let Some(socket) = servers.iter().find(|address| address.port().is_none())
            && servers.iter().any(|address| !is_literal(address))
        {
            let socket = socket.authority();
            return Err(Unwritable(format!(
                "envoy cannot balance between the socket {socket} and a name, write addresses instead of names"
            )));
        }
    }
    Ok(File { plan }.render()?)
}

impl File<'_> {
    /// The names that `Host` may have, in Envoy's form.
    fn domains(&self, site: &Site) -> Vec<String> {
        match (site.exact(), site.domain()) {
            (Some(host), _) => vec![host.to_owned(), format!("{host}:{}", self.plan.port)],
            (None, Some(domain)) => vec![format!("*.{domain}"), format!("*.{domain}:{}", self.plan.port)],
            (None, None) => vec!["*".to_owned()],
        }
    }

    /// Identity headers as the Lua filter compares them.
    fn forged(&self) -> Vec<String> {
        let names = self.plan.identity.iter().chain(&self.plan.foreign);
        names.map(|name| String::from_utf8_lossy(&folded(name.as_bytes())).into_owned()).collect()
    }
}

/// How a path is matched.
fn matches(place: &Place) -> String {
    if place.is_root() { "prefix: \"/\"".to_owned() } else { format!("path_separated_prefix: \"{}\"", place.path) }
}

fn socket(address: &Address) -> String {
    match address {
        Address::Tcp { host, port } => format!("{{ socket_address: {{ address: \"{host}\", port_value: {port} }} }}"),
        Address::Unix(path) => format!("{{ pipe: {{ path: \"{path}\" }} }}"),
    }
}

/// How the addresses of a cluster are found: by asking for their names, unless they are addresses already.
fn discovery(servers: &[Address]) -> &'static str {
    if servers.iter().all(is_literal) { "STATIC" } else { "STRICT_DNS" }
}

fn is_literal(address: &Address) -> bool {
    match address {
        Address::Tcp { host, .. } => host.parse::<std::net::IpAddr>().is_ok(),
        Address::Unix(_) => true,
    }
}
