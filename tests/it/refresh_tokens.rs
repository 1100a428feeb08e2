//! Programs that are signed in by refresh tokens: at several gateways over one Redis, while the network to it breaks, and on the
//! pages where their owners and administrators see and end them.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::fault_proxy::{FaultProxy, Network};
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::redis_server::RedisServer;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use portcullis::account::Account;
use portcullis::audit::{Action, Filter};
use portcullis::client::Client;
use portcullis::token::RefreshError;
use regex::Regex;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SECRET: &str = "not-much-of-a-secret-but-long-enough-for-tests";
const APP: &str = "Herbarium/3.1 (Android 16)";
const HOSTILE: &str = "\"><svg onload=alert(1)>'&amp;{{7*7}}";

/// Past the time in which a client may repeat itself.
const LATER: Duration = Duration::from_secs(10);

fn over(upstream: &EchoUpstream, redis: &str) -> Builder {
    TestGateway::in_front_of(upstream).set("SECRET", SECRET).set("STORES__SESSIONS", redis).manual_clock()
}

/// Another gateway on the same stores.
fn beside(users: &Path, upstream: &EchoUpstream, redis: &str) -> Builder {
    over(upstream, redis).set("STORES__USERS", &format!("sqlite:{}", users.join("portcullis.db").display()))
}

fn client(user_agent: &str) -> Client {
    Client { address: Some([192, 0, 2, 7].into()), user_agent: user_agent.to_owned(), ..Client::default() }
}

async fn account(gateway: &TestGateway, name: &str) -> Account {
    gateway.app().administration.find(name).await.unwrap()
}

async fn issue(gateway: &TestGateway, name: &str, user_agent: &str) -> String {
    gateway.app().refresh_tokens.issue(&account(gateway, name).await, &client(user_agent)).await.unwrap()
}

async fn renew(gateway: &TestGateway, token: &str) -> Result<String, RefreshError> {
    gateway.app().refresh_tokens.renew(token, &client(APP)).await.map(|renewed| renewed.token)
}

async fn is_dead(gateway: &TestGateway, token: &str) -> bool {
    matches!(renew(gateway, token).await, Err(RefreshError::Invalid))
}

async fn signed_in(gateway: &TestGateway, name: &str) -> Browser {
    let mut browser = gateway.browser();
    browser.sign_in("/", name, PASSWORD).await;
    browser
}

/// What the page's buttons would sign out.
fn apps(page: &Answer) -> Vec<String> {
    let button = Regex::new(r#"name="app" value="([0-9a-f-]{36})""#).unwrap();
    button.captures_iter(&page.text()).map(|found| found[1].to_owned()).collect()
}

/// S3.5, threats.md J10: one family line, no fork, whichever gateways are asked.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_renewals_at_once_at_two_gateways_lead_to_one_successor() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let one = over(&upstream, &redis.url()).user("ann", &[]).start().await;
    let other = beside(one.folder(), &upstream, &redis.url()).start().await;
    let token = issue(&one, "ann", APP).await;
    let renewals = (0..50).map(|number| {
        let tokens = Arc::clone(&if number % 2 == 0 { one.app() } else { other.app() }.refresh_tokens);
        let token = token.clone();
        tokio::spawn(async move { tokens.renew(&token, &client(APP)).await.map(|renewed| renewed.token).unwrap() })
    });
    let successors: HashSet<_> = futures_util::future::join_all(renewals).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(successors.len(), 1);
    let successor = successors.into_iter().next().unwrap();
    renew(&other, &successor).await.unwrap();
    assert_eq!(one.app().profile.programs(&account(&one, "ann").await).await.unwrap().len(), 1);
}

/// S4.4, RFC 9700 section 4.14.2: a thief who renews a stolen token is out when its owner renews it, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_ends_with_its_family_everywhere_and_the_owner_sees_that_it_happened() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let one = over(&upstream, &redis.url()).user("ann", &[]).start().await;
    let other = beside(one.folder(), &upstream, &redis.url()).start().await;
    let stolen = issue(&one, "ann", APP).await;
    let thiefs = renew(&other, &stolen).await.unwrap();
    one.advance(LATER);
    assert!(matches!(renew(&one, &stolen).await, Err(RefreshError::Reused)));
    assert!(is_dead(&other, &thiefs).await && is_dead(&one, &stolen).await);
    let ann = Filter { account: Some(account(&one, "ann").await.id), ..Filter::default() };
    let records = one.app().audit.list(ann, 10).await.unwrap();
    assert_eq!(records.iter().filter(|record| record.action == Action::RefreshTokenReuse).count(), 1);
    let activity = signed_in(&one, "ann").await.open("/auth/account/activity").await.text();
    assert!(activity.contains("an app used an old token again, and was signed out") && activity.contains("192.0.2.7"), "{activity}");
}

