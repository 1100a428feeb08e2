//! Configuration: YAML as written → checked, ready-to-use [`Settings`]. This file holds the result.
//!
//! `file` reads YAML into a tree that knows its places, `environment` adds what the environment says, `section` and
//! `field` read typed values and report what is wrong, one file per part says what is allowed, `risks` looks at the whole, and
//! `check` puts it together. No other module reads the environment.

mod accounts;
mod appearance;
mod certificates;
mod check;
mod environment;
mod field;
mod file;
mod findings;
mod headers;
mod later;
mod policy;
mod redis;
mod risks;
mod routes;
mod secret;
mod section;
mod server;
#[cfg(test)]
mod tests;
mod units;
mod upstream;

#[cfg(test)]
pub(crate) use self::redis::parse as parse_redis_address;
pub use self::redis::{RedisAddress, RedisHost, RedisLogin, RedisServer};
pub use check::{Loaded, Problem, Report, default_path, load, load_str};
pub use secret::Secret;
pub(crate) use upstream::parse as parse_upstream_server;

use crate::account::PasswordProfile;
use crate::host::{Host, HostPattern};
use crate::identity::IdentityHeaders;
use crate::policy::Policy;
use crate::store::mongo::MongoUrl;
use http::{HeaderName, HeaderValue, Method};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Everything the gateway was told, checked and ready to use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Listeners, limits and timeouts.
    pub server: ServerSettings,
    /// Where metrics and health are served; `None` in the demo.
    pub admin: Option<ListenAddress>,
    /// The portal's own address.
    pub portal: PortalSettings,
    /// Cookie scope.
    pub cookies: CookieSettings,
    /// Session lifetimes.
    pub sessions: SessionSettings,
    /// The key from which all keys are derived.
    pub secret: SecretSource,
    /// A former secret that still verifies.
    pub secret_previous: Option<Secret>,
    /// Where accounts and sessions are kept.
    pub stores: StoreSettings,
    /// Registration and passwords.
    pub accounts: AccountSettings,
    /// Routes, in the order written.
    pub routes: Vec<Route>,
    /// The access rules.
    pub policy: Policy,
    /// What upstreams are told.
    pub identity: IdentityHeaders,
    /// Logging.
    pub log: LogSettings,
    /// Look of the pages.
    pub ui: UiSettings,
    /// The demo serves `localhost`, address literals and these hosts, whatever the routes say: a page elsewhere that
    /// points its own name at this machine (DNS rebinding) gets nothing. `None` everywhere else.
    pub local_hosts_only: Option<Vec<Host>>,
}

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// Unix socket, made with mode 0660.
    Unix(PathBuf),
}

/// `server`.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Plain HTTP listeners.
    pub listen: Vec<ListenAddress>,
    /// Whether HTTP/2 without TLS is spoken there too.
    pub h2c: bool,
    /// TLS listeners.
    pub tls: Option<TlsSettings>,
    /// Networks whose `X-Forwarded-For` and `-Proto` are believed.
    pub trusted_proxies: TrustedProxies,
    /// Where Envoy's gRPC `ext_authz` is answered.
    pub ext_authz_grpc: Option<ListenAddress>,
    /// Path under which the gateway's own pages live, for example `/auth`; no trailing slash.
    pub prefix: String,
    /// Worker threads; `None` for one per core.
    pub threads: Option<usize>,
    /// Size limits.
    pub limits: Limits,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Methods that are let through; never `TRACE` or `CONNECT`.
    pub methods: Vec<Method>,
}

/// Peers that are believed about whom they speak for.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// Networks.
    pub networks: Vec<IpNet>,
    /// Peers on a Unix socket.
    pub unix: bool,
}

/// `server.tls`.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Addresses.
    pub listen: Vec<ListenAddress>,
    /// Certificate chains and keys (PEM), chosen by the names in the certificates.
    pub certificates: Vec<CertificateFiles>,
    /// Whether plain HTTP is redirected to `https`.
    pub redirect_http: bool,
    /// `max-age` of `Strict-Transport-Security`; zero sends none.
    pub hsts: Duration,
}

/// One certificate chain and its key.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// `server.limits`; sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Request line and headers together.
    pub header: usize,
    /// Body of a request to one of our own pages.
    pub own_body: usize,
    /// Body of a proxied request.
    pub proxied_body: u64,
    /// Connections open at once.
    pub connections: usize,
}

/// `server.timeouts`.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From a request's first byte to the end of its headers, in total.
    pub header: Duration,
    /// Between requests on a kept connection.
    pub idle: Duration,
    /// To connect to an upstream.
    pub upstream_connect: Duration,
    /// Between two reads from an upstream.
    pub upstream_read: Duration,
    /// How long to go on accepting after `SIGTERM`.
    pub drain_delay: Duration,
    /// How long running requests may take after that.
    pub drain: Duration,
}

/// `portal`.
#[derive(Clone, Debug)]
pub struct PortalSettings {
    /// Origin of the portal, for example `https://auth.example.com`.
    pub url: Option<PortalUrl>,
    /// Where a sign-in leads when nothing else was asked for: a path, or an absolute URL.
    pub landing: String,
}

/// The portal's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortalUrl {
    /// `https` rather than `http`.
    pub https: bool,
    /// Host name.
    pub host: Host,
    /// Port, the scheme's default included.
    pub port: u16,
}

