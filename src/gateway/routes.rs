//! Where a request goes: to a page of our own, or to the servers of the route of its host and path.

use super::exchange::Facts;
use super::upstream::Pool;
use crate::config::{Route, Settings, Upstream};
use crate::host::Host;
use crate::metrics::{Metrics, UpstreamMeter};
use crate::portal::error_page::Fault;
use crate::routing::{Credentials, OwnPage, RoutingTable};
use http::header::ORIGIN;
use http::{HeaderMap, Method};
use std::net::SocketAddr;

/// The routes with their servers.
pub struct Routes {
    prefix: String,
    table: RoutingTable,
    /// By the index of the route.
    pools: Vec<Pool>,
    meters: Vec<UpstreamMeter>,
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

/// A page of our own, and where it is.
pub struct Own {
    /// Path to ask the portal for, where it is not the client's.
    pub path: Option<String>,
    /// What it needs.
    pub page: OwnPage,
}

impl Routes {
    /// The routes of `settings`; `sample` is where the built-in application listens.
    ///
    /// # Errors
    /// When an upstream's certificate files cannot be used.
    pub fn new(settings: &Settings, sample: Option<SocketAddr>, metrics: &Metrics) -> Result<Self, RoutesError> {
        let table = RoutingTable::new(settings);
        let pool = |route: &Route| Pool::new(route, &settings.server.timeouts, sample).map_err(RoutesError);
        let pools = table.routes().map(pool).collect::<Result<_, _>>()?;
        let meter = |route: &Route| metrics.upstream(&name(route)).map_err(|error| RoutesError(error.to_string()));
        let meters = table.routes().map(meter).collect::<Result<_, _>>()?;
        Ok(Self { prefix: settings.server.prefix.clone(), table, pools, meters })
    }

    /// The same, with the servers of `former` routes that are configured as before.
    #[must_use]
    pub fn keeping(self, former: &Self) -> Self {
        let known: Vec<&Pool> = former.pools.iter().collect();
        Self { pools: self.pools.into_iter().map(|pool| pool.keeping(&known)).collect(), ..self }
    }

    /// Where this request goes; its host must be known.
    ///
    /// # Errors
    /// The refusal where it goes nowhere.
    pub fn find(&self, facts: &Facts) -> Result<Way, Fault> {
        let path = facts.target.path();
        let route = self.route_of(facts)?;
        if let Some(page) = self.table.own_page(path) {
            return Ok(Way::Own(Own { path: None, page }));
        }
        match route {
            Some(index) if !self.pools[index].is_empty() => Ok(Way::Route(index)),
            None if path == b"/profile" && facts.method == Method::GET => {
                let page = OwnPage { credentials: Credentials::All, is_activity: true };
                Ok(Way::Own(Own { path: Some(format!("{}/profile", self.prefix)), page }))
            }
            None if path == b"/" && self.table.is_portal(&facts.host) => Ok(Way::Redirect(format!("{}/account", self.prefix))),
            _ => Err(Fault::NotFound),
        }
    }

    /// The index of the route of this request's host and path, whether it has servers or not.
    ///
    /// # Errors
    /// When the path holds an encoded slash that the route does not let through.
    pub fn route_of(&self, facts: &Facts) -> Result<Option<usize>, Fault> {
        let route = self.table.route_for(&facts.host, facts.target.path());
        if facts.target.has_encoded_slash() && !route.is_some_and(|index| self.route(index).encoded_slashes) {
            return Err(Fault::BadRequest("The path holds an encoded slash."));
        }
        Ok(route)
    }

    /// The route with this index.
    #[must_use]
    pub fn route(&self, index: usize) -> &Route {
        self.table.route(index)
    }

    /// The place in the configuration of the route with this index.
    #[must_use]
    pub fn written_at(&self, index: usize) -> usize {
        self.table.written_at(index)
    }

    /// The servers of the route with this index.
    #[must_use]
    pub fn pool(&self, index: usize) -> &Pool {
        &self.pools[index]
    }

    /// What is counted of the route with this index.
    #[must_use]
    pub fn meter(&self, index: usize) -> &UpstreamMeter {
        &self.meters[index]
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
        let listed = self.route(index).websocket_origins.iter().any(|listed| listed.eq_ignore_ascii_case(origin));
        if same_host || listed { Ok(()) } else { Err(Fault::ForeignOrigin) }
    }

    /// Whether anything is served under this host.
    #[must_use]
    pub fn knows(&self, host: &Host) -> bool {
        self.table.knows(host)
    }

    /// Whether the path is that of a page of our own.
    #[must_use]
    pub fn is_own_page(&self, facts: &Facts) -> bool {
        self.table.own_page(facts.target.path()).is_some()
    }
}

/// The name of a route in metrics: its host, where it has one, and its path.
fn name(route: &Route) -> String {
    let host = route.host.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{host}{}", route.path)
}

/// Whether a route leads to the built-in sample application.
#[must_use]
pub fn wants_sample(settings: &Settings) -> bool {
    settings.routes.iter().any(|route| matches!(route.upstream, Upstream::Sample))
}
