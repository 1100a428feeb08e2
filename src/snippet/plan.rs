//! What a front proxy has to be told, whatever its kind: which hosts there are, where their applications listen, where we
//! listen, and which headers speak of identity. Whatever could break out of a proxy's syntax is refused here.

use super::{Application, Unwritable, Wanted};
use crate::config::{ListenAddress, Route, Settings, Upstream, UpstreamAddress, UpstreamScheme, UpstreamServer};
use crate::host::{Host, HostPattern};
use crate::identity::folded;
use crate::policy::is_at_or_below;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Where an application of a route without an address is taken to be, until its operator says so.
const UNKNOWN_APPLICATION: (&str, u16) = ("127.0.0.1", 3000);

/// What all the proxies' files are written from.
pub(super) struct Plan {
    /// Whether visitors come by `https`.
    pub https: bool,
    /// The port that visitors come to.
    pub port: u16,
    /// Where the proxy reaches us.
    pub gateway: Address,
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

/// A host.
pub(super) struct Site {
    /// The host; `None` for any that is not named elsewhere.
    pub host: Option<HostPattern>,
    /// A name for it of lower-case letters, digits and `_`, different from all others.
    pub name: String,
    /// Its paths, the longest first.
    pub places: Vec<Place>,
    /// Where requests go that are at or below none of the paths.
    pub elsewhere: Elsewhere,
}

/// What becomes of a request that no route takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// There is no such request: one of the paths is `/`.
    Nowhere,
    /// It is ours: the host is the portal's.
    Gateway,
    /// It is answered with 404.
    NotFound,
}

/// A path of a host.
pub(super) struct Place {
    /// The path: `/`, or a prefix on segment boundaries.
    pub path: String,
    /// A name for it, different from all others.
    pub name: String,
    /// Where its requests go.
    pub to: Destination,
}

/// Where a permitted request goes.
pub(super) enum Destination {
    /// To the application, once we have been asked.
    Application {
        /// Its servers.
        servers: Vec<Address>,
        /// Whether the address is only supposed.
        supposed: bool,
    },
    /// To us, since we do more with it than let it pass: why.
    Gateway(&'static str),
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
            gateway: wanted.gateway.as_ref().map_or_else(|| gateway(&settings.server.listen), address)?,
            prefix: settings.server.prefix.clone(),
            portal: portal.map(|url| origin(url.https, &url.host, url.port)),
            identity,
            foreign: foreign.iter().map(|name| in_title_case(&String::from_utf8_lossy(name))).collect(),
            sites: Vec::new(),
            notes: Vec::new(),
        };
        plan.add_sites(settings, &wanted.applications)?;
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

    /// The applications, each with the name of its place.
    pub fn applications(&self) -> impl Iterator<Item = (&Site, &Place, &[Address])> {
        self.sites.iter().flat_map(|site| site.places.iter().map(move |place| (site, place))).filter_map(|(site, place)| match &place.to {
            Destination::Application { servers, .. } => Some((site, place, servers.as_slice())),
            Destination::Gateway(_) => None,
        })
    }

    fn add_sites(&mut self, settings: &Settings, applications: &[Application]) -> Result<(), Unwritable> {
        let portal = settings.portal.url.as_ref().map(|url| HostPattern::Exact(url.host.clone()));
        let mut hosts: Vec<Option<HostPattern>> = Vec::new();
        for host in settings.routes.iter().map(|route| route.host.clone()).chain(portal.clone().map(Some)) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        // Stable: hosts stay in the order of the configuration where none is more specific.
        hosts.sort_by_key(|host| std::cmp::Reverse(specificity(host.as_ref())));
        if let Some(stranger) = applications.iter().find(|application| !hosts.contains(&Some(application.host.clone()))) {
            return Err(Unwritable(format!("no route has the host {}, write it as the route does", stranger.host)));
        }
        let mut names = BTreeSet::new();
        for host in hosts {
            let is_portal = host == portal && portal.is_some();
            let site = site(host, is_portal, settings, applications, &mut names)?;
            self.sites.push(site);
        }
        Ok(())
    }

    fn note_what_is_missing(&mut self, settings: &Settings) {
        let trusted = &settings.server.trusted_proxies;
        if trusted.networks.is_empty() && !trusted.unix {
            let note = "Portcullis refuses to answer a proxy that it does not believe: name its network in server.trusted_proxies";
            self.notes.push(note.into());
        }
        let supposed = |place: &&Place| matches!(place.to, Destination::Application { supposed: true, .. });
        for site in &self.sites {
            for place in site.places.iter().filter(supposed) {
                let (host, path) = (site.host_text(), place.path.as_str());
                let (address, port) = UNKNOWN_APPLICATION;
                let note = format!(
                    "the route of {host}{path} names no address, {address}:{port} is written for its application: correct it, or say --app {host}=http://ADDRESS:PORT"
                );
                self.notes.push(note);
            }
        }
    }
}

impl Site {
    /// The host as it is written in routes; `*` for any.
    pub fn host_text(&self) -> String {
        self.host.as_ref().map_or_else(|| "*".to_owned(), ToString::to_string)
    }

    /// The one host that is meant, unless there are many.
    pub fn exact(&self) -> Option<&str> {
        match &self.host {
            Some(HostPattern::Exact(host)) => Some(host.as_str()),
            _ => None,
        }
    }

    /// The domain whose hosts are meant, if any host below it is.
    pub fn domain(&self) -> Option<&str> {
        match &self.host {
            Some(HostPattern::Under(domain)) => Some(domain),
            _ => None,
        }
    }

    /// Whether any of its requests needs our word.
    pub fn asks(&self) -> bool {
        self.places.iter().any(|place| matches!(place.to, Destination::Application { .. }))
    }

