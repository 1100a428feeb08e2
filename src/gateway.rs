//! The gateway: the life of a request, one call per phase. Pingora carries the bytes; what is decided is decided in
//! `gate`, and what is sent on is written in `forward`.

mod access_log;
mod bridge;
mod client;
mod connection;
mod current;
mod decision;
mod exchange;
mod forward;
mod head;
mod identities;
mod joined;
mod parking;
mod passage;
mod routes;
mod session_watch;
mod tally;
mod trace;
mod upstream;
mod verify;

pub use client::Peer;
pub use connection::Connections;
pub use current::CurrentGateway;
pub use passage::Passage;
pub use routes::{Routes, RoutesError, wants_sample};
pub use verify::ExtAuthz;

use crate::app::App;
use crate::config::{ServerSettings, Settings};
use crate::gate::Gate;
use crate::identity::Identity;
use crate::metrics::{self, Metrics};
use crate::parked_forms::ParkedForms;
use crate::portal::cors::Cors;
use crate::portal::error_page::{ErrorPages, Fault};
use crate::portal::{Presence, Visit, headers};
use crate::routing::{Credentials, is_api};
use crate::telemetry::Telemetry;
use async_trait::async_trait;
use bytes::Bytes;
use decision::{Asked, Mode, Outcome};
use exchange::Facts;
use forward::{Forward, Strip, rewrite_response};
use http::header::STRICT_TRANSPORT_SECURITY;
use http::{HeaderMap, HeaderValue, Method, Response};
use identities::Identities;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, Session as Exchange};
use pingora::upstreams::peer::{HttpPeer, Peer as _};
use pingora::{Error, ErrorSource, ErrorType, Result};
use routes::{Own, Way};
use std::sync::Arc;
use trace::Trace;
pub use upstream::Pool;
use verify::Question;

/// What every request needs; made once for a configuration, shared by all connections.
#[derive(Clone)]
pub struct Gateway(Arc<Parts>);

struct Parts {
    settings: Arc<Settings>,
    gate: Gate,
    parked_forms: Arc<ParkedForms>,
    routes: Routes,
    portal: axum::Router,
    cors: Option<Cors>,
    error_pages: ErrorPages,
    /// For answers that a front proxy passes on.
    front_error_pages: ErrorPages,
    strip: Strip,
    identities: Identities,
    nobody: Identity,
    hsts: Option<HeaderValue>,
    allow: Option<HeaderValue>,
    telemetry: Telemetry,
    metrics: Arc<Metrics>,
}

impl Gateway {
    /// A gateway over the app's stores and settings, with `portal` for its own pages.
    #[must_use]
    pub fn new(app: &App, routes: Routes, portal: axum::Router, error_pages: ErrorPages) -> Self {
        let settings = app.settings.clone();
        let methods = settings.server.methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        Self(Arc::new(Parts {
            gate: Gate::new(app.sessions.clone(), app.bearers.clone(), app.cookie_key.clone(), app.clock.clone()),
            parked_forms: Arc::clone(&app.parked_forms),
            routes,
            portal,
            cors: Cors::of(&settings),
            front_error_pages: settings.portal.url.as_ref().map_or_else(|| error_pages.clone(), |url| error_pages.at(&url.origin())),
            error_pages,
            strip: Strip::new(settings.identity.reserved()),
            identities: Identities::new(settings.identity.clone(), Arc::clone(&app.assertions)),
            nobody: Identity::nobody(&settings.identity),
            hsts: headers::hsts(&settings),
            allow: HeaderValue::from_str(&methods).ok(),
            telemetry: app.telemetry.clone(),
            metrics: Arc::clone(&app.metrics),
            settings,
        }))
    }

