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

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

impl Peer {
    /// The peer of a connection, as Pingora knows it.
    #[must_use]
    pub fn of(address: Option<&SocketAddr>) -> Self {
        Self::at(address.and_then(SocketAddr::as_inet).map(std::net::SocketAddr::ip))
    }

    /// The peer at this address; `None` on a Unix socket.
    #[must_use]
    pub fn at(address: Option<IpAddr>) -> Self {
        address.map_or(Self::Unix, |address| Self::Address(canonical(address)))
    }

    /// Its address, where it has one.
    #[must_use]
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Unix => None,
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
        let mut client = self.address();
        if !self.is_trusted(trusted) {
            return client;
        }
        for entry in entries(headers) {
            let Some(address) = entry else { break };
            client = Some(address);
            if !contains(&trusted.networks, address) {
                break;
            }
        }
        client
    }
}

/// The client that a front proxy tells of: the right-most address in `X-Forwarded-For` that is not one of the trusted
/// proxies', or the left-most of theirs. Never the peer's own address, which rules for networks would take for the
/// client's: `None` where the header is missing or cannot be read that far.
#[must_use]
pub fn told_client(headers: &HeaderMap, trusted: &TrustedProxies) -> Option<IpAddr> {
    let mut client = None;
    for entry in entries(headers) {
        let address = entry?;
        client = Some(address);
        if !contains(&trusted.networks, address) {
            break;
        }
    }
    client
}

/// The entries of all `X-Forwarded-For` lines, which are one list, from right to left; `None` for what is no address.
fn entries(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    entries.map(|entry| std::str::from_utf8(entry).ok().and_then(parse_entry))
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

    fn told(lines: &[&str]) -> Option<String> {
        let trusted = TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap()], unix: false };
        let headers = lines.iter().map(|line| ("x-forwarded-for".parse().unwrap(), HeaderValue::from_str(line).unwrap()));
        let headers: HeaderMap = headers.fold(HeaderMap::new(), |mut all, (name, value): (http::HeaderName, _)| {
            all.append(name, value);
            all
        });
        told_client(&headers, &trusted).map(|address| address.to_string())
    }

    /// contract 5: a rule for a network must not take the front proxy for the client
    #[test]
    fn a_client_that_a_front_proxy_does_not_tell_of_is_nobodys_guess() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told(&["203.0.113.7, 198.51.100.9"]), some("198.51.100.9"));
        assert_eq!(told(&["203.0.113.7", "10.2.2.2"]), some("203.0.113.7"), "lines are one list");
        assert_eq!(told(&["10.1.1.1"]), some("10.1.1.1"), "a client among the proxies");
        assert_eq!(told(&["garbage, 198.51.100.9"]), some("198.51.100.9"));
        for unreadable in [&[][..], &[""], &["garbage"], &["198.51.100.9,"], &["198.51.100.9, unknown, 10.1.1.1"]] {
            assert_eq!(told(unreadable), None, "{unreadable:?}");
        }
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