    /// Whether all its requests go to us.
    pub fn is_ours(&self) -> bool {
        self.elsewhere == Elsewhere::Gateway && self.places.is_empty()
    }
}

impl Place {
    /// Whether it is every path that no other place has.
    pub fn is_root(&self) -> bool {
        self.path == "/"
    }

    /// Why its requests go to us, if they do.
    pub fn ours(&self) -> Option<&'static str> {
        match self.to {
            Destination::Gateway(reason) => Some(reason),
            Destination::Application { .. } => None,
        }
    }

    /// Whether the address of its application is only supposed.
    pub fn is_supposed(&self) -> bool {
        matches!(self.to, Destination::Application { supposed: true, .. })
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

fn specificity(host: Option<&HostPattern>) -> (u8, usize) {
    match host {
        Some(HostPattern::Exact(_)) => (2, 0),
        Some(HostPattern::Under(domain)) => (1, domain.len()),
        None => (0, 0),
    }
}

fn site(
    host: Option<HostPattern>,
    is_portal: bool,
    settings: &Settings,
    applications: &[Application],
    names: &mut BTreeSet<String>,
) -> Result<Site, Unwritable> {
    let name = new_name(&host.as_ref().map_or_else(|| "any_host".to_owned(), |host| host.to_string().replace("*.", "any.")), names);
    let mut routes: Vec<&Route> = settings.routes.iter().filter(|route| covers(route.host.as_ref(), host.as_ref())).collect();
    routes.sort_by_key(|route| std::cmp::Reverse((specificity(route.host.as_ref()), route.path.len())));
    let mut places: Vec<Place> = Vec::new();
    for route in routes {
        if places.iter().any(|place| is_at_or_below(route.path.as_bytes(), place.path.as_bytes())) {
            continue;
        }
        plain_path("the path of a route", &route.path)?;
        let to = destination(route, is_portal, applications.iter().find(|application| Some(&application.host) == host.as_ref()))?;
        let Some(to) = to else { continue };
        let path = route.path.clone();
        let name = if path == "/" { name.clone() } else { new_name(&format!("{name}{path}"), names) };
        places.push(Place { path, name, to });
    }
    places.sort_by_key(|place| std::cmp::Reverse(place.path.len()));
    let elsewhere = match places.last() {
        Some(last) if last.is_root() => Elsewhere::Nowhere,
        _ if is_portal => Elsewhere::Gateway,
        _ => Elsewhere::NotFound,
    };
    Ok(Site { host, name, places, elsewhere })
}

/// Whether a route with the first host serves all the hosts that the second means.
fn covers(route: Option<&HostPattern>, host: Option<&HostPattern>) -> bool {
    match (route, host) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(route), Some(HostPattern::Exact(host))) => route.matches(host),
        (Some(HostPattern::Under(domain)), Some(HostPattern::Under(below))) => {
            below == domain || below.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
        }
        (Some(HostPattern::Exact(_)), Some(HostPattern::Under(_))) => false,
    }
}

/// Where a route's requests go; `None` where they are ours because the host is the portal's.
fn destination(route: &Route, is_portal: bool, application: Option<&Application>) -> Result<Option<Destination>, Unwritable> {
    if let Some(reason) = what_only_we_do(route) {
        return Ok(Some(Destination::Gateway(reason)));
    }
    let told = |servers: &[UpstreamServer]| {
        let servers = servers.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Destination::Application { servers, supposed: false }))
    };
    match (&route.upstream, application) {
        (Upstream::Servers(servers), _) => told(servers),
        (_, Some(application)) => told(std::slice::from_ref(&application.server)),
        (_, None) if is_portal => Ok(None),
        (_, None) => {
            let (host, port) = UNKNOWN_APPLICATION;
            Ok(Some(Destination::Application { servers: vec![Address::Tcp { host: host.into(), port }], supposed: true }))
        }
    }
}

/// What a route asks for that a front proxy would have to be taught.
fn what_only_we_do(route: &Route) -> Option<&'static str> {
    let changes = [&route.request_headers, &route.response_headers];
    let speaks = |scheme| matches!(&route.upstream, Upstream::Servers(servers) if servers.iter().any(|server| server.scheme == scheme));
    let reasons = [
        (matches!(route.upstream, Upstream::Sample), "the sample is part of Portcullis"),
        (speaks(UpstreamScheme::Https), "Portcullis speaks TLS to its application"),
        (speaks(UpstreamScheme::H2c), "Portcullis speaks HTTP/2 to its application"),
        (route.strip_prefix, "strip_prefix"),
        (!route.preserve_host, "preserve_host: false"),
        (changes.iter().any(|changes| !changes.set.is_empty() || !changes.remove.is_empty()), "its headers are changed"),
        (route.basic_auth.is_some(), "basic_auth"),
    ];
    reasons.into_iter().find_map(|(asked, reason)| asked.then_some(reason))
}

fn address(server: &UpstreamServer) -> Result<Address, Unwritable> {
    match &server.address {
        UpstreamAddress::Tcp { host, port } => Ok(Address::Tcp { host: host.clone(), port: *port }),
        UpstreamAddress::Unix(path) => unix(&path.to_string_lossy()),
    }
}

/// Where a proxy on the same machine reaches us.
fn gateway(listen: &[ListenAddress]) -> Result<Address, Unwritable> {
    match listen.first() {
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

/// A name of lower-case letters, digits and `_` like this text, that none had before.
fn new_name(text: &str, names: &mut BTreeSet<String>) -> String {
    let plain: String = text.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect();
    let plain = plain.trim_matches('_').to_owned();
    let mut name = plain.clone();
    for count in 2.. {
        if names.insert(name.clone()) {
            break;
        }
        name = format!("{plain}_{count}");
    }
    name
}
