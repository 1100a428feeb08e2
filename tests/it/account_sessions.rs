//! One's own sessions and activity: seeing them, ending them, and giving the password again before that.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::form::unescape;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::upstream::EchoUpstream;
use http::Method;
use portcullis::account::AccountId;
use portcullis::audit::{Action, Event, Outcome, Party};
use portcullis::client::Client;
use regex::Regex;
use serde_json::json;
use std::time::Duration;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const HOSTILE: &str = "\"><svg onload=alert(1)>'&amp;{{7*7}}";

/// Past the quarter of an hour for which a session is fresh, and short of its idle timeout.
const LATER: Duration = Duration::from_mins(16);

async fn start(upstream: &EchoUpstream) -> TestGateway {
    TestGateway::in_front_of(upstream).user("alice", &[]).user("bob", &[]).manual_clock().start().await
}

/// A browser that says what it is, signed in.
async fn signed_in(gateway: &TestGateway, name: &str, user_agent: &str) -> Browser {
    let mut browser = gateway.browser();
    let headers = [("content-type", "application/json"), ("user-agent", user_agent)];
    let body = json!({ "username": name, "password": PASSWORD }).to_string();
    let url = browser.url("/auth/login");
    assert_eq!(browser.agent.send(Method::POST, &url, &headers, body).await.status, 200);
    browser
}

/// What the page's buttons would end, but for `others`.
fn names(page: &Answer) -> Vec<String> {
    let button = Regex::new(r#"name="end" value="([0-9a-f]+)""#).unwrap();
    button.captures_iter(&page.text()).map(|found| found[1].to_owned()).collect()
}

async fn account(gateway: &TestGateway, name: &str) -> AccountId {
    gateway.app().administration.find(name).await.unwrap().id
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    browser.fetch(Method::GET, "/auth/session").await.status == 200
}

/// Contract 4, threats S13, ASVS V7.5.2: a session that was ended is over with its very next request.
#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_their_sessions_and_ends_one_which_dies_at_once() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut here = signed_in(&gateway, "alice", "curl/8.14.1").await;
    let mut there = signed_in(&gateway, "alice", FIREFOX).await;
    let mut stranger = signed_in(&gateway, "bob", "Wget/1.25").await;
    let page = here.open("/auth/account/sessions").await;
    let text = page.text();
    assert_eq!(page.status, 200);
    assert!(text.contains("Firefox on Linux") && text.contains("curl") && text.contains("127.0.0.1") && !text.contains("Wget"), "{text}");
    assert!(text.contains("1 January 2030, 00:00 UTC") && text.contains("just now"), "{text}");
    assert_eq!(text.matches("This device").count(), 1);
    let names = names(&page);
    assert_eq!(names.len(), 1, "this device is signed out elsewhere: {text}");
    let answer = here.submit(&page, &[("end", &names[0])]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account/sessions?ended"));
    assert!(here.follow(answer).await.text().contains("Signed out there."));
    assert_eq!(there.open("/").await.status, 302);
    assert!(!is_signed_in(&mut there).await);
    assert!(is_signed_in(&mut here).await && is_signed_in(&mut stranger).await);
}

/// Contract 4, ASVS V7.5.2
#[tokio::test(flavor = "multi_thread")]
async fn all_other_sessions_end_together() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut here = signed_in(&gateway, "alice", FIREFOX).await;
    let (mut one, mut two) = (signed_in(&gateway, "alice", "a/1").await, signed_in(&gateway, "alice", "b/1").await);
    let mut stranger = signed_in(&gateway, "bob", "c/1").await;
    let page = here.open("/auth/account/sessions").await;
    assert_eq!(here.submit(&page, &[("end", "others")]).await.status, 303);
    assert!(!is_signed_in(&mut one).await && !is_signed_in(&mut two).await);
    assert!(is_signed_in(&mut here).await && is_signed_in(&mut stranger).await);
    let page = here.open("/auth/account/sessions").await.text();
    assert!(!page.contains("End all other sessions"), "{page}");
}