    /// The routes and their servers, for the gateway that comes after this one.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.0.routes
    }

    /// What connections are served by.
    fn settings(&self) -> &ServerSettings {
        &self.0.settings.server
    }

    /// Whether this peer may ask in the name of clients.
    #[must_use]
    pub fn trusts(&self, peer: Peer) -> bool {
        peer.is_trusted(&self.settings().trusted_proxies)
    }

    /// The answer to what never became a request.
    fn refusal(&self, fault: &Fault, headers: &HeaderMap) -> Response<Bytes> {
        self.0.metrics.requests_total[(metrics::Mode::Proxy, metrics::Decision::refused_with(fault.status()))].inc();
        self.0.error_pages.render(fault, headers, &new_request_id())
    }

    /// Counts a connection as open until what is returned is dropped.
    fn connected(&self) -> metrics::OpenConnection {
        self.0.metrics.connection()
    }

    /// Decides on a request: it is answered here (`Err` where it is refused), or goes on.
    async fn decide(&self, exchange: &mut Exchange, passage: &mut Passage) -> Result<Option<Response<Bytes>>, Fault> {
        let parts = &self.0;
        if exchange::asks_server(exchange.req_header()) {
            return self.methods(exchange).map(Some);
        }
        let facts = Facts::establish(exchange, &parts.settings)?;
        passage.name(request_id(&exchange.req_header().headers, &facts));
        passage.upgrade = exchange::is_upgrade(&exchange.req_header().headers);
        passage.trace = Some(Trace::of(&exchange.req_header().headers, &facts, Mode::Proxy, &parts.telemetry));
        let facts = passage.facts.insert(Arc::new(facts)).clone();
        if !parts.routes.knows(&facts.host) {
            return Err(Fault::UnknownHost);
        }
        if let Some(location) = self.https_instead(exchange, &facts) {
            passage.decided(metrics::Decision::Redirect);
            return Ok(Some(redirect(308, &location)));
        }
        match parts.routes.find(&facts)? {
            Way::Own(own) => self.own_page(exchange, passage, &facts, own).await.map(Some),
            Way::Redirect(location) => {
                passage.decided(metrics::Decision::Redirect);
                Ok(Some(redirect(302, &location)))
            }
            Way::Route(route) => self.pass_on(exchange, passage, &facts, route).await,
        }
    }

    /// The methods let through, for whoever asks the server as a whole.
    fn methods(&self, exchange: &Exchange) -> Result<Response<Bytes>, Fault> {
        let (host, _) = exchange::host(exchange.req_header())?;
        if !self.0.settings.server.methods.contains(&Method::OPTIONS) {
            return Err(Fault::MethodNotAllowed);
        }
        if !self.0.routes.knows(&host) {
            return Err(Fault::UnknownHost);
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = http::StatusCode::NO_CONTENT;
        self.name_methods(&mut response);
        headers::protect(response.headers_mut());
        Ok(response)
    }

    fn name_methods(&self, response: &mut Response<Bytes>) {
        if let Some(allow) = &self.0.allow {
            response.headers_mut().insert(http::header::ALLOW, allow.clone());
        }
    }

    async fn own_page(&self, exchange: &mut Exchange, passage: &mut Passage, facts: &Facts, own: Own) -> Result<Response<Bytes>, Fault> {
        let parts = &self.0;
        passage.decision = "own";
        passage.traced(|trace| trace.is_for_us(&parts.settings.server.prefix));
        passage.tally.own_page();
        let headers = &exchange.req_header().headers;
        if let Some(preflight) = parts.cors.as_ref().and_then(|cors| cors.preflight(&facts.method, facts.target.path(), headers)) {
            return Ok(preflight);
        }
        let session = match own.page.credentials {
            Credentials::None => Presence::Nobody,
            Credentials::Cookie => self.visitor(headers, facts).await,
            Credentials::All => self.presence(headers, facts).await,
        };
        if own.page.is_activity {
            passage.activity = parts.gate.note_activity(&session);
        }
        let visit = Visit {
            https: facts.https,
            host: facts.host.clone(),
            authority: facts.authority.clone(),
            client: facts.client,
            request_id: passage.request_id.clone(),
            session,
            arrival: exchange::arrival(exchange, facts),
        };
        bridge::call(exchange, &parts.portal, visit, own.path.as_deref(), parts.settings.server.limits.own_body).await
    }

    /// Judges a request for an upstream. `None`: it goes on.
    async fn pass_on(
        &self,
        exchange: &mut Exchange,
        passage: &mut Passage,
        facts: &Facts,
        route: usize,
    ) -> Result<Option<Response<Bytes>>, Fault> {
        passage.route = Some(route);
        let decision = self.judge(Asked { facts, headers: &exchange.req_header().headers, route, mode: Mode::Proxy }).await;
        passage.names_methods = decision.names_methods;
        passage.decided(decision.counted());
        passage.traced(|trace| {
            trace.takes(self.0.routes.route(route));
            trace.decided(&decision.judged);
        });
        match decision.outcome {
            Outcome::Pass(pass) => {
                if let Some(hold) = pass.hold {
                    session_watch::go_on_with(hold)?;
                }
                passage.takes_authorization = pass.takes_authorization;
                passage.identity = pass.identity;
                passage.activity = pass.activity;
                passage.private = pass.private;
                Ok(None)
            }
            Outcome::SignIn(sign_in) if sign_in.status == 303 => {
                let parked = self.park(exchange, facts, route).await?;
                Ok(Some(parked.unwrap_or_else(|| redirect(sign_in.status, &sign_in.location))))
            }
            Outcome::SignIn(sign_in) => Ok(Some(redirect(sign_in.status, &sign_in.location))),
            Outcome::Refuse(fault) => Err(fault),
        }
    }

    /// Where plain HTTP is redirected to, if it is.
    fn https_instead(&self, exchange: &Exchange, facts: &Facts) -> Option<String> {
        let tls = self.0.settings.server.tls.as_ref().filter(|tls| tls.redirect_http)?;
        if exchange::is_tls(exchange) || facts.behind_proxy {
            return None;
        }
        let port = tls.listen.iter().find_map(|address| match address {
            crate::config::ListenAddress::Tcp(address) => Some(address.port()),
            crate::config::ListenAddress::Unix(_) => None,
        });
        let port = port.filter(|port| !matches!(port, 0 | 443)).map(|port| format!(":{port}")).unwrap_or_default();
        Some(format!("https://{}{port}{}", facts.host, facts.target.as_str()))
    }

    async fn refuse(&self, exchange: &mut Exchange, passage: &Passage, fault: &Fault) -> Result<()> {
        // The API speaks JSON whatever is asked for.
        let is_for_program = is_api(asked_path(exchange, passage), &self.0.settings.server.prefix);
        let headers = if is_for_program { &HeaderMap::new() } else { &exchange.req_header().headers };
        let mut response = self.0.error_pages.render(fault, headers, &passage.request_id);
        if *fault == Fault::MethodNotAllowed {
            self.name_methods(&mut response);
        }
        self.answer(exchange, passage, response).await
    }

    /// Writes an answer of our own.
    async fn answer(&self, exchange: &mut Exchange, passage: &Passage, mut response: Response<Bytes>) -> Result<()> {
        if let Some(hsts) = self.hsts(passage) {
            response.headers_mut().entry(STRICT_TRANSPORT_SECURITY).or_insert_with(|| hsts.clone());
        }
        if let Some(cors) = &self.0.cors {
            cors.tell(asked_path(exchange, passage), &exchange.req_header().headers, response.headers_mut());
        }
        exchange::write(exchange, response).await
    }

    /// `Strict-Transport-Security`, where the request came over TLS.
    fn hsts(&self, passage: &Passage) -> Option<&HeaderValue> {
        self.0.hsts.as_ref().filter(|_| passage.facts.as_ref().is_some_and(|facts| facts.https))
    }
}

