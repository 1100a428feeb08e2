//! `server`, `admin`, `portal` and `cookies`: where the gateway is reached, and under which names.

use super::field::Field;
use super::section::Section;
use super::{
    CookieSettings, Limits, ListenAddress, PortalSettings, PortalUrl, ServerSettings, Timeouts, TlsSettings, TrustedProxies, certificates,
};
use crate::host::Host;
use http::Method;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;

/// The longest path of a Unix socket (`sun_path`), without its final zero.
pub(super) const LONGEST_SOCKET_PATH: usize = 107;

pub(super) fn server(root: &mut Section<'_>) -> ServerSettings {
    let mut section = root.section("server");
    let mut known = Vec::new();
    let listen =
        section.read("listen", vec![ListenAddress::Tcp(SocketAddr::from(([0, 0, 0, 0], 8080)))], |field| listeners(field, &mut known));
    let h2c = section.read("h2c", false, Field::flag);
    let tls = section.optional("tls", |field| tls(field, &mut known));
    if listen.is_empty() && tls.is_none() {
        section.error("listen", "nothing to listen at, write for example [\"0.0.0.0:8080\"]");
    }
    let trusted_proxies = section.read("trusted_proxies", TrustedProxies::default(), trusted_proxies);
    let ext_authz_grpc = section.optional("ext_authz_grpc", |field| {
        let address = listen_address(field)?;
        let taken = known.iter().any(|other| is_taken(other, &address));
        if taken {
            field.error("is an address of server.listen too; gRPC needs one of its own, for example 127.0.0.1:9092")
        } else {
            Some(address)
        }
    });
    let prefix = section.read("prefix", "/auth".into(), prefix);
    let threads = section.read("threads", None, |field| {
        field.parse("a number of threads", "write auto or a number from 1 to 1024", |text| match text {
            "auto" => Some(None),
            text => text.parse().ok().filter(|number| (1..=1024).contains(number)).map(Some),
        })
    });
    let limits = limits(&mut section);
    let timeouts = timeouts(&mut section);
    let methods = section.read("methods", default_methods(), methods);
    section.later("watch", &["false"], "reloading when the file changes");
    section.finish();
    ServerSettings { listen, h2c, tls, trusted_proxies, ext_authz_grpc, prefix, threads, limits, timeouts, methods }
}

pub(super) fn admin(root: &mut Section<'_>, server: &ServerSettings) -> Option<ListenAddress> {
    let mut section = root.section("admin");
    let default = ListenAddress::Tcp(SocketAddr::from(([127, 0, 0, 1], 9091)));
    let listen = section.read("listen", Some(default), |field| if field.is_null() { Some(None) } else { listen_address(field).map(Some) });
    let public = server.listen.iter().chain(server.tls.iter().flat_map(|tls| &tls.listen)).chain(&server.ext_authz_grpc);
    if listen.as_ref().is_some_and(|admin| public.into_iter().any(|address| is_taken(address, admin))) {
        section.error("listen", "is an address of the gateway's too; metrics and health need one of their own, for example 127.0.0.1:9091");
    }
    section.finish();
    listen
}

pub(super) fn portal(root: &mut Section<'_>) -> PortalSettings {
    let mut section = root.section("portal");
    let url = section.optional("url", |field| {
        field.parse("the address of a site", "write only scheme, host and port, for example https://auth.example.com", portal_url)
    });
    let landing = section.read("landing", "/".into(), |field| {
        field.parse("a place to land at", "write a path such as / or an address such as https://wiki.example.com/", landing)
    });
    section.finish();
    PortalSettings { url, landing }
}

pub(super) fn cookies(root: &mut Section<'_>, portal: &PortalSettings) -> CookieSettings {
    let mut section = root.section("cookies");
    let domain = section.optional("domain", |field| {
        field.parse("a domain", "write for example example.com, without a leading dot", |text| {
            let host = Host::parse(text).filter(|host| !host.is_local_or_literal() && host.as_str().contains('.'))?;
            Some(host.as_str().trim_end_matches('.').to_owned())
        })
    });
    let secure = section.read("secure", None, |field| field.word(&[("auto", None), ("true", Some(true))]));
    if domain.as_deref().is_some_and(is_public_suffix) {
        let message = "is a domain under which strangers register theirs, so browsers keep no cookie for it; name your own below it";
        section.error("domain", message);
    }
    if let (Some(domain), Some(url)) = (&domain, &portal.url)
        && !url.host.is_under(domain)
    {
        section.error("domain", format!("portal.url's host {} is not under {domain}, so no login there would count", url.host));
    }
    section.finish();
    let https_portal = portal.url.as_ref().is_some_and(|url| url.https);
    CookieSettings { domain, secure: if https_portal { Some(true) } else { secure } }
}

/// Whether it is one of the suffixes that browsers know (publicsuffix.org): `co.uk`, `duckdns.org`.
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == domain.as_bytes())
}

fn listeners(field: &Field<'_>, known: &mut Vec<ListenAddress>) -> Option<Vec<ListenAddress>> {
    let listed = field.list(|field| listen_address(field).map(|address| (address, field.place(), field.path().to_owned())))?;
    for (address, place, path) in &listed {
        if known.iter().any(|other| is_taken(other, address)) {
            field.findings().error(place, path, "is listed twice, keep one of the two");
        }
        known.push(address.clone());
    }
    Some(listed.into_iter().map(|(address, ..)| address).collect())
}

fn is_taken(one: &ListenAddress, other: &ListenAddress) -> bool {
    one == other && !matches!(one, ListenAddress::Tcp(address) if address.port() == 0)
}

