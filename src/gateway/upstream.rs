//! Upstreams: which server of a route takes a request, at which address, and how it is spoken to.
//! Names are resolved off the request's path where an old answer is at hand, and never blocking.

mod reach;

use crate::config::{Route, Timeouts, Upstream, UpstreamAddress, UpstreamScheme, UpstreamServer, UpstreamTls};
use arc_swap::ArcSwapOption;
use pingora::protocols::ALPN;
use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::HttpPeer;
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a resolved name is taken as fresh.
const NAME_TTL: Duration = Duration::from_secs(30);
/// How long a name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server that refused a connection is passed over while others are there.
const EJECTED_FOR: Duration = Duration::from_secs(5);
/// Kept connections to an upstream are closed after this; shorter than common servers' own idle timeouts.
const UPSTREAM_IDLE: Duration = Duration::from_secs(55);

/// The servers of one route.
pub struct Pool {
    servers: Vec<Arc<Server>>,
    next: AtomicUsize,
}

/// One server: its name, addresses and health.
pub struct Server {
    address: UpstreamAddress,
    scheme: UpstreamScheme,
    ca: Option<Arc<CaType>>,
    trust: u64,
    client: Option<Arc<CertKey>>,
    connect_timeout: Duration,
    read_timeout: Duration,
    resolved: ArcSwapOption<Resolved>,
    resolving: AtomicBool,
    turn: AtomicUsize,
    refused: ArcSwapOption<(SocketAddr, Instant)>,
    started: Instant,
    ejected_until: AtomicI64,
}

struct Resolved {
    addresses: Vec<SocketAddr>,
    at: Instant,
}

impl Pool {
    /// The pool of a route; `sample` is where the built-in application listens.
    ///
    /// # Errors
    /// One sentence when a certificate file cannot be used.
    pub fn new(route: &Route, timeouts: &Timeouts, sample: Option<SocketAddr>) -> Result<Self, String> {
        let sample_server;
        let servers: &[UpstreamServer] = match (&route.upstream, sample) {
            (Upstream::Servers(servers), _) => servers,
            (Upstream::Sample, Some(address)) => {
                let address = UpstreamAddress::Tcp { host: address.ip().to_string(), port: address.port() };
                sample_server = [UpstreamServer { address, scheme: UpstreamScheme::Http }];
                &sample_server
            }
            (Upstream::Sample | Upstream::None, _) => &[],
        };
        let tls = TlsFiles::read(&route.upstream_tls)?;
        let servers = servers.iter().map(|server| Arc::new(Server::new(server, &tls, timeouts, route.read_timeout))).collect();
        Ok(Self { servers, next: AtomicUsize::new(0) })
    }

    /// The same, with those of `former` servers that are configured as before: what is known of their addresses and health
    /// is not found out anew.
    #[must_use]
    pub fn keeping(self, former: &[&Self]) -> Self {
        let former = || former.iter().flat_map(|pool| &pool.servers);
        let kept = |server: Arc<Server>| former().find(|kept| kept.is_configured_like(&server)).map_or(server.clone(), Arc::clone);
        Self { servers: self.servers.into_iter().map(kept).collect(), next: self.next }
    }

    /// The server for the next request: in turn, passing over those that refused a connection a moment ago and those
    /// in `tried`.
    #[must_use]
    pub fn pick(&self, tried: &[Arc<Server>]) -> Option<Arc<Server>> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = || (0..self.servers.len()).map(|offset| &self.servers[start.wrapping_add(offset) % self.servers.len()]);
        let times = |server: &Arc<Server>| tried.iter().filter(|one| Arc::ptr_eq(one, server)).count();
        let untried = |server: &&Arc<Server>| times(server) < server.addresses();
        in_turn().filter(untried).find(|server| !server.is_ejected()).or_else(|| in_turn().find(untried)).cloned()
    }

    /// How many addresses there are to try, of all servers.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.servers.iter().map(|server| server.addresses()).sum()
    }

    /// Whether there is none: nothing is forwarded here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }
}

impl Server {
    fn new(server: &UpstreamServer, tls: &TlsFiles, timeouts: &Timeouts, read_timeout: Duration) -> Self {
        Self {
            address: server.address.clone(),
            scheme: server.scheme,
            ca: tls.ca.clone(),
            trust: tls.trust,
            client: tls.client.clone(),
            connect_timeout: timeouts.upstream_connect,
            read_timeout,
            resolved: ArcSwapOption::empty(),
            resolving: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            refused: ArcSwapOption::empty(),
            started: Instant::now(),
            ejected_until: AtomicI64::new(0),
        }
    }