#[async_trait]
impl ProxyHttp for CurrentGateway {
    type CTX = Passage;

    fn new_ctx(&self) -> Passage {
        self.of_this_exchange().passage()
    }

    /// Pingora's own modules (compression) are not wanted: what an upstream sends is passed on as it is.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    /// Phase 1: decide. `true` when the request was answered here.
    async fn request_filter(&self, exchange: &mut Exchange, passage: &mut Passage) -> Result<bool> {
        let gateway = passage.gateway.clone();
        let idle = gateway.settings().timeouts.idle;
        exchange.set_read_timeout(Some(idle));
        exchange.set_write_timeout(Some(idle));
        exchange.set_total_drain_timeout(Some(exchange::LINGER));
        if Question::of(exchange.req_header(), &gateway.settings().prefix).is_some() {
            let response = gateway.verify(exchange, passage).await;
            return exchange::write(exchange, response).await.map(|()| true);
        }
        match gateway.decide(exchange, passage).await {
            Ok(Some(response)) => gateway.answer(exchange, passage, response).await.map(|()| true),
            Ok(None) => {
                if passage.upgrade {
                    // An open WebSocket may be silent for as long as it likes.
                    exchange.set_read_timeout(None);
                    exchange.set_write_timeout(None);
                }
                Ok(false)
            }
            Err(fault) => {
                passage.decided(metrics::Decision::refused_with(fault.status()));
                if fault.is_malformed_request() {
                    exchange.set_keepalive(None);
                }
                if passage.request_id.is_empty() {
                    passage.name(new_request_id());
                }
                gateway.refuse(exchange, passage, &fault).await.map(|()| true)
            }
        }
    }

