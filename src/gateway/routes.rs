//! Where a request goes: to a page of our own, or to the route of its host and path.

use super::exchange::Facts;
use super::upstream::Pool;
use crate::config::{MailTransport, Route, Settings, Upstream};
use crate::host::{Host, HostPattern};
use crate::policy::is_at_or_below;
use crate::portal::DEMO_MAIL;
use crate::portal::error_page::Fault;
use http::header::ORIGIN;
use http::{HeaderMap, Method};
use std::net::SocketAddr;

/// The routes in the order in which they are tried, with their servers.
pub struct Routes {
    prefix: String,
    portal_host: Option<Host>,
    local_hosts_only: Option<Vec<Host>>,
    catches_mail: bool,
    routes: Vec<(Route, Pool)>,
}

/// Why the routes cannot be used: one sentence.
#[derive(Debug)]
pub struct RoutesError(pub String);

/// Where a request goes.
pub enum Way {
    /// To a page of our own.
    Own(Own),
    /// Elsewhere on this host.
    Redirect(String),
    /// To the route with this index.
    Route(usize),
}

/// A page of our own.
pub struct Own {
    /// Path to ask the portal for, where it is not the client's.
    pub path: Option<String>,
    /// Whether it matters who is signed in.
    pub needs_session: bool,
    /// Whether asking for it keeps a session alive.
    pub is_activity: bool,
}

impl Routes {
    /// The routes of `settings`; `sample` is where the built-in application listens.
    ///
    /// # Errors
    /// When an upstream's certificate files cannot be used.
    pub fn new(settings: &Settings, sample: Option<SocketAddr>) -> Result<Self, RoutesError> {
        let mut routes = Vec::with_capacity(settings.routes.len());
        for route in &settings.routes {
            routes.push((route.clone(), Pool::new(route, &settings.server.timeouts, sample).map_err(RoutesError)?));
        }
        routes.sort_by_key(|(route, _)| std::cmp::Reverse(specificity(route)));
        Ok(Self {
            prefix: settings.server.prefix.clone(),
            portal_host: settings.portal.url.as_ref().map(|url| url.host.clone()),
            local_hosts_only: settings.local_hosts_only.clone(),
            catches_mail: matches!(settings.email.transport, Some(MailTransport::Catcher)),
            routes,
        })
    }

    /// Where this request goes; its host must be known.
    ///
    /// # Errors
    /// The refusal where it goes nowhere.
    pub fn find(&self, facts: &Facts) -> Result<Way, Fault> {
        let route = self.route_for(facts);
        if facts.target.has_encoded_slash() && !route.is_some_and(|index| self.routes[index].0.encoded_slashes) {
            return Err(Fault::BadRequest("The path holds an encoded slash."));
        }
        if let Some(own) = self.own(facts) {
            return Ok(Way::Own(own));
        }
        match route {
            Some(index) if !self.routes[index].1.is_empty() => Ok(Way::Route(index)),
            None if facts.target.path() == b"/profile" && facts.method == Method::GET => {
                Ok(Way::Own(Own { path: Some(format!("{}/profile", self.prefix)), needs_session: true, is_activity: true }))
            }
            None if facts.target.path() == b"/" && self.portal_host.as_ref() == Some(&facts.host) => {
                Ok(Way::Redirect(format!("{}/account", self.prefix)))
            }
            _ => Err(Fault::NotFound),
        }
    }

    /// The route with this index.
    #[must_use]
    pub fn route(&self, index: usize) -> &Route {
        &self.routes[index].0
    }

    /// The servers of the route with this index.
    #[must_use]
    pub fn pool(&self, index: usize) -> &Pool {
        &self.routes[index].1
    }

    /// A WebSocket is open to pages of the same host, and of origins that the route lists (cross-site WebSocket
    /// hijacking: browsers send cookies with a handshake from anywhere). Clients that are no browsers send no `Origin`.
    ///
    /// # Errors
    /// When the page's origin may not.
    pub fn check_websocket_origin(&self, index: usize, headers: &HeaderMap, facts: &Facts) -> Result<(), Fault> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return Ok(()) };
        if origins.next().is_some() {
            return Err(Fault::ForeignOrigin);
        }
        let origin = origin.to_str().unwrap_or_default();
        let same_host = origin
            .split_once("://")
            .and_then(|(_, authority)| Host::parse_authority(authority))
            .is_some_and(|(host, _)| host == facts.host);
        let listed = self.routes[index].0.websocket_origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin));
        if same_host || listed { Ok(()) } else { Err(Fault::ForeignOrigin) }
    }

    /// Whether anything is served under this host.
    #[must_use]
    pub fn knows(&self, host: &Host) -> bool {
        if let Some(also) = &self.local_hosts_only {
            return host.is_local_or_literal() || also.contains(host);
        }
        self.portal_host.as_ref() == Some(host) || self.routes.iter().any(|(route, _)| matches(route.host.as_ref(), host))
    }

    fn route_for(&self, facts: &Facts) -> Option<usize> {
        let serves =
            |route: &Route| matches(route.host.as_ref(), &facts.host) && is_at_or_below(facts.target.path(), route.path.as_bytes());
        self.routes.iter().position(|(route, _)| serves(route))
    }

    fn own(&self, facts: &Facts) -> Option<Own> {
        let path = facts.target.path();
        let page = |needs_session, is_activity| Some(Own { path: None, needs_session, is_activity });
        if let Some(below) = path.strip_prefix(self.prefix.as_bytes()).filter(|rest| rest.is_empty() || rest.starts_with(b"/")) {
            let asset = below.starts_with(b"/assets/");
            return page(!asset, !asset && below != b"/session");
        }
        if path.strip_prefix(b"/api").is_some_and(|rest| is_at_or_below(rest, self.prefix.as_bytes())) {
            return page(false, false);
        }
        if self.catches_mail && path == DEMO_MAIL.as_bytes() {
            return page(false, false);
        }
        let well_known: [&[u8]; 3] = [b"/.well-known/change-password", b"/.well-known/passkey-endpoints", b"/.well-known/jwks.json"];
        if well_known.contains(&path) { page(false, false) } else { None }
    }
}

fn matches(pattern: Option<&HostPattern>, host: &Host) -> bool {
    pattern.is_none_or(|pattern| pattern.matches(host))
}

/// Exact hosts before wildcards (longer ones first) before any host; then longer paths first.
fn specificity(route: &Route) -> (u8, usize, usize) {
    match &route.host {
        Some(HostPattern::Exact(_)) => (2, 0, route.path.len()),
        Some(HostPattern::Under(domain)) => (1, domain.len(), route.path.len()),
        None => (0, 0, route.path.len()),
    }
}

/// Whether a route leads to the built-in sample application.
#[must_use]
pub fn wants_sample(settings: &Settings) -> bool {
    settings.routes.iter().any(|route| matches!(route.upstream, Upstream::Sample))
}
