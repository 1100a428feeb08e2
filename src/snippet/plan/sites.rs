//! The hosts of our configuration as a front proxy is to know them: each with its paths, and where their requests go.

use super::{Address, address, plain_path};
use crate::config::{Route, Settings, Upstream, UpstreamScheme, UpstreamServer};
use crate::host::HostPattern;
use crate::policy::is_at_or_below;
use crate::routing::RoutingTable;
use crate::snippet::{Application, Unwritable};
use std::collections::BTreeSet;

/// Where an application of a route without an address is taken to be, until its operator says so.
const UNKNOWN_APPLICATION: (&str, u16) = ("127.0.0.1", 3000);

/// A host.
pub(in crate::snippet) struct Site {
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
pub(in crate::snippet) enum Elsewhere {
    /// There is no such request: one of the paths is `/`.
    Nowhere,
    /// It is ours: the host is the portal's.
    Gateway,
    /// It is answered with 404.
    NotFound,
}

/// A path of a host.
pub(in crate::snippet) struct Place {
    /// The path: `/`, or a prefix on segment boundaries.
    pub path: String,
    /// A name for it, different from all others.
    pub name: String,
    /// Where its requests go.
    pub to: Destination,
}

/// Where a permitted request goes.
pub(in crate::snippet) enum Destination {
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

    /// Its applications, each with its place.
    pub fn applications(&self) -> impl Iterator<Item = (&Self, &Place, &[Address])> {
        self.places.iter().filter_map(move |place| match &place.to {
            Destination::Application { servers, .. } => Some((self, place, servers.as_slice())),
            Destination::Gateway(_) => None,
        })
    }

    /// Whether any of its requests needs our word.
    pub fn asks(&self) -> bool {
        self.applications().next().is_some()
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

/// The hosts, the most specific first, else in the order of the configuration.
pub(super) fn of(settings: &Settings, applications: &[Application]) -> Result<Vec<Site>, Unwritable> {
    let portal = settings.portal.url.as_ref().map(|url| HostPattern::Exact(url.host.clone()));
    let mut hosts: Vec<Option<HostPattern>> = Vec::new();
    for host in settings.routes.iter().map(|route| route.host.clone()).chain(portal.clone().map(Some)) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts.sort_by_key(|host| match host {
        Some(HostPattern::Exact(_)) => 0,
        Some(HostPattern::Under(domain)) => usize::MAX - 1 - domain.len(),
        None => usize::MAX,
    });
    if let Some(stranger) = applications.iter().find(|application| !hosts.contains(&Some(application.host.clone()))) {
        return Err(Unwritable(format!("no route has the host {}, write it as the route does", stranger.host)));
    }
    let mut reader = Reader { table: RoutingTable::new(settings), portal, applications, names: BTreeSet::new() };
    hosts.into_iter().map(|host| reader.site(host)).collect()
}

/// What sites are read out of.
struct Reader<'a> {
    table: RoutingTable,
    portal: Option<HostPattern>,
    applications: &'a [Application],
    names: BTreeSet<String>,
}

impl Reader<'_> {
    fn site(&mut self, host: Option<HostPattern>) -> Result<Site, Unwritable> {
        let text = host.as_ref().map_or_else(|| "any_host".to_owned(), |host| host.to_string().replace("*.", "any."));
        let name = new_name(&text, &mut self.names);
        let is_portal = host.is_some() && host == self.portal;
        let application = self.applications.iter().find(|application| Some(&application.host) == host.as_ref());
        let mut places: Vec<Place> = Vec::new();
        for route in self.table.routes().filter(|route| covers(route.host.as_ref(), host.as_ref())) {
            // The routes come in the order in which they are tried.
            if places.iter().any(|place| is_at_or_below(route.path.as_bytes(), place.path.as_bytes())) {
                continue;
            }
            plain_path("the path of a route", &route.path)?;
            let to = if is_portal && application.is_none() { destination_at_the_portal(route) } else { destination(route, application) }?;
            let path = route.path.clone();
            let name = if path == "/" { name.clone() } else { new_name(&format!("{name}{path}"), &mut self.names) };
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
}

/// Whether a route with the first host serves all the hosts that the second means.
fn covers(route: Option<&HostPattern>, host: Option<&HostPattern>) -> bool {
    match (route, host) {
        (None, _) => true,
        (Some(route), Some(HostPattern::Exact(host))) => route.matches(host),
        (Some(HostPattern::Under(domain)), Some(HostPattern::Under(below))) => {
            below == domain || below.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
        }
        (Some(_), None) | (Some(HostPattern::Exact(_)), Some(HostPattern::Under(_))) => false,
    }
}

/// Where a route's requests go.
fn destination(route: &Route, application: Option<&Application>) -> Result<Destination, Unwritable> {
    if let Some(reason) = what_only_we_do(route) {
        return Ok(Destination::Gateway(reason));
    }
    let servers: &[UpstreamServer] = match (&route.upstream, application) {
        (Upstream::Servers(servers), _) => servers,
        (_, Some(application)) => std::slice::from_ref(&application.server),
        (_, None) => {
            let (host, port) = UNKNOWN_APPLICATION;
            return Ok(Destination::Application { servers: vec![Address::Tcp { host: host.into(), port }], supposed: true });
        }
    };
    Ok(Destination::Application { servers: servers.iter().map(address).collect::<Result<_, _>>()?, supposed: false })
}

/// The same on the portal's host, where a route without an address leads to us.
fn destination_at_the_portal(route: &Route) -> Result<Destination, Unwritable> {
    if matches!(route.upstream, Upstream::None) { Ok(Destination::Gateway("the portal")) } else { destination(route, None) }
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
        (route.park_forms, "park_forms"),
    ];
    reasons.into_iter().find_map(|(asked, reason)| asked.then_some(reason))
}

/// A name of lower-case letters, digits and `_` like this text, that none had before. What the files name by themselves
/// begins with `portcullis`.
fn new_name(text: &str, names: &mut BTreeSet<String>) -> String {
    let plain: String = text.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect();
    let plain = plain.trim_matches('_').to_ascii_lowercase();
    let plain = if plain.starts_with("portcullis") { format!("host_{plain}") } else { plain };
    let mut name = plain.clone();
    for count in 2.. {
        if names.insert(name.clone()) {
            break;
        }
        name = format!("{plain}_{count}");
    }
    name
}
