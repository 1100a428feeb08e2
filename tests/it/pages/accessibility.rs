//! Every page, in every state that a visitor can bring it into, in both looks and on a phone and a desk: no violation of
//! axe-core's rules, nothing that scrolls sideways, no complaint of the browser (a blocked script or style among them).

use super::PASSWORD;
use crate::support::chromium::{Chromium, Options};
use crate::support::gateway::{TestGateway, account};
use crate::support::mailbox::{Mailbox, with_mail};
use crate::support::upstream::EchoUpstream;
use portcullis::audit::Party;
use portcullis::client::Client;
use portcullis::clock::{Clock as _, SystemClock};
use portcullis::invitation::{LIFETIME, NewInvitation};
use serde_json::json;
use sha2::{Digest as _, Sha256};

const LOOKS: [(u32, bool); 4] = [(320, false), (320, true), (1280, false), (1280, true)];

/// The longest group, and enough others to fill lines.
const GROUPS: [&str; 4] = ["staff", "wiki-editors", "operators:on-call", "group-with-the-longest-name-that-there-can-be.0123456789abcdef"];

/// A browser that collects what is wrong with the pages it is shown.
pub(super) struct Inspection {
    pub(super) browser: Chromium,
    pub(super) origin: String,
    pub(super) problems: Vec<String>,
}

impl Inspection {
    /// Opens a page and inspects it.
    pub(super) async fn open(&mut self, name: &str, page: &str) {
        self.browser.open(&format!("{}{page}", self.origin)).await;
        self.inspect(name).await;
    }

    /// Inspects the page as it stands.
    pub(super) async fn inspect(&mut self, name: &str) {
        for (width, dark) in LOOKS {
            let look = if dark { "dark" } else { "light" };
            self.browser.resize(width).await;
            self.browser.set_dark(dark).await;
            self.browser.screenshot(&format!("{name}-{width}-{look}")).await;
            let violations = self.browser.violations().await;
            let overflows = self.browser.overflows().await;
            if overflows || !violations.is_empty() {
                self.problems.push(format!("{name} at {width} px, {look}: overflows: {overflows}, {violations:?}"));
            }
        }
        for complaint in self.browser.complaints().await {
            self.problems.push(format!("{name}: {complaint}"));
        }
    }

    /// Fills in fields of the page's form and sends it, past the browser's own checks.
    pub(super) async fn send(&self, fields: &[(&str, &str)]) {
        self.browser.evaluate("for (const form of document.forms) form.noValidate = true").await;
        for (name, value) in fields {
            self.browser.fill(&format!("input[name={name}]"), value).await;
        }
        self.browser.submit("form button.button").await;
    }

    pub(super) async fn title(&self) -> String {
        self.browser.client().title().await.unwrap()
    }
}

async fn start(upstream: &EchoUpstream) -> (TestGateway, Inspection) {
    let yaml = format!(
        r#"
        accounts: {{ registration: open }}
        routes:
          - {{ path: /, upstream: sample }}
          - {{ path: /gone, upstream: "http://127.0.0.1:1" }}
          - {{ path: /broken, upstream: "{}" }}
        access: {{ rules: [{{ path: /admins, group: [admins], allow: authenticated }}] }}
        "#,
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).user("ann", &GROUPS).start().await;
    let browser = Chromium::start(Options::default()).await;
    let origin = gateway.origin();
    (gateway, Inspection { browser, origin, problems: Vec::new() })
}

/// A program with a name as long as names are shown, signed in.
async fn sign_in_app(gateway: &TestGateway, name: &str) {
    let client = Client { user_agent: format!("{}/1", "a".repeat(32)), address: Some([0x20; 16].into()), ..Client::default() };
    let account = gateway.app().administration.find(name).await.unwrap();
    gateway.app().refresh_tokens.issue(&account, &client).await.unwrap();
}

