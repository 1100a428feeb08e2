//! Tokens in `Authorization`, on requests that go through the gateway: whom they speak for, what of them reaches the application
//! (nothing), and what becomes of those that open nothing. The verify endpoints have the same in `forward_auth/tokens.rs`.

mod ends;
mod outage;
mod refused;
mod scopes;

use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::message::Head;
use crate::support::raw::{Raw, RawResponse};
use crate::support::upstream::EchoUpstream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis::account::Account;
use portcullis::audit::Party;
use portcullis::client::Client;
use portcullis::clock::Timestamp;
use portcullis::token::{NewPersonalToken, Scope};
use serde_json::json;

/// What a browser sends with a navigation.
const HTML: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";

const RULES: &str = r"
access:
  rules:
    - { path: /public, allow: public }
    - { path: /admin, group: [admins], allow: authenticated }
    - { path: /write, method: [GET], allow: authenticated }
    - { path: /write, allow: deny }
    - { path: /never, allow: deny }
";

/// A gateway before an application, with ann, who is in `staff`.
struct Site {
    upstream: EchoUpstream,
    gateway: TestGateway,
}

impl Site {
    async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(change: impl FnOnce(Builder) -> Builder) -> Self {
        let upstream = EchoUpstream::start().await;
        let yaml = format!("routes: [{{ path: /, upstream: \"{}\" }}]\n{RULES}", upstream.origin());
        let gateway = change(TestGateway::with(yaml)).user("ann", &["staff"]).start().await;
        Self { upstream, gateway }
    }

    async fn account(&self) -> Account {
        self.gateway.app().administration.find("ann").await.unwrap()
    }

    /// A fresh access token of hers.
    async fn access(&self) -> String {
        self.gateway.app().access_tokens.issue(&self.account().await).await.unwrap().text
    }

    /// A new personal token of hers for everything.
    async fn personal(&self) -> String {
        self.personal_for(Scope::default(), None).await
    }

    async fn personal_for(&self, scope: Scope, expires_at: Option<Timestamp>) -> String {
        personal(&self.gateway, &self.account().await, scope, expires_at).await
    }

    /// A request with these header lines.
    async fn ask(&self, line: &str, lines: &str) -> RawResponse {
        Raw::exchange(self.gateway.address(), format!("{line} HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n")).await
    }

    /// What reached the application of a request that was let through.
    async fn forwarded(&self, line: &str, lines: &str) -> Head {
        let before = self.upstream.seen();
        let answer = self.ask(line, lines).await;
        assert_eq!((answer.status(), self.upstream.seen()), (200, before + 1), "{line} {lines:?}: {}", answer.text());
        self.upstream.last().head
    }

    async fn status(&self, line: &str, credential: &str) -> u16 {
        self.ask(line, &bearer(credential)).await.status()
    }

    /// A `Cookie` line of hers.
    async fn cookie(&self) -> String {
        let mut api = self.gateway.api();
        assert_eq!(api.post("/auth/login", &json!({ "username": "ann", "password": PASSWORD })).await.status, 200);
        format!("Cookie: portcullis={}\r\n", api.agent.cookies.get("portcullis").unwrap().value)
    }
}

/// Makes a personal token of this account.
pub async fn personal(gateway: &TestGateway, account: &Account, scope: Scope, expires_at: Option<Timestamp>) -> String {
    let wanted = NewPersonalToken { name: "script".to_owned(), scope, expires_at };
    let made = gateway.app().personal_tokens.create(account, wanted, Party::operator(), &Client::default()).await;
    made.unwrap_or_else(|error| panic!("{error}")).1.expose()
}

/// Header line with a token.
fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Header line with a password, as `curl -u` writes it.
fn basic(pair: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(pair))
}

/// S4.5; contract 3.2, 3.5, 3.11; threats A01 to A05
#[tokio::test(flavor = "multi_thread")]
async fn a_token_names_its_user_to_the_application_which_never_sees_it() {
    let site = Site::start().await;
    let (access, personal) = (site.access().await, site.personal().await);
    let forged = "X-User: root\r\nX_User_Groups: admins\r\nRemote-User: root\r\n";
    for credential in [
        bearer(&access),
        bearer(&personal),
        format!("authorization: bEARER {personal}\r\n"),
        basic(&format!("ann:{personal}")),
        basic(&format!(":{personal}")),
        basic(&format!("__token__:{personal}")),
    ] {
        for line in ["GET /page", "POST /page", "GET /public/page"] {
            let head = site.forwarded(line, &format!("{forged}{credential}")).await;
            assert_eq!(head.header_values("x-user"), ["ann"], "{line} {credential}");
            assert_eq!(head.header("x-user-groups"), Some("staff"));
            assert_eq!(head.header("x-user-email"), Some("ann@example.com"));
            assert!(head.header("remote-user").is_none() && head.header("x_user_groups").is_none());
            assert!(head.header("authorization").is_none(), "{line} {credential}");
        }
        let answer = site.ask("GET /page", &credential).await;
        assert_eq!(answer.header("cache-control"), Some("private, no-cache"));
    }
}