impl PortalUrl {
    /// The origin as browsers write it: without the scheme's own port.
    #[must_use]
    pub fn origin(&self) -> String {
        let (scheme, default) = if self.https { ("https", 443) } else { ("http", 80) };
        let port = if self.port == default { String::new() } else { format!(":{}", self.port) };
        format!("{scheme}://{}{port}", self.host)
    }
}

/// `cookies`.
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// One login for all hosts under this domain.
    pub domain: Option<String>,
    /// `Some(true)` fixes the scheme to `https`; `None` follows the request.
    pub secure: Option<bool>,
}

/// `sessions`.
#[derive(Clone, Copy, Debug)]
pub struct SessionSettings {
    /// Ends a session that is not used for so long.
    pub idle_timeout: Duration,
    /// Ends any session that was not asked to be remembered.
    pub lifetime: Duration,
    /// Both limits of a remembered session.
    pub remember_for: Duration,
    /// Oldest sessions beyond this end.
    pub max_per_user: usize,
    /// Longest a verdict may live without the store's word.
    pub cache: Duration,
}

/// `secret`.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// As configured.
    Given(Secret),
    /// Made once and kept in this file.
    File(PathBuf),
    /// Made anew at each start (everything in memory).
    Ephemeral,
}

/// `stores`.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// Accounts.
    pub users: UserStore,
    /// Sessions.
    pub sessions: SessionStoreKind,
    /// What stands before the name of every key in Redis.
    pub redis_prefix: String,
}

/// `stores.users`.
#[derive(Clone, Debug)]
pub enum UserStore {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A MongoDB.
    Mongo(MongoUrl),
}

/// `stores.sessions`.
#[derive(Clone, Debug)]
pub enum SessionStoreKind {
    /// In this process only.
    Memory,
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A Redis.
    Redis(Box<RedisAddress>),
}

/// `accounts`.
#[derive(Clone, Debug)]
pub struct AccountSettings {
    /// Who may register.
    pub registration: Registration,
    /// Whether users may change their own sign-in name.
    pub rename: bool,
    /// Members see the admin pages.
    pub admin_group: String,
    /// Which passwords are good enough.
    pub password: PasswordProfile,
    /// How new passwords are hashed.
    pub hash: HashAlgorithm,
    /// Names (canonical) that only an operator gives: those in any rule's `user`, beside the built-in list.
    pub reserved_usernames: Vec<String>,
}

/// `accounts.registration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// Nobody.
    Closed,
}

/// `accounts.password.hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// argon2id, m = 19456 KiB, t = 2, p = 1 (OWASP Password Storage Cheat Sheet).
    Argon2id,
    /// bcrypt, cost 12.
    Bcrypt,
}

/// One of `routes`.
#[derive(Clone, Debug)]
pub struct Route {
    /// Hosts it serves; `None` for any.
    pub host: Option<HostPattern>,
    /// Path prefix, on segment boundaries; begins with `/`, no trailing slash unless it is `/`.
    pub path: String,
    /// Where requests go.
    pub upstream: Upstream,
    /// TLS towards the upstream.
    pub upstream_tls: UpstreamTls,
    /// Whether `path` is cut from what is sent on.
    pub strip_prefix: bool,
    /// Whether the upstream sees the host that the client asked for.
    pub preserve_host: bool,
    /// Between two reads from the upstream.
    pub read_timeout: Duration,
    /// Changes to the request's headers.
    pub request_headers: HeaderChanges,
    /// Changes to the response's headers.
    pub response_headers: HeaderChanges,
    /// Whether `%2f` in the path is let through.
    pub encoded_slashes: bool,
    /// Other origins whose pages may open a WebSocket.
    pub websocket_origins: Vec<String>,
    /// `Authorization` for an application that wants its own: the header's whole value.
    pub basic_auth: Option<HeaderValue>,
}

/// `routes[].upstream`.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// Servers to balance between; at least one.
    Servers(Vec<UpstreamServer>),
    /// The built-in sample application.
    Sample,
    /// A host known for forward-auth only: asked directly it is 404.
    None,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Where it listens.
    pub address: UpstreamAddress,
    /// What is spoken to it.
    pub scheme: UpstreamScheme,
}

/// Where an upstream listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// Host name or address literal, and port.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// Unix socket.
    Unix(PathBuf),
}

/// What is spoken to an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamScheme {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 or HTTP/2 over TLS, verified.
    Https,
    /// HTTP/2 without TLS.
    H2c,
}

/// `routes[].upstream_tls`: PEM files.
#[derive(Clone, Debug, Default)]
pub struct UpstreamTls {
    /// Authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Client certificate and key.
    pub client: Option<CertificateFiles>,
}

/// Headers to set and to remove.
#[derive(Clone, Debug, Default)]
pub struct HeaderChanges {
    /// Replaces all values.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Removes all values.
    pub remove: Vec<HeaderName>,
}

/// `log`.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// JSON records rather than text.
    pub json: bool,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: tracing::Level,
    /// Whether every request is logged.
    pub access: bool,
}

/// `ui`.
#[derive(Clone, Debug)]
pub struct UiSettings {
    /// Name in titles and headings.
    pub title: String,
    /// Image file shown above the forms.
    pub logo: Option<PathBuf>,
    /// CSS colour (`#rgb` or `#rrggbb`).
    pub accent: Option<String>,
    /// Style sheet file added after ours.
    pub css: Option<PathBuf>,
}
