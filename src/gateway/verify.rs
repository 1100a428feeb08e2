//! Forward-auth: a front proxy asks about each request whether it may pass. The decision is the proxy's own; here the
//! question is read, and the answer written as each front takes it.

mod ext_authz;
mod front;

use super::client::Peer;
use super::decision::{Asked, Mode, Outcome, SignIn};
use super::exchange::Facts;
use super::identities::Introduction;
use super::trace::Trace;
use super::{Gateway, Passage, new_request_id, redirect, request_id};
use crate::metrics;
use crate::policy::is_at_or_below;
use crate::portal::error_page::Fault;
use bytes::Bytes;
pub use ext_authz::ExtAuthz;
use front::Front;
pub use front::Question;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use pingora::proxy::Session as Exchange;
use std::sync::Arc;

/// A request that a front proxy told of.
struct Told<'a> {
    front: Front,
    facts: &'a Facts,
    headers: &'a HeaderMap,
    request_id: &'a str,
}

/// What a front proxy is answered.
struct Answered {
    response: Response<Bytes>,
    decision: metrics::Decision,
    names_methods: bool,
    takes_authorization: bool,
}

impl Gateway {
    /// Answers a front proxy that asks over HTTP.
    pub(super) async fn verify(&self, exchange: &Exchange, passage: &mut Passage) -> Response<Bytes> {
        let headers = &exchange.req_header().headers;
        passage.name(new_request_id());
        match self.read_question(exchange) {
            Ok((front, facts)) => {
                let trace = Trace::of(headers, &facts, Mode::ForwardAuth, &self.0.telemetry);
                self.answer_question(front, facts, headers, passage.with(trace)).await
            }
            Err(fault) => self.refuse_question(&fault, headers, passage),
        }
        .response
    }

    /// Answers a question that could be read; the passage has its trace.
    async fn answer_question(&self, front: Front, facts: Facts, headers: &HeaderMap, passage: &mut Passage) -> Answered {
        passage.name(request_id(headers, &facts));
        let facts = passage.facts.insert(Arc::new(facts)).clone();
        let told = Told { front, facts: &facts, headers, request_id: &passage.request_id.clone() };
        let answered = self.answer_front(&told, passage).await;
        passage.answered_front(answered.decision);
        answered
    }

    /// Answers a question that could not be read.
    fn refuse_question(&self, fault: &Fault, headers: &HeaderMap, passage: &mut Passage) -> Answered {
        let answered = self.refuse_front(fault, headers, &passage.request_id);
        passage.answered_front(answered.decision);
        answered
    }

    /// Only proxies that are trusted are answered: anybody else could ask in the name of a client.
    fn read_question(&self, exchange: &Exchange) -> Result<(Front, Facts), Fault> {
        let (settings, request) = (&self.0.settings, exchange.req_header());
        let peer = Peer::of(exchange.client_addr());
        if !peer.is_trusted(&settings.server.trusted_proxies) {
            tracing::warn!(event = "peer_untrusted", %peer, "refused the question of a proxy that is not in server.trusted_proxies");
            return Err(Fault::UntrustedProxy);
        }
        let question = Question::of(request, &settings.server.prefix).ok_or(Fault::NotFound)?;
        let front = question.front.ok_or(Fault::NotFound)?;
        let facts = question.original(front, request)?.facts(&request.headers, peer, settings)?;
        Ok((front, facts))
    }

    async fn answer_front(&self, told: &Told<'_>, passage: &mut Passage) -> Answered {
        let route = match self.route_told_of(told.facts) {
            Ok(route) => route,
            Err(fault) => return self.refuse_front(&fault, told.headers, told.request_id),
        };
        let asked = Asked { facts: told.facts, headers: told.headers, route, mode: Mode::ForwardAuth };
        let decision = self.judge(asked).await;
        passage.traced(|trace| {
            trace.takes(self.0.routes.route(route));
            trace.decided(&decision.judged);
        });
        let as_it_stands = decision.counted();
        let mut takes_authorization = false;
        let response = match decision.outcome {
            Outcome::Pass(pass) => {
                takes_authorization = pass.takes_authorization;
                self.yes(pass.identity.as_ref())
            }
            Outcome::SignIn(sign_in) => self.to_login(told, sign_in),
            Outcome::Refuse(fault) => self.refuse_front(&fault, told.headers, told.request_id).response,
        };
        // Not every front proxy is told of a redirect by one.
        let decision_told = match response.status() {
            status if status.is_success() || status.is_redirection() => as_it_stands,
            status => metrics::Decision::refused_with(status),
        };
        Answered { response, decision: decision_told, names_methods: decision.names_methods, takes_authorization }
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
        if self.is_for_fronts(facts) {
            return Err(Fault::NotServed("This address is for the proxy in front, not for its clients."));
        }
        self.0.routes.route_of(facts)?.ok_or(Fault::NotServed("No route of the gateway is for this path."))
    }

    /// Whether a client asks for what only its front proxy may ask for. Handed to us, it would come from a trusted peer.
    fn is_for_fronts(&self, facts: &Facts) -> bool {
        let below = facts.target.path().strip_prefix(self.0.settings.server.prefix.as_bytes());
        below.is_some_and(|below| is_at_or_below(below, b"/verify"))
    }

    /// Every identity header, empty where nothing is known: some fronts replace only what they are given, and would leave
    /// the client's own.
    fn yes(&self, identity: Option<&Introduction>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.0.nobody.headers().chain(identity.into_iter().flat_map(Introduction::headers)) {
            if let Ok(name) = HeaderName::from_bytes(name) {
                headers.insert(name, value.clone());
            }
        }
        response
    }

    /// Sends the browser to the login, in the way that the front passes on.
    fn to_login(&self, told: &Told<'_>, sign_in: SignIn) -> Response<Bytes> {
        let SignIn { status, location, login_url } = sign_in;
        match told.front {
            Front::Haproxy | Front::Traefik | Front::Caddy | Front::Envoy => redirect(status, &location),
            Front::Nginx | Front::Skipper => {
                let fault = Fault::Unauthorized { login_url, in_frame: false };
                let mut response = self.refuse_front(&fault, told.headers, told.request_id).response;
                if told.front == Front::Nginx
                    && let Ok(location) = HeaderValue::from_str(&location)
                {
                    response.headers_mut().insert(LOCATION, location);
                    // nginx reads no body of an answer to `auth_request`; with the address it would pass 4 KiB.
                    response.headers_mut().remove(CONTENT_TYPE);
                    *response.body_mut() = Bytes::new();
                }
                response
            }
        }
    }

    fn refuse_front(&self, fault: &Fault, headers: &HeaderMap, request_id: &str) -> Answered {
        let decision = metrics::Decision::refused_with(fault.status());
        let response = self.0.front_error_pages.render(fault, headers, request_id);
        Answered { response, decision, names_methods: false, takes_authorization: false }
    }
}
