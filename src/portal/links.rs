//! Where links in mails lead: to configured addresses only, whatever a request says (CVE-2026-26747: a reset link made
//! from `Host` sends the token to whoever forged it).

use super::Visit;
use crate::config::{ListenAddress, Settings};
use crate::host::HostPattern;

/// The origin that links begin with: `portal.url`; without it the asked host, where a route names exactly that one, or
/// where nobody but this machine can ask and the host is this machine.
#[must_use]
pub(super) fn base(settings: &Settings, visit: &Visit) -> Option<String> {
    if let Some(url) = &settings.portal.url {
        return Some(url.origin());
    }
    let named = settings.routes.iter().any(|route| matches!(&route.host, Some(HostPattern::Exact(host)) if *host == visit.host));
    let here = settings.server.is_for_this_machine() && visit.host.is_loopback();
    let demo = settings.local_hosts_only.as_ref().is_some_and(|hosts| visit.host.is_local_or_literal() || hosts.contains(&visit.host));
    let scheme = if visit.https { "https" } else { "http" };
    (named || here || demo).then(|| format!("{scheme}://{}{}", visit.host, port(settings, visit)))
}

/// The port that was asked for, if it is one that we listen at: another one of the same machine may be anybody's.
fn port(settings: &Settings, visit: &Visit) -> String {
    let asked = visit.authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let tls = settings.server.tls.iter().flat_map(|tls| &tls.listen);
    let ours = settings.server.listen.iter().chain(tls).filter_map(|address| match address {
        ListenAddress::Tcp(address) => Some(address.port()),
        ListenAddress::Unix(_) => None,
    });
    // Port 0: the system chose one, and nobody knows it in advance.
    let ours: Vec<u16> = ours.collect();
    asked.filter(|port| ours.iter().any(|own| own == port || *own == 0)).map(|port| format!(":{port}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{loaded, visit};

    fn base_at(settings: &Settings, origin: &str) -> Option<String> {
        base(settings, &visit(origin))
    }

    /// threats.md P01: CVE-2026-26747, CVE-2026-29199
    #[test]
    fn links_lead_to_the_portal_whatever_host_was_asked_for() {
        let settings = loaded("portal: { url: 'https://auth.example.com' }\nroutes: [{ upstream: sample }]");
        for origin in ["https://auth.example.com", "http://evil.test", "https://auth.example.com.evil.test:8443"] {
            assert_eq!(base_at(&settings, origin).as_deref(), Some("https://auth.example.com"), "{origin}");
        }
    }

    #[test]
    fn without_a_portal_only_a_host_that_a_route_names_can_be_led_to() {
        let yaml = "server: { listen: ['0.0.0.0:8080'] }\n\
            routes: [{ host: wiki.example.com, upstream: sample }, { host: '*.example.org', upstream: sample }, { upstream: sample }]";
        let settings = loaded(yaml);
        for (origin, expected) in [
            ("https://wiki.example.com", Some("https://wiki.example.com")),
            ("http://wiki.example.com:8080", Some("http://wiki.example.com:8080")),
            ("http://wiki.example.com:9999", Some("http://wiki.example.com")),
            ("http://a.example.org", None),
            ("http://evil.test", None),
            ("http://127.0.0.1:8080", None),
        ] {
            assert_eq!(base_at(&settings, origin).as_deref(), expected, "{origin}");
        }
    }

    /// Somebody who tries it out on their own machine; behind a proxy it is others who ask
    #[test]
    fn what_this_machine_alone_can_reach_leads_to_this_machine() {
        let yaml = "server: { listen: ['127.0.0.1:8080', '[::1]:8080'] }\nroutes: [{ upstream: sample }]";
        let settings = loaded(yaml);
        for (origin, expected) in [
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://localhost:8080", Some("http://localhost:8080")),
            ("http://[::1]:8080", Some("http://[::1]:8080")),
            ("http://evil.test:8080", None),
            ("http://localhost.evil.test", None),
            ("http://192.0.2.1:8080", None),
        ] {
            assert_eq!(base_at(&settings, origin).as_deref(), expected, "{origin}");
        }
        let proxied = loaded(&yaml.replace("8080'] }", "8080'], trusted_proxies: ['127.0.0.1/32'] }"));
        assert_eq!(base_at(&proxied, "http://localhost:8080"), None);
    }

    #[test]
    fn the_demo_leads_to_wherever_it_was_reached_on_this_machine() {
        let mut settings = loaded("server: { listen: ['0.0.0.0:0'] }\nroutes: [{ upstream: sample }]");
        settings.local_hosts_only = Some(vec![]);
        assert_eq!(base_at(&settings, "http://localhost:41234").as_deref(), Some("http://localhost:41234"));
        assert_eq!(base_at(&settings, "http://evil.test:41234"), None);
    }
}