/// The cookie of a browser that was sent on to `place` many times just now.
fn rounds(place: &str) -> String {
    let now = SystemClock.now().0 / 1000;
    let fingerprint: String = Sha256::digest(place.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("portcullis-rounds=9.{now:x}.{fingerprint}; path=/")
}

/// Issue "Must hold": axe-core finds no violation, light and dark, at 320 and 1280 px.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_for_strangers_is_accessible() {
    let upstream = EchoUpstream::start().await;
    let (_gateway, mut visit) = start(&upstream).await;
    visit.open("login", "/auth/login").await;
    visit.open("login-to", "/auth/login?rd=/wiki").await;
    visit.open("login-registered", "/auth/login?registered").await;
    visit.browser.click("input[name=remember]").await;
    visit.send(&[("username", "ann"), ("password", "wrong")]).await;
    assert_eq!(visit.title().await, "Error: Sign in – Portcullis");
    visit.inspect("login-wrong").await;
    visit.browser.client().delete_all_cookies().await.unwrap();
    visit.send(&[("username", "ann"), ("password", PASSWORD)]).await;
    visit.inspect("login-forged").await;
    visit.open("register", "/auth/register?rd=/wiki").await;
    visit.send(&[("username", "-"), ("email", "nonsense"), ("password", "short")]).await;
    assert_eq!(visit.title().await, "Error: Create an account – Portcullis");
    visit.inspect("register-wrong").await;
    visit.open("forgot", "/auth/forgot").await;
    visit.browser.evaluate(&format!("document.cookie = {:?}", rounds("/wiki"))).await;
    visit.open("login-circle", "/auth/login?rd=/wiki").await;
    assert!(visit.title().await.starts_with("Signing in goes round"), "{}", visit.title().await);
    visit.browser.client().delete_all_cookies().await.unwrap();
    visit.open("logout-nobody", "/auth/logout").await;
    visit.open("not-found", "/auth/nowhere").await;
    visit.open("bad-request", "/a%00b").await;
    visit.browser.send_header("X-Requested-With", "XMLHttpRequest").await;
    visit.open("unauthorized", "/wiki").await;
    assert!(visit.title().await.starts_with("Sign in"), "{}", visit.title().await);
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}

/// Issue "Must hold", as above.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_for_users_is_accessible() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut visit) = start(&upstream).await;
    visit.browser.open(&format!("{}/", visit.origin)).await;
    visit.send(&[("username", "ann"), ("password", PASSWORD)]).await;
    visit.inspect("sample").await;
    visit.browser.submit("main form button").await;
    visit.inspect("sample-form").await;
    visit.open("sample-events", "/events").await;
    visit.open("account", "/auth/account").await;
    visit.send(&[("username", "-"), ("name", "Ann"), ("avatar_url", "http://example.com/ann.png")]).await;
    assert_eq!(visit.title().await, "Error: Your account – Portcullis");
    visit.inspect("account-wrong").await;
    visit.open("account-saved", "/auth/account?saved").await;
    visit.open("password", "/auth/account/password").await;
    visit.send(&[("current_password", "wrong"), ("password", "Another-horse-8-battery")]).await;
    assert_eq!(visit.title().await, "Error: Change password – Portcullis");
    visit.inspect("password-wrong").await;
    sign_in_app(&gateway, "ann").await;
    visit.open("sessions", "/auth/account/sessions").await;
    visit.open("sessions-ended", "/auth/account/sessions?ended").await;
    visit.open("tokens", "/auth/account/tokens").await;
    visit.send(&[("name", " "), ("host", "a/b"), ("path", "api")]).await;
    assert_eq!(visit.title().await, "Error: Your tokens – Portcullis");
    visit.inspect("tokens-wrong").await;
    visit.send(&[("name", "A script with quite a long name"), ("host", "wiki.example.com"), ("path", "/api/a-rather-long-path")]).await;
    assert!(visit.browser.text("main").await.contains("shown only this once"));
    visit.inspect("tokens-made").await;
    visit.open("activity", "/auth/account/activity").await;
    visit.open("confirm", "/auth/account/confirm?rd=/auth/account/sessions").await;
    visit.send(&[("password", "wrong")]).await;
    assert_eq!(visit.title().await, "Error: Confirm it is you – Portcullis");
    visit.inspect("confirm-wrong").await;
    visit.open("logout", "/auth/logout").await;
    visit.open("login-switch", "/auth/login?switch").await;
    visit.open("forbidden", "/admins").await;
    visit.open("bad-gateway", "/gone").await;
    visit.open("broken-gateway", "/broken/garbage").await;
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}

/// Issue "Must hold", as above.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_that_explains_is_accessible() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut visit) = start(&upstream).await;
    gateway.app().administration.set_groups("ann", &["admins".to_owned()]).await.unwrap();
    visit.browser.open(&format!("{}/auth/explain", visit.origin)).await;
    visit.send(&[("username", "ann"), ("password", PASSWORD)]).await;
    visit.inspect("explain").await;
    visit.send(&[("url", "http://wiki.example.com/admins/a-page-with-a-rather-long-name"), ("user", "ann")]).await;
    assert!(visit.browser.text("body").await.contains("Verdict: allow"));
    visit.inspect("explain-answer").await;
    visit.send(&[("ip", "home")]).await;
    assert_eq!(visit.title().await, "Error: Who may see what – Portcullis");
    visit.inspect("explain-wrong").await;
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}

