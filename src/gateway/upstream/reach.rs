//! Whether servers of upstreams can be reached, for `portcullis check --live`: as for a request, certificate and all, but
//! nothing is asked of them.

use super::{Pool, Server};
use crate::config::{UpstreamAddress, UpstreamScheme};
use pingora::connectors::TransportConnector;
use pingora::upstreams::peer::Peer as _;
use std::fmt;
use std::sync::Arc;

impl Pool {
    /// Its servers, as they are written in the configuration, and why one cannot be reached.
    pub async fn reach(&self) -> Vec<(String, Result<(), String>)> {
        let mut reached = Vec::with_capacity(self.servers.len());
        for server in &self.servers {
            reached.push((server.to_string(), server.reach().await));
        }
        reached
    }
}

impl Server {
    /// Connects, at any of its addresses.
    async fn reach(self: &Arc<Self>) -> Result<(), String> {
        let connector = TransportConnector::new(None);
        let mut tried = 0;
        loop {
            let peer = self.peer(false).await?;
            tried += 1;
            match connector.new_stream(&*peer).await {
                Ok(_) => return Ok(()),
                Err(error) if tried >= self.addresses() => return Err(format!("cannot be connected to: {}", one_line(&error))),
                Err(_) => {
                    if let Some(address) = peer.address().as_inet() {
                        self.refused_at(*address);
                    }
                }
            }
        }
    }
}

fn one_line(error: &pingora::Error) -> String {
    let context = error.context.as_ref().map(|context| format!(", {context}")).unwrap_or_default();
    format!("{}{context}", error.etype().as_str()).escape_debug().to_string()
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            UpstreamScheme::Http => "http",
            UpstreamScheme::Https => "https",
            UpstreamScheme::H2c => "h2c",
        };
        match &self.address {
            UpstreamAddress::Unix(path) => write!(f, "unix:{}", path.display()),
            UpstreamAddress::Tcp { .. } => write!(f, "{scheme}://{}", self.authority()),
        }
    }
}
