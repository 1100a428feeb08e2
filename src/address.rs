//! Absolute addresses as front proxies and operators write them (`https://wiki.example.com/page?x`), understood as the
//! gateway understands a request. Pure.

use crate::host::Host;
use crate::target::{BadTarget, Target};

/// A whole address: where, and what there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Scheme.
    pub scheme: Scheme,
    /// Host.
    pub host: Host,
    /// Port, where it is not the scheme's own.
    pub port: Option<u16>,
    /// Path and query.
    pub target: Target,
}

/// A scheme that is HTTP's, or that of a WebSocket, which begins as HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// Whether it is encrypted.
    pub https: bool,
    /// Whether it asks for a WebSocket.
    pub websocket: bool,
}

impl Scheme {
    /// Reads `http`, `https`, `ws` or `wss`, in any case (RFC 3986 section 3.1).
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let schemes = [(&b"http"[..], false, false), (b"https", true, false), (b"ws", false, true), (b"wss", true, true)];
        let known = schemes.into_iter().find(|(name, ..)| text.eq_ignore_ascii_case(name));
        known.map(|(_, https, websocket)| Self { https, websocket })
    }

    /// The port that is meant where none is named.
    #[must_use]
    pub fn default_port(self) -> u16 {
        if self.https { 443 } else { 80 }
    }
}

impl Address {
    /// Reads an address. There is no user, no fragment, and a path, be it `/`.
    ///
    /// # Errors
    /// What is wrong: a sentence for who wrote it.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        const NO_ADDRESS: &str = "The address is not http:// or https:// with a host and a path.";
        let colon = memchr::memmem::find(text, b"://").ok_or(NO_ADDRESS)?;
        let (scheme, rest) = (&text[..colon], &text[colon + 3..]);
        let slash = memchr::memchr(b'/', rest).ok_or(NO_ADDRESS)?;
        let (authority, target) = rest.split_at(slash);
        Self::from_parts(Scheme::parse(scheme).ok_or(NO_ADDRESS)?, authority, target)
    }

    /// The address of these parts; `target` is path and query.
    ///
    /// # Errors
    /// What is wrong: a sentence for who wrote it.
    pub fn from_parts(scheme: Scheme, authority: &[u8], target: &[u8]) -> Result<Self, &'static str> {
        let authority = std::str::from_utf8(authority).ok().and_then(Host::parse_authority);
        let (host, port) = authority.ok_or("The address names no host, or what is none.")?;
        // What the parser of real requests refuses, a request told of in headers cannot have been.
        http::uri::PathAndQuery::try_from(target).map_err(|_| "The address holds characters that a URL must not.")?;
        let target = Target::parse(target).map_err(|BadTarget(reason)| reason)?;
        Ok(Self { scheme, host, port: port.filter(|port| *port != scheme.default_port()), target })
    }

    /// Host, and port where it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        self.port.map_or_else(|| self.host.to_string(), |port| format!("{}:{port}", self.host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<(bool, String, String)> {
        let address = Address::parse(text.as_bytes()).ok()?;
        Some((address.scheme.https, address.authority(), address.target.as_str().to_owned()))
    }

    /// contract 5, threats.md C05
    #[test]
    fn an_address_is_scheme_host_and_path_and_nothing_else() {
        let some = |https, authority: &str, target: &str| Some((https, authority.to_owned(), target.to_owned()));
        assert_eq!(parsed("https://App.Test/a//b?x=/y"), some(true, "app.test", "/a//b?x=/y"));
        assert_eq!(parsed("http://app.test:8080/"), some(false, "app.test:8080", "/"));
        assert_eq!(parsed("HTTPS://app.test:443/"), some(true, "app.test", "/"));
        assert_eq!(parsed("wss://[::1]:80/ws"), some(true, "[::1]:80", "/ws"));
        for wrong in [
            "",
            "/",
            "app.test/",
            "https://app.test",
            "https://app.test?x=/",
            "https:///x",
            "https:/app.test/",
            "ftp://app.test/",
            "javascript://app.test/",
            "http,https://app.test/",
            "https://user@app.test/",
            "https://app.test:0/",
            "https://app.test, b.test/",
            "https://app.test/admin%",
            "https://app.test/a b",
            "https://app.test/a#b",
            "https://app.test/../a",
            "https://app.test/<a>",
            " https://app.test/",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
        assert!(Address::parse(b"https://app.test/\xff\xfe").is_err() && Address::parse(b"https://app.test/\0").is_err());
    }
}
