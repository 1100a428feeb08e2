//! The browser and the JSON client against the upstream.

use crate::support::api_client::ApiClient;
use crate::support::browser::Browser;
use crate::support::form::{Form, unescape};
use crate::support::upstream::EchoUpstream;
use http::Method;
use serde_json::json;

const PAGE: &str = r#"<!doctype html><title>Sign in</title>
<form action=/search><input name=q></form>
<form method="post" action='/echo?from=form'>
<input type=hidden name=csrf value="a&amp;b&#34;&#x27;"><input name="username" value=""><input type=password name=password>
<input type=checkbox name=remember><input type=checkbox name=terms checked><button type=submit name=go value=1>Go</button>
</form>"#;

#[tokio::test]
async fn a_navigation_looks_like_one() {
    let upstream = EchoUpstream::start().await;
    let mut browser = Browser::new(&upstream.origin());
    browser.open("/page").await;
    let head = upstream.last().head;
    assert_eq!(head.header("sec-fetch-mode"), Some("navigate"));
    assert_eq!(head.header("sec-fetch-dest"), Some("document"));
    assert!(head.header("accept").unwrap().starts_with("text/html,"));
    assert_eq!(head.header_values("accept").len(), 1);
    browser.fetch(Method::PUT, "/data").await;
    let head = upstream.last().head;
    assert_eq!((head.start_word(0), head.header("sec-fetch-mode"), head.header("accept")), ("PUT", Some("cors"), Some("*/*")));
}

#[tokio::test]
async fn redirects_are_shown_and_followed_only_on_demand() {
    let upstream = EchoUpstream::start().await;
    upstream.serve("/start", 302, &[("Location", "/target?x")], "");
    upstream.serve("/target", 200, &[], "arrived");
    let mut browser = Browser::new(&upstream.origin());
    let answer = browser.open("/start").await;
    assert_eq!((answer.status, answer.location(), answer.target().path()), (302, "/target?x", "/target"));
    assert_eq!(upstream.last().head.header("sec-fetch-site"), Some("none"));
    assert_eq!(browser.follow(answer).await.text(), "arrived");
    assert_eq!(upstream.last().target(), "/target?x");
    assert_eq!(upstream.last().head.header("sec-fetch-site"), Some("same-origin"));
    assert_eq!(browser.visit("/start").await.text(), "arrived");
}

#[tokio::test]
async fn signing_in_ends_where_the_login_leads() {
    let upstream = EchoUpstream::start().await;
    upstream.serve("/start", 302, &[("Location", "/login")], "");
    upstream.serve("/login", 200, &[("Content-Type", "text/html")], PAGE);
    upstream.serve("/echo", 303, &[("Location", "/home"), ("Set-Cookie", "session=1; Path=/")], "");
    let mut browser = Browser::new(&upstream.origin());
    let home = browser.sign_in("/start", "ann", "secret").await;
    assert_eq!(home.json()["target"], "/home");
    assert_eq!(upstream.last().head.header("cookie"), Some("session=1"));
    let (cookie, cleared) = (browser.agent.cookies.get("session").cloned(), browser.agent.cookies.get("other"));
    assert_eq!((cookie.map(|cookie| cookie.value), cleared), (Some("1".to_owned()), None));
}

#[tokio::test]
async fn a_form_is_sent_with_its_hidden_fields_and_headers_of_its_page() {
    let upstream = EchoUpstream::start().await;
    upstream.serve("/login", 200, &[("Content-Type", "text/html")], PAGE);
    let mut browser = Browser::new(&upstream.origin());
    let page = browser.open("/login").await;
    let answer = browser.submit(&page, &[("username", "ann"), ("password", "p&q")]).await;
    assert_eq!(answer.json()["target"], "/echo?from=form");
    let sent = upstream.last();
    assert_eq!(String::from_utf8(sent.body).unwrap(), "csrf=a%26b%22%27&terms=on&username=ann&password=p%26q");
    assert_eq!(sent.head.header("origin"), Some(upstream.origin().as_str()));
    assert_eq!(sent.head.header("referer"), Some(format!("{}/login", upstream.origin()).as_str()));
    assert_eq!(sent.head.header("content-type"), Some("application/x-www-form-urlencoded"));
    browser.submit(&page, &[("q", "x y")]).await;
    assert_eq!(upstream.last().target(), "/search?q=x+y");
}

#[tokio::test]
async fn cookies_are_kept_and_sent_to_every_host_name_apart() {
    let upstream = EchoUpstream::start().await;
    let port = upstream.address().port();
    let mut browser = Browser::new(&format!("http://one.test:{port}"));
    browser.open("/set-cookie?a=1%3B%20Path%3D/&__Host-b=2%3B%20Path%3D/%3B%20Secure").await;
    assert_eq!(browser.agent.cookies.names(), ["a"]);
    assert_eq!(browser.agent.cookies.refused().len(), 1);
    browser.open("/again").await;
    assert_eq!(upstream.last().head.header("cookie"), Some("a=1"));
    assert_eq!(upstream.last().head.header("host"), Some(format!("one.test:{port}").as_str()));
    browser.open(&format!("http://two.test:{port}/")).await;
    assert_eq!(upstream.last().head.header("cookie"), None);
}

#[tokio::test]
async fn the_json_client_sends_json_and_no_navigation_headers() {
    let upstream = EchoUpstream::start().await;
    let mut client = ApiClient::new(&upstream.origin());
    client.authorization = Some("Bearer abc".to_owned());
    client.post("/auth/login", &json!({ "username": "ann" })).await;
    let sent = upstream.last();
    assert_eq!(sent.body, br#"{"username":"ann"}"#);
    assert_eq!(sent.head.header("content-type"), Some("application/json"));
    assert_eq!(sent.head.header("authorization"), Some("Bearer abc"));
    assert_eq!(sent.head.header("sec-fetch-mode"), None);
    let answer = client.get("/auth/session").await;
    assert_eq!(answer.json()["method"], "GET");
}

#[test]
fn forms_are_read_as_a_browser_reads_them() {
    let forms = Form::all(PAGE);
    assert_eq!(forms.len(), 2);
    assert_eq!((forms[0].is_post, forms[1].is_post), (false, true));
    assert_eq!(forms[1].names, ["csrf", "username", "password", "remember", "terms"]);
    assert_eq!(unescape("&lt;&#60;&#x3C;&quot;&unknown;"), "<<<\"&unknown;");
}
