//! Where a token must not be found: in the store, in the log, in an address, in a page.

use super::{NEW, link, mailing, next_link};
use crate::support::browser::Browser;
use crate::support::gateway::TestGateway;
use crate::support::mailbox::Mailbox;
use crate::support::redis_server::RedisServer;
use crate::support::served::Served;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SECRET: &str = "not-much-of-a-secret-but-long-enough-for-tests";

/// What Redis says to a command.
async fn redis(server: &RedisServer, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).await.unwrap();
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// S0.6, S4.6, contract 7: whoever reads the store can use nothing that they find there.
#[tokio::test(flavor = "multi_thread")]
async fn redis_holds_the_digest_of_a_token_for_half_an_hour_and_nothing_that_opens_a_link() {
    let redis_server = RedisServer::start_durable();
    let gateway = mailing(TestGateway::with("routes: [{ path: /, upstream: sample }]"))
        .set("SECRET", SECRET)
        .set("STORES__SESSIONS", &redis_server.url())
        .set("STORES__REDIS_PREFIX", "test:")
        .user("ann", &[])
        .start()
        .await;
    let mut mailbox = Mailbox::of(&gateway);
    let link = link(&gateway, &mut mailbox, "ann@example.com").await;
    let token = link.split_once('=').unwrap().1;
    let digest: String = Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("test:password_reset:{digest}");
    let left = redis(&redis_server, &format!("PTTL {key}")).await;
    let left: i64 = left.lines().next().unwrap().trim_start_matches(':').parse().unwrap();
    assert!((1_700_000..=1_800_000).contains(&left), "{left}");
    let mut browser = gateway.browser();
    let page = browser.visit(&link).await;
    assert_eq!(browser.submit(&page, &[("password", NEW)]).await.status, 303);
    assert!(redis(&redis_server, &format!("EXISTS {key}")).await.starts_with(":0"), "it is spent");
    let dump = String::from_utf8_lossy(&redis_server.dump()).into_owned();
    assert!(dump.contains(&key) && !dump.contains(token) && !dump.contains(NEW));
}

/// threats P11, ASVS V14.2.1, V16.2.5: at the finest level, from the request for the link to a login with the new password.
#[tokio::test(flavor = "multi_thread")]
async fn no_token_gets_into_the_log_an_address_or_a_page() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let configuration = "\
        server: { listen: ['127.0.0.1:0'] }\nadmin: { listen: '127.0.0.1:0' }\naccounts: { registration: open }\n\
        email: { transport: 'file:mails' }\nlog: { level: trace }\nroutes: [{ path: /, upstream: sample }]\n";
    let served = Served::start(folder.path(), configuration).await;
    let mut mailbox = Mailbox::at(&folder.path().join("mails"));
    let mut browser = Browser::new(&served.origin);
    let page = browser.open("/auth/register").await;
    browser.submit(&page, &[("username", "ann"), ("email", "ann@example.com"), ("password", "First-otter-4-harbour")]).await;
    let page = browser.open("/auth/forgot").await;
    browser.submit(&page, &[("email", "ann@example.com")]).await;
    let link = next_link(&mut mailbox, "ann@example.com").await;
    let token = link.split_once('=').unwrap().1.to_owned();
    let opened = browser.open(&link).await;
    let page = browser.follow(opened.clone()).await;
    let set = browser.submit(&page, &[("password", NEW)]).await;
    assert_eq!(set.status, 303);
    let again = browser.visit(&link).await;
    for answer in [&opened, &page, &set, &again] {
        assert!(!answer.url.path().contains(&token) && !answer.text().contains(&token), "{}", answer.url);
        assert!(answer.header("location").is_none_or(|location| !location.contains(&token)));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
        assert!(!answer.text().contains("http://") && !answer.text().contains("https://"), "nothing of a third party: {}", answer.text());
    }
    let log = served.log().await;
    assert!(log.contains("/auth/reset"), "the requests are logged: {log}");
    for secret in [token.as_str(), NEW, "First-otter-4-harbour"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}

/// threats P11, contract 4 "Cookies": over HTTPS the cookie is bound to its host, also where sessions are shared.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_kept_in_a_cookie_that_no_other_host_and_no_application_sees() {
    let upstream = crate::support::upstream::EchoUpstream::start().await;
    let builder = mailing(TestGateway::in_front_of(&upstream)).user("ann", &[]).set("COOKIES__SECURE", "true");
    let gateway = builder.set("COOKIES__DOMAIN", "example.com").set("PORTAL__URL", "https://auth.example.com").start().await;
    let mut mailbox = Mailbox::of(&gateway);
    let mut api = gateway.api();
    let asked = api.post("/api/auth/password-reset/request", &serde_json::json!({ "email": "ann@example.com" })).await;
    assert_eq!(asked.status, 202);
    let link = next_link(&mut mailbox, "ann@example.com").await;
    let token = link.split_once('=').unwrap().1;
    let opened = api.get(&link).await;
    let expected = format!("__Host-portcullis-reset={token}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=1800");
    assert_eq!(opened.header("set-cookie"), Some(expected.as_str()));
    let url = gateway.browser().url("/auth/reset");
    let cookie = format!("__Host-portcullis-reset={token}");
    let form = api.agent.send(http::Method::GET, &url, &[("cookie", &cookie)], "").await;
    assert_eq!(form.status, 200, "{}", form.text());
    let plain = cookie.trim_start_matches("__Host-");
    assert_eq!(api.agent.send(http::Method::GET, &url, &[("cookie", plain)], "").await.status, 400, "another name is not read");
    let signed_in = api.post("/auth/login", &serde_json::json!({ "username": "ann", "password": crate::support::gateway::PASSWORD })).await;
    let set = signed_in.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let session = set.filter_map(|text| text.split(';').next()).find(|pair| pair.starts_with("__Secure-portcullis=")).unwrap().to_owned();
    let url = gateway.browser().url("/app");
    let both = format!("a=b; {cookie}; {session}");
    assert_eq!(api.agent.send(http::Method::GET, &url, &[("cookie", &both)], "").await.status, 200);
    assert_eq!(upstream.last().head.header("cookie"), Some("a=b"));
}
