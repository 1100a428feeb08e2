//! What front proxies tell of the request that they ask about: one reader for each of their ways, one result. What is
//! missing, doubled or unreadable is refused: an answer to another question would be worse than none.

use crate::address::{Address, Scheme};
use crate::config::Settings;
use crate::gateway::client::{Peer, told_client};
use crate::gateway::exchange::{self, Facts};
use crate::portal::error_page::Fault;
use http::{HeaderMap, Method};
use pingora::http::RequestHeader;
use std::net::IpAddr;

/// A front proxy's way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// `auth_request`, and ingress-nginx.
    Nginx,
    /// The Lua action of `haproxy-auth-request`.
    Haproxy,
    /// `ForwardAuth`.
    Traefik,
    /// `forward_auth`.
    Caddy,
    /// `ext_authz` over HTTP: method, path and host are the request's own.
    Envoy,
    /// `webhook`, which would follow a redirect and take the page at its end for a yes.
    Skipper,
}

/// A question of a front proxy.
pub struct Question<'a> {
    /// How it asks; `None` for an address that is nobody's.
    pub front: Option<Front>,
    /// Path and query behind the front's name.
    rest: &'a [u8],
}

const ORIGINAL_URL: Needed = Needed("x-original-url", "X-Original-URL must be there once, and be a whole http or https address.");
const ORIGINAL_METHOD: Needed = Needed("x-original-method", "X-Original-Method must be there once, and be a method.");
const FORWARDED_METHOD: Needed = Needed("x-forwarded-method", "X-Forwarded-Method must be there once, and be a method.");
const FORWARDED_PROTO: Needed = Needed("x-forwarded-proto", "X-Forwarded-Proto must be there once, and be http, https, ws or wss.");
const FORWARDED_HOST: Needed = Needed("x-forwarded-host", "X-Forwarded-Host must be there once, and be a host.");
const FORWARDED_URI: Needed = Needed("x-forwarded-uri", "X-Forwarded-Uri must be there once, and be a path.");
const NO_CLIENT: Fault = Fault::BadRequest("X-Forwarded-For must be there, and name the client's address.");

impl<'a> Question<'a> {
    /// The question that a request is; `None` where it is none. The address is compared as it was received: a front proxy
    /// writes it in one way only.
    #[must_use]
    pub fn of(request: &'a RequestHeader, prefix: &str) -> Option<Self> {
        let below = request.raw_path().strip_prefix(prefix.as_bytes())?.strip_prefix(b"/verify/")?;
        let end = below.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(below.len());
        let (name, rest) = below.split_at(end);
        let front = match name {
            b"nginx" => Some(Front::Nginx),
            b"haproxy" => Some(Front::Haproxy),
            b"traefik" => Some(Front::Traefik),
            b"caddy" => Some(Front::Caddy),
            b"envoy" => Some(Front::Envoy),
            b"skipper" => Some(Front::Skipper),
            _ => None,
        };
        let takes_path = front == Some(Front::Envoy);
        Some(Self { front: front.filter(|_| takes_path || !rest.starts_with(b"/")), rest })
    }

    /// The request that is asked about.
    ///
    /// # Errors
    /// What is missing, doubled or unreadable.
    pub fn original(&self, front: Front, request: &RequestHeader) -> Result<Original, Fault> {
        let headers = &request.headers;
        let (method, address) = match front {
            Front::Nginx | Front::Haproxy => {
                let address = Address::parse(ORIGINAL_URL.one_of(headers)?).map_err(Fault::BadRequest)?;
                (ORIGINAL_METHOD.method_of(headers)?, address)
            }
            Front::Traefik | Front::Caddy | Front::Skipper => {
                let scheme = FORWARDED_PROTO.scheme_of(headers)?;
                let (host, uri) = (FORWARDED_HOST.one_of(headers)?, FORWARDED_URI.one_of(headers)?);
                let address = Address::from_parts(scheme, host, uri).map_err(Fault::BadRequest)?;
                (FORWARDED_METHOD.method_of(headers)?, address)
            }
            Front::Envoy => {
                let (_, authority) = exchange::host(request)?;
                let scheme = FORWARDED_PROTO.scheme_of(headers)?;
                let address = Address::from_parts(scheme, authority.as_bytes(), self.rest).map_err(Fault::BadRequest)?;
                (request.method.clone(), address)
            }
        };
        Ok(Original { method, address })
    }
}

/// The request that a front proxy asks about, as it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// Method.
    pub method: Method,
    /// Whole address.
    pub address: Address,
}

impl Original {
    /// The facts of the request, its client among them.
    ///
    /// # Errors
    /// When the client is not told of, or its credentials could be read in several ways.
    pub fn facts(self, headers: &HeaderMap, peer: Peer, settings: &Settings) -> Result<Facts, Fault> {
        exchange::check_credentials(headers)?;
        let client = told_client(headers, &settings.server.trusted_proxies).ok_or(NO_CLIENT)?;
        Ok(self.facts_with(client, headers, peer, settings))
    }

    /// The facts of the request of this client.
    #[must_use]
    pub fn facts_with(self, client: IpAddr, headers: &HeaderMap, peer: Peer, settings: &Settings) -> Facts {
        let Self { method, address } = self;
        Facts {
            method,
            authority: address.authority(),
            https: address.scheme.https || exchange::fixes_https(settings),
            websocket: address.scheme.websocket || exchange::asks_for_websocket(headers),
            host: address.host,
            target: address.target,
            behind_proxy: true,
            peer,
            client: Some(client),
        }
    }
}

/// A header that must be there once, and what is said where it is not or cannot be read.
struct Needed(&'static str, &'static str);

impl Needed {
    fn one_of<'h>(&self, headers: &'h HeaderMap) -> Result<&'h [u8], Fault> {
        let mut values = headers.get_all(self.0).iter();
        match (values.next(), values.next()) {
            (Some(value), None) if !value.is_empty() => Ok(value.as_bytes()),
            _ => Err(Fault::BadRequest(self.1)),
        }
    }

    fn method_of(&self, headers: &HeaderMap) -> Result<Method, Fault> {
        Method::from_bytes(self.one_of(headers)?).map_err(|_| Fault::BadRequest(self.1))
    }

    fn scheme_of(&self, headers: &HeaderMap) -> Result<Scheme, Fault> {
        Scheme::parse(self.one_of(headers)?).ok_or(Fault::BadRequest(self.1))
    }
}
