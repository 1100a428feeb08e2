//! The front proxies' ways of asking, as raw requests.

use crate::support::gateway::TestGateway;
use crate::support::raw::{Raw, RawResponse};

/// A way of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    Nginx,
    Haproxy,
    Traefik,
    Caddy,
    Envoy,
    Skipper,
}

pub const ALL: [Front; 6] = [Front::Nginx, Front::Haproxy, Front::Traefik, Front::Caddy, Front::Envoy, Front::Skipper];

/// Names and values of headers.
pub type Headers = Vec<(String, String)>;

/// A question that may still be spoilt.
#[derive(Clone, Debug)]
pub struct Question {
    pub method: String,
    pub target: String,
    pub headers: Headers,
}

impl Front {
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::Skipper => "skipper",
        }
    }

    /// The names of the headers that this front must send.
    pub fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Nginx | Self::Haproxy => &["X-Original-URL", "X-Original-Method", "X-Forwarded-For"],
            Self::Traefik | Self::Caddy | Self::Skipper => {
                &["X-Forwarded-Method", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-For"]
            }
            Self::Envoy => &["X-Forwarded-Proto", "X-Forwarded-For"],
        }
    }

    /// How it asks about a request from 198.51.100.7.
    pub fn question(self, method: &str, url: &str) -> Question {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, path) = rest.split_at(rest.find('/').unwrap());
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let client = header("X-Forwarded-For", "198.51.100.7");
        let own = |method: &str, headers: Headers| Question {
            method: method.to_owned(),
            target: format!("/auth/verify/{}", self.name()),
            headers: [vec![header("Host", "portcullis:8080"), client.clone()], headers].concat(),
        };
        match self {
            Self::Nginx => own("GET", vec![header("X-Original-URL", url), header("X-Original-Method", method)]),
            Self::Haproxy => own("HEAD", vec![header("X-Original-URL", url), header("X-Original-Method", method)]),
            Self::Traefik | Self::Caddy | Self::Skipper => own(
                "GET",
                vec![
                    header("X-Forwarded-Method", method),
                    header("X-Forwarded-Proto", scheme),
                    header("X-Forwarded-Host", host),
                    header("X-Forwarded-Uri", path),
                ],
            ),
            Self::Envoy => Question {
                method: method.to_owned(),
                target: format!("/auth/verify/envoy{path}"),
                headers: vec![header("Host", host), header("X-Forwarded-Proto", scheme), client],
            },
        }
    }
}

impl Question {
    pub fn with(mut self, headers: &[(&str, &str)]) -> Self {
        self.headers.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub async fn ask(&self, gateway: &TestGateway) -> RawResponse {
        let lines: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut raw = Raw::connect(gateway.address()).await;
        raw.send(format!("{} {} HTTP/1.1\r\n{lines}\r\n", self.method, self.target)).await;
        if self.method == "HEAD" { raw.response_to_head().await } else { raw.response().await }
    }
}
