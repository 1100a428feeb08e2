//! The pages of administrators: who may see them, what they do, and what they never do.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::form::unescape;
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::mailbox::{Mailbox, with_mail};
use crate::support::upstream::EchoUpstream;
use http::Method;
use portcullis::account::Account;
use portcullis::audit::{Action, Filter, Record};
use portcullis::clock::Timestamp;
use regex::Regex;
use serde_json::json;
use std::time::Duration;

const HOSTILE: &str = "\"><svg onload=alert(1)>'&amp;{{7*7}}";
const LATER: Duration = Duration::from_mins(16);

fn site(upstream: &EchoUpstream) -> Builder {
    TestGateway::in_front_of(upstream).user("root", &["admins"]).user("alice", &["staff"]).manual_clock()
}

async fn signed_in(gateway: &TestGateway, name: &str) -> Browser {
    let mut browser = gateway.browser();
    browser.sign_in("/", name, PASSWORD).await;
    browser
}

async fn find(gateway: &TestGateway, name: &str) -> Account {
    gateway.app().administration.find(name).await.unwrap()
}

async fn address_of(gateway: &TestGateway, name: &str) -> String {
    format!("/auth/admin/users/{}", find(gateway, name).await.id)
}

async fn recorded(gateway: &TestGateway, action: Action) -> Vec<Record> {
    let records = gateway.app().audit.list(Filter::default(), 1000).await.unwrap();
    records.into_iter().filter(|record| record.action == action).collect()
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    browser.fetch(Method::GET, "/auth/session").await.status == 200
}

