//! Who is at the other end: the peer, and, where the peer is a trusted proxy, whom it speaks for.

use crate::config::TrustedProxies;
use http::HeaderMap;
use ipnet::IpNet;
use pingora::protocols::l4::socket::SocketAddr;
use std::net::{IpAddr, Ipv6Addr};

/// The far end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// On the network.
    Address(IpAddr),
    /// On a Unix socket.
    Unix,
}

impl Peer {
    /// The peer of a connection, as Pingora knows it.
    #[must_use]
    pub fn of(address: Option<&SocketAddr>) -> Self {
        match address.and_then(SocketAddr::as_inet) {
            Some(address) => Self::Address(canonical(address.ip())),
            None => Self::Unix,
        }
    }

    /// Whether what it says of its clients is believed.
    #[must_use]
    pub fn is_trusted(self, trusted: &TrustedProxies) -> bool {
        match self {
            Self::Address(address) => contains(&trusted.networks, address),
            Self::Unix => trusted.unix,
        }
    }

    /// The client's address: the peer's, or, behind trusted proxies, the right-most address in `X-Forwarded-For` that
    /// is not one of theirs. What stands left of that address is the client's own claim and is never looked at.
    #[must_use]
    pub fn client(self, headers: &HeaderMap, trusted: &TrustedProxies) -> Option<IpAddr> {
        let mut client = match self {
            Self::Address(address) => Some(address),
            Self::Unix => None,
        };
        if !self.is_trusted(trusted) {
            return client;
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        for entry in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
            let Some(address) = std::str::from_utf8(entry).ok().and_then(parse_entry) else {
                break;
            };
            client = Some(address);
            if !contains(&trusted.networks, address) {
                break;
            }
        }
        client
    }
}

/// An entry of `X-Forwarded-For`: an address, which some proxies write with a port.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let plain = entry.parse::<IpAddr>().ok();
    let with_port = || entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    plain.or_else(with_port).or_else(bracketed).map(canonical)
}

fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// IPv4 in IPv6 clothes is IPv4, so that one rule or limit sees one client.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn client(peer: &str, lines: &[&str]) -> String {
        let trusted = TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: true };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        let peer = peer.parse().map_or(Peer::Unix, |address: IpAddr| Peer::Address(canonical(address)));
        peer.client(&headers, &trusted).map_or("unknown".into(), |address| address.to_string())
    }

    /// threats.md fact 5, C01; ASVS V15.3.4
    #[test]
    fn the_client_is_the_right_most_address_that_is_no_trusted_proxy() {
        assert_eq!(client("192.0.2.1", &["198.51.100.9"]), "192.0.2.1", "an untrusted peer speaks for itself");
        assert_eq!(client("10.0.0.1", &["203.0.113.7, 198.51.100.9"]), "198.51.100.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.7, 198.51.100.9, 10.2.2.2"]), "198.51.100.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.7", "198.51.100.9"]), "198.51.100.9", "lines are one list");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.9, garbage"]), "10.0.0.1", "beyond what cannot be read nothing is believed");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("unix", &["198.51.100.9:1234"]), "198.51.100.9");
        assert_eq!(client("unix", &[]), "unknown");
    }
}
