//! What a front proxy has to be told, whatever its kind: which hosts there are, where their applications listen, where we
//! listen, and which headers speak of identity. Whatever could break out of a proxy's syntax is refused here.

mod sites;
#[cfg(test)]
mod tests;

pub(super) use sites::{Destination, Elsewhere, Place, Site};

use super::{Unwritable, Wanted};
use crate::config::{ListenAddress, Settings, UpstreamAddress, UpstreamServer};
use crate::host::Host;
use crate::identity::folded;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What all the proxies' files are written from.
pub(super) struct Plan {
    /// Whether visitors come by `https`.
    pub https: bool,
    /// The port that visitors come to.
    pub port: u16,
    /// Where the proxy reaches us.
    pub gateway: Address,
    /// Where Envoy reaches us by gRPC, if it is to.
    pub ext_authz: Option<Address>,
    /// `server.prefix`.
    pub prefix: String,
    /// The portal's origin, where there is one.
    pub portal: Option<String>,
    /// Identity headers that applications are told, as they are written by custom (`X-User`).
    pub identity: Vec<String>,
    /// Other headers that speak of identity, which no application is to see.
    pub foreign: Vec<String>,
    /// The hosts, the most specific first.
    pub sites: Vec<Site>,
    /// What has to be done before it works.
    pub notes: Vec<String>,
}

/// Where somebody listens, in plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// TCP; an IPv6 literal is without brackets.
    Tcp { host: String, port: u16 },
    /// A Unix socket.
    Unix(String),
}

impl Plan {
    pub fn new(settings: &Settings, wanted: &Wanted) -> Result<Self, Unwritable> {
        let portal = settings.portal.url.as_ref();
        let (https, port) = portal.map_or((true, 443), |url| (url.https, url.port));
        let identity: Vec<String> = settings.identity.told().iter().map(|name| plain_name(name.as_str())).collect::<Result<_, _>>()?;
        let told: BTreeSet<Vec<u8>> = identity.iter().map(|name| folded(name.as_bytes())).collect();
        let foreign = settings.identity.reserved().into_iter().filter(|name| !told.contains(name)).collect::<BTreeSet<_>>();
        let mut plan = Self {
            https,
            port,
            gateway: wanted.gateway.as_ref().map_or_else(|| gateway(settings.server.listen.first()), address)?,
            ext_authz: settings.server.ext_authz_grpc.as_ref().map(|listen| gateway(Some(listen))).transpose()?,
            prefix: settings.server.prefix.clone(),
            portal: portal.map(|url| origin(url.https, &url.host, url.port)),
            identity,
            foreign: foreign.iter().map(|name| in_title_case(&String::from_utf8_lossy(name))).collect(),
            sites: sites::of(settings, &wanted.applications)?,
            notes: Vec::new(),
        };
        plan.note_what_is_missing(settings);
        Ok(plan)
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// Whether the port is the scheme's own.
    pub fn is_default_port(&self) -> bool {
        self.port == if self.https { 443 } else { 80 }
    }

    /// What follows the host in visitors' addresses: nothing, or `:8443`.
    pub fn port_suffix(&self) -> String {
        if self.is_default_port() { String::new() } else { format!(":{}", self.port) }
    }

    /// Whether hosts are served that no site names.
    pub fn serves_any_host(&self) -> bool {
        self.sites.iter().any(|site| site.host.is_none())
    }

    /// Our own pages, as a regular expression over paths. They need no escapes and no parameters, so none are let through to
    /// us: two readings of one path cannot reach a page that a proxy meant to keep to itself.
    pub fn own_pages(&self) -> String {
        format!("^{}(/[A-Za-z0-9._~-]+)*/?$", self.prefix.replace('.', "[.]"))
    }

    /// The verify endpoints, as a regular expression over paths.
    pub fn verify_endpoints(&self) -> String {
        format!("^{}/verify(/|$)", self.prefix.replace('.', "[.]"))
    }

    /// The applications, each with its host and place.
    pub fn applications(&self) -> impl Iterator<Item = (&Site, &Place, &[Address])> {
        self.sites.iter().flat_map(Site::applications)
    }

    fn note_what_is_missing(&mut self, settings: &Settings) {
        let trusted = &settings.server.trusted_proxies;
        if trusted.networks.is_empty() && !trusted.unix {
            let note = "Portcullis refuses to answer a proxy that it does not believe: name its network in server.trusted_proxies";
            self.notes.push(note.into());
        }
        for (site, place, servers) in self.sites.iter().flat_map(Site::applications).filter(|(_, place, _)| place.is_supposed()) {
            let (host, path, address) = (site.host_text(), &place.path, servers[0].authority());
            let note = format!(
                "the route of {host}{path} names no address, {address} is written for its application: correct it, or say --app {host}=http://ADDRESS:PORT"
            );
            self.notes.push(note);
        }
    }
}

impl Address {
    /// `host:port`, with brackets around an IPv6 literal; the path of a socket.
    pub fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
            Self::Unix(path) => path.clone(),
        }
    }

    /// Port, if it has one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Tcp { port, .. } => Some(*port),
            Self::Unix(_) => None,
        }
    }
}

fn address(server: &UpstreamServer) -> Result<Address, Unwritable> {
    match &server.address {
        UpstreamAddress::Tcp { host, port } => Ok(Address::Tcp { host: host.clone(), port: *port }),
        UpstreamAddress::Unix(path) => unix(&path.to_string_lossy()),
    }
}

/// Where a proxy on the same machine reaches us.
fn gateway(listen: Option<&ListenAddress>) -> Result<Address, Unwritable> {
    match listen {
        Some(ListenAddress::Tcp(address)) => {
            let ip = match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
                IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
                ip => ip,
            };
            Ok(Address::Tcp { host: ip.to_string(), port: address.port() })
        }
        Some(ListenAddress::Unix(path)) => unix(&path.to_string_lossy()),
        None => Err(Unwritable("server.listen names no address, so no proxy can reach Portcullis; name one".into())),
    }
}

fn unix(path: &str) -> Result<Address, Unwritable> {
    plain_path("the path of a socket", path).map(|()| Address::Unix(path.to_owned()))
}

fn plain_path(what: &str, path: &str) -> Result<(), Unwritable> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
    if path.bytes().all(plain) {
        return Ok(());
    }
    Err(Unwritable(format!("{what} may hold only letters, digits and / . _ ~ - in the files of front proxies, change {path:?}")))
}

/// Proxies know headers by variables and patterns that have no place for other characters.
fn plain_name(name: &str) -> Result<String, Unwritable> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Ok(in_title_case(name));
    }
    Err(Unwritable(format!(
        "the name of an identity header may hold only letters, digits and - in the files of front proxies, change {name}"
    )))
}

fn in_title_case(name: &str) -> String {
    let mut before = '-';
    let titled = name.chars().map(|character| {
        let titled = if before == '-' { character.to_ascii_uppercase() } else { character };
        before = character;
        titled
    });
    titled.collect()
}

fn origin(https: bool, host: &Host, port: u16) -> String {
    let (scheme, default) = if https { ("https", 443) } else { ("http", 80) };
    if port == default { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
}