/// Contract 3.5: what is not ours is no credential; threats G05: account passwords neither
#[tokio::test(flavor = "multi_thread")]
async fn the_authorization_of_an_application_passes_untouched_and_the_cookie_decides() {
    let site = Site::start().await;
    let cookie = site.cookie().await;
    let foreign = "eyJhbGciOiJFZERTQSIsImtpZCI6InRoZWlycyJ9.eyJpc3MiOiJodHRwczovL3RoZWlycy5leGFtcGxlIn0.c2ln";
    for value in [
        format!("Bearer {foreign}"),
        "bearer  opaque".to_owned(),
        "Digest username=\"ann\", response=\"0\"".to_owned(),
        format!("Basic {}", STANDARD.encode(format!("ann:{PASSWORD}"))),
        String::new(),
    ] {
        let line = format!("Authorization: {value}\r\n");
        let head = site.forwarded("GET /page", &format!("{cookie}{line}")).await;
        assert_eq!((head.header("x-user"), head.header("authorization")), (Some("ann"), Some(value.as_str())));
        let head = site.forwarded("GET /public/page", &line).await;
        assert_eq!((head.header("x-user"), head.header("authorization")), (None, Some(value.as_str())));
        let answer = site.ask("GET /page", &line).await;
        assert_eq!((answer.status(), answer.header("www-authenticate")), (401, Some("Bearer realm=\"portcullis\"")), "{value}");
        assert_eq!(site.ask("GET /page", &format!("{line}{HTML}")).await.status(), 302, "{value}");
    }
}

/// Contract 3.5: a token comes before the cookie
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_cookie_the_token_decides() {
    let site = Site::with(|builder| builder.user("bob", &["admins"])).await;
    let cookie = site.cookie().await;
    let bob = site.gateway.app().administration.find("bob").await.unwrap();
    let token = personal(&site.gateway, &bob, Scope::default(), None).await;
    let head = site.forwarded("GET /admin", &format!("{cookie}{}", bearer(&token))).await;
    assert_eq!((head.header("x-user"), head.header("cookie")), (Some("bob"), None));
    assert_eq!(site.ask("GET /admin", &cookie).await.status(), 403);
}

/// Contract 3.5, issue "A session's rules hold alike"
#[tokio::test(flavor = "multi_thread")]
async fn rules_judge_a_token_as_its_user_as_stored_now() {
    let site = Site::start().await;
    for token in [site.access().await, site.personal().await] {
        site.gateway.app().administration.set_groups("ann", &["staff".to_owned()]).await.unwrap();
        assert_eq!(site.status("GET /admin", &token).await, 403);
        assert_eq!(site.status("GET /never", &token).await, 403);
        assert_eq!(site.status("GET /write", &token).await, 200);
        assert_eq!(site.status("POST /write", &token).await, 403);
        let answer = site.ask("GET /admin", &format!("{}{HTML}", bearer(&token))).await;
        assert_eq!((answer.status(), answer.header("www-authenticate"), answer.header("location")), (403, None, None));
        site.gateway.app().administration.set_groups("ann", &["admins".to_owned()]).await.unwrap();
        let head = site.forwarded("GET /admin", &bearer(&token)).await;
        assert_eq!(head.header("x-user-groups"), Some("admins"), "in force at once, whatever the token says");
    }
}

/// S4.5, contract 3.5: which of our own pages take a token
#[tokio::test(flavor = "multi_thread")]
async fn of_our_own_pages_the_profile_takes_a_token_and_all_others_ignore_it() {
    let site = Site::start().await;
    let (good, bad, cookie) = (bearer(&site.personal().await), bearer("pat_bad"), site.cookie().await);
    for line in ["GET /auth/profile", "HEAD /auth/profile"] {
        let mut raw = Raw::connect(site.gateway.address()).await;
        raw.send(format!("{line} HTTP/1.1\r\nHost: app.test\r\n{good}\r\n")).await;
        let answer = if line.starts_with("HEAD") { raw.response_to_head().await } else { raw.response().await };
        assert_eq!(answer.status(), 200, "{line}");
    }
    let answer = site.ask("GET /auth/profile", &good).await;
    assert_eq!((answer.json()["username"].as_str(), answer.json()["groups"][0].as_str()), (Some("ann"), Some("staff")));
    let answer = site.ask("GET /auth/profile", &format!("{cookie}{bad}")).await;
    assert_eq!((answer.status(), answer.json()["type"].as_str()), (401, Some("urn:portcullis:invalid_token")));
    assert!(answer.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    for page in ["/auth/login", "/auth/forgot", "/.well-known/change-password"] {
        let plain = site.ask(&format!("GET {page}"), HTML).await.status();
        for line in [&good, &bad] {
            assert_eq!(site.ask(&format!("GET {page}"), &format!("{HTML}{line}")).await.status(), plain, "{page} {line}");
        }
    }
    for line in [&good, &bad] {
        assert_eq!(site.ask("GET /auth/account", &format!("{HTML}{line}")).await.status(), 302, "nobody is signed in to a page by it");
        assert_eq!(site.ask("GET /auth/account", &format!("{HTML}{cookie}{line}")).await.status(), 200);
        assert_eq!(site.ask("GET /auth/session", line).await.status(), 401, "there is no session to tell of");
        assert_eq!(site.ask("GET /auth/session", &format!("{cookie}{line}")).await.status(), 200);
    }
}
