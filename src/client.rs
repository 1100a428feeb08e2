//! Who asks, as far as the network and the browser tell.

pub mod browser;

use crate::device::Device;
use std::net::{IpAddr, Ipv6Addr};

/// Where a request comes from. Untrusted text, apart from the address and the device.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Right-most untrusted address; unknown on a Unix socket without a trusted header, and for a command.
    pub address: Option<IpAddr>,
    /// `User-Agent`.
    pub user_agent: String,
    /// Id of the request, also in the log; empty for a command.
    pub request_id: String,
    /// What the browser can prove of earlier sign-ins; nothing for a command.
    pub device: Device,
}

/// Longest `User-Agent` that is kept, in characters.
const MAX_USER_AGENT: usize = 256;

/// Bits of an IPv6 address that are the network's: whoever has one address of a /64 has all of them (RFC 6177).
const NETWORK: u32 = 64;

impl Client {
    /// As much of `User-Agent` as is stored: bounded, and without control characters.
    #[must_use]
    pub fn kept_user_agent(&self) -> String {
        self.user_agent.chars().filter(|character| !character.is_control()).take(MAX_USER_AGENT).collect()
    }

    /// What is counted as one client: an IPv4 address, or the /64 of an IPv6 address. IPv4 in IPv6 clothes is IPv4. All
    /// whose address is unknown are one.
    #[must_use]
    pub fn network(&self) -> Option<IpAddr> {
        self.address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> NETWORK))),
            IpAddr::V4(address) => IpAddr::V4(address),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// contract 6: IPv6 by /64
    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_client() {
        let network = |address: &str| Client { address: Some(address.parse().unwrap()), ..Client::default() }.network();
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(Client::default().network(), None);
    }
}
