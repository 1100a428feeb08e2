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
