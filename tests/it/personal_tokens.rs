//! Personal access tokens, from where they are made: one's own page, an administrator's, and the command.

use crate::support::agent::Answer;
use crate::support::browser::Browser;
use crate::support::form::unescape;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::program;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use portcullis::audit::{Action, Filter};
use regex::Regex;
use std::time::Duration;

/// Past the quarter of an hour for which a session is fresh, and short of its idle timeout.
const LATER: Duration = Duration::from_mins(16);

const PAGE: &str = "/auth/account/tokens";

async fn start(upstream: &EchoUpstream) -> TestGateway {
    TestGateway::in_front_of(upstream).user("ann", &["staff"]).user("root2", &["admins"]).manual_clock().start().await
}

async fn signed_in(gateway: &TestGateway, name: &str) -> Browser {
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", name, PASSWORD).await;
    browser
}

/// The token that a page or a command shows.
fn shown(text: &str) -> Option<String> {
    Regex::new(r"pat_[A-Za-z0-9_-]{48}").unwrap().find(text).map(|found| found.as_str().to_owned())
}

/// Ids that the page's buttons would revoke.
fn ids(page: &Answer) -> Vec<String> {
    let button = Regex::new(r#"name="(?:revoke|token)" value="([0-9a-f-]+)""#).unwrap();
    button.captures_iter(&page.text()).map(|found| found[1].to_owned()).collect()
}

/// Fills in the form for a new token.
async fn make(browser: &mut Browser, fields: &[(&str, &str)]) -> Answer {
    let text = browser.open(PAGE).await.text();
    let csrf = Regex::new(r#"name="csrf" value="([^"]+)""#).unwrap().captures(&text).map(|found| unescape(&found[1])).unwrap();
    let untouched = [("csrf", csrf.as_str()), ("host", ""), ("path", ""), ("expires", "30")];
    let untouched = untouched.iter().filter(|(name, _)| fields.iter().all(|(field, _)| field != name));
    let all: Vec<_> = untouched.chain(fields).copied().collect();
    post(browser, PAGE, &all).await
}

/// Sends a form as it stands, with or without the page's token.
async fn post(browser: &mut Browser, page: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    let url = browser.url(page);
    browser.agent.send(Method::POST, &url, &headers, body).await
}

async fn status(gateway: &TestGateway, line: &str, token: &str) -> u16 {
    let pair = STANDARD.encode(format!("ann:{token}"));
    let request = format!("{line} HTTP/1.1\r\nHost: app.test\r\nAuthorization: Basic {pair}\r\n\r\n");
    Raw::exchange(gateway.address(), request).await.status()
}

/// S4.5, contract 4, issue "made on the account page, last use shown"
#[tokio::test(flavor = "multi_thread")]
async fn a_user_makes_a_token_sees_it_once_uses_it_and_revokes_it() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut browser = signed_in(&gateway, "ann").await;
    let made = make(&mut browser, &[("name", "nightly <backup>"), ("path", "/api"), ("method", "GET"), ("expires", "7")]).await;
    let token = shown(&made.text()).unwrap_or_else(|| panic!("{}", made.text()));
    assert_eq!((made.status, made.header("cache-control")), (200, Some("no-store")));
    assert!(made.text().contains("nightly &#60;backup&#62;") && made.text().contains("never used"), "{}", made.text());
    assert_eq!(status(&gateway, "GET /api/x", &token).await, 200);
    assert_eq!((status(&gateway, "GET /other", &token).await, status(&gateway, "POST /api", &token).await), (403, 403));
    let page = browser.open(PAGE).await;
    let text = page.text();
    assert!(shown(&text).is_none() && text.contains("GET at /api on any host") && text.contains("8 January 2030"), "{text}");
    crate::support::within_patience("the use to be noted", async {
        while !browser.open(PAGE).await.text().contains("just now") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let answer = browser.submit(&page, &[("revoke", &ids(&page)[0])]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account/tokens?revoked"));
    assert!(browser.follow(answer).await.text().contains("The token is revoked."));
    assert_eq!(status(&gateway, "GET /api/x", &token).await, 401);
    let account = gateway.app().administration.find("ann").await.unwrap().id;
    let records = gateway.app().audit.list(Filter { account: Some(account), ..Filter::default() }, 10).await.unwrap();
    let actions: Vec<_> = records.iter().map(|record| record.action).collect();
    assert_eq!(actions[..2], [Action::TokenRevocation, Action::TokenCreation]);
    assert!(browser.open("/auth/account/activity").await.text().contains("Personal token revoked"));
}

/// Contract 4: freshness, CSRF; threats F01
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_and_revoked_by_whoever_has_just_shown_who_they_are() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut browser = signed_in(&gateway, "ann").await;
    let token = shown(&make(&mut browser, &[("name", "script")]).await.text()).unwrap();
    let page = browser.open(PAGE).await;
    let id = ids(&page).remove(0);
    assert_eq!(post(&mut browser, PAGE, &[("revoke", &id)]).await.status, 403);
    let forged = post(&mut browser, PAGE, &[("name", "forged"), ("expires", "never")]).await;
    assert!(forged.status == 403 && shown(&forged.text()).is_none(), "{}", forged.text());
    gateway.advance(LATER);
    assert!(browser.open(PAGE).await.text().contains("/auth/account/confirm?rd=/auth/account/tokens"));
    let answer = browser.submit(&page, &[("revoke", &id)]).await;
    assert_eq!((answer.status, answer.location()), (303, "/auth/account/confirm?rd=%2Fauth%2Faccount%2Ftokens"));
    assert_eq!(status(&gateway, "GET /", &token).await, 200);
    let page = browser.follow(answer).await;
    let confirmed = browser.submit(&page, &[("password", PASSWORD)]).await;
    assert_eq!((confirmed.status, confirmed.location()), (303, PAGE));
    let page = browser.follow(confirmed).await;
    assert_eq!(browser.submit(&page, &[("revoke", &id)]).await.status, 303);
    assert_eq!(status(&gateway, "GET /", &token).await, 401);
    assert_eq!(gateway.browser().open(PAGE).await.status, 302);
}

/// Threats S11, K05
#[tokio::test(flavor = "multi_thread")]
async fn nobody_revokes_the_tokens_of_others_but_administrators() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let (mut ann, mut root) = (signed_in(&gateway, "ann").await, signed_in(&gateway, "root2").await);
    let token = shown(&make(&mut ann, &[("name", "hers")]).await.text()).unwrap();
    let id = ids(&ann.open(PAGE).await).remove(0);
    shown(&make(&mut root, &[("name", "own")]).await.text()).unwrap();
    let page = root.open(PAGE).await;
    assert!(!page.text().contains("hers"));
    assert_eq!(root.submit(&page, &[("revoke", &id)]).await.status, 303, "as if it had been revoked a moment before");
    assert_eq!(status(&gateway, "GET /", &token).await, 200);
    let account = gateway.app().administration.find("ann").await.unwrap().id;
    let address = format!("/auth/admin/users/{account}");
    assert_eq!(ann.open(&address).await.status, 403);
    let page = root.open(&address).await;
    assert!(page.text().contains("hers") && shown(&page.text()).is_none(), "{}", page.text());
    let answer = root.submit(&page, &[("act", "revoke-token"), ("token", &ids(&page)[0])]).await;
    assert_eq!((answer.status, answer.location()), (303, format!("{address}?done=revoke-token").as_str()));
    assert_eq!(status(&gateway, "GET /", &token).await, 401);
    let records = gateway.app().audit.list(Filter { account: Some(account), ..Filter::default() }, 1).await.unwrap();
    assert_eq!((records[0].actor.name.as_str(), records[0].subject.as_ref().map(|party| party.name.as_str())), ("root2", Some("ann")));
}

/// Contract 4: what was typed stays, with every problem
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_told_beside_its_field() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut browser = signed_in(&gateway, "ann").await;
    let wrong = [("name", " "), ("host", "a/b"), ("path", "api"), ("method", "TRACE"), ("expires", "30")];
    let answer = make(&mut browser, &wrong).await;
    let text = answer.text();
    assert!(answer.status == 400 && shown(&text).is_none(), "{text}");
    for (field, value) in [("name", " "), ("host", "a/b"), ("path", "api"), ("method", "GET")] {
        assert!(text.contains(&format!("<a href=\"#{field}\">")) && text.contains(&format!("value=\"{value}\"")), "{field}: {text}");
    }
    for days in ["", "0", "-1", "366", "forever", "1e3"] {
        assert_eq!(make(&mut browser, &[("name", "x"), ("expires", days)]).await.status, 400, "{days:?}");
    }
    assert!(shown(&make(&mut browser, &[("name", "x"), ("expires", "never")]).await.text()).is_some());
    assert_eq!(ids(&browser.open(PAGE).await).len(), 1);
}

/// Contract 1: beside a running gateway; prints the value and nothing else
#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_lists_and_revokes_tokens_beside_a_running_gateway() {
    let upstream = EchoUpstream::start().await;
    let secret = "not-much-of-a-secret-but-long-enough-for-tests";
    let gateway = TestGateway::in_front_of(&upstream).set("SECRET", secret).user("ann", &[]).start().await;
    let yaml = format!("secret: {secret}\nroutes: [{{ upstream: \"{}\" }}]\n", upstream.origin());
    std::fs::write(gateway.folder().join("portcullis.yaml"), yaml).unwrap();
    let run = async |words: &[&str]| {
        let words = [words, &["--config", "portcullis.yaml"]].concat();
        program::run(gateway.folder(), &words, "").await
    };
    let made = run(&["token", "create", "ann", "--name", "ci", "--path", "/api", "--method", "GET", "--expires", "90d"]).await;
    let token = made.stdout.trim_end().to_owned();
    assert_eq!((made.code, made.stderr.as_str(), shown(&token)), (Some(0), "", Some(token.clone())), "{made:?}");
    assert_eq!((status(&gateway, "GET /api", &token).await, status(&gateway, "GET /", &token).await), (200, 403));
    let listed = run(&["token", "list", "ann", "--json"]).await;
    let rows: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!((rows[0]["name"].as_str(), rows[0]["path"].as_str(), shown(&listed.stdout)), (Some("ci"), Some("/api"), None));
    assert_eq!(run(&["token", "revoke", "ann", "ci"]).await.stdout, "revoked\n");
    assert_eq!(status(&gateway, "GET /api", &token).await, 401);
    let again = run(&["token", "revoke", "ann", "ci"]).await;
    assert!(again.code == Some(1) && again.stderr.contains("token list"), "{again:?}");
}

/// A copy of the user store opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_holds_no_text_of_a_token() {
    let upstream = EchoUpstream::start().await;
    let gateway = start(&upstream).await;
    let mut browser = signed_in(&gateway, "ann").await;
    let token = shown(&make(&mut browser, &[("name", "script")]).await.text()).unwrap();
    let part = &token.as_bytes()[8..30];
    for file in ["portcullis.db", "portcullis.db-wal"] {
        let bytes = std::fs::read(gateway.folder().join(file)).unwrap_or_default();
        assert!(!bytes.windows(part.len()).any(|window| window == part), "{file}");
    }
}