/// Threats S11, K05: what the page shows opens nothing, and only one's own sessions can be named.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_page_shows_opens_a_session_and_nobody_ends_those_of_others() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut alice = signed_in(&gateway, "alice", FIREFOX).await;
    let mut bob = signed_in(&gateway, "bob", FIREFOX).await;
    let id = account(&gateway, "bob").await;
    let (key, _) = gateway.app().sessions.list(id, gateway.app().clock.now()).await.unwrap().remove(0);
    let page = bob.open("/auth/account/sessions").await;
    let cookie = bob.agent.cookies.header(&bob.url("/")).unwrap();
    let value = cookie.split("portcullis=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    assert!(!page.text().contains(&value) && !page.text().contains(&key.to_string()));
    let page = alice.open("/auth/account/sessions").await;
    for name in [key.name(), key.to_string(), String::new(), "%".to_owned(), "0".to_owned()] {
        let url = alice.url("/auth/account/sessions");
        let csrf = csrf_of(&alice.open("/auth/account").await);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs([("csrf", &*csrf), ("end", &*name)]).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        assert_eq!(alice.agent.send(Method::POST, &url, &headers, body).await.status, 303, "{name:?}");
    }
    assert!(page.status == 200 && is_signed_in(&mut bob).await && is_signed_in(&mut alice).await);
}

/// Contract 4 `confirm`, ASVS V7.5.1, V7.5.3, V7.2.4, threats S01, S13
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_fresh_gives_the_password_again_before_anything_is_ended() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut here = signed_in(&gateway, "alice", FIREFOX).await;
    let mut there = signed_in(&gateway, "alice", "curl/8").await;
    gateway.advance(LATER);
    let page = here.open("/auth/account/sessions").await;
    let answer = here.submit(&page, &[("end", "others")]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account/confirm?rd=%2Fauth%2Faccount%2Fsessions"));
    assert!(is_signed_in(&mut there).await, "nothing is done");
    let form = here.follow(answer).await;
    assert!(form.text().contains("autocomplete=\"current-password\"") && form.text().contains("autocomplete=\"username\""));
    let wrong = here.submit(&form, &[("password", "Wrong-horse-7-battery")]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("id=\"password-problem\"") && !wrong.text().contains("Wrong-horse"));
    let mut thief = gateway.browser();
    thief.agent.cookies = here.agent.cookies.clone();
    let confirmed = here.submit(&wrong, &[("password", PASSWORD)]).await;
    assert_eq!((confirmed.status, confirmed.location()), (303, "/auth/account/sessions"));
    assert!(!is_signed_in(&mut thief).await, "the session has a new id, and the old one is dead");
    let page = here.follow(confirmed).await;
    assert_eq!(here.submit(&page, &[("end", "others")]).await.location(), "/auth/account/sessions?ended");
    assert!(!is_signed_in(&mut there).await && is_signed_in(&mut here).await);
    gateway.advance(LATER);
    let mut again = signed_in(&gateway, "alice", "curl/8").await;
    let page = here.open("/auth/account/sessions").await;
    assert!(here.submit(&page, &[("end", "others")]).await.location().starts_with("/auth/account/confirm"), "it wears off");
    assert!(is_signed_in(&mut again).await);
}

fn csrf_of(page: &Answer) -> String {
    Regex::new(r#"name="csrf" value="([^"]+)""#).unwrap().captures(&page.text()).map(|found| unescape(&found[1])).unwrap_or_default()
}

/// Contract 4: giving the password again is no extension of the session's life.
#[tokio::test(flavor = "multi_thread")]
async fn the_absolute_end_of_a_session_does_not_move() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut browser = signed_in(&gateway, "alice", FIREFOX).await;
    gateway.advance(LATER);
    let form = browser.open("/auth/account/confirm").await;
    let answer = browser.submit(&form, &[("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account"));
    let body = browser.fetch(Method::GET, "/auth/session").await.json();
    assert_eq!((&body["expiresIn"], &body["idleIn"]), (&json!(12 * 3600 - LATER.as_secs()), &json!(1800)));
}

/// Threats R01 to R43: the page leads to pages of this host only.
#[tokio::test(flavor = "multi_thread")]
async fn confirming_leads_nowhere_else() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut browser = signed_in(&gateway, "alice", FIREFOX).await;
    for rd in ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "http:evil.test", ""] {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("rd", rd).finish();
        let form = browser.open(&format!("/auth/account/confirm?{query}")).await;
        assert!(!form.text().contains("evil.test") && !form.text().contains("javascript:"), "{rd}: {}", form.text());
        let csp = form.header("content-security-policy").unwrap();
        assert!(csp.contains("form-action 'self'"), "{csp}");
        let answer = browser.submit(&form, &[("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.location()), (303, "/auth/account"), "{rd}");
    }
    let form = browser.open("/auth/account/confirm?rd=%2Fwiki%3Fa%3D1").await;
    assert_eq!(browser.submit(&form, &[("password", PASSWORD)]).await.location(), "/wiki?a=1");
}

/// Threats F01, F02, contract 4 "CSRF"
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_form_ends_and_confirms_nothing() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut here = signed_in(&gateway, "alice", FIREFOX).await;
    let mut there = signed_in(&gateway, "alice", "curl/8").await;
    let page = here.open("/auth/account/sessions").await;
    let forged = here.submit(&page, &[("csrf", "x"), ("end", "others")]).await;
    assert_eq!(forged.status, 403);
    assert!(forged.text().contains("There is a problem") && csrf_of(&forged) == csrf_of(&page));
    assert!(is_signed_in(&mut there).await);
    let form = here.open("/auth/account/confirm").await;
    assert_eq!(here.submit(&form, &[("csrf", "x"), ("password", PASSWORD)]).await.status, 403);
    for path in ["/auth/account/sessions", "/auth/account/confirm"] {
        let json = gateway.api().post(path, &json!({ "end": "others", "password": PASSWORD })).await;
        assert_eq!(json.status, 415, "{path}");
    }
    assert!(is_signed_in(&mut there).await && is_signed_in(&mut here).await);
}

/// Threats I07, I08: what a browser calls itself is no markup, here and in the activity.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_calls_itself_is_shown_as_text() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut browser = signed_in(&gateway, "alice", HOSTILE).await;
    signed_in(&gateway, "alice", HOSTILE).await;
    for page in ["/auth/account/sessions", "/auth/account/activity"] {
        let text = browser.open(page).await.text();
        assert!(!text.contains("<svg onload") && !text.contains("49}}"), "{page}: {text}");
    }
    assert!(browser.open("/auth/account/sessions").await.text().contains("Unknown browser"));
}

