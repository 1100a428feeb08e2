//! Which hosts are served, which paths are pages of our own, and which route takes the rest. Pure: where the routes
//! lead to is known in `gateway/routes.rs`.

use crate::config::{MailTransport, Route, Settings};
use crate::host::{Host, HostPattern};
use crate::policy::is_at_or_below;
use crate::portal::DEMO_MAIL;

/// The routes in the order in which they are tried.
pub struct RoutingTable {
    prefix: String,
    portal_host: Option<Host>,
    local_hosts_only: Option<Vec<Host>>,
    catches_mail: bool,
    routes: Vec<Numbered>,
}

/// A route and its place in the configuration.
struct Numbered {
    written_at: usize,
    route: Route,
}

/// A page of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnPage {
    /// What of a request says who asks.
    pub credentials: Credentials,
    /// Whether asking for it keeps a session alive.
    pub is_activity: bool,
}

/// What of a request to a page of our own says who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing: all are answered alike.
    None,
    /// The session cookie alone: it is a page for browsers.
    Cookie,
    /// A token, too.
    All,
}

impl RoutingTable {
    /// The routes of these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let numbered = |(written_at, route): (usize, &Route)| Numbered { written_at, route: route.clone() };
        let mut routes: Vec<_> = settings.routes.iter().enumerate().map(numbered).collect();
        routes.sort_by_key(|numbered| std::cmp::Reverse(specificity(&numbered.route)));
        Self {
            prefix: settings.server.prefix.clone(),
            portal_host: settings.portal.url.as_ref().map(|url| url.host.clone()),
            local_hosts_only: settings.local_hosts_only.clone(),
            catches_mail: matches!(settings.email.transport, Some(MailTransport::Catcher)),
            routes,
        }
    }

    /// Whether anything is served under this host.
    #[must_use]
    pub fn knows(&self, host: &Host) -> bool {
        if let Some(also) = &self.local_hosts_only {
            return host.is_local_or_literal() || also.contains(host);
        }
        self.is_portal(host) || self.routes.iter().any(|numbered| serves_host(&numbered.route, host))
    }

    /// Whether it is the host of `portal.url`.
    #[must_use]
    pub fn is_portal(&self, host: &Host) -> bool {
        self.portal_host.as_ref() == Some(host)
    }

    /// The index of the route for a host and a normalised path.
    #[must_use]
    pub fn route_for(&self, host: &Host, path: &[u8]) -> Option<usize> {
        self.routes.iter().position(|Numbered { route, .. }| serves_host(route, host) && is_at_or_below(path, route.path.as_bytes()))
    }

    /// The route with this index.
    #[must_use]
    pub fn route(&self, index: usize) -> &Route {
        &self.routes[index].route
    }

    /// The place in the configuration of the route with this index.
    #[must_use]
    pub fn written_at(&self, index: usize) -> usize {
        self.routes[index].written_at
    }

    /// All routes, in the order of their indices.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(|numbered| &numbered.route)
    }

    /// The page of ours at this normalised path, on every host.
    #[must_use]
    pub fn own_page(&self, path: &[u8]) -> Option<OwnPage> {
        let page = |credentials, is_activity| Some(OwnPage { credentials, is_activity });
        if let Some(below) = path.strip_prefix(self.prefix.as_bytes()).filter(|rest| rest.is_empty() || rest.starts_with(b"/")) {
            return match below {
                _ if below.starts_with(b"/assets/") => page(Credentials::None, false),
                b"/session" => page(Credentials::Cookie, false),
                b"/profile" => page(Credentials::All, true),
                _ => page(Credentials::Cookie, true),
            };
        }
        if is_api(path, &self.prefix) {
            return page(Credentials::None, false);
        }
        if self.catches_mail && path == DEMO_MAIL.as_bytes() {
            return page(Credentials::None, false);
        }
        let well_known: [&[u8]; 3] = [b"/.well-known/change-password", b"/.well-known/passkey-endpoints", b"/.well-known/jwks.json"];
        if well_known.contains(&path) { page(Credentials::None, false) } else { None }
    }
}

/// Whether a normalised path is the API's.
#[must_use]
pub fn is_api(path: &[u8], prefix: &str) -> bool {
    path.strip_prefix(b"/api").is_some_and(|rest| is_at_or_below(rest, prefix.as_bytes()))
}

fn serves_host(route: &Route, host: &Host) -> bool {
    route.host.as_ref().is_none_or(|pattern| pattern.matches(host))
}

/// Exact hosts before wildcards (longer ones first) before any host; then longer paths first.
fn specificity(route: &Route) -> (u8, usize, usize) {
    match &route.host {
        Some(HostPattern::Exact(_)) => (2, 0, route.path.len()),
        Some(HostPattern::Under(domain)) => (1, domain.len(), route.path.len()),
        None => (0, 0, route.path.len()),
    }
}