    fn is_configured_like(&self, other: &Self) -> bool {
        let configured = |server: &Self| (server.trust, server.connect_timeout, server.read_timeout);
        (&self.address, self.scheme) == (&other.address, other.scheme) && configured(self) == configured(other)
    }

    /// How Pingora reaches it. An upgraded connection may be silent for as long as it likes.
    ///
    /// # Errors
    /// When its name does not resolve or its socket's path is unusable.
    pub async fn peer(self: &Arc<Self>, upgrade: bool) -> Result<Box<HttpPeer>, String> {
        let tls = self.scheme == UpstreamScheme::Https;
        let mut peer = match &self.address {
            UpstreamAddress::Unix(path) => {
                HttpPeer::new_uds(&path.to_string_lossy(), false, String::new()).map_err(|error| error.to_string())?
            }
            UpstreamAddress::Tcp { host, port } => HttpPeer::new(self.resolve(host, *port).await?, tls, host.clone()),
        };
        let options = &mut peer.options;
        options.connection_timeout = Some(self.connect_timeout);
        options.total_connection_timeout = Some(self.connect_timeout);
        options.read_timeout = (!upgrade).then_some(self.read_timeout);
        options.write_timeout = (!upgrade).then_some(self.read_timeout);
        options.idle_timeout = Some(UPSTREAM_IDLE);
        options.alpn = match self.scheme {
            UpstreamScheme::H2c => ALPN::H2,
            UpstreamScheme::Https if !upgrade => ALPN::H2H1,
            UpstreamScheme::Https | UpstreamScheme::Http => ALPN::H1,
        };
        options.max_h2_streams = 64;
        options.ca.clone_from(&self.ca);
        // Pingora keeps connections by address and name; one that another route's authorities vouched for is not ours, nor one
        // that another certificate of ours opened.
        peer.group_key = self.trust;
        peer.client_cert_key.clone_from(&self.client);
        Ok(Box::new(peer))
    }

    /// The `Host` of its own, for routes that do not pass the client's on.
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.address {
            UpstreamAddress::Unix(_) => "localhost".to_owned(),
            UpstreamAddress::Tcp { host, port } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let default = if self.scheme == UpstreamScheme::Https { 443 } else { 80 };
                if *port == default { host } else { format!("{host}:{port}") }
            }
        }
    }

    /// Notes that it refused a connection at this address: `localhost`, say, has two, and many programs listen at one.
    pub fn refused_at(&self, address: SocketAddr) {
        if self.addresses() > 1 {
            self.refused.store(Some(Arc::new((address, Instant::now()))));
        } else {
            self.eject();
        }
    }

    /// Notes that it cannot be reached.
    pub fn eject(&self) {
        self.ejected_until.store(self.elapsed() + i64::try_from(EJECTED_FOR.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    /// At how many addresses it can be tried.
    fn addresses(&self) -> usize {
        self.resolved.load().as_ref().map_or(1, |resolved| resolved.addresses.len())
    }

    fn is_ejected(&self) -> bool {
        self.elapsed() < self.ejected_until.load(Ordering::Relaxed)
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    async fn resolve(self: &Arc<Self>, host: &str, port: u16) -> Result<SocketAddr, String> {
        if let Ok(address) = host.parse() {
            return Ok(SocketAddr::new(address, port));
        }
        if let Some(resolved) = self.resolved.load_full() {
            if resolved.at.elapsed() > NAME_TTL && !self.resolving.swap(true, Ordering::AcqRel) {
                let (server, host) = (self.clone(), host.to_owned());
                tokio::spawn(async move {
                    // A name that stops resolving keeps its last addresses.
                    let _ = server.look_up(&host, port).await;
                    server.resolving.store(false, Ordering::Release);
                });
            }
            return self.in_turn(&resolved.addresses);
        }
        let addresses = self.look_up(host, port).await?;
        self.in_turn(&addresses)
    }

    /// The next address, passing over one that refused a connection a moment ago while there are others.
    fn in_turn(&self, addresses: &[SocketAddr]) -> Result<SocketAddr, String> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let refused = self.refused.load_full().filter(|refused| refused.1.elapsed() < EJECTED_FOR).map(|refused| refused.0);
        let in_turn = || (0..addresses.len()).map(|offset| addresses[turn.wrapping_add(offset) % addresses.len()]);
        in_turn().find(|address| Some(*address) != refused).or_else(|| in_turn().next()).ok_or_else(|| "the name has no address".to_owned())
    }

    async fn look_up(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let found = tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, port))).await;
        let addresses: Vec<SocketAddr> = match found {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(format!("{host} does not resolve: {error}")),
            Err(_late) => return Err(format!("{host} does not resolve in time")),
        };
        if addresses.is_empty() {
            return Err(format!("{host} has no address"));
        }
        self.resolved.store(Some(Arc::new(Resolved { addresses: addresses.clone(), at: Instant::now() })));
        Ok(addresses)
    }
}

