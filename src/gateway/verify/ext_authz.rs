//! Envoy's own protocol, `ext_authz` v3 over gRPC: the same question and answer as over HTTP. What Envoy lets an answer do
//! beyond that is used to guard the application as the proxy does: forged headers, our cookies and our tokens are taken away.

use super::Answered;
use super::front::{Front, Original};
use crate::address::{Address, Scheme};
use crate::gateway::client::Peer;
use crate::gateway::decision::Mode;
use crate::gateway::exchange::{self, Facts};
use crate::gateway::forward::without_own_cookies;
use crate::gateway::trace::Trace;
use crate::gateway::{CurrentGateway, Gateway, access_log, new_request_id};
use crate::logging::request;
use crate::portal::error_page::Fault;
use bytes::Bytes;
use envoy_types::ext_authz::v3::pb::{
    Address as EnvoyAddress, Authorization, CheckRequest, CheckResponse, DeniedHttpResponse, HeaderAppendAction, HeaderValue as Header,
    HeaderValueOption, HttpResponse, HttpStatus, OkHttpResponse,
};
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::google::rpc;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tonic::{Code, Request, Response, Status};

/// Answers Envoy. Who may connect is decided where connections are accepted; whoever has connected must still be trusted when
/// it asks.
pub struct ExtAuthz(CurrentGateway);

/// The answering of one question.
struct Answering(Gateway);

impl ExtAuthz {
    /// Over the decisions of the gateway in force.
    #[must_use]
    pub fn new(gateway: CurrentGateway) -> Self {
        Self(gateway)
    }
}

#[tonic::async_trait]
impl Authorization for ExtAuthz {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let gateway = self.0.get();
        if !gateway.trusts(Peer::at(request.remote_addr().map(|peer| peer.ip()))) {
            return Err(Status::permission_denied("this peer is not in server.trusted_proxies"));
        }
        let (own_headers, _, asked) = request.into_parts();
        let asked = asked.attributes.unwrap_or_default();
        let peer = asked.source.and_then(|peer| peer.address).and_then(|address| address.address).and_then(|address| match address {
            EnvoyAddress::SocketAddress(socket) => socket.address.parse().ok(),
            EnvoyAddress::Pipe(_) | EnvoyAddress::EnvoyInternalAddress(_) => None,
        });
        let http = asked.request.and_then(|request| request.http).unwrap_or_default();
        let own_headers = own_headers.into_headers();
        Ok(Response::new(request::scope(Answering(gateway).answer(&http, Peer::at(peer), &own_headers)).await))
    }
}

impl Answering {
    /// Answers about this request. Where Envoy traces, `own_headers`, those of its question itself, tell of its own span.
    async fn answer(&self, http: &HttpRequest, peer: Peer, own_headers: &HeaderMap) -> CheckResponse {
        let headers = headers_of(http);
        let mut passage = self.0.passage();
        passage.name(new_request_id());
        let answered = match self.read(http, &headers, peer) {
            Ok(facts) => {
                let tracing = if own_headers.contains_key("traceparent") { own_headers } else { &headers };
                let trace = Trace::of(tracing, &facts, Mode::ForwardAuth, &self.0.0.telemetry);
                self.0.answer_question(Front::Envoy, facts, &headers, passage.with(trace)).await
            }
            Err(fault) => self.0.refuse_question(&fault, &headers, &mut passage),
        };
        let status = answered.response.status();
        access_log::write_asked(&mut passage, status.as_u16());
        passage.end_trace(Some(status.as_u16()));
        if status == StatusCode::OK { self.allowed(&answered, &headers) } else { denied(answered.response) }
    }

    /// The facts of the request. Envoy itself says who its peer is; what the request says of clients further away is
    /// believed only where that peer is a trusted proxy, too.
    fn read(&self, http: &HttpRequest, headers: &HeaderMap, peer: Peer) -> Result<Facts, Fault> {
        let settings = &self.0.0.settings;
        exchange::check_credentials(headers)?;
        let method = Method::from_bytes(http.method.as_bytes()).map_err(|_| Fault::BadRequest("The request has no usable method."))?;
        let scheme = Scheme::parse(http.scheme.as_bytes()).ok_or(Fault::BadRequest("The request has no usable scheme."))?;
        let address = Address::from_parts(scheme, http.host.as_bytes(), http.path.as_bytes()).map_err(Fault::BadRequest)?;
        let client = peer.client(headers, &settings.server.trusted_proxies);
        let client = client.ok_or(Fault::BadRequest("Envoy does not say who its client is."))?;
        Ok(Original { method, address }.facts_with(client, headers, peer, settings))
    }

    /// The identity headers, and what must not reach the application.
    fn allowed(&self, answered: &Answered, asked: &HeaderMap) -> CheckResponse {
        let written = answered.response.headers();
        let identity = written.iter().filter(|(name, _)| **name != http::header::CACHE_CONTROL);
        let mut headers: Vec<_> = identity.map(|(name, value)| overwrite(name, value)).collect();
        let mut headers_to_remove: Vec<String> = asked
            .keys()
            .filter(|name| !written.contains_key(*name) && self.0.0.strip.drops(name, true, answered.names_methods))
            .map(ToString::to_string)
            .collect();
        if answered.takes_authorization {
            headers_to_remove.push(AUTHORIZATION.to_string());
        }
        match without_own_cookies(asked) {
            Some(kept) if kept.is_empty() => headers_to_remove.push(COOKIE.to_string()),
            Some(kept) => headers.push(overwrite(&COOKIE, &kept)),
            None => {}
        }
        let ok = OkHttpResponse { headers, headers_to_remove, ..OkHttpResponse::default() };
        check_response(Code::Ok, HttpResponse::OkResponse(ok))
    }
}

fn denied(response: http::Response<Bytes>) -> CheckResponse {
    let (parts, body) = response.into_parts();
    let headers = parts.headers.iter().filter(|(name, _)| **name != CONTENT_LENGTH).map(|(name, value)| overwrite(name, value)).collect();
    let denied = DeniedHttpResponse {
        // Envoy's own list of statuses has the numbers of HTTP.
        status: Some(HttpStatus { code: i32::from(parts.status.as_u16()) }),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let code = if parts.status == StatusCode::UNAUTHORIZED { Code::Unauthenticated } else { Code::PermissionDenied };
    check_response(code, HttpResponse::DeniedResponse(denied))
}

fn check_response(code: Code, http_response: HttpResponse) -> CheckResponse {
    let status = rpc::Status { code: code.into(), ..rpc::Status::default() };
    CheckResponse { status: Some(status), http_response: Some(http_response), ..CheckResponse::default() }
}

/// A header that replaces all of its name, also where it is empty.
fn overwrite(name: &HeaderName, value: &HeaderValue) -> HeaderValueOption {
    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
    HeaderValueOption {
        header: Some(Header { key: name.to_string(), value, ..Header::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        keep_empty_value: true,
        ..HeaderValueOption::default()
    }
}

/// The request's headers, in either of the ways in which Envoy sends them; its pseudo-headers stand elsewhere.
fn headers_of(http: &HttpRequest) -> HeaderMap {
    let raw = http.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value };
        (header.key.as_str(), value)
    });
    let pairs = http.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).chain(raw);
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    headers
}
