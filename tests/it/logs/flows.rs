//! Everything that people and programs do, with the log at its finest level: nothing that opens anything gets into it.

use super::assert_records;
use crate::support::agent::{Agent, Answer};
use crate::support::api_client::ApiClient;
use crate::support::browser::Browser;
use crate::support::gateway::PASSWORD;
use crate::support::mail_sink::MailSink;
use crate::support::mailbox::{Mailbox, ReceivedMail};
use crate::support::mongo_server::MongoServer;
use crate::support::redis_server::RedisServer;
use crate::support::secrets::Secrets;
use crate::support::served::Served;
use crate::support::{program, until};
use http::Method;
use serde_json::json;
use std::path::Path;
use tempfile::TempDir;

const NEW: &str = "New-secret-password-7";
const WRONG: &str = "Wrong-secret-password-7";
/// Too short to be taken.
const WEAK: &str = "ecret-7";
/// What strangers send: in headers, queries and bodies.
const SENT: &str = "Sent-secret-7";

/// A gateway, the mails that it sends, and the secrets met so far.
struct Walk {
    served: Served,
    mailbox: Mailbox,
    secrets: Secrets,
}

impl Walk {
    /// A program whose `more` configuration says where its stores are.
    async fn start(folder: &Path, format: &str, sink: &MailSink, more: &str) -> Self {
        let configuration = format!(
            "server: {{ listen: ['127.0.0.1:0'], trusted_proxies: [127.0.0.1] }}\nadmin: {{ listen: '127.0.0.1:0' }}\n\
             secret: Key-secret-7-which-is-long-enough-to-be-one\n\
             accounts: {{ registration: open, lockout: {{ failures: 3 }} }}\nrate_limit: {{ attempts: 0, per_client: 0 }}\n\
             routes: [{{ path: /, upstream: sample, park_forms: true }}]\nlog: {{ level: trace, format: {format} }}\n\
             portal: {{ url: 'http://localhost' }}\ntracing: {{ otlp: 'http://127.0.0.1:9' }}\n\
             email: {{ transport: '{}?tls=none', username: gate, password: Smtp-secret-7 }}\n{more}\n",
            sink.url("smtp", "127.0.0.1")
        );
        std::fs::write(folder.join("portcullis.yaml"), &configuration).unwrap();
        let input = format!("{PASSWORD}\n");
        let added = program::run(folder, &["user", "add", "root", "--email", "root@example.com", "--group", "admins"], &input).await;
        assert_eq!(added.code, Some(0), "{added:?}");
        let mut secrets = Secrets::default();
        for secret in [PASSWORD, NEW, WRONG, WEAK, SENT, "secret-7", "secret-password", "argon2id"] {
            secrets.keep(secret);
        }
        Self { served: Served::start(folder, &configuration).await, mailbox: sink.mailbox(), secrets }
    }

    fn browser(&self) -> Browser {
        let mut browser = Browser::new(&self.served.origin);
        browser.agent.secrets = Some(Secrets::default());
        browser
    }

    /// The secrets that an agent has met.
    fn met_by(&mut self, agent: Agent) {
        self.secrets.extend(agent.secrets.expect("it keeps what it meets"));
    }

    /// The next mail to an address that has a link to this page.
    async fn link(&mut self, address: &str, page: &str) -> ReceivedMail {
        loop {
            let mail = self.mailbox.next_to(address).await;
            if mail.text.contains(&format!("{page}?token=")) || mail.text.contains(&format!("{page}?invite=")) {
                self.secrets.keep(&mail.token());
                return mail;
            }
        }
    }
}

/// Opens a page and sends its form; the answer has this status.
async fn fill(browser: &mut Browser, page: &str, fields: &[(&str, &str)], status: u16) -> Answer {
    let page = browser.visit(page).await;
    let answer = browser.submit(&page, fields).await;
    assert_eq!(answer.status, status, "{}: {}", page.url, answer.text());
    answer
}