/// Contract 7, threats.md S03: no part of what programs hold is written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_redis_renews_nothing() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start_durable());
    let gateway = over(&upstream, &redis.url()).set("STORES__REDIS_PREFIX", "test:").user("ann", &[]).start().await;
    let first = issue(&gateway, "ann", APP).await;
    let second = renew(&gateway, &first).await.unwrap();
    let id = account(&gateway, "ann").await.id;
    let dump = String::from_utf8_lossy(&redis.dump()).into_owned();
    for written in [&format!("test:refresh_token:{id}:"), &format!("test:user_refresh_tokens:{id}"), APP, "192.0.2.7"] {
        assert!(dump.contains(written), "{written}");
    }
    for token in [&first, &second] {
        assert!(token.split('.').all(|part| part.len() > 40 && !dump.contains(part)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_the_gateway_that_made_it() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let users = tempfile::tempdir().unwrap();
    for sessions in [redis.url(), format!("sqlite:{}", users.path().join("sessions.db").display())] {
        let name = if sessions.starts_with("redis") { "ann" } else { "bob" };
        let former = beside(users.path(), &upstream, &sessions).user(name, &[]).start().await;
        let token = issue(&former, name, APP).await;
        let spent = renew(&former, &token).await.unwrap();
        former.stop().await;
        let next = beside(users.path(), &upstream, &sessions).start().await;
        assert_eq!(renew(&next, &token).await.unwrap(), spent, "letter by letter, by another process");
        let last = renew(&next, &spent).await.unwrap();
        next.advance(LATER);
        assert!(matches!(renew(&next, &spent).await, Err(RefreshError::Reused)));
        assert!(is_dead(&next, &last).await);
    }
}

/// What breaks on the way costs a program a retry, never its sign-in.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_on_the_way_from_redis_is_asked_for_again() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let network = FaultProxy::start(redis.port()).await;
    let gateway = over(&upstream, &format!("redis://127.0.0.1:{}", network.port())).user("ann", &[]).start().await;
    let mut token = issue(&gateway, "ann", APP).await;
    for round in 0..12 {
        let cut = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            network.cut();
        };
        let (renewed, ()) = tokio::join!(renewed_at_last(&gateway, &token), cut);
        token = renewed;
    }
    network.set(Network::Refusing);
    // A connection that was being made just then may still carry some.
    let refused = within_patience("Redis is out of reach", async {
        loop {
            match renew(&gateway, &token).await {
                Ok(renewed) => token = renewed,
                Err(refused) => return refused,
            }
            network.cut();
        }
    });
    let refused = refused.await;
    assert!(matches!(refused, RefreshError::Unavailable(_)), "it is never said to be invalid: {refused:?}");
    network.set(Network::Good);
    renewed_at_last(&gateway, &token).await;
    assert_eq!(gateway.app().profile.programs(&account(&gateway, "ann").await).await.unwrap().len(), 1);
}