fn listen_address(field: &Field<'_>) -> Option<ListenAddress> {
    let allowed = "write for example 0.0.0.0:8080, \"[::]:8080\" or unix:/run/portcullis.sock";
    field.parse("an address to listen at", allowed, |text| match text.strip_prefix("unix:") {
        Some(path) => {
            let path = field.findings().resolve(path);
            let length = path.as_os_str().len();
            (!text.ends_with([':', '/']) && length <= LONGEST_SOCKET_PATH).then_some(ListenAddress::Unix(path))
        }
        None => text.parse().ok().map(ListenAddress::Tcp),
    })
}

fn tls(field: &Field<'_>, known: &mut Vec<ListenAddress>) -> Option<TlsSettings> {
    let mut section = field.section()?;
    let listen = section.read("listen", vec![ListenAddress::Tcp(SocketAddr::from(([0, 0, 0, 0], 8443)))], |field| {
        let listen = listeners(field, known)?;
        if listen.is_empty() { field.error("is empty, write for example [\"0.0.0.0:8443\"]") } else { Some(listen) }
    });
    let allowed = "write for example [{ certificate: cert.pem, key: key.pem }]";
    let certificates = section.required("certificates", allowed, |field| {
        let pairs = field.list(certificates::chain_and_key)?;
        if pairs.is_empty() { field.error(format!("is empty, {allowed}")) } else { Some(pairs) }
    });
    let redirect_http = section.read("redirect_http", true, Field::flag);
    let hsts = section.read("hsts", Duration::from_hours(365 * 24), Field::duration);
    section.finish();
    Some(TlsSettings { listen, certificates: certificates?, redirect_http, hsts })
}

fn trusted_proxies(field: &Field<'_>) -> Option<TrustedProxies> {
    let unix = None;
    let peers = field.list(|field| {
        field.parse("a network", "write for example 10.0.0.0/8, 192.168.1.5 or unix", |text| match text {
            "unix" => Some(unix),
            text => network(text).map(Some),
        })
    })?;
    Some(TrustedProxies { unix: peers.contains(&None), networks: peers.into_iter().flatten().collect() })
}

/// A network, or a single address as the network of itself.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().map(|network| network.trunc()).or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

fn prefix(field: &Field<'_>) -> Option<String> {
    let allowed = "write for example /auth: it begins with /, does not end with it, and has letters, digits, -, _ and . between";
    field.parse("a prefix", allowed, |text| {
        let segments: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
        let plain = |segment: &str| segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        let sound = segments.iter().all(|segment| plain(segment) && !["", ".", ".."].contains(segment));
        // Both are ours already: `/api{prefix}` and the fixed addresses of RFC 8615.
        (sound && text.len() <= 64 && !["api", ".well-known"].contains(&segments[0])).then(|| text.to_owned())
    })
}

fn limits(server: &mut Section<'_>) -> Limits {
    let mut section = server.section("limits");
    let in_memory = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let limits = Limits {
        header: in_memory(section.read("header", 16 * KIB, |field| field.size(KIB..=1024 * KIB))),
        own_body: in_memory(section.read("own_body", 64 * KIB, |field| field.size(KIB..=16 * KIB * KIB))),
        proxied_body: section.read("proxied_body", GIB, |field| field.size(1..=u64::MAX)),
        connections: section.read("connections", 20_000, |field| field.count(1..=1_000_000)),
    };
    section.finish();
    limits
}

fn timeouts(server: &mut Section<'_>) -> Timeouts {
    let mut section = server.section("timeouts");
    let timeouts = Timeouts {
        header: section.read("header", 10 * SECOND, Field::positive_duration),
        idle: section.read("idle", 75 * SECOND, Field::positive_duration),
        upstream_connect: section.read("upstream_connect", 5 * SECOND, Field::positive_duration),
        upstream_read: section.read("upstream_read", 60 * SECOND, Field::positive_duration),
        drain_delay: section.read("drain_delay", Duration::ZERO, Field::duration),
        drain: section.read("drain", 25 * SECOND, Field::duration),
    };
    section.finish();
    timeouts
}

fn default_methods() -> Vec<Method> {
    vec![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
}

/// A list of methods; names are case-sensitive (RFC 9110 section 9.1), so `get` is a slip.
pub(super) fn methods(field: &Field<'_>) -> Option<Vec<Method>> {
    let listed = field.list(|field| {
        let allowed = "write for example GET or PROPFIND, in capitals";
        let method = field.parse("a method", allowed, |text| {
            Method::from_bytes(text.as_bytes()).ok().filter(|_| !text.bytes().any(|b| b.is_ascii_lowercase()))
        })?;
        if [Method::TRACE, Method::CONNECT].contains(&method) {
            return field.error(format!("{method} is never let through, leave it out"));
        }
        Some(method)
    })?;
    if listed.is_empty() { field.error("is empty, write for example [GET, HEAD, POST]") } else { Some(listed) }
}

fn portal_url(text: &str) -> Option<PortalUrl> {
    let (scheme, authority) = text.split_once("://")?;
    let https = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let (host, port) = Host::parse_authority(authority.strip_suffix('/').unwrap_or(authority))?;
    Some(PortalUrl { https, host, port: port.unwrap_or(if https { 443 } else { 80 }) })
}

fn landing(text: &str) -> Option<String> {
    let clean = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    let path = text.starts_with('/') && !text.starts_with("//");
    let address = url::Url::parse(text)
        .is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.username().is_empty() && url.password().is_none());
    (clean && (path || address)).then(|| text.to_owned())
}