/// Threats K07, P11; ASVS V14.2.1, V16.2.5, and I08: with each store, in both formats, and while the store is away
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_anybody_does_leaves_a_secret_in_the_log() {
    let embedded = "stores: { users: 'sqlite:portcullis.db', sessions: memory }".to_owned();
    everything("json", &embedded, None).await;
    let redis = RedisServer::start_with(&["--requirepass", "Redis-secret-7", "--save", "", "--appendonly", "no"]);
    let address = format!("redis://:Redis-secret-7@127.0.0.1:{}", redis.port());
    let network = format!("stores: {{ users: '{}', sessions: '{address}' }}", MongoServer::fresh_database());
    everything("text", &network, Some(redis)).await;
}

async fn everything(format: &str, stores: &str, redis: Option<RedisServer>) {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let sink = MailSink::start_with(&["--login", "gate:Smtp-secret-7"]);
    let mut walk = Walk::start(folder.path(), format, &sink, stores).await;
    strangers(&mut walk).await;
    own_account(&mut walk).await;
    recovery(&mut walk).await;
    programs(&mut walk).await;
    administrators(&mut walk).await;
    let outage = redis.is_some();
    if let Some(mut redis) = redis {
        let mut browser = walk.browser();
        fill(&mut browser, "/auth/login", &[("username", "root"), ("password", PASSWORD)], 303).await;
        redis.kill();
        assert_eq!(browser.open("/app").await.status, 503);
        walk.met_by(browser.agent);
    }
    let log = walk.served.log().await;
    assert_records(&log, format);
    assert!(walk.secrets.count() > 40, "{}", walk.secrets.count());
    walk.secrets.assert_not_in(&log);
    for event in ["registration", "password_reset", "email_confirmation", "account_lock", "invitation_creation", "lockout", "request"] {
        let told = if format == "json" { format!("\"event\":\"{event}\"") } else { event.to_owned() };
        assert!(log.contains(&told), "{event}: {log}");
    }
    assert_eq!(log.contains("store_failed"), outage, "{log}");
}