    /// Phase 2: choose a server.
    async fn upstream_peer(&self, _exchange: &mut Exchange, passage: &mut Passage) -> Result<Box<HttpPeer>> {
        let gateway = passage.gateway.clone();
        let pool = passage.route.map(|route| gateway.0.routes.pool(route));
        let Some(server) = pool.and_then(|pool| pool.pick(&passage.tried)) else {
            return Error::e_explain(ErrorType::ConnectError, "no server is left to try");
        };
        passage.server = Some(server.clone());
        passage.tried.push(server.clone());
        match server.peer(passage.upgrade).await {
            Ok(peer) => Ok(peer),
            Err(reason) => {
                server.eject();
                let mut error = Error::explain(ErrorType::ConnectError, reason);
                error.set_retry(pool.is_some_and(|pool| passage.tried.len() < pool.addresses()));
                error.as_up();
                Err(error)
            }
        }
    }

    /// Phase 2, when the server refused: another address, while there is one; nothing was sent yet.
    fn fail_to_connect(&self, _exchange: &mut Exchange, peer: &HttpPeer, passage: &mut Passage, mut error: Box<Error>) -> Box<Error> {
        if let Some(server) = &passage.server {
            peer.address().as_inet().map_or_else(|| server.eject(), |address| server.refused_at(*address));
        }
        let addresses = passage.route.map_or(0, |route| passage.gateway.0.routes.pool(route).addresses());
        error.set_retry(passage.tried.len() < addresses);
        error
    }

    /// Phase 3: write what is sent on. Pingora has dropped by now what `Connection` nominates, so what is written here
    /// arrives (CVE-2026-105299).
    async fn upstream_request_filter(&self, _exchange: &mut Exchange, request: &mut RequestHeader, passage: &mut Passage) -> Result<()> {
        let gateway = &passage.gateway;
        let (Some(facts), Some(route), Some(server), Some(trace)) = (&passage.facts, passage.route, &passage.server, &mut passage.trace)
        else {
            return Error::e_explain(ErrorType::InternalError, "a request was forwarded undecided");
        };
        let forward = Forward {
            facts,
            route: gateway.0.routes.route(route),
            identity: passage.identity.as_ref(),
            names_methods: passage.names_methods,
            takes_authorization: passage.takes_authorization,
            request_id: &passage.request_id,
            traceparent: trace.ask(server),
            trace_was_told: trace.was_told(),
            server,
        };
        forward.apply(request, &gateway.0.strip)
    }

    /// Phase 3, body: a size that was not declared is counted, and what comes over a WebSocket is activity.
    async fn request_body_filter(
        &self,
        _exchange: &mut Exchange,
        body: &mut Option<Bytes>,
        _end: bool,
        passage: &mut Passage,
    ) -> Result<()> {
        let length = body.as_ref().map_or(0, |chunk| chunk.len() as u64);
        passage.body += length;
        if let Some(activity) = passage.activity.as_mut().filter(|_| passage.upgrade && length > 0) {
            passage.gateway.0.gate.go_on(activity);
        }
        if !passage.upgrade && passage.body > passage.gateway.settings().limits.proxied_body {
            return Error::e_explain(ErrorType::HTTPStatus(413), "the body is larger than server.limits.proxied_body");
        }
        Ok(())
    }

    /// Phase 4: rewrite the answer.
    async fn response_filter(&self, exchange: &mut Exchange, response: &mut ResponseHeader, passage: &mut Passage) -> Result<()> {
        exchange::speak_the_clients_version(exchange, response);
        let Some(route) = passage.route else { return Ok(()) };
        passage.traced(|trace| trace.answers(response.status.as_u16()));
        let gateway = passage.gateway.clone();
        passage.tally.answered(gateway.0.routes.meter(route), response.status);
        rewrite_response(response, gateway.0.routes.route(route), passage.private, gateway.hsts(passage))
    }

