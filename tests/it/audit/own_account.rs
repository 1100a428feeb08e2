//! What people leave who make, change and get back their own accounts.

use super::{NEW, Trail, fill, press, sign_in};
use crate::support::api_client::ApiClient;
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::{Mailbox, with_mail};
use portcullis::audit::Party;
use portcullis::client::Client;
use portcullis::invitation::{LIFETIME, NewInvitation};
use serde_json::{Value, json};
use std::time::Duration;

const YAML: &str = "accounts: { registration: open }\nroutes: [{ path: /, upstream: sample }]";
const REFRESH: &str = "/api/auth/refresh";
const WRONG: &str = "Wrong-horse-7-battery";

async fn signed_in(gateway: &TestGateway, username: &str) -> Browser {
    let mut browser = gateway.browser();
    assert_eq!(sign_in(&mut browser, username, PASSWORD).await.status, 303);
    browser
}

async fn register(gateway: &TestGateway, page: &str, username: &str, email: &str) -> u16 {
    fill(&mut gateway.browser(), page, &[("username", username), ("email", email), ("password", PASSWORD)]).await.status
}

/// S0.8
#[tokio::test(flavor = "multi_thread")]
async fn registrations_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).set("ACCOUNTS__VERIFY_EMAIL", "true").user("ann", &[]).start().await;
    let (mut trail, mut mailbox) = (Trail::of(&gateway).await, Mailbox::of(&gateway));
    assert_eq!(register(&gateway, "/auth/register", "zoe", "zoe@example.com").await, 303);
    trail.tells(&["registration success - by zoe"]).await;
    assert_eq!(register(&gateway, "/auth/register", "ann", "yan@example.com").await, 409);
    trail.tells(&["registration failure username_taken by \"ann\""]).await;
    assert_eq!(register(&gateway, "/auth/register", "yan", "ann@example.com").await, 303);
    trail.tells(&["registration failure email_taken by \"yan\""]).await;
    assert_eq!(sign_in(&mut gateway.browser(), "zoe", PASSWORD).await.status, 403);
    trail.tells(&["login failure email_unverified by zoe"]).await;
    let link = mailbox.next_to("zoe@example.com").await.link_path();
    let mut browser = gateway.browser();
    let page = browser.open(&link).await;
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
    trail.tells(&["email_confirmation success - by zoe"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_by_invitation_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).set("ACCOUNTS__REGISTRATION", "invite").start().await;
    let new = NewInvitation { email: String::new(), groups: Vec::new(), lifetime: LIFETIME, base: None };
    let invited = gateway.app().invitations.create(new, Party::operator(), &Client::default()).await.unwrap();
    let mut trail = Trail::of(&gateway).await;
    let mut browser = gateway.browser();
    let page = browser.open(&invited.link).await;
    let fields = [("username", "zoe"), ("email", "zoe@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.submit(&page, &fields).await.status, 303);
    trail.tells(&["registration success invited by zoe"]).await;
    let fields = [("username", "yan"), ("email", "yan@example.com"), ("password", PASSWORD)];
    assert_eq!(browser.submit(&page, &fields).await.status, 403);
    trail.tells(&["registration failure invite_invalid by \"yan\""]).await;
}

/// S2.6
#[tokio::test(flavor = "multi_thread")]
async fn resets_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).set("ACCOUNTS__RESET__REQUESTS_PER_HOUR", "1").user("ann", &[]).start().await;
    let (mut trail, mut mailbox) = (Trail::of(&gateway).await, Mailbox::of(&gateway));
    let mut browser = gateway.browser();
    assert_eq!(fill(&mut browser, "/auth/forgot", &[("email", "Ann@example.com")]).await.status, 303);
    let asked = "password_reset_request success - by \"ann@example.com\"";
    trail.tells(&[asked, "password_reset_request success link_sent by ann"]).await;
    assert_eq!(fill(&mut browser, "/auth/forgot", &[("email", "ann@example.com")]).await.status, 429);
    trail.tells(&["password_reset_request failure rate_limited by \"ann@example.com\""]).await;
    let page = browser.visit(&mailbox.next_to("ann@example.com").await.link_path()).await;
    assert_eq!(browser.submit(&page, &[("password", NEW)]).await.status, 303);
    trail.tells(&["password_reset success - by ann"]).await;
    assert_eq!(browser.submit(&page, &[("password", NEW)]).await.status, 400);
    trail.tells(&["password_reset failure invalid_token by nobody"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_registrations_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).limited().set("RATE_LIMIT__ATTEMPTS", "1").start().await;
    let mut trail = Trail::of(&gateway).await;
    assert_eq!(register(&gateway, "/auth/register", "zoe", "zoe@example.com").await, 303);
    assert_eq!(register(&gateway, "/auth/register", "yan", "yan@example.com").await, 429);
    trail.tells(&["registration success - by zoe", "registration failure rate_limited by \"yan\""]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_of_reset_links_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).limited().set("RATE_LIMIT__ATTEMPTS", "1").start().await;
    let mut trail = Trail::of(&gateway).await;
    for status in [400, 429] {
        let guess = json!({ "token": "x", "password": NEW });
        assert_eq!(gateway.api().post("/api/auth/password-reset/confirm", &guess).await.status, status);
    }
    trail.tells(&["password_reset failure invalid_token by nobody", "password_reset failure rate_limited by nobody"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).user("ann", &[]).start().await;
    let (mut browser, mut mailbox) = (signed_in(&gateway, "ann").await, Mailbox::of(&gateway));
    let mut trail = Trail::of(&gateway).await;
    assert_eq!(fill(&mut browser, "/auth/account", &[("username", "anna"), ("name", "Anna")]).await.status, 303);
    trail.tells(&["profile_change success - by anna"]).await;
    let wrong = [("current_password", WRONG), ("password", NEW)];
    assert_eq!(fill(&mut browser, "/auth/account/password", &wrong).await.status, 401);
    trail.tells(&["password_change failure invalid_credentials by anna"]).await;
    let wrong = [("email", "anna@example.com"), ("current_password", WRONG)];
    assert_eq!(fill(&mut browser, "/auth/account/email", &wrong).await.status, 401);
    trail.tells(&["email_change_request failure invalid_credentials by anna"]).await;
    let right = [("email", "anna@example.com"), ("current_password", PASSWORD)];
    assert_eq!(fill(&mut browser, "/auth/account/email", &right).await.status, 303);
    trail.tells(&["email_change_request success - by anna"]).await;
    let page = browser.open(&mailbox.next_to("anna@example.com").await.link_path()).await;
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
    trail.tells(&["email_confirmation success address_changed by anna"]).await;
    let right = [("current_password", PASSWORD), ("password", NEW)];
    assert_eq!(fill(&mut browser, "/auth/account/password", &right).await.status, 303);
    trail.tells(&["password_change success - by anna"]).await;
    assert_eq!(browser.submit(&page, &[("token", "nonsense")]).await.status, 400);
    trail.tells(&["email_confirmation failure invalid_token by nobody"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_of_ones_own_password_are_recorded() {
    let gateway = with_mail(TestGateway::with(YAML)).limited().set("RATE_LIMIT__ATTEMPTS", "1").user("ann", &[]).start().await;
    let mut browser = signed_in(&gateway, "ann").await;
    let mut trail = Trail::of(&gateway).await;
    assert_eq!(fill(&mut browser, "/auth/account/confirm", &[("password", WRONG)]).await.status, 401);
    trail.tells(&["confirmation failure invalid_credentials by ann"]).await;
    assert_eq!(fill(&mut browser, "/auth/account/confirm", &[("password", PASSWORD)]).await.status, 429);
    trail.tells(&["confirmation failure rate_limited by ann"]).await;
    let right = [("current_password", PASSWORD), ("password", NEW)];
    assert_eq!(fill(&mut browser, "/auth/account/password", &right).await.status, 429);
    trail.tells(&["password_change failure rate_limited by ann"]).await;
    let right = [("email", "anna@example.com"), ("current_password", PASSWORD)];
    assert_eq!(fill(&mut browser, "/auth/account/email", &right).await.status, 429);
    trail.tells(&["email_change_request failure rate_limited by ann"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn making_and_revoking_ones_own_tokens_is_recorded() {
    let gateway = TestGateway::with(YAML).user("ann", &[]).start().await;
    let mut browser = signed_in(&gateway, "ann").await;
    let mut trail = Trail::of(&gateway).await;
    assert_eq!(press(&mut browser, "/auth/account/tokens", &[("name", "script"), ("expires", "7")]).await.status, 200);
    trail.tells(&["token_creation success - by ann"]).await;
    let page = browser.open("/auth/account/tokens").await;
    let id = page.text().split("name=\"revoke\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(press(&mut browser, "/auth/account/tokens", &[("revoke", &id)]).await.status, 303);
    trail.tells(&["token_revocation success - by ann"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ending_ones_own_sessions_is_recorded() {
    let gateway = TestGateway::with(YAML).user("ann", &[]).manual_clock().start().await;
    let mut browser = signed_in(&gateway, "ann").await;
    for _ in 0..3 {
        signed_in(&gateway, "ann").await;
    }
    gateway.advance(Duration::from_mins(16));
    let mut trail = Trail::of(&gateway).await;
    assert_eq!(fill(&mut browser, "/auth/account/confirm", &[("password", PASSWORD)]).await.status, 303);
    trail.tells(&["confirmation success - by ann"]).await;
    let page = browser.open("/auth/account/sessions").await;
    let name = page.text().split("name=\"end\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(press(&mut browser, "/auth/account/sessions", &[("end", &name)]).await.status, 303);
    trail.tells(&["session_revocation success one by ann"]).await;
    assert_eq!(press(&mut browser, "/auth/account/sessions", &[("end", "others")]).await.status, 303);
    trail.tells(&["session_revocation success all_others by ann"]).await;
}

/// S4.4, S4.5
#[tokio::test(flavor = "multi_thread")]
async fn what_programs_do_is_recorded() {
    let gateway = TestGateway::with(YAML).user("ann", &[]).manual_clock().start().await;
    let mut trail = Trail::of(&gateway).await;
    let mut api = gateway.api();
    let first = program(&mut api).await;
    trail.tells(&["login success token by ann"]).await;
    let mut browser = signed_in(&gateway, "ann").await;
    trail.tells(&["login success - by ann"]).await;
    let page = browser.open("/auth/account/sessions").await;
    let family = page.text().split("name=\"app\" value=\"").nth(1).unwrap()[..36].to_owned();
    assert_eq!(press(&mut browser, "/auth/account/sessions", &[("app", &family)]).await.status, 303);
    trail.tells(&["session_revocation success program by ann"]).await;
    assert_eq!(api.post(REFRESH, &json!({ "refreshToken": first["refreshToken"] })).await.status, 401);
    let second = program(&mut api).await;
    assert_eq!(api.post(REFRESH, &json!({ "refreshToken": second["refreshToken"] })).await.status, 200);
    gateway.advance(Duration::from_secs(11));
    assert_eq!(api.post(REFRESH, &json!({ "refreshToken": second["refreshToken"] })).await.status, 401);
    trail.tells(&["login success token by ann", "refresh_token_reuse failure family_ended by ann"]).await;
    let third = program(&mut api).await;
    api.authorization = Some(format!("Bearer {}", third["accessToken"].as_str().unwrap()));
    assert_eq!(api.post("/api/auth/logout", &json!({})).await.status, 204);
    trail.tells(&["login success token by ann", "logout success token by ann"]).await;
}

async fn program(api: &mut ApiClient) -> Value {
    let answer = api.post("/api/auth/login", &json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}
