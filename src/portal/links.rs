//! Where links in mails lead: to configured addresses only, whatever a request says (CVE-2026-26747: a reset link made
//! from `Host` sends the token to whoever forged it).

use super::Visit;
use crate::config::{ListenAddress, Settings};
use crate::host::HostPattern;

/// The origin that links begin with: `portal.url`; without it the asked host, where a route names exactly that one.
#[must_use]
pub(super) fn base(settings: &Settings, visit: &Visit) -> Option<String> {
    if let Some(url) = &settings.portal.url {
        return Some(url.origin());
    }
    let named = settings.routes.iter().any(|route| matches!(&route.host, Some(HostPattern::Exact(host)) if *host == visit.host));
    let local = settings.local_hosts_only.as_ref().is_some_and(|hosts| visit.host.is_local_or_literal() || hosts.contains(&visit.host));
    let scheme = if visit.https { "https" } else { "http" };
    (named || local).then(|| format!("{scheme}://{}{}", visit.host, port(settings, visit)))
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