/// Contract 4: the pages are their owner's.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_asked_to_sign_in() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut stranger = gateway.browser();
    for page in ["/auth/account/sessions", "/auth/account/activity", "/auth/account/confirm"] {
        let answer = stranger.open(page).await;
        assert_eq!((answer.status, answer.location()), (302, &*format!("/auth/login?rd={}", page.replace('/', "%2F"))));
    }
}

/// Issue "account pages": one's own records in plain words, newest first, page by page, and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn the_activity_page_shows_ones_own_records_newest_first() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut alice = signed_in(&gateway, "alice", FIREFOX).await;
    let mut bob = signed_in(&gateway, "bob", "Wget/1.25").await;
    let page = alice.open("/auth/account").await;
    assert_eq!(alice.submit(&page, &[("name", "Alice Liddell")]).await.status, 303);
    gateway.app().administration.set_groups("alice", &["staff".to_owned()]).await.unwrap();
    let text = alice.open("/auth/account/activity").await.text();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} in {text}"));
    assert!(at("Groups changed") < at("Profile changed"), "{text}");
    assert!(text.contains("by the operator") && !text.contains("Older"), "{text}");
    assert!(!bob.open("/auth/account/activity").await.text().contains("Profile changed"));
    let party = Party { account: Some(account(&gateway, "alice").await), name: "alice".to_owned() };
    for _ in 0..60 {
        let client = Client { user_agent: FIREFOX.to_owned(), ..Client::default() };
        gateway.app().audit.record(Event::by(party.clone(), Action::Confirmation, Outcome::Success, &client));
    }
    let page = alice.open("/auth/account/activity").await;
    assert_eq!(page.text().matches("Password confirmation").count(), 50);
    let older = Regex::new(r#"href="([^"]+before=[^"]+)""#).unwrap().captures(&page.text()).map(|found| unescape(&found[1])).unwrap();
    let page = alice.open(&older).await.text();
    assert_eq!(page.matches("Password confirmation").count(), 10);
    assert!(page.contains("Profile changed") && !page.contains("Older"), "{page}");
    assert_eq!(alice.open("/auth/account/activity?before=nonsense").await.status, 200);
}

/// Threats G05, contract 6: passwords tried on this page are counted with those tried at the login.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_the_password_again_and_again_is_stopped() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::in_front_of(&upstream).user("alice", &[]).manual_clock().limited().start().await;
    let mut browser = signed_in(&gateway, "alice", FIREFOX).await;
    let form = browser.open("/auth/account/confirm").await;
    for _ in 0..5 {
        assert_eq!(browser.submit(&form, &[("password", "Wrong-horse-7-battery")]).await.status, 401);
    }
    let refused = browser.submit(&form, &[("password", PASSWORD)]).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("900")));
    assert!(refused.text().contains("too many attempts") && refused.text().contains("15 minutes"), "{}", refused.text());
    let login = gateway.api().post("/auth/login", &json!({ "username": "alice", "password": PASSWORD })).await;
    assert_eq!(login.status, 429, "one budget");
    assert!(is_signed_in(&mut browser).await, "sessions go on");
    let activity = browser.open("/auth/account/activity").await.text();
    assert!(activity.contains("Failed: password confirmation (wrong password)"), "{activity}");
}
