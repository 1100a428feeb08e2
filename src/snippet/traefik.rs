//! Traefik: the middleware `forwardAuth`, as a file for the file provider or as labels of containers.

use super::plan::{Address, Destination, Elsewhere, Plan, Site};
use super::{Unwritable, spelling};
use askama::Template;

/// What Traefik does not drop by itself of a visitor's claims, beside the identity headers.
const NOT_TRAEFIKS_OWN: &str = "x-forwarded-(by|path|protocol|scheme|ssl|url)";

#[derive(Template)]
#[template(path = "snippet/traefik.yml", escape = "none")]
struct File<'a> {
    plan: &'a Plan,
}

#[derive(Template)]
#[template(path = "snippet/traefik-labels.yml", escape = "none")]
struct Labels<'a> {
    plan: &'a Plan,
    gateway_port: u16,
}

pub(super) fn write_file(plan: &Plan) -> Result<String, Unwritable> {
    only_tcp(plan)?;
    Ok(File { plan }.render()?)
}

pub(super) fn write_labels(plan: &Plan) -> Result<String, Unwritable> {
    only_tcp(plan)?;
    let gateway_port = plan.gateway.port().unwrap_or_default();
    Ok(Labels { plan, gateway_port }.render()?)
}

fn only_tcp(plan: &Plan) -> Result<(), Unwritable> {
    let sockets = plan.applications().flat_map(|(.., servers)| servers).chain([&plan.gateway]);
    for address in sockets {
        if let Address::Unix(path) = address {
            return Err(Unwritable(format!("traefik cannot reach the socket {path}, let it listen at an address and port")));
        }
    }
    Ok(())
}

/// Which hosts a router is for; empty for any.
fn host_rule(site: &Site) -> String {
    match (site.exact(), site.domain()) {
        (Some(host), _) => format!("Host(`{host}`)"),
        (None, Some(domain)) => format!("HostRegexp(`^.+[.]{}$`)", domain.replace('.', "[.]")),
        (None, None) => "PathPrefix(`/`)".to_owned(),
    }
}

/// The same with a path on segment boundaries.
fn place_rule(site: &Site, path: &str) -> String {
    let host = host_rule(site);
    if path == "/" { host } else { format!("{host} && (Path(`{path}`) || PathPrefix(`{path}/`))") }
}

fn pages_rule(site: &Site, plan: &Plan) -> String {
    format!("{} && PathRegexp(`{}`) && !PathRegexp(`{}`)", host_rule(site), plan.own_pages(), plan.verify_endpoints())
}

/// Every spelling of what no visitor may send.
fn forged(plan: &Plan) -> String {
    format!("(?i)^({}|{}|{NOT_TRAEFIKS_OWN}|forwarded)$", spelling::identity(plan), spelling::misspelt_forwarded())
}

/// The lower, the later: a router of ours comes before the applications', a longer path before a shorter one, and the hosts
/// in their order.
fn priority(plan: &Plan, site: &Site, path: Option<&str>) -> usize {
    let rank = plan.sites.iter().rev().position(|other| other.name == site.name).unwrap_or_default();
    rank * 1000 + path.map_or(999, |path| path.len().min(900))
}

/// What the service is called in the compose file: as its address says, where that is such a name.
fn service_name(name: &str, servers: &[Address]) -> String {
    match servers.first() {
        Some(Address::Tcp { host, .. }) if !host.contains(['.', ':']) && host != "localhost" => host.clone(),
        _ => name.to_owned(),
    }
}

/// The port of the first server; all of a service listen on one.
fn port(servers: &[Address]) -> u16 {
    servers.iter().find_map(Address::port).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::config::load_str;
    use crate::snippet::{FrontProxy, Part, Wanted, write};
    use std::path::Path;

    /// contract 1: the file provider and Docker labels
    #[test]
    fn labels_say_what_the_file_says() {
        let yaml = "{ portal: { url: 'https://auth.example.com' }, cookies: { domain: example.com }, routes: [
            { host: wiki.example.com, upstream: 'http://wiki:1' }, { host: '*.apps.example.com', path: /x, upstream: none },
            { host: old.example.com, upstream: 'http://old', strip_prefix: true }] }";
        let settings = load_str(yaml, Path::new("/etc/portcullis"), &[]).unwrap_or_else(|report| panic!("{report}")).settings;
        let part = |part| write(&settings, &Wanted { part, ..Wanted::of(FrontProxy::Traefik) }).unwrap().text.replace("$$", "$");
        let (file, labels) = (part(Part::Config), part(Part::Labels));
        let said = ["priority: ", "authResponseHeadersRegex: ", "rule: "];
        let mut compared = 0;
        for line in file.lines() {
            let Some(value) = said.iter().find_map(|key| line.trim().strip_prefix(key)) else { continue };
            assert!(labels.contains(value), "{line}\n{labels}");
            compared += 1;
        }
        assert!(compared >= 12, "{compared}");
    }
}
