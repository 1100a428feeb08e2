//! Where people reach the gateway, as far as the configuration tells: for links that no request asks for.

use super::{ListenAddress, Settings};
use crate::host::HostPattern;

impl Settings {
    /// `portal.url`; without it, the first exact host of a route, over TLS unless none is spoken here or in front of us.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        if let Some(url) = &self.portal.url {
            return Some(url.origin());
        }
        let host = self.routes.iter().find_map(|route| match &route.host {
            Some(HostPattern::Exact(host)) => Some(host),
            _ => None,
        })?;
        let server = &self.server;
        let is_proxied = server.trusted_proxies.unix || !server.trusted_proxies.networks.is_empty() || self.cookies.secure == Some(true);
        Some(match &server.tls {
            Some(tls) => format!("https://{host}{}", port(&tls.listen, 443)),
            None if is_proxied => format!("https://{host}"),
            None => format!("http://{host}{}", port(&server.listen, 80)),
        })
    }
}

/// The first port listened at, unless it is the scheme's own, or chosen by the system.
fn port(listen: &[ListenAddress], default: u16) -> String {
    let first = listen.iter().find_map(|address| match address {
        ListenAddress::Tcp(address) => Some(address.port()),
        ListenAddress::Unix(_) => None,
    });
    first.filter(|port| ![0, default].contains(port)).map_or_else(String::new, |port| format!(":{port}"))
}

#[cfg(test)]
mod tests {
    use crate::config::load_str;
    use std::path::Path;

    #[test]
    fn an_origin_is_the_portals_or_the_first_named_host() {
        let origin = |yaml: &str| load_str(yaml, Path::new("/nowhere"), &[]).unwrap().settings.origin();
        let routes = "routes: [{ path: /a, upstream: sample }, { host: wiki.example.com, upstream: sample }]";
        assert_eq!(origin("routes: [{ upstream: sample }]"), None);
        assert_eq!(origin("routes: [{ host: '*.example.com', upstream: sample }]"), None);
        assert_eq!(origin(routes).as_deref(), Some("http://wiki.example.com:8080"));
        assert_eq!(origin(&format!("server: {{ listen: ['0.0.0.0:80'] }}\n{routes}")).as_deref(), Some("http://wiki.example.com"));
        assert_eq!(origin(&format!("server: {{ trusted_proxies: [10.0.0.0/8] }}\n{routes}")).as_deref(), Some("https://wiki.example.com"));
        assert_eq!(
            origin(&format!("portal: {{ url: 'https://auth.example.com' }}\n{routes}")).as_deref(),
            Some("https://auth.example.com")
        );
    }
}