/// The contents of `upstream_tls`.
struct TlsFiles {
    ca: Option<Arc<CaType>>,
    /// Tells apart which authorities are trusted, and with which certificate we prove ourselves; 0 for none of either.
    trust: u64,
    client: Option<Arc<CertKey>>,
}

impl TlsFiles {
    fn read(files: &UpstreamTls) -> Result<Self, String> {
        let mut trust = DefaultHasher::new();
        let ca = files.ca.as_ref().map(|path| authorities(path, &mut trust)).transpose()?;
        let client = files.client.as_ref().map(|pair| client_certificate(&pair.certificate, &pair.key, &mut trust)).transpose()?;
        let plain = ca.is_none() && client.is_none();
        Ok(Self { ca, trust: if plain { 0 } else { trust.finish() }, client })
    }
}

/// The authorities in a PEM file, which `trust` then tells apart.
fn authorities(path: &Path, trust: &mut DefaultHasher) -> Result<Arc<CaType>, String> {
    let mut parsed = Vec::new();
    for certificate in certificates(path)? {
        // Pingora panics on what is no certificate, so it is tried first.
        let tried = rustls::RootCertStore::empty().add(certificate.clone());
        tried.map_err(|error| format!("{}: not a usable certificate: {error}", path.display()))?;
        certificate.hash(trust);
        parsed.push(WrappedX509::new(certificate.to_vec(), parse_x509));
    }
    "authorities".hash(trust);
    Ok(Arc::from(parsed))
}

fn client_certificate(chain: &Path, key: &Path, trust: &mut DefaultHasher) -> Result<Arc<CertKey>, String> {
    let certificates = certificates(chain)?;
    certificates.hash(trust);
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| format!("{}: not a PEM key file: {error}", key.display()))?;
    rustls::sign::CertifiedKey::from_der(certificates.clone(), private.clone_key(), &rustls::crypto::ring::default_provider())
        .map_err(|error| format!("{}: not usable with {}: {error}", chain.display(), key.display()))?;
    let certificates = certificates.into_iter().map(|certificate| certificate.to_vec()).collect();
    Ok(Arc::new(CertKey::new(certificates, private.secret_der().to_vec())))
}

/// The certificates in a PEM file; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    match read() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("{}: holds no PEM certificate", path.display())),
        Err(error) => Err(format!("{}: not a PEM certificate file: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(addresses: &[SocketAddr]) -> Pool {
        let address = UpstreamAddress::Tcp { host: "app.test".to_owned(), port: 80 };
        let second = Duration::from_secs(1);
        let server = Server {
            resolved: ArcSwapOption::from_pointee(Resolved { addresses: addresses.to_vec(), at: Instant::now() }),
            address,
            scheme: UpstreamScheme::Http,
            ca: None,
            trust: 0,
            client: None,
            connect_timeout: second,
            read_timeout: second,
            resolving: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
            refused: ArcSwapOption::empty(),
            started: Instant::now(),
            ejected_until: AtomicI64::new(0),
        };
        Pool { servers: vec![Arc::new(server)], next: AtomicUsize::new(0) }
    }

    #[tokio::test]
    async fn a_name_with_two_addresses_is_tried_at_both_and_used_at_the_one_that_answers() {
        let addresses: [SocketAddr; 2] = [([127, 0, 0, 1], 80).into(), ([127, 0, 0, 2], 80).into()];
        let pool = pool(&addresses);
        let server = pool.pick(&[]).unwrap();
        assert_eq!(server.resolve("app.test", 80).await, Ok(addresses[0]));
        assert_eq!(server.resolve("app.test", 80).await, Ok(addresses[1]), "they take turns");
        server.refused_at(addresses[0]);
        for _ in 0..4 {
            assert_eq!(server.resolve("app.test", 80).await, Ok(addresses[1]));
        }
        let again = pool.pick(std::slice::from_ref(&server)).unwrap();
        assert!(Arc::ptr_eq(&again, &server) && !server.is_ejected());
        assert!(pool.pick(&[server.clone(), server]).is_none(), "both have been tried");
        assert_eq!(pool.addresses(), 2);
    }

    #[test]
    fn a_server_with_one_address_is_passed_over_when_it_refuses() {
        let pool = pool(&[([127, 0, 0, 1], 80).into()]);
        pool.servers[0].refused_at(([127, 0, 0, 1], 80).into());
        assert!(pool.servers[0].is_ejected() && pool.addresses() == 1);
    }
}