/// The hidden token of the page's forms.
fn csrf_of(page: &Answer) -> String {
    Regex::new(r#"name="csrf" value="([^"]+)""#).unwrap().captures(&page.text()).map(|found| unescape(&found[1])).unwrap_or_default()
}

/// Posts a form as a browser does that was shown one of our pages.
async fn post(browser: &mut Browser, address: &str, fields: &[(&str, &str)]) -> Answer {
    let csrf = csrf_of(&browser.open("/auth/account").await);
    let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("csrf", &csrf).extend_pairs(fields).finish();
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html,*/*;q=0.8"), ("sec-fetch-site", "same-origin")];
    let url = browser.url(address);
    browser.agent.send(Method::POST, &url, &headers, body).await
}

/// Threats K05, ASVS V8.2.1, V8.2.2: whoever is no member of the group gets none of the pages and does nothing by them.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_administrators_gets_any_admin_page() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).user("bob", &["Admins", "admin"]).start().await;
    let root = address_of(&gateway, "root").await;
    let pages = ["/auth/admin", "/auth/admin/users", &root, "/auth/admin/sessions", "/auth/admin/activity", "/auth/admin/invitations"];
    let forms = [
        (&*root, [("act", "lock"), ("x", "")]),
        ("/auth/admin/sessions", [("user", "root"), ("end", "all")]),
        ("/auth/admin/invitations", [("email", ""), ("days", "7")]),
    ];
    let mut stranger = gateway.browser();
    for page in pages {
        let answer = stranger.open(page).await;
        assert_eq!((answer.status, answer.location()), (302, &*format!("/auth/login?rd={}", page.replace('/', "%2F"))));
    }
    for (address, fields) in &forms {
        let answer = post(&mut stranger, address, fields).await;
        assert!(answer.status == 303 && answer.location().starts_with("/auth/login?rd="), "{address}");
    }
    for name in ["alice", "bob"] {
        let mut member = signed_in(&gateway, name).await;
        for page in pages {
            let answer = member.open(page).await;
            assert_eq!(answer.status, 403, "{name} {page}");
            assert!(answer.text().contains("/auth/login?switch&#38;rd=%2Fauth%2Fadmin") && !answer.text().contains("root@example.com"));
        }
        for (address, fields) in &forms {
            assert_eq!(post(&mut member, address, fields).await.status, 403, "{name} {address}");
        }
        assert!(!member.open("/auth/account").await.text().contains("Administration"));
    }
    assert!(!find(&gateway, "root").await.locked);
    assert!(gateway.app().invitations.list(None, 10).await.unwrap().is_empty());
}

/// Threats K05: who leaves the group, or is locked, has no admin page from the next request on.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_administrator_any_more_has_lost_the_pages_at_once() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    assert_eq!(root.open("/auth/admin/users").await.status, 200);
    gateway.app().administration.set_groups("root", &["staff".to_owned()]).await.unwrap();
    assert_eq!(root.open("/auth/admin/users").await.status, 403);
    gateway.app().administration.set_groups("alice", &["admins".to_owned()]).await.unwrap();
    let mut alice = signed_in(&gateway, "alice").await;
    assert_eq!(alice.open("/auth/admin/users").await.status, 200);
}

/// Issue "admin pages": users are found by the beginning of their names and addresses, page by page.
#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_and_paged() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    let listed = |page: &Answer| page.text().matches("/auth/admin/users/0").count();
    let page = root.visit("/auth/admin").await;
    assert_eq!((page.url.path(), listed(&page)), ("/auth/admin/users", 2));
    for (query, expected) in [("ali", 1), ("ALICE%40example", 1), ("lice", 0), ("%25", 0), ("%22%3E%3Csvg+onload%3Dalert(1)%3E", 0)] {
        let page = root.open(&format!("/auth/admin/users?q={query}")).await;
        assert_eq!((page.status, listed(&page)), (200, expected), "{query}");
        assert!(!page.text().contains("<svg onload"), "{query}");
    }
    let alice = find(&gateway, "alice").await;
    for number in 0..60 {
        let username = portcullis::account::Username::parse(&format!("user-{number:02}")).unwrap();
        let email = portcullis::account::Email::parse(&format!("user-{number:02}@example.com")).unwrap();
        let id = portcullis::account::AccountId::new(Timestamp(number));
        gateway.app().accounts.create(&Account { id, username, email, ..alice.clone() }).await.unwrap();
    }
    let first = root.open("/auth/admin/users?q=user").await;
    assert_eq!(listed(&first), 50);
    let next = Regex::new(r#"href="([^"]+after=[^"]+)""#).unwrap().captures(&first.text()).map(|found| unescape(&found[1])).unwrap();
    let rest = root.open(&next).await;
    assert_eq!(listed(&rest), 10);
    assert!(rest.text().contains("user-50") && !rest.text().contains("after="));
}

/// Issue "admin pages", contract 3.9, threats V7.4.5: a lock, new groups and an end of sessions are in force when the answer
/// comes.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_locks_unlocks_regroups_and_signs_out() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let (mut root, mut alice) = (signed_in(&gateway, "root").await, signed_in(&gateway, "alice").await);
    let address = address_of(&gateway, "alice").await;
    let page = root.open(&address).await;
    let answer = root.submit(&page, &[("groups", "staff, wiki:editors")]).await;
    assert_eq!((answer.status, answer.location()), (303, &*format!("{address}?done=groups")));
    alice.open("/").await;
    assert_eq!(upstream.last().head.header("x-user-groups"), Some("staff,wiki:editors"));
    assert!(root.follow(answer).await.text().contains("The groups are saved."));

    assert_eq!(post(&mut root, &address, &[("act", "lock")]).await.status, 303);
    assert!(!is_signed_in(&mut alice).await);
    let page = alice.open("/auth/login").await;
    assert_eq!(alice.submit(&page, &[("username", "alice"), ("password", PASSWORD)]).await.status, 401);
    assert!(root.open(&address).await.text().contains("Locked by an operator"));
    assert_eq!(post(&mut root, &address, &[("act", "unlock")]).await.status, 303);
    alice.sign_in("/", "alice", PASSWORD).await;

    assert_eq!(post(&mut root, &address, &[("act", "end-sessions")]).await.status, 303);
    assert!(!is_signed_in(&mut alice).await);
    for (action, count) in [(Action::GroupChange, 1), (Action::AccountLock, 1), (Action::AccountUnlock, 1), (Action::SessionRevocation, 1)]
    {
        let records = recorded(&gateway, action).await;
        assert_eq!(records.len(), count, "{action:?}");
        assert_eq!((&*records[0].actor.name, &*records[0].subject.as_ref().unwrap().name), ("root", "alice"));
        assert!(records[0].client.is_some() && !records[0].request_id.is_empty());
    }
    let activity = root.open("/auth/admin/activity?user=alice").await.text();
    assert!(activity.contains("Account locked") && activity.contains("alice, by root"), "{activity}");
    alice.sign_in("/", "alice", PASSWORD).await;
    let own = alice.open("/auth/account/activity").await.text();
    assert!(own.contains("Account locked") && own.contains("by an administrator") && !own.contains("root"), "{own}");
}

/// Issue "admin pages": the last administrator does not lock themself out.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_does_none_of_this_to_their_own_account() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    let address = address_of(&gateway, "root").await;
    let page = root.open(&address).await.text();
    assert!(!page.contains("value=\"lock\"") && !page.contains("value=\"delete\""), "{page}");
    for fields in [&[("act", "lock")][..], &[("act", "delete"), ("confirm", "root")], &[("act", "groups"), ("groups", "staff")]] {
        let answer = post(&mut root, &address, fields).await;
        assert_eq!(answer.status, 403, "{fields:?}");
        assert!(answer.text().contains("Ask another administrator"), "{fields:?}");
    }
    assert_eq!(post(&mut root, &address, &[("act", "groups"), ("groups", "staff admins")]).await.status, 303);
    let account = find(&gateway, "root").await;
    assert!(!account.locked && account.groups.len() == 2);
}

/// ASVS V7.5.3: a browser that an administrator left open does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_whose_session_is_not_fresh_gives_the_password_again() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).set("ACCOUNTS__REGISTRATION", "invite").start().await;
    let mut root = signed_in(&gateway, "root").await;
    let address = address_of(&gateway, "alice").await;
    gateway.advance(LATER);
    for (page, fields) in [
        (&*address, &[("act", "lock")][..]),
        ("/auth/admin/sessions", &[("user", "alice"), ("end", "all")]),
        ("/auth/admin/invitations", &[("email", ""), ("days", "7")]),
    ] {
        let answer = post(&mut root, page, fields).await;
        assert!(answer.status == 303 && answer.location().starts_with("/auth/account/confirm?rd=%2Fauth%2Fadmin%2F"), "{page}");
    }
    assert!(!find(&gateway, "alice").await.locked);
    let answer = post(&mut root, &address, &[("act", "lock")]).await;
    let form = root.follow(answer).await;
    let confirmed = root.submit(&form, &[("password", PASSWORD)]).await;
    assert_eq!(confirmed.location(), address);
    assert_eq!(post(&mut root, &address, &[("act", "lock")]).await.status, 303);
    assert!(find(&gateway, "alice").await.locked);
}

/// Threats F01, F02, K05
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_or_unclear_form_does_nothing() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    let address = address_of(&gateway, "alice").await;
    let page = root.open(&address).await;
    let forged = root.submit(&page, &[("csrf", "x"), ("act", "lock")]).await;
    assert!(forged.status == 403 && forged.text().contains("There is a problem"));
    for fields in [&[("act", "promote")][..], &[("act", "")], &[]] {
        assert_eq!(post(&mut root, &address, fields).await.status, 400, "{fields:?}");
    }
    for (groups, status) in [("a/b", 400), (HOSTILE, 400), (&"x".repeat(65), 400)] {
        let answer = post(&mut root, &address, &[("act", "groups"), ("groups", groups)]).await;
        assert_eq!(answer.status, status, "{groups}");
        assert!(answer.text().contains("id=\"groups-problem\"") && !answer.text().contains("<svg onload"), "{groups}");
    }
    for unknown in ["alice", "00000000-0000-0000-0000-000000000000", "%22%3E%3Csvg%20onload=alert(1)%3E", "-1"] {
        let path = format!("/auth/admin/users/{unknown}");
        assert_eq!(root.open(&path).await.status, 404, "{unknown}");
        assert_eq!(post(&mut root, &path, &[("act", "lock")]).await.status, 404, "{unknown}");
    }
    let account = find(&gateway, "alice").await;
    assert!(!account.locked && account.groups.len() == 1 && account.version == 1);
}

/// Issue "admin pages": a deletion needs the name, and is for good.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_deleted_by_writing_its_name() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let (mut root, mut alice) = (signed_in(&gateway, "root").await, signed_in(&gateway, "alice").await);
    let address = address_of(&gateway, "alice").await;
    let page = root.open(&address).await;
    for wrong in ["", "Alic", "root"] {
        let answer = root.submit(&page, &[("confirm", wrong)]).await;
        assert!(answer.status == 400 && answer.text().contains("id=\"confirm-problem\""), "{wrong:?}");
    }
    assert!(is_signed_in(&mut alice).await);
    let answer = root.submit(&page, &[("confirm", "alice")]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/admin/users?deleted"));
    assert!(!is_signed_in(&mut alice).await);
    assert_eq!(root.open(&address).await.status, 404);
    let records = root.open("/auth/admin/activity").await.text();
    assert!(records.contains("Account deleted") && records.contains("alice, by root"), "{records}");
}

/// S2.6: what the account keeps is there to be seen.
#[tokio::test(flavor = "multi_thread")]
async fn lock_state_and_reset_attempts_are_shown() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    let address = address_of(&gateway, "alice").await;
    let text = root.open(&address).await.text();
    assert!(text.contains("May sign in") && text.contains("Never asked for"), "{text}");
    let alice = find(&gateway, "alice").await;
    let now = gateway.app().clock.now();
    let (until, asked) = (Some(now.plus(Duration::from_mins(5))), Some(now.minus(Duration::from_mins(1))));
    let kept = Account { locked_until: until, reset_requested_at: asked, reset_requests: 3, ..alice };
    gateway.app().accounts.update(&kept).await.unwrap();
    let text = root.open(&address).await.text();
    assert!(text.contains("1 January 2030, 00:05 UTC") && text.contains("asked for 3 times"), "{text}");
    assert_eq!(post(&mut root, &address, &[("act", "unlock")]).await.status, 303);
    assert_eq!(find(&gateway, "alice").await.locked_until, None);
}

/// Issue "admin pages", threats S13
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_anybody_are_seen_and_ended() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    let (mut one, mut two) = (signed_in(&gateway, "alice").await, signed_in(&gateway, "alice").await);
    let page = root.open("/auth/admin/sessions").await.text();
    assert!(page.contains("3 on this site"), "{page}");
    let page = root.open("/auth/admin/sessions?user=alice%40example.com").await;
    let buttons = Regex::new(r#"name="end" value="([0-9a-f]{16})""#).unwrap();
    let names: Vec<_> = buttons.captures_iter(&page.text()).map(|found| found[1].to_owned()).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(root.submit(&page, &[("end", &names[0])]).await.status, 303);
    assert_eq!(u8::from(is_signed_in(&mut one).await) + u8::from(is_signed_in(&mut two).await), 1);
    assert_eq!(root.submit(&page, &[("end", "all")]).await.status, 303);
    assert!(!is_signed_in(&mut one).await && !is_signed_in(&mut two).await && is_signed_in(&mut root).await);
    let nobody = root.open("/auth/admin/sessions?user=%22%3E%3Csvg%20onload=alert(1)%3E").await.text();
    assert!(nobody.contains("No account has this name") && !nobody.contains("<svg onload"), "{nobody}");
}

/// Issue "invitations": the link is shown once; who made it is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_made_shown_once_and_taken_back() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).set("ACCOUNTS__REGISTRATION", "invite").set("PORTAL__URL", "http://localhost").start().await;
    let mut root = signed_in(&gateway, "root").await;
    let page = root.open("/auth/admin/invitations").await;
    let made = root.submit(&page, &[("email", "zoe@example.com"), ("groups", "staff"), ("days", "2")]).await;
    let link = Regex::new(r"http://localhost/auth/register\?invite=[A-Za-z0-9_-]{43}").unwrap();
    assert!(made.status == 200 && link.is_match(&made.text()), "{}", made.text());
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let listed = root.open("/auth/admin/invitations").await;
    assert!(!link.is_match(&listed.text()) && listed.text().contains("zoe@example.com") && listed.text().contains("by root"));
    assert!(listed.text().contains("3 January 2030, 00:00 UTC"), "{}", listed.text());
    for (fields, problem) in [
        ([("email", "nonsense"), ("groups", ""), ("days", "7")], "email"),
        ([("email", "alice@example.com"), ("groups", ""), ("days", "7")], "email"),
        ([("email", ""), ("groups", "a/b"), ("days", "7")], "groups"),
        ([("email", ""), ("groups", ""), ("days", "0")], "expires"),
        ([("email", HOSTILE), ("groups", HOSTILE), ("days", HOSTILE)], "expires"),
        ([("email", ""), ("groups", ""), ("days", "4000000000")], "expires"),
    ] {
        let answer = root.submit(&page, &fields).await;
        assert_eq!(answer.status, 400, "{fields:?}");
        assert!(answer.text().contains(&format!("id=\"{problem}-problem\"")) && !answer.text().contains("<svg onload"), "{fields:?}");
    }
    let id = gateway.app().invitations.list(None, 10).await.unwrap()[0].id.to_string();
    let answer = root.submit(&listed, &[("revoke", &id)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/admin/invitations?revoked"));
    assert!(gateway.app().invitations.list(None, 10).await.unwrap().is_empty());
    let records = recorded(&gateway, Action::InvitationCreation).await;
    assert_eq!((records.len(), &*records[0].actor.name), (1, "root"));
    assert_eq!(recorded(&gateway, Action::InvitationRevocation).await.len(), 1);
}

/// Contract 4 "closed": where nobody can register nobody is invited.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_invited_where_registration_is_closed() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    let page = root.open("/auth/admin/invitations").await.text();
    assert!(page.contains("Nobody can register") && !page.contains("name=\"days\""), "{page}");
    assert_eq!(post(&mut root, "/auth/admin/invitations", &[("email", ""), ("days", "7")]).await.status, 409);
}

/// ASVS V6.4.6: nothing on these pages sets a password, and without mail they say what to do.
#[tokio::test(flavor = "multi_thread")]
async fn no_administrator_sets_a_password() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).start().await;
    let mut root = signed_in(&gateway, "root").await;
    let address = address_of(&gateway, "alice").await;
    let page = root.open(&address).await.text();
    assert!(!page.contains("type=\"password\"") && page.contains("portcullis user set-password"), "{page}");
    assert_eq!(post(&mut root, &address, &[("act", "reset")]).await.status, 400, "there is no mail");
    post(&mut root, &address, &[("act", "groups"), ("groups", ""), ("password", "Another-horse-8-battery")]).await;
    assert_eq!(gateway.api().post("/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await.status, 200);
}

/// Contract 2, `accounts.admin_group`
#[tokio::test(flavor = "multi_thread")]
async fn the_group_of_administrators_is_the_configured_one() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).set("ACCOUNTS__ADMIN_GROUP", "staff").start().await;
    let mut root = signed_in(&gateway, "root").await;
    assert_eq!(root.open("/auth/admin/users").await.status, 403);
    let mut alice = signed_in(&gateway, "alice").await;
    assert_eq!(alice.open("/auth/admin/users").await.status, 200);
}

/// ASVS V6.4.6, contract 4: an administrator starts a reset, and the owner alone ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_set_a_password_goes_to_the_owner_unless_the_account_is_locked() {
    let upstream = EchoUpstream::start().await;
    let builder = TestGateway::in_front_of(&upstream).user("root", &["admins"]).user("alice", &[]);
    let gateway = with_mail(builder).start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut root = signed_in(&gateway, "root").await;
    let address = address_of(&gateway, "alice").await;
    let answer = post(&mut root, &address, &[("act", "reset")]).await;
    assert_eq!((answer.status, answer.location()), (303, &*format!("{address}?done=reset")));
    let mail = mailbox.next_to("alice@example.com").await;
    assert!(mail.text.contains("http://localhost/auth/reset?token="), "{}", mail.text);
    assert!(!root.follow(answer).await.text().contains("token="));
    let records = recorded(&gateway, Action::PasswordResetRequest).await;
    assert!(records.iter().any(|record| record.actor.name == "root"), "{records:?}");
    let account = find(&gateway, "alice").await;
    assert_eq!((account.reset_requests, account.reset_requested_at.is_some()), (1, true));
    assert_eq!(post(&mut root, &address, &[("act", "lock")]).await.status, 303);
    mailbox.rest(&gateway).await;
    let refused = post(&mut root, &address, &[("act", "reset")]).await;
    assert!(refused.status == 409 && refused.text().contains("Unlock it first"), "{}", refused.text());
    assert!(mailbox.rest(&gateway).await.is_empty());
}

/// Threats G08: an administrator lifts a lock of the gateway's own, too.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_lifts_a_lock_after_too_many_failures() {
    let upstream = EchoUpstream::start().await;
    let gateway = site(&upstream).set("ACCOUNTS__LOCKOUT__FAILURES", "3").set("RATE_LIMIT__ATTEMPTS", "0").start().await;
    let mut root = signed_in(&gateway, "root").await;
    let login =
        async |password: &str| gateway.api().post("/auth/login", &json!({ "username": "alice", "password": password })).await.status;
    for _ in 0..3 {
        assert_eq!(login("Wrong-horse-7-battery").await, 401);
    }
    assert_eq!(login(PASSWORD).await, 429);
    assert_eq!(post(&mut root, &address_of(&gateway, "alice").await, &[("act", "unlock")]).await.status, 303);
    assert_eq!(login(PASSWORD).await, 200);
}
