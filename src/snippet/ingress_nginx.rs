//! The ingress controller `ingress-nginx` of Kubernetes: annotations, and what only its `ConfigMap` can say.

use super::Unwritable;
use super::nginx::WRITTEN_BY_PROXIES;
use super::plan::{Address, Destination, Elsewhere, Plan, Site};
use askama::Template;

#[derive(Template)]
#[template(path = "snippet/ingress-nginx.yaml", escape = "none")]
struct File<'a> {
    plan: &'a Plan,
    gateway_port: u16,
    dropped: Vec<&'a str>,
}

pub(super) fn write(plan: &Plan) -> Result<String, Unwritable> {
    let sockets = plan.applications().flat_map(|(.., servers)| servers).chain([&plan.gateway]);
    for address in sockets {
        if let Address::Unix(path) = address {
            return Err(Unwritable(format!("a pod cannot reach the socket {path}, let it listen at an address and port")));
        }
    }
    // The controller writes these itself.
    let own = ["X-Real-IP", "X-Forwarded-Port", "X-Forwarded-Scheme", "X-Original-Forwarded-For"];
    let dropped = WRITTEN_BY_PROXIES.iter().copied().filter(|name| !own.contains(name)).chain(plan.foreign.iter().map(String::as_str));
    Ok(File { plan, gateway_port: plan.gateway.port().unwrap_or_default(), dropped: dropped.collect() }.render()?)
}

impl File<'_> {
    /// Where a browser is sent to sign in.
    fn login(&self, site: &Site) -> String {
        let own = || format!("{}://{}{}", self.plan.scheme(), site.exact().unwrap_or("$host"), self.plan.port_suffix());
        format!("{}{}/login", self.plan.portal.clone().unwrap_or_else(own), self.plan.prefix)
    }

    /// The namespace of a host's applications: an Ingress reaches no other.
    fn namespace(&self, site: &Site) -> String {
        let services = self.plan.applications().filter(|(of, ..)| of.name == site.name);
        let mut namespaces = services.map(|(_, place, servers)| service(&place.name, servers).namespace);
        namespaces.next().unwrap_or_else(|| "default".to_owned())
    }
}

/// A service of the cluster.
struct Service {
    name: String,
    namespace: String,
    port: u16,
}

/// The name of an object: letters, digits and hyphens.
fn object(name: &str) -> String {
    name.replace('_', "-")
}

/// The service behind these addresses.
fn service(name: &str, servers: &[Address]) -> Service {
    let port = servers.iter().find_map(Address::port).unwrap_or_default();
    let host = servers.iter().find_map(|address| match address {
        Address::Tcp { host, .. } => Some(host.as_str()),
        Address::Unix(_) => None,
    });
    // As cluster DNS names them: NAME.NAMESPACE.svc.cluster.local
    let mut labels = host.unwrap_or_default().split('.');
    match (labels.next(), labels.next(), labels.next()) {
        (Some(name), Some(namespace), Some("svc")) => Service { name: name.to_owned(), namespace: namespace.to_owned(), port },
        _ => Service { name: object(name), namespace: "default".to_owned(), port },
    }
}
