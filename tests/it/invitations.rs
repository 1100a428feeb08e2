//! Registering by invitation: what its link is good for, once, and what is told of one that is not.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::{Mailbox, with_mail};
use crate::support::program;
use futures_util::future::join_all;
use portcullis::account::Group;
use portcullis::audit::Party;
use portcullis::client::Client;
use portcullis::invitation::{Invited, LIFETIME, NewInvitation};
use serde_json::json;
use std::time::Duration;

const YAML: &str =
    "accounts: { registration: invite }\nrate_limit: { attempts: 0, per_client: 0 }\nroutes: [{ path: /, upstream: sample }]";

async fn gateway() -> TestGateway {
    with_mail(TestGateway::with(YAML)).user("alice", &[]).manual_clock().start().await
}

async fn invite(gateway: &TestGateway, email: &str, groups: &[&str]) -> Invited {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let new = NewInvitation { email: email.to_owned(), groups, lifetime: LIFETIME, base: None };
    gateway.app().invitations.create(new, Party::operator(), &Client::default()).await.unwrap()
}

/// Opens an invitation's link and sends the form.
async fn accept(browser: &mut Browser, link: &str, username: &str, email: &str) -> Answer {
    let page = browser.open(link).await;
    assert_eq!(page.status, 200, "{}", page.text());
    browser.submit(&page, &[("username", username), ("email", email), ("password", PASSWORD)]).await
}

fn token(invited: &Invited) -> &str {
    invited.link.rsplit_once('=').unwrap().1
}

async fn groups_of(gateway: &TestGateway, username: &str) -> Vec<String> {
    let account = gateway.app().administration.find(username).await.unwrap();
    account.groups.iter().map(|group| Group::as_str(group).to_owned()).collect()
}

/// Contract 4
#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_gets_an_account_with_the_groups_of_the_invitation() {
    let gateway = gateway().await;
    let invited = invite(&gateway, "", &["staff", "wiki"]).await;
    let mut browser = gateway.browser();
    let answer = accept(&mut browser, &invited.link, "zoe", "zoe@example.com").await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?registered"));
    assert_eq!(groups_of(&gateway, "zoe").await, ["staff", "wiki"]);
    assert!(!gateway.app().administration.find("zoe").await.unwrap().email_verified);
    browser.sign_in("/", "zoe", PASSWORD).await;
    let again = browser.open(&invited.link).await;
    assert_eq!(again.status, 403);
    assert!(again.text().contains("You need an invitation"), "{}", again.text());
}