/// Who is not signed in: registers, guesses, sends what is none of ours, asks as a front proxy.
async fn strangers(walk: &mut Walk) {
    let mut browser = walk.browser();
    fill(&mut browser, "/auth/register", &[("username", "ada"), ("email", "ada@example.com"), ("password", WEAK)], 400).await;
    fill(&mut browser, "/auth/register", &[("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)], 303).await;
    fill(&mut browser, "/auth/login?password=Sent-secret-7", &[("username", "ada"), ("password", WRONG)], 401).await;
    for _ in 0..4 {
        let page = browser.visit("/auth/login").await;
        browser.submit(&page, &[("username", "nobody"), ("password", WRONG)]).await;
    }
    let page = browser.visit("/auth/login").await;
    assert_eq!(browser.submit(&page, &[("csrf", "Sent-secret-7"), ("username", "ada"), ("password", PASSWORD)]).await.status, 403);
    for link in ["/auth/reset?token=Sent-secret-7", "/auth/verify-email?token=Sent-secret-7", "/auth/register?invite=Sent-secret-7"] {
        browser.visit(link).await;
    }
    for (name, value) in [
        ("authorization", "Bearer pat_Sent-secret-7"),
        ("authorization", "Basic U2VudC1zZWNyZXQtNw=="),
        ("cookie", "portcullis=Sent-secret-7; portcullis-csrf=Sent-secret-7"),
        ("x-api-key", SENT),
        ("x-request-id", "Sent-secret-7 with more"),
        ("traceparent", SENT),
        ("tracestate", "a=Sent-secret-7"),
        ("referer", "http://localhost/?token=Sent-secret-7"),
    ] {
        let url = browser.url("/app?token=Sent-secret-7");
        Agent::new().send(Method::POST, &url, &[(name, value), ("content-type", "application/json")], "Sent-secret-7").await;
        let asked = [
            ("x-original-url", "http://localhost/app?token=Sent-secret-7"),
            ("x-original-method", "GET"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        let asked = [&asked[..], &[(name, value)]].concat();
        let url = browser.url("/auth/verify/nginx");
        Agent::new().send(Method::GET, &url, &asked, "").await;
    }
    walk.secrets.keep("U2VudC1zZWNyZXQtNw==");
    walk.met_by(browser.agent);
}

/// Somebody signs in, uses the application, and changes everything that is theirs.
async fn own_account(walk: &mut Walk) {
    let mut browser = walk.browser();
    fill(&mut browser, "/auth/login?rd=/app?token=Sent-secret-7", &[("username", "ada"), ("password", PASSWORD)], 303).await;
    browser.open("/app?token=Sent-secret-7").await;
    let cookies = browser.agent.cookies.header(&browser.url("/")).unwrap();
    let asked = [
        ("x-original-url", "http://localhost/app?token=Sent-secret-7"),
        ("x-original-method", "GET"),
        ("x-forwarded-for", "198.51.100.7"),
        ("cookie", cookies.as_str()),
    ];
    let url = browser.url("/auth/verify/nginx");
    assert_eq!(Agent::new().send(Method::GET, &url, &asked, "").await.status, 200);
    fill(&mut browser, "/auth/account", &[("name", "Ada")], 303).await;
    fill(&mut browser, "/auth/account/password", &[("current_password", WRONG), ("password", NEW)], 401).await;
    fill(&mut browser, "/auth/account/password", &[("current_password", PASSWORD), ("password", NEW)], 303).await;
    fill(&mut browser, "/auth/account/email", &[("email", "eva@example.com"), ("current_password", NEW)], 303).await;
    let mail = walk.link("eva@example.com", "/auth/verify-email").await;
    fill(&mut browser, &mail.link_path(), &[], 303).await;
    fill(&mut browser, "/auth/account/confirm?rd=/auth/account", &[("password", WRONG)], 401).await;
    fill(&mut browser, "/auth/account/confirm?rd=/auth/account", &[("password", NEW)], 303).await;
    let mut other = walk.browser();
    fill(&mut other, "/auth/login", &[("username", "eva@example.com"), ("password", NEW), ("remember", "on")], 303).await;
    for page in ["/auth/account/sessions", "/auth/account/activity", "/auth/session", "/auth/profile"] {
        assert_eq!(browser.visit(page).await.status, 200, "{page}");
    }
    fill(&mut browser, "/auth/account/sessions", &[("end", "others")], 303).await;
    fill(&mut browser, "/auth/logout", &[], 303).await;
    walk.met_by(other.agent);
    walk.met_by(browser.agent);
}

/// Somebody has forgotten the password.
async fn recovery(walk: &mut Walk) {
    let mut browser = walk.browser();
    fill(&mut browser, "/auth/forgot", &[("email", "eva@example.com")], 303).await;
    let mail = walk.link("eva@example.com", "/auth/reset").await;
    fill(&mut browser, &mail.link_path(), &[("password", WEAK)], 400).await;
    fill(&mut browser, &mail.link_path(), &[("password", PASSWORD)], 303).await;
    assert_eq!(browser.visit(&mail.link_path()).await.status, 400, "spent");
    walk.met_by(browser.agent);
}

/// Programs do the same as JSON.
async fn programs(walk: &mut Walk) {
    let mut api = ApiClient::new(&walk.served.origin);
    api.agent.secrets = Some(Secrets::default());
    let bob = json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD });
    assert_eq!(api.post("/auth/register", &bob).await.status, 201);
    assert_eq!(api.post("/auth/register", &json!({ "Field-secret-7": 1, "password": "Sent-secret-7" })).await.status, 400);
    assert_eq!(api.post("/auth/login", &json!({ "username": "bob", "password": WRONG })).await.status, 401);
    assert_eq!(api.post("/auth/login", &json!({ "email": "bob@example.com", "password": PASSWORD })).await.status, 200);
    assert_eq!(api.get("/auth/profile").await.status, 200);
    assert_eq!(api.post("/auth/logout", &json!({})).await.status, 204);
    assert_eq!(api.post("/api/auth/password-reset/request", &json!({ "email": "bob@example.com" })).await.status, 202);
    let token = walk.link("bob@example.com", "/auth/reset").await.token();
    for (token, password, status) in [(SENT, NEW, 400), (&token, WEAK, 400), (&token, NEW, 200)] {
        let answer = api.post("/api/auth/password-reset/confirm", &json!({ "token": token, "password": password })).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    walk.met_by(api.agent);
}

/// An administrator does everything to Bob, and invites somebody.
async fn administrators(walk: &mut Walk) {
    let mut root = walk.browser();
    fill(&mut root, "/auth/login", &[("username", "root"), ("password", PASSWORD)], 303).await;
    let found = root.visit("/auth/admin/users?q=bob").await;
    let bob = regex::Regex::new("/auth/admin/users/[0-9a-f-]{36}").unwrap().find(&found.text()).unwrap().as_str().to_owned();
    let page = root.visit(&bob).await;
    let csrf = crate::support::form::Form::all(&page.text()).remove(0).values;
    let csrf = csrf.into_iter().find(|(name, _)| name == "csrf").unwrap().1;
    for fields in [
        &[("act", "lock")][..],
        &[("act", "unlock")],
        &[("act", "groups"), ("groups", "staff")],
        &[("act", "end-sessions")],
        &[("act", "reset")],
    ] {
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("csrf", &csrf).extend_pairs(fields).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("sec-fetch-site", "same-origin")];
        let url = root.url(&bob);
        assert_eq!(root.agent.send(Method::POST, &url, &headers, body).await.status, 303, "{fields:?}");
    }
    walk.link("bob@example.com", "/auth/reset").await;
    fill(&mut root, &bob, &[("confirm", "bob")], 303).await;
    let made = fill(&mut root, "/auth/admin/invitations", &[("email", "zoe@example.com"), ("groups", "staff"), ("days", "2")], 200).await;
    let invitation = walk.link("zoe@example.com", "/auth/register").await;
    assert!(made.text().contains(&invitation.token()), "the page shows the link once: {}", made.text());
    for page in ["/auth/admin/sessions?user=ada", "/auth/admin/activity", "/auth/admin/explain?url=http://localhost/%3Ftoken=Sent-secret-7"]
    {
        root.visit(page).await;
    }
    let mut zoe = walk.browser();
    fill(&mut zoe, &invitation.link_path(), &[("username", "zoe"), ("password", PASSWORD)], 303).await;
    fill(&mut zoe, "/auth/login", &[("username", "zoe"), ("password", PASSWORD)], 303).await;
    walk.met_by(zoe.agent);
    walk.met_by(root.agent);
}

/// Threats K07: a form that waits for its sender's sign-in stays between the two
#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_waits_leaves_nothing_in_the_log() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let sink = MailSink::start_with(&["--login", "gate:Smtp-secret-7"]);
    let mut walk = Walk::start(folder.path(), "text", &sink, "sessions: { idle_timeout: 1s }").await;
    let mut browser = walk.browser();
    let login = [("username", "root"), ("password", PASSWORD)];
    fill(&mut browser, "/auth/login", &login, 303).await;
    until("the session expires", async || browser.fetch(Method::GET, "/auth/session").await.status != 200).await;
    let headers = [
        ("accept", "text/html"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    let url = browser.url("/save?token=Sent-secret-7");
    let answer = browser.agent.send(Method::POST, &url, &headers, "text=Sent-secret-7").await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?rd=%2Fauth%2Fparked"));
    let offered = fill(&mut browser, "/auth/login?rd=/auth/parked", &login, 303).await;
    let offered = browser.follow(offered).await;
    assert!(offered.text().contains("Sent-secret-7"), "the form is offered: {}", offered.text());
    walk.met_by(browser.agent);
    let log = walk.served.log().await;
    assert!(log.contains("/auth/parked"), "{log}");
    walk.secrets.assert_not_in(&log);
}
