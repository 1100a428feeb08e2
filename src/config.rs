//! Configuration: YAML as written → checked, ready-to-use [`Settings`]. This file holds the result.
//!
//! `file` reads YAML into a tree that knows its places, `environment` adds what the environment says, `section` and
//! `field` read typed values and report what is wrong, one file per part says what is allowed, `risks` looks at the whole, and
//! `check` puts it together. No other module reads the environment.

mod accounts;
mod appearance;
mod certificates;
mod check;
mod email;
mod environment;
mod field;
mod file;
mod findings;
mod fixed;
mod headers;
mod later;
mod limits;
mod origin;
mod policy;
mod redis;
mod risks;
mod routes;
mod secret;
mod section;
mod server;
mod telemetry;
#[cfg(test)]
mod tests;
mod tokens;
mod units;
mod upstream;

#[cfg(test)]
pub(crate) use self::redis::parse as parse_redis_address;
pub use self::redis::{RedisAddress, RedisHost, RedisLogin, RedisServer};
pub use check::{Loaded, Problem, Report, default_path, load, load_str};
pub use secret::Secret;
pub use tokens::{ApiSettings, TokenAlgorithm, TokenSettings};
pub use units::duration as read_duration;
pub(crate) use upstream::parse as parse_upstream_server;

use crate::account::{Email, PasswordProfile};
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
    /// Limits of attempts.
    pub rate_limit: RateLimitSettings,
    /// Tokens for programs.
    pub tokens: TokenSettings,
    /// The API for programs.
    pub api: ApiSettings,
    /// Outgoing mail.
    pub email: EmailSettings,
    /// How long audit records are kept.
    pub audit: AuditSettings,
    /// Routes, in the order written.
    pub routes: Vec<Route>,
    /// The access rules.
    pub policy: Policy,
    /// What upstreams are told.
    pub identity: IdentityHeaders,
    /// Logging.
    pub log: LogSettings,
    /// Export of traces.
    pub tracing: TracingSettings,
    /// Look of the pages.
    pub ui: UiSettings,
    /// The demo serves `localhost`, address literals and these hosts, whatever the routes say: a page elsewhere that
    /// points its own name at this machine (DNS rebinding) gets nothing. `None` everywhere else.
    pub local_hosts_only: Option<Vec<Host>>,
}

impl Settings {
    /// The host in whose name mails are sent: the portal's, else the sender's.
    #[must_use]
    pub fn mail_host(&self) -> String {
        let sender = || self.email.from.address.canonical().rsplit_once('@').map_or_else(String::new, |(_, domain)| domain.to_owned());
        self.portal.url.as_ref().map_or_else(sender, |url| url.host.as_str().to_owned())
    }
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

impl ServerSettings {
    /// Whether nobody but this machine's own users and programs can reach it, through no proxy either.
    #[must_use]
    pub fn is_for_this_machine(&self) -> bool {
        let tls = self.tls.iter().flat_map(|tls| &tls.listen);
        let is_loopback = |address: &ListenAddress| matches!(address, ListenAddress::Tcp(tcp) if tcp.ip().is_loopback());
        let behind_proxy = self.trusted_proxies.unix || !self.trusted_proxies.networks.is_empty();
        !behind_proxy && self.listen.iter().chain(tls).all(is_loopback)
    }
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
    /// As an origin, without the scheme's default port: `https://auth.example.com`.
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserStore {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A MongoDB.
    Mongo(MongoUrl),
}

/// `stores.sessions`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Whether an address must be shown to be one's own before one can sign in.
    pub verify_email: bool,
    /// When the gateway locks an account by itself.
    pub lockout: LockoutSettings,
    /// Password resets.
    pub reset: ResetSettings,
}

/// `accounts.lockout`.
#[derive(Clone, Debug)]
pub struct LockoutSettings {
    /// Failures that lock an account, wherever they come from; 0 turns it off.
    pub failures: u32,
    /// How long a window of failures is.
    pub within: Duration,
    /// How long the first lock lasts, the second, and so on; the last one stays. Never empty.
    pub lasts: Vec<Duration>,
}

/// `accounts.reset`.
#[derive(Clone, Debug)]
pub struct ResetSettings {
    /// How long a link works.
    pub token_lifetime: Duration,
    /// Mails an hour for one address.
    pub requests_per_hour: u32,
    /// A single-page application's own page for new passwords, in place of ours: an exact https origin and path;
    /// the token goes into its fragment where it says `{token}`.
    pub url: Option<String>,
}

/// `rate_limit`.
#[derive(Clone, Copy, Debug)]
pub struct RateLimitSettings {
    /// Failures for one client and account, and registrations or requests for resets for one client; 0 turns it off.
    pub attempts: u32,
    /// How long a window is.
    pub per: Duration,
    /// All of these together for one client; 0 turns it off.
    pub per_client: u32,
}

/// `email`.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// Who mails are from.
    pub from: Sender,
    /// How mails leave; `None` where there is no mail.
    pub transport: Option<MailTransport>,
}

/// `email.from`.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Display name.
    pub name: Option<String>,
    /// Address.
    pub address: Email,
}

/// `email.transport`, and the login at the server.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// A file for each mail, in this folder.
    File(PathBuf),
    /// Written to the log.
    Log,
    /// Kept in memory and shown at `/.demo/mail`; the demo's.
    Catcher,
    /// Given to a server.
    Smtp(SmtpServer),
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct SmtpServer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// User name and password, where it asks for them.
    pub login: Option<(String, Secret)>,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte (`smtps://`).
    Implicit,
    /// STARTTLS; a server without it gets neither the login nor the mail.
    Required,
    /// Not at all (`?tls=none`).
    None,
}

/// `audit`.
#[derive(Clone, Copy, Debug)]
pub struct AuditSettings {
    /// How long records are kept.
    pub retention: Duration,
}

/// `accounts.registration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// Whoever has an invitation.
    Invite,
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
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
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
    /// Whether a form whose sender's session has expired is kept until they have signed in again.
    pub park_forms: bool,
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

/// `tracing`.
#[derive(Clone, Debug, Default)]
pub struct TracingSettings {
    /// Where traces are sent; `None` sends none.
    pub otlp: Option<OtlpCollector>,
}

/// A collector of traces that takes OTLP over gRPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpCollector {
    /// Whether it speaks TLS.
    pub https: bool,
    /// Its name or address.
    pub host: Host,
    /// Its port.
    pub port: u16,
}

/// `http://host:port`.
impl std::fmt::Display for OtlpCollector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}:{}", if self.https { "https" } else { "http" }, self.host, self.port)
    }
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
