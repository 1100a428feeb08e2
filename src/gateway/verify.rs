//! Forward-auth: a front proxy asks about each request whether it may pass. The decision is the proxy's own; here the
//! question is read, and the answer written as each front takes it.

mod front;

use super::decision::{Asked, Decision, Mode, Outcome, SignIn};
use super::exchange::Facts;
use super::{Gateway, Passage, redirect, request_id};
use crate::gateway::client::Peer;
use crate::identity::Identity;
use crate::portal::error_page::Fault;
use bytes::Bytes;
use front::Front;
pub use front::Question;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use pingora::proxy::Session as Exchange;
use std::sync::Arc;

impl Gateway {
    /// Answers a front proxy. Only proxies that are trusted are answered: anybody else could ask in the name of a client.
    pub(super) async fn verify(&self, exchange: &Exchange, passage: &mut Passage) -> Response<Bytes> {
        let fault = match self.verdict_for_front(exchange, passage).await {
            Ok(response) => return response,
            Err(fault) => fault,
        };
        passage.decision = match fault.status() {
            StatusCode::BAD_REQUEST => "bad_request",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            StatusCode::UNAUTHORIZED => "unauthorized",
            _ => "forbidden",
        };
        self.write_fault(exchange, passage, &fault)
    }

    async fn verdict_for_front(&self, exchange: &Exchange, passage: &mut Passage) -> Result<Response<Bytes>, Fault> {
        let (settings, request) = (&self.0.settings, exchange.req_header());
        let peer = Peer::of(exchange.client_addr());
        if !peer.is_trusted(&settings.server.trusted_proxies) {
            tracing::warn!(peer = %peer, "refused a question of a front proxy that server.trusted_proxies does not name");
            return Err(Fault::UntrustedProxy);
        }
        let question = Question::of(request, &settings.server.prefix).ok_or(Fault::NotFound)?;
        let front = question.front.ok_or(Fault::NotFound)?;
        let facts = Arc::new(question.original(front, request)?.facts(&request.headers, peer, settings)?);
        passage.request_id = request_id(exchange, &facts);
        passage.facts = Some(facts.clone());
        let route = self.route_told_of(&facts)?;
        let Decision { verdict, outcome, .. } =
            self.judge(Asked { facts: &facts, headers: &request.headers, route, mode: Mode::ForwardAuth }).await;
        passage.decision = verdict.name();
        match outcome {
            Outcome::Pass(pass) => Ok(self.yes(pass.identity.as_deref())),
            Outcome::SignIn(sign_in) => Ok(self.to_login(exchange, passage, front, sign_in)),
            Outcome::Refuse(fault) => Err(fault),
        }
    }

    /// The route of the request asked about. What we do not serve, the proxy would refuse with several statuses; fronts
    /// pass on only one.
    fn route_told_of(&self, facts: &Facts) -> Result<usize, Fault> {
        if !self.0.routes.knows(&facts.host) {
            return Err(Fault::NotServed("No route of the gateway is for this host."));
        }
        if !self.0.settings.server.methods.contains(&facts.method) {
            return Err(Fault::NotServed("The method is not among server.methods."));
        }
        self.0.routes.route_of(facts)?.ok_or(Fault::NotServed("No route of the gateway is for this path."))
    }

    /// Every identity header, empty where nothing is known: some fronts replace only what they are given, and would leave
    /// the client's own.
    fn yes(&self, identity: Option<&Identity>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.0.nobody.headers().chain(identity.into_iter().flat_map(Identity::headers)) {
            if let Ok(name) = HeaderName::from_bytes(name) {
                headers.insert(name, value.clone());
            }
        }
        response
    }

    /// Sends the browser to the login, in the way that the front passes on.
    fn to_login(&self, exchange: &Exchange, passage: &Passage, front: Front, sign_in: SignIn) -> Response<Bytes> {
        let SignIn { status, location, login_url } = sign_in;
        match front {
            Front::Haproxy | Front::Traefik | Front::Caddy | Front::Envoy => redirect(status, &location),
            Front::Nginx | Front::Skipper => {
                let fault = Fault::Unauthorized { login_url, in_frame: false };
                let mut response = self.write_fault(exchange, passage, &fault);
                if front == Front::Nginx
                    && let Ok(location) = HeaderValue::from_str(&location)
                {
                    response.headers_mut().insert(LOCATION, location);
                }
                response
            }
        }
    }

    fn write_fault(&self, exchange: &Exchange, passage: &Passage, fault: &Fault) -> Response<Bytes> {
        self.0.front_error_pages.render(fault, &exchange.req_header().headers, &passage.request_id)
    }
}