    /// A request that may have reached the server is sent again only if that cannot matter.
    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        exchange: &mut Exchange,
        mut error: Box<Error>,
        _passage: &mut Passage,
        reused: bool,
    ) -> Box<Error> {
        let again = exchange.req_header().method.is_idempotent() && !exchange.as_ref().retry_buffer_truncated();
        error.retry.decide_reuse(reused && again);
        if !again {
            error.set_retry(false);
        }
        error
    }

    /// Phase 4, when there is no answer: one of ours.
    async fn fail_to_proxy(&self, exchange: &mut Exchange, error: &Error, passage: &mut Passage) -> FailToProxy {
        let gateway = passage.gateway.clone();
        let code = match fault_of(error) {
            Some(fault) if exchange.response_written().is_none() => {
                exchange.set_keepalive(None);
                let code = fault.status().as_u16();
                if gateway.refuse(exchange, passage, &fault).await.is_err() { 0 } else { code }
            }
            _ => 0,
        };
        FailToProxy { error_code: code, can_reuse_downstream: false }
    }

    /// Pingora's own line would hold the whole URL with its query; ours is written in `logging`.
    fn suppress_error_log(&self, _exchange: &Exchange, _passage: &Passage, _error: &Error) -> bool {
        true
    }

    fn request_summary(&self, _exchange: &Exchange, passage: &Passage) -> String {
        passage.request_id.clone()
    }

    /// Phase 5: log.
    async fn logging(&self, exchange: &mut Exchange, error: Option<&Error>, passage: &mut Passage) {
        if let Some(error) = error.filter(|error| *error.esource() != ErrorSource::Downstream) {
            tracing::warn!(event = "upstream_failed", error = %error.etype().as_str(), context = error.context.as_ref().map(pingora::ImmutStr::as_str), "upstream failed");
            let is_upstreams = fault_of(error).is_some_and(|fault| fault.is_upstreams());
            if let Some(route) = passage.route.filter(|_| is_upstreams) {
                passage.tally.unanswered(passage.gateway.0.routes.meter(route));
            }
        }
        access_log::write(exchange, passage);
        passage.end_trace(exchange.response_written().map(|response| response.status.as_u16()));
    }
}

/// The one place that maps Pingora's errors to answers; `None` when nobody is there to be answered.
fn fault_of(error: &Error) -> Option<Fault> {
    use ErrorType::{ConnectTimedout, HTTPStatus, InvalidHTTPHeader, ReadTimedout, TLSHandshakeTimedout, WriteTimedout};
    let timed_out = matches!(error.etype(), ConnectTimedout | ReadTimedout | TLSHandshakeTimedout | WriteTimedout);
    match (error.etype(), error.esource()) {
        (HTTPStatus(413), _) => Some(Fault::PayloadTooLarge),
        (HTTPStatus(400..=499), _) => Some(Fault::BadRequest("The request cannot be forwarded as it is.")),
        (InvalidHTTPHeader, ErrorSource::Downstream) => Some(Fault::BadRequest("The request's headers cannot be forwarded.")),
        (_, ErrorSource::Downstream) if timed_out => Some(Fault::RequestTimeout),
        (_, ErrorSource::Downstream) => None,
        _ if timed_out => Some(Fault::GatewayTimeout),
        (ErrorType::InternalError, ErrorSource::Internal) => Some(Fault::Internal),
        _ => Some(Fault::BadGateway),
    }
}

/// The path, normalised, or as it was sent where it was not understood.
fn asked_path<'a>(exchange: &'a Exchange, passage: &'a Passage) -> &'a [u8] {
    let raw = exchange.req_header().raw_path();
    let sent = || raw.split(|byte| *byte == b'?').next().unwrap_or_default();
    passage.facts.as_ref().map_or_else(sent, |facts| facts.target.path())
}

/// A trusted proxy's `X-Request-Id` if it is a plain word, else a new one.
fn request_id(headers: &HeaderMap, facts: &Facts) -> String {
    let plain =
        |text: &&str| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok()).filter(plain);
    given.filter(|_| facts.behind_proxy).map_or_else(new_request_id, str::to_owned)
}

fn new_request_id() -> String {
    format!("{:032x}", u128::from_be_bytes(crate::entropy::unique_bytes()))
}

fn redirect(status: u16, location: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::FOUND);
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(http::header::LOCATION, location);
    }
    headers::protect(response.headers_mut());
    response
}
