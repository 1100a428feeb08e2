//! Host names: what a request asked for, and the patterns that routes and rules match it with.

/// A host in canonical form: lower case, no port, no trailing dot; IPv6 literals in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Host(String);

impl Host {
    /// The canonical form of a `Host` header or URL authority (RFC 9110 section 7.2), with the port that it names.
    /// `None` unless it is made of labels of letters, digits, `-` and `_`, an IPv4 address or an `[IPv6]` literal,
    /// and an optional port of 1 to 65535.
    #[must_use]
    pub fn parse_authority(text: &str) -> Option<(Self, Option<u16>)> {
        let (name, port) = if text.starts_with('[') {
            let end = text.find(']')?;
            let (name, rest) = text.split_at(end + 1);
            name.get(1..end)?.parse::<std::net::Ipv6Addr>().ok()?;
            (name, rest)
        } else {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            (valid_name(name)?, rest)
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(parse_port(digits)?),
            None if port.is_empty() => None,
            None => return None,
        };
        Some((Self(name.to_ascii_lowercase()), port))
    }

    /// A host without a port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match Self::parse_authority(text)? {
            (host, None) => Some(host),
            _ => None,
        }
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this domain or lies below it.
    #[must_use]
    pub fn is_under(&self, domain: &str) -> bool {
        self.0 == domain || self.0.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    }

    /// Whether it is `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address = self.0.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        self.0 == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// Whether it is `localhost` or an address literal.
    #[must_use]
    pub fn is_local_or_literal(&self) -> bool {
        self.0 == "localhost" || self.0.starts_with('[') || self.0.parse::<std::net::Ipv4Addr>().is_ok()
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host as written in a route or rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host.
    Exact(Host),
    /// Any host below this domain (`*.example.com`), at any depth, but not the domain itself.
    Under(String),
}

impl HostPattern {
    /// Reads `wiki.example.com` or `*.example.com`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("*.") {
            Some(domain) => Host::parse(domain).map(|host| Self::Under(host.0)),
            None => Host::parse(text).map(Self::Exact),
        }
    }

    /// Whether `host` is meant.
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::Under(domain) => host.0.strip_suffix(domain.as_str()).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::Under(domain) => write!(f, "*.{domain}"),
        }
    }
}

/// The name without its trailing dot, if it is made of labels as we take them.
fn valid_name(name: &str) -> Option<&str> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let label =
        |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (name.len() <= 253 && name.split('.').all(label) && !looks_like_broken_ipv4(name)).then_some(name)
}

/// A name whose last label is a number is an IPv4 address to a browser (WHATWG URL), so it must be a plain one.
fn looks_like_broken_ipv4(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let number = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    number && name.parse::<std::net::Ipv4Addr>().is_err()
}

fn parse_port(digits: &str) -> Option<u16> {
    let plain = (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok().filter(|port| *port != 0) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Option<(String, Option<u16>)> {
        Host::parse_authority(text).map(|(host, port)| (host.0, port))
    }

    /// threats.md H13, P02
    #[test]
    fn malformed_hosts_are_refused() {
        for text in [
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "a?x",
            "a#x",
            "u@a",
            "a,b",
            "a:",
            "a:0",
            "a:99999",
            "a:abc",
            "a:+1",
            "[::1",
            "[::g]",
            "[1.2.3.4]",
            "1.2.3",
            "0x7f.1",
            "a.256",
            "é.test",
        ] {
            assert_eq!(canonical(text), None, "{text:?}");
        }
    }

    #[test]
    fn hosts_are_compared_lower_case_without_port_and_trailing_dot() {
        assert_eq!(canonical("Wiki.Example.COM.:8443"), Some(("wiki.example.com".into(), Some(8443))));
        assert_eq!(canonical("[::1]:80"), Some(("[::1]".into(), Some(80))));
        assert_eq!(canonical("127.0.0.1"), Some(("127.0.0.1".into(), None)));
        assert_eq!(canonical("my_app"), Some(("my_app".into(), None)));
    }

    #[test]
    fn a_wildcard_means_hosts_below_the_domain_only() {
        let pattern = HostPattern::parse("*.example.com").unwrap();
        let matches = |host: &str| pattern.matches(&Host::parse(host).unwrap());
        assert!(matches("a.example.com") && matches("a.b.example.com"));
        assert!(!matches("example.com") && !matches("notexample.com"));
    }
}