/// Issue "admin pages", and as above.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_for_administrators_is_accessible() {
    let upstream = EchoUpstream::start().await;
    let (gateway, mut visit) = start(&upstream).await;
    let administration = &gateway.app().administration;
    administration.set_groups("ann", &["staff".to_owned(), "admins".to_owned()]).await.unwrap();
    administration.add(account("a-name-as-long-as-names-can-be.3", &GROUPS)).await.unwrap();
    administration.lock("a-name-as-long-as-names-can-be.3").await.unwrap();
    let api = gateway.api().post("/auth/login", &json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!(api.status, 200);
    visit.browser.open(&format!("{}/auth/login", visit.origin)).await;
    visit.send(&[("username", "ann"), ("password", PASSWORD)]).await;
    visit.open("users", "/auth/admin/users").await;
    visit.open("users-none", "/auth/admin/users?q=nobody").await;
    let locked = administration.find("a-name-as-long-as-names-can-be.3").await.unwrap().id;
    visit.open("user-locked", &format!("/auth/admin/users/{locked}")).await;
    let own = administration.find("ann").await.unwrap().id;
    visit.open("user-own", &format!("/auth/admin/users/{own}?done=groups")).await;
    visit.open("user", &format!("/auth/admin/users/{locked}")).await;
    visit.browser.evaluate("document.forms[0].noValidate = true").await;
    visit.browser.fill("input[name=groups]", "a/b").await;
    visit.browser.submit("form button").await;
    assert!(visit.title().await.starts_with("Error: "), "{}", visit.title().await);
    visit.inspect("user-wrong").await;
    sign_in_app(&gateway, "ann").await;
    visit.open("all-sessions", "/auth/admin/sessions?user=ann").await;
    visit.open("all-activity", "/auth/admin/activity").await;
    visit.open("invitations", "/auth/admin/invitations").await;
    visit.send(&[("email", "nonsense"), ("groups", "a/b"), ("days", "0")]).await;
    visit.inspect("invitations-wrong").await;
    visit.send(&[("email", "zoe@example.com"), ("groups", "staff"), ("days", "7")]).await;
    visit.inspect("invitations-made").await;
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}

async fn invite(gateway: &TestGateway, email: &str) -> String {
    let new = NewInvitation { email: email.to_owned(), groups: Vec::new(), lifetime: LIFETIME, base: None };
    gateway.app().invitations.create(new, Party::operator(), &Client::default()).await.unwrap().link
}

/// Issue "Must hold", as above.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_who_is_invited_and_confirms_an_address_is_accessible() {
    let yaml = "accounts: { registration: invite, verify_email: true }\nroutes: [{ path: /, upstream: sample }]";
    let gateway = with_mail(TestGateway::with(yaml)).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let browser = Chromium::start(Options::default()).await;
    let mut visit = Inspection { browser, origin: gateway.origin(), problems: Vec::new() };
    visit.open("register-uninvited", "/auth/register").await;
    visit.open("register-invited", &invite(&gateway, "zoe.with.a.rather-long-name@department.of.the.company.example.com").await).await;
    visit.send(&[("username", "-"), ("password", "short")]).await;
    visit.inspect("register-invited-wrong").await;
    visit.browser.open(&format!("{}{}", visit.origin, invite(&gateway, "").await)).await;
    visit.send(&[("username", "zoe"), ("email", "zoe@example.com"), ("password", PASSWORD)]).await;
    visit.inspect("login-confirm").await;
    visit.send(&[("username", "zoe"), ("password", PASSWORD)]).await;
    assert_eq!(visit.title().await, "Error: Sign in – Portcullis");
    visit.inspect("login-unverified").await;
    let link = mailbox.next_to("zoe@example.com").await.link_path();
    visit.open("verify-email", &link).await;
    visit.browser.submit("form button.button").await;
    visit.inspect("login-confirmed").await;
    visit.open("verify-email-dead", &link).await;
    visit.browser.open(&format!("{}/auth/login", visit.origin)).await;
    visit.send(&[("username", "zoe"), ("password", PASSWORD)]).await;
    visit.open("email", "/auth/account/email").await;
    visit.send(&[("email", "nonsense"), ("current_password", "wrong")]).await;
    assert_eq!(visit.title().await, "Error: Your email address – Portcullis");
    visit.inspect("email-wrong").await;
    visit.send(&[("email", "zoe@example.org"), ("current_password", PASSWORD)]).await;
    visit.inspect("email-sent").await;
    visit.open("verify-email-change", &mailbox.next_to("zoe@example.org").await.link_path()).await;
    assert!(visit.problems.is_empty(), "{}", visit.problems.join("\n"));
    visit.browser.close().await;
}
