//! Two gateways as operators run them, programs that share a Redis and a file of accounts, with whatever they need; and what people,
//! attackers and accidents do to them.

use crate::support::agent::Agent;
use crate::support::fault_proxy::{FaultProxy, Network};
use crate::support::gateway::PASSWORD;
use crate::support::mail_sink::MailSink;
use crate::support::redis_server::RedisServer;
use crate::support::served::Served;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use http::Method;
use portcullis::clock::{Clock as _, SystemClock};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use time::OffsetDateTime;
use url::Url;

const CONFIGURATION: &str = "\
server: { listen: [], threads: 1, trusted_proxies: [127.0.0.1],
  tls: { listen: ['127.0.0.1:0'], certificates: [{ certificate: cert.pem, key: key.pem }] } }
admin: { listen: '127.0.0.1:0' }
portal: { url: 'https://localhost' }
secret: not-much-of-a-secret-but-long-enough-for-tests
stores: { users: 'sqlite:USERS', sessions: 'redis://127.0.0.1:REDIS' }
accounts: { registration: open, lockout: { failures: 3 } }
rate_limit: { attempts: 2 }
email: { transport: 'smtp://127.0.0.1:MAIL?tls=none' }
log: { format: json }
routes: [{ path: /app, upstream: 'UPSTREAM' }, { path: /dead, upstream: 'http://127.0.0.1:1' }]
access: { rules: [{ path: /app/public/**, allow: public }, { path: /app/forbidden, allow: deny }] }
";

/// The gateways, and what they stand on.
pub struct Gateways {
    pub one: Served,
    pub other: Served,
    folder: TempDir,
    network: FaultProxy,
    mail: MailSink,
    _redis: RedisServer,
    _upstream: EchoUpstream,
}

/// What cannot be known before.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// Requests that were let through after the outage, until one was.
    pub allowed_afterwards: u32,
    /// Requests that were refused during the outage, and until it was noticed to be over.
    pub unavailable: u32,
    /// Mails that the server took.
    pub mails: usize,
}

/// One person, at one address, with one browser.
struct Person {
    agent: Agent,
    address: &'static str,
}

impl Gateways {
    pub async fn start() -> Self {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let (redis, upstream, mail) = (RedisServer::start(), EchoUpstream::start().await, MailSink::start());
        let network = FaultProxy::start(redis.port()).await;
        let users = folder.path().join("portcullis.db");
        let configuration = CONFIGURATION
            .replace("USERS", &users.display().to_string())
            .replace("REDIS", &network.port().to_string())
            .replace("MAIL", mail.url("smtp", "127.0.0.1").rsplit(':').next().unwrap())
            .replace("UPSTREAM", &upstream.origin());
        let start = async |name: &str| {
            let own = folder.path().join(name);
            std::fs::create_dir(&own).unwrap();
            write_certificate(&own);
            Served::start(&own, &configuration).await
        };
        let (one, other) = (start("one").await, start("other").await);
        Self { one, other, folder, network, mail, _redis: redis, _upstream: upstream }
    }

    /// Where they are scraped.
    pub fn targets(&self) -> [String; 2] {
        [&self.one, &self.other].map(|gateway| gateway.admin.trim_start_matches("http://").to_owned())
    }

    /// A quiet morning, an attacker, and an outage. The panels' test knows how often each thing happens here.
    pub async fn live_through(&self) -> Outcome {
        let mut ann = Person::at("198.51.100.1");
        self.register().await;
        self.sign_in(&mut ann).await;
        self.reset().await;
        self.browse(&mut ann).await;
        self.ask_for_a_front_proxy(&mut ann).await;
        let (unavailable, allowed_afterwards) = self.lose_the_store(&mut ann).await;
        let mails = self.mails().await;
        self.have_a_mail_refused().await;
        self.reload();
        Outcome { allowed_afterwards, unavailable, mails }
    }

    async fn register(&self) {
        for (number, name) in ["ann", "bob", "dan", "eve"].into_iter().enumerate() {
            let mut person = Person::at(["198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4"][number]);
            let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
            assert_eq!(person.post(&self.one, "/auth/register", &body).await, 201);
        }
        let body = json!({ "username": "ann", "email": "other@example.com", "password": PASSWORD });
        assert_eq!(Person::at("198.51.100.5").post(&self.other, "/auth/register", &body).await, 409);
    }

    /// Ann signs in three times after she has mistyped once, and out once. Bob is guessed at from one address, Eve from many.
    async fn sign_in(&self, ann: &mut Person) {
        assert_eq!(ann.login(&self.one, "ann", "wrong").await, 401);
        assert_eq!(ann.login(&self.one, "ann", PASSWORD).await, 200);
        for gateway in [&self.one, &self.other] {
            let mut elsewhere = Person::at("198.51.100.1");
            assert_eq!(elsewhere.login(gateway, "ann", PASSWORD).await, 200);
            if std::ptr::eq(gateway, &raw const self.other) {
                assert_eq!(elsewhere.post(gateway, "/auth/logout", &json!({})).await, 204);
            }
        }
        for expected in [401, 401, 429] {
            assert_eq!(Person::at("203.0.113.1").login(&self.one, "bob", "guess").await, expected);
        }
        for address in ["203.0.113.2", "203.0.113.3", "203.0.113.4"] {
            assert_eq!(Person::at(address).login(&self.other, "eve", "guess").await, 401);
        }
        assert_eq!(Person::at("203.0.113.5").login(&self.one, "eve", PASSWORD).await, 429);
    }

    /// Dan and somebody without an account ask for a link; Dan uses his, and somebody uses one that does not work.
    async fn reset(&self) {
        for (address, email) in [("198.51.100.6", "dan@example.com"), ("198.51.100.7", "nobody@example.com")] {
            let asked = Person::at(address).post(&self.one, "/api/auth/password-reset/request", &json!({ "email": email })).await;
            assert_eq!(asked, 202);
        }
        let mut mailbox = self.mail.mailbox();
        let link = loop {
            let mail = mailbox.next_to("dan@example.com").await;
            if mail.text.contains("/auth/reset?token=") {
                break mail;
            }
        };
        for (token, expected) in [(link.token(), 200), ("none".to_owned(), 400)] {
            let body = json!({ "token": token, "password": "Another-horse-8-battery" });
            assert_eq!(Person::at("198.51.100.6").post(&self.other, "/api/auth/password-reset/confirm", &body).await, expected);
        }
    }

    async fn browse(&self, ann: &mut Person) {
        for (gateway, times) in [(&self.one, 10), (&self.other, 5)] {
            for _ in 0..times {
                assert_eq!(ann.get(gateway, "/app/x").await, 200);
            }
        }
        let mut stranger = Person::at("198.51.100.8");
        for (path, expected, times) in [("/app/public/x", 200, 3), ("/app/x", 401, 2), ("/nowhere", 404, 1)] {
            for _ in 0..times {
                assert_eq!(stranger.get(&self.one, path).await, expected, "{path}");
            }
        }
        for (path, expected) in [("/app/status/500", 500), ("/dead", 502), ("/app/forbidden", 403)] {
            for _ in 0..2 {
                assert_eq!(ann.get(&self.one, path).await, expected, "{path}");
            }
        }
        assert_eq!(stranger.navigate(&self.one, "/app/x").await, 302);
        assert_eq!(stranger.send(Method::from_bytes(b"PROPFIND").unwrap(), &self.one, "/app/x", &[], "").await, 405);
    }

    async fn ask_for_a_front_proxy(&self, ann: &mut Person) {
        let question = [("x-original-url", "https://127.0.0.1/app/x"), ("x-original-method", "GET")];
        for _ in 0..3 {
            assert_eq!(ann.send(Method::GET, &self.other, "/auth/verify/nginx", &question, "").await, 200);
        }
        let mut stranger = Person::at("198.51.100.8");
        for _ in 0..2 {
            assert_eq!(stranger.send(Method::GET, &self.other, "/auth/verify/nginx", &question, "").await, 401);
        }
    }

    /// How many requests were refused, and how many were let through afterwards.
    async fn lose_the_store(&self, ann: &mut Person) -> (u32, u32) {
        self.network.set(Network::Refusing);
        let mut refused = 0;
        while refused < 3 {
            match ann.get(&self.one, "/app/x").await {
                503 => refused += 1,
                status => panic!("{status} without a store"),
            }
        }
        self.network.set(Network::Good);
        within_patience("the store to be found again", async {
            while ann.get(&self.one, "/app/x").await == 503 {
                refused += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        (refused, 1)
    }

    /// How many mails have arrived, once none waits.
    async fn mails(&self) -> usize {
        let url = Url::parse(&self.one.admin).unwrap().join("/metrics").unwrap();
        within_patience("all mails to be sent", async {
            while !Agent::new().send(Method::GET, &url, &[], "").await.text().contains("portcullis_email_queue_depth 0\n") {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        self.mail.mailbox().count()
    }

    /// A link that Bob asks for waits.
    async fn have_a_mail_refused(&self) {
        self.mail.set_mode("refuse 450");
        let body = json!({ "email": "bob@example.com" });
        assert_eq!(Person::at("198.51.100.9").post(&self.one, "/api/auth/password-reset/request", &body).await, 202);
    }

    /// Both read the configuration anew; that of the other one is bad by now.
    fn reload(&self) {
        std::fs::write(self.folder.path().join("other/portcullis.yaml"), "routes: [{ path: nowhere }]").unwrap();
        for gateway in [&self.one, &self.other] {
            gateway.signal(Signal::HUP);
        }
    }

    /// Ends them; all that they have logged.
    pub async fn log(self) -> String {
        [self.one.log().await, self.other.log().await].concat()
    }
}

impl Person {
    fn at(address: &'static str) -> Self {
        Self { agent: Agent::new(), address }
    }

    async fn login(&mut self, gateway: &Served, username: &str, password: &str) -> u16 {
        self.post(gateway, "/auth/login", &json!({ "username": username, "password": password })).await
    }

    /// Once more where a machine is too busy to look at a password, which counts as nothing.
    async fn post(&mut self, gateway: &Served, path: &str, body: &Value) -> u16 {
        within_patience("a password to be looked at", async {
            loop {
                let status = self.send(Method::POST, gateway, path, &[("content-type", "application/json")], &body.to_string()).await;
                if status != 503 {
                    return status;
                }
            }
        })
        .await
    }

    async fn get(&mut self, gateway: &Served, path: &str) -> u16 {
        self.send(Method::GET, gateway, path, &[], "").await
    }

    async fn navigate(&mut self, gateway: &Served, path: &str) -> u16 {
        let headers = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        self.send(Method::GET, gateway, path, &headers, "").await
    }

    async fn send(&mut self, method: Method, gateway: &Served, path: &str, headers: &[(&str, &str)], body: &str) -> u16 {
        let url = Url::parse(&gateway.origin).unwrap().join(path).unwrap();
        let headers = [headers, &[("x-forwarded-for", self.address)]].concat();
        self.agent.send(method, &url, &headers, body.to_owned()).await.status
    }
}

/// A certificate that ends tomorrow.
fn write_certificate(folder: &Path) {
    let mut parameters = CertificateParams::new(["portcullis.test".to_owned()]).unwrap();
    let now = OffsetDateTime::from_unix_timestamp(SystemClock.now().0 / 1000).unwrap();
    parameters.not_after = now + Duration::from_hours(24);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("cert.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}