/// As a program does it that is told to come back.
async fn renewed_at_last(gateway: &TestGateway, token: &str) -> String {
    let renewing = async {
        loop {
            match renew(gateway, token).await {
                Ok(renewed) => return renewed,
                Err(RefreshError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(refused) => panic!("{refused:?}"),
            }
        }
    };
    within_patience("the token is renewed", renewing).await
}

/// Contract 4, ASVS V7.5.2: programs stand beside sessions, in words, and end like them.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_the_programs_that_are_signed_in_and_ends_one() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("alice", &[]).user("bob", &[]).manual_clock().start().await;
    let (phone, script) = (issue(&gateway, "alice", APP).await, issue(&gateway, "alice", HOSTILE).await);
    let his = issue(&gateway, "bob", "Wget/1.25").await;
    let mut alice = signed_in(&gateway, "alice").await;
    let page = alice.open("/auth/account/sessions").await;
    let text = page.text();
    assert!(text.contains("<strong>Herbarium on Android</strong>") && text.contains("192.0.2.7"), "{text}");
    assert!(text.contains("Unknown app") && !text.contains("<svg onload") && !text.contains("Wget"), "{text}");
    assert!(text.contains("last renewed") && text.contains("8 January 2030, 00:00 UTC"), "{text}");
    assert!(![&phone, &script].iter().any(|token| token.split('.').any(|part| text.contains(part))));
    let families = apps(&page);
    assert_eq!(families.len(), 2);
    let family = gateway.app().profile.programs(&account(&gateway, "bob").await).await.unwrap()[0].family;
    assert_eq!(alice.submit(&page, &[("app", &family.to_string())]).await.status, 303);
    renew(&gateway, &his).await.unwrap();
    assert_eq!(alice.submit(&page, &[("csrf", "x"), ("app", &families[0])]).await.status, 403);
    let answer = alice.submit(&page, &[("app", &families[0])]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account/sessions?ended"));
    let page = alice.open("/auth/account/sessions").await;
    assert_eq!(apps(&page), families[1..]);
    let dead = [is_dead(&gateway, &phone).await, is_dead(&gateway, &script).await];
    assert_eq!(dead.iter().filter(|dead| **dead).count(), 1);
}

/// Threats S13: whoever ends all other sessions is signed in nowhere else, not in programs either.
#[tokio::test(flavor = "multi_thread")]
async fn programs_end_with_all_other_sessions_only_where_the_session_is_fresh() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("alice", &[]).manual_clock().start().await;
    let token = issue(&gateway, "alice", APP).await;
    let mut alice = signed_in(&gateway, "alice").await;
    let page = alice.open("/auth/account/sessions").await;
    assert!(page.text().contains("End all other sessions"));
    gateway.advance(Duration::from_mins(16));
    for fields in [("end", "others"), ("app", &*apps(&page)[0])] {
        let answer = alice.submit(&page, &[fields]).await;
        assert!(answer.location().starts_with("/auth/account/confirm"), "{fields:?}");
    }
    let token = renew(&gateway, &token).await.unwrap();
    let mut alice = signed_in(&gateway, "alice").await;
    let page = alice.open("/auth/account/sessions").await;
    assert_eq!(alice.submit(&page, &[("end", "others")]).await.status, 303);
    assert!(is_dead(&gateway, &token).await);
    let page = alice.open("/auth/account/sessions").await;
    assert!(apps(&page).is_empty() && !page.text().contains("End all other sessions"));
}

/// Contract 4 `/admin/sessions`
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_and_ends_the_programs_of_others() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("root", &["admins"]).user("bob", &[]).start().await;
    let (one, other) = (issue(&gateway, "bob", "curl/8").await, issue(&gateway, "bob", "curl/8").await);
    let mut root = signed_in(&gateway, "root").await;
    let page = root.open("/auth/admin/sessions?user=bob").await;
    assert!(page.text().contains("<strong>curl</strong>") && !page.text().contains("Nowhere signed in"));
    let families = apps(&page);
    assert_eq!(families.len(), 2);
    let user = account(&gateway, "bob").await.id.to_string();
    assert_eq!(root.submit(&page, &[("user", &user), ("app", &families[0])]).await.status, 303);
    assert_eq!(gateway.app().profile.programs(&account(&gateway, "bob").await).await.unwrap().len(), 1);
    assert_eq!(root.submit(&page, &[("user", &user), ("end", "all")]).await.status, 303);
    assert!(is_dead(&gateway, &one).await && is_dead(&gateway, &other).await);
    assert!(root.open("/auth/admin/sessions?user=bob").await.text().contains("Nowhere signed in"));
    let own = Filter { account: Some(account(&gateway, "bob").await.id), ..Filter::default() };
    let records = gateway.app().audit.list(own, 10).await.unwrap();
    let reasons: Vec<_> = records.iter().filter(|record| record.action == Action::SessionRevocation).collect();
    assert_eq!(reasons.iter().filter_map(|record| record.reason.as_deref()).collect::<Vec<_>>(), ["all", "program"]);
}