/// Contract 4: the address of an invitation counts as confirmed, since the link went there.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_for_an_address_is_mailed_fills_it_in_and_is_good_for_no_other() {
    let gateway = with_mail(TestGateway::with(YAML)).set("ACCOUNTS__VERIFY_EMAIL", "true").start().await;
    let new = NewInvitation {
        email: "Zoe@example.com".to_owned(),
        groups: Vec::new(),
        lifetime: LIFETIME,
        base: gateway.app().settings.origin(),
    };
    let invited = gateway.app().invitations.create(new, Party::operator(), &Client::default()).await.unwrap();
    assert!(invited.mailed);
    let mail = Mailbox::of(&gateway).next_to("Zoe@example.com").await;
    assert_eq!(mail.link(), invited.link);
    let mut browser = gateway.browser();
    let page = browser.open(&mail.link_path()).await;
    assert!(page.text().contains("value=\"Zoe@example.com\"") && page.text().contains("readonly"), "{}", page.text());
    let other = browser.submit(&page, &[("username", "zoe"), ("email", "mallory@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(other.status, 400);
    assert!(other.text().contains("id=\"email-problem\"") && other.text().contains("value=\"Zoe@example.com\""));
    let answer = browser.submit(&page, &[("username", "zoe"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/login?registered"));
    assert!(gateway.app().administration.find("zoe").await.unwrap().email_verified);
    browser.sign_in("/", "zoe", PASSWORD).await;
}

/// Contract 4: `invite_invalid`
#[tokio::test(flavor = "multi_thread")]
async fn a_missing_unknown_revoked_or_expired_invitation_makes_no_account() {
    let gateway = gateway().await;
    let (revoked, expired) = (invite(&gateway, "", &[]).await, invite(&gateway, "", &[]).await);
    assert!(gateway.app().invitations.revoke(revoked.invitation.id, Party::operator(), &Client::default()).await.unwrap());
    let mut browser = gateway.browser();
    let open = browser.open(&expired.link).await;
    gateway.advance(LIFETIME);
    let late = browser.submit(&open, &[("username", "zoe"), ("email", "zoe@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(late.status, 403, "it expired while the form was open");
    for link in ["/auth/register", "/auth/register?invite=", "/auth/register?invite=nonsense", &revoked.link, &expired.link] {
        let page = browser.open(link).await;
        assert_eq!(page.status, 403, "{link}");
        assert!(page.text().contains("You need an invitation") && !page.text().contains("name=\"password\""), "{link}");
    }
    let mut api = gateway.api();
    for invite in [json!(null), json!(""), json!("nonsense"), json!(token(&revoked)), json!(token(&expired))] {
        let body = json!({ "username": "zoe", "email": "zoe@example.com", "password": PASSWORD, "invite": invite });
        let answer = api.post("/auth/register", &body).await;
        assert_eq!((answer.status, &answer.json()["type"]), (403, &json!("urn:portcullis:invite_invalid")), "{invite}");
    }
    assert!(!browser.open("/auth/login").await.text().contains("/auth/register"), "there is nothing there for who is not invited");
    assert_eq!(gateway.app().administration.list().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_register_by_invitation_too_and_may_leave_the_address_to_it() {
    let gateway = gateway().await;
    let bound = invite(&gateway, "zoe@example.com", &["staff"]).await;
    let body = json!({ "username": "zoe", "password": PASSWORD, "invite": token(&bound) });
    let answer = gateway.api().post("/auth/register", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let user = &answer.json()["user"];
    assert_eq!((&user["email"], &user["groups"]), (&json!("zoe@example.com"), &json!(["staff"])));
    let again = gateway.api().post("/auth/register", &json!({ "username": "yann", "password": PASSWORD, "invite": token(&bound) })).await;
    assert_eq!(again.status, 403);
}

/// A taken name costs no invitation
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_leaves_the_invitation_as_it_was() {
    let gateway = gateway().await;
    let invited = invite(&gateway, "", &[]).await;
    let mut browser = gateway.browser();
    assert_eq!(accept(&mut browser, &invited.link, "ALICE", "zoe@example.com").await.status, 409);
    assert_eq!(accept(&mut browser, &invited.link, "x", "zoe@example.com").await.status, 400);
    let taken = accept(&mut browser, &invited.link, "zoe", "alice@example.com").await;
    assert_eq!((taken.status, taken.location()), (303, "/auth/login?registered"), "an address that is taken is not told");
    let made = accept(&mut browser, &invited.link, "zoe", "zoe@example.com").await;
    assert_eq!((made.status, made.location()), (303, "/auth/login?registered"));
    assert_eq!(browser.open(&invited.link).await.status, 403);
}

/// threats.md V15.4.2
#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_use_one_invitation_at_once_one_gets_an_account() {
    let gateway = gateway().await;
    let invited = invite(&gateway, "", &[]).await;
    let attempts = (0..16).map(|number| {
        let (mut api, token) = (gateway.api(), token(&invited).to_owned());
        async move {
            let body = json!({ "username": format!("zoe{number}"), "email": format!("zoe{number}@example.com"), "password": PASSWORD, "invite": token });
            api.post("/auth/register", &body).await.status
        }
    });
    let mut statuses = join_all(attempts).await;
    statuses.sort_unstable();
    // Those that find too many passwords being hashed are told to come back.
    assert_eq!((statuses[0], statuses.iter().filter(|status| **status == 201).count()), (201, 1), "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| [403, 503].contains(status)), "{statuses:?}");
    assert_eq!(gateway.app().administration.list().await.unwrap().len(), 2);
}

/// A gateway died after it claimed the invitation, before or after it made the account.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_neither_lost_nor_used_twice_when_a_gateway_dies_meanwhile() {
    let gateway = gateway().await;
    let invitations = &gateway.app().invitations;
    let (unmade, made) = (invite(&gateway, "", &[]).await, invite(&gateway, "", &[]).await);
    let alice = gateway.app().administration.find("alice").await.unwrap().id;
    let nobody = portcullis::account::AccountId::new(gateway.app().clock.now());
    assert!(invitations.claim(&unmade.invitation, nobody).await.unwrap());
    assert!(invitations.claim(&made.invitation, alice).await.unwrap());
    let mut browser = gateway.browser();
    for invited in [&unmade, &made] {
        assert_eq!(browser.open(&invited.link).await.status, 403, "it may still be used by who claimed it");
    }
    gateway.advance(Duration::from_mins(2));
    assert_eq!(browser.open(&made.link).await.status, 403, "the account was made with it");
    assert_eq!(accept(&mut browser, &unmade.link, "zoe", "zoe@example.com").await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_registration_is_closed_nobody_is_invited() {
    let gateway = TestGateway::with("routes: [{ path: /, upstream: sample }]").start().await;
    let new = NewInvitation { email: String::new(), groups: Vec::new(), lifetime: LIFETIME, base: None };
    let refused = gateway.app().invitations.create(new, Party::operator(), &Client::default()).await.unwrap_err();
    assert!(refused.to_string().contains("set accounts.registration to invite"), "{refused}");
}

/// Contract 1: the command beside a running gateway
#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_a_link_that_a_running_gateway_takes() {
    let gateway = TestGateway::with(YAML).start().await;
    std::fs::write(gateway.folder().join("portcullis.yaml"), format!("{YAML}\nportal: {{ url: 'https://auth.example.com' }}\n")).unwrap();
    let run = async |arguments: &[&str]| program::run(gateway.folder(), &[&["invite"], arguments].concat(), "").await;
    let made = run(&["create", "--group", "staff"]).await;
    let link = made.stdout.trim();
    assert!(made.code == Some(0) && link.starts_with("https://auth.example.com/auth/register?invite="), "{made:?}");
    let mut browser = gateway.browser();
    let path = link.strip_prefix("https://auth.example.com").unwrap();
    assert_eq!(accept(&mut browser, path, "zoe", "zoe@example.com").await.status, 303);
    assert_eq!(groups_of(&gateway, "zoe").await, ["staff"]);
    let listed: serde_json::Value = serde_json::from_str(&run(&["list", "--json"]).await.stdout).unwrap();
    assert_eq!((&listed[0]["state"], &listed[0]["groups"]), (&json!("used"), &json!(["staff"])));
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(run(&["revoke", id]).await.code, Some(0));
    assert_eq!(run(&["revoke", id]).await.code, Some(1));
    assert_eq!(run(&["revoke", "nonsense"]).await.code, Some(2));
}
