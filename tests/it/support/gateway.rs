//! A whole gateway in the test's process: its own folder, its own ports, its own accounts, and a clock that the test
//! moves if it wants to.

use super::api_client::ApiClient;
use super::browser::Browser;
use super::raw::Raw;
use super::upstream::EchoUpstream;
use super::within_patience;
use portcullis::account::Password;
use portcullis::administration::AddedAccount;
use portcullis::app::App;
use portcullis::clock::{ManualClock, SharedClock, SystemClock, Timestamp};
use portcullis::config::load_str;
use portcullis::reload::{NotReloaded, Reloaded, Reloader};
use portcullis::server::{self, Live, Running};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A password that every profile takes.
pub const PASSWORD: &str = "Correct-horse-7-battery";

/// The moment at which a manual clock starts: 2030-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp(1_893_456_000_000);

/// Keys of limits that many requests of one test would reach.
const LIMITS: [&str; 3] = ["RATE_LIMIT__ATTEMPTS", "RATE_LIMIT__PER_CLIENT", "ACCOUNTS__LOCKOUT__FAILURES"];

/// A running gateway.
pub struct TestGateway {
    running: Running,
    environment: Vec<(String, String)>,
    app: Arc<App>,
    clock: Arc<ManualClock>,
    folder: TempDir,
}

/// A gateway to be started.
pub struct Builder {
    yaml: String,
    environment: Vec<(String, String)>,
    users: Vec<AddedAccount>,
    manual_clock: bool,
    folder: TempDir,
}

impl TestGateway {
    /// A gateway with this configuration. It listens on free ports of 127.0.0.1, whatever that says, and its limits of attempts
    /// are off: all clients of a test have one address.
    pub fn with(yaml: impl Into<String>) -> Builder {
        let builder = Builder {
            yaml: yaml.into(),
            environment: Vec::new(),
            users: Vec::new(),
            manual_clock: false,
            folder: TempDir::with_prefix("portcullis-test-").unwrap(),
        };
        let listening = builder.set("SERVER__LISTEN", r#"["127.0.0.1:0"]"#).set("ADMIN__LISTEN", "127.0.0.1:0");
        LIMITS.iter().fold(listening, |builder, limit| builder.set(limit, "0"))
    }

    /// A gateway with defaults whose only route leads to `upstream`.
    pub fn in_front_of(upstream: &EchoUpstream) -> Builder {
        Self::with(format!("routes: [{{ path: /, upstream: \"{}\" }}]", upstream.origin()))
    }

    /// The first address it listens at.
    pub fn address(&self) -> SocketAddr {
        self.running.addresses().iter().find_map(server::BoundAddress::tcp).expect("it listens on TCP")
    }

    /// Every address it listens at, in the order of the configuration.
    pub fn addresses(&self) -> &[server::BoundAddress] {
        self.running.addresses()
    }

    /// `http://127.0.0.1:port`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The same under another host name.
    pub fn origin_as(&self, host: &str) -> String {
        format!("http://{host}:{}", self.address().port())
    }

    /// Where health and metrics are served.
    pub fn admin_origin(&self) -> String {
        let address = self.running.admin().and_then(server::BoundAddress::tcp).expect("the admin listener is on TCP");
        format!("http://{address}")
    }

    /// Where Envoy's gRPC is answered; it must be configured.
    pub fn ext_authz_origin(&self) -> String {
        let address = self.running.ext_authz().and_then(server::BoundAddress::tcp).expect("the gRPC listener is on TCP");
        format!("http://{address}")
    }

    /// Reads this configuration in place of its own, under the same environment, as on `SIGHUP`.
    pub async fn try_reload_with(&self, yaml: impl Into<String>) -> Result<Reloaded, NotReloaded> {
        let (yaml, folder, environment) = (yaml.into(), self.folder.path().to_owned(), self.environment.clone());
        let reloader = Reloader::new(self.running.live().clone());
        within_patience("the configuration to be reloaded", reloader.reload(move || load_str(&yaml, &folder, &environment))).await
    }

    /// The same; fails the test where it is refused.
    pub async fn reload_with(&self, yaml: impl Into<String>) -> Reloaded {
        self.try_reload_with(yaml).await.unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// What of it follows the configuration, to look behind the door.
    pub fn live(&self) -> &Arc<Live> {
        self.running.live()
    }

    /// What it runs on, to look behind the door.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Its folder, where the stores are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A fresh browser at its address.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.origin())
    }

    /// A fresh JSON client at its address.
    pub fn api(&self) -> ApiClient {
        ApiClient::new(&self.origin())
    }

    /// A fresh connection to its address.
    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address()).await
    }

    /// Moves its clock; it must have been built with [`Builder::manual_clock`].
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Stops as on `SIGTERM`.
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

impl Builder {
    /// Sets a key over the configuration's head, as the environment does: `("SESSIONS__IDLE_TIMEOUT", "10m")`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let key = format!("PORTCULLIS__{key}");
        self.environment.retain(|(old, _)| *old != key);
        self.environment.push((key, value.to_owned()));
        self
    }

    /// Its limits of attempts are those of the configuration.
    pub fn limited(mut self) -> Self {
        self.environment.retain(|(key, _)| LIMITS.iter().all(|limit| key.strip_prefix("PORTCULLIS__") != Some(limit)));
        self
    }

    /// Adds an account with [`PASSWORD`] and `NAME@example.com`.
    pub fn user(mut self, username: &str, groups: &[&str]) -> Self {
        self.users.push(account(username, groups));
        self
    }

    /// Time stands still until [`TestGateway::advance`].
    pub fn manual_clock(mut self) -> Self {
        self.manual_clock = true;
        self
    }

    /// The folder that relative paths of the configuration start at.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts; fails the test where the configuration is wrong.
    pub async fn start(self) -> TestGateway {
        let loaded = load_str(&self.yaml, self.folder.path(), &self.environment).unwrap_or_else(|report| panic!("{report}"));
        let clock = Arc::new(ManualClock::at(BEGINNING));
        let shared: SharedClock = if self.manual_clock { clock.clone() } else { Arc::new(SystemClock) };
        let app = App::open(Arc::new(loaded.settings), shared).unwrap_or_else(|error| panic!("{error}"));
        app.start().unwrap();
        for user in self.users {
            app.administration.add(user).await.unwrap();
        }
        let running = server::start(app.clone(), &server::Workers::current()).await.unwrap_or_else(|error| panic!("{error}"));
        TestGateway { running, environment: self.environment, app, clock, folder: self.folder }
    }
}

/// An account with [`PASSWORD`] and `NAME@example.com`.
pub fn account(username: &str, groups: &[&str]) -> AddedAccount {
    AddedAccount {
        username: username.to_owned(),
        email: format!("{username}@example.com"),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        password: Password::new(PASSWORD.to_owned()),
    }
}
