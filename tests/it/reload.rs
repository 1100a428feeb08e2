//! A configuration that changes while the gateway runs: what takes effect, what stays, and what is under way.

mod program;
mod refused;
mod under_load;

use crate::support::certificate::Certificate;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use futures_util::{SinkExt, StreamExt};
use portcullis::reload::Reloaded;
use portcullis::server::BoundAddress;
use rustls_pki_types::ServerName;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Message;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n")
}

/// Everything is public but what these rules say, and answers carry this mark.
fn marked(upstream: &EchoUpstream, mark: &str, rules: &str) -> String {
    format!(
        "routes: [{{ upstream: \"{}\", response_headers: {{ set: {{ X-Mark: {mark} }} }} }}]\n\
         access: {{ default: public, rules: [{rules}] }}\n",
        upstream.origin()
    )
}

/// Contract 2
#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_holds_for_the_next_request_of_an_open_connection() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "one", "")).start().await;
    let mut raw = gateway.raw().await;
    raw.send(get("/closed")).await;
    let answer = raw.response().await;
    assert_eq!((answer.status(), answer.header("x-mark")), (200, Some("one")));
    let reloaded = gateway.reload_with(marked(&upstream, "two", "{ path: /closed, allow: deny }")).await;
    assert_eq!(reloaded, Reloaded { later: vec![] });
    raw.send(get("/closed")).await;
    assert_eq!(raw.response().await.status(), 403);
    raw.send(get("/open")).await;
    let answer = raw.response().await;
    assert_eq!((answer.status(), answer.header("x-mark")), (200, Some("two")));
    assert_eq!(upstream.connections(), 1, "the connection to the upstream was kept");
}

/// Contract 2: what was decided on is what is forwarded. On one thread, as the program runs each connection; see
/// `program::a_websocket_never_ends_as_it_opens`.
#[tokio::test]
async fn what_is_under_way_goes_on_as_it_began() {
    let (before, after) = (EchoUpstream::start().await, EchoUpstream::start().await);
    let gateway = TestGateway::with(marked(&before, "one", "")).start().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/ws", gateway.address())).await.unwrap();
    let (mut waiting, mut sending) = (gateway.raw().await, gateway.raw().await);
    waiting.send(get("/slow")).await;
    sending.send("POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 4\r\n\r\nab").await;
    before.wait_for_open_streams(2).await;
    before.wait_until("half a body to arrive", |requests| requests.iter().any(|request| request.body == b"ab")).await;

    gateway.reload_with(marked(&after, "two", "{ path: /slow, allow: deny }, { path: /ws, allow: deny }")).await;
    before.release(1);
    let answer = waiting.response().await;
    assert_eq!((answer.status(), answer.header("x-mark")), (200, Some("one")));
    sending.send("cd").await;
    let answer = sending.response().await;
    assert_eq!((answer.status(), answer.header("x-mark"), answer.json()["body"]["length"].as_u64()), (200, Some("one"), Some(4)));
    socket.send(Message::text("still there")).await.unwrap();
    let echo = within_patience("an echo", socket.next()).await.unwrap().unwrap();
    assert_eq!(echo, Message::text("still there"));

    waiting.send(get("/slow")).await;
    assert_eq!(waiting.response().await.status(), 403);
    let answer = Raw::exchange(gateway.address(), get("/x")).await;
    assert_eq!((answer.header("x-mark"), after.seen()), (Some("two"), 1));
}

/// Contract 3.8: a session that ends closes what was opened before a reload, too
#[tokio::test]
async fn a_logout_closes_what_was_opened_before_the_reload() {
    let upstream = EchoUpstream::start().await;
    let yaml = |title: &str| format!("routes: [{{ upstream: \"{}\" }}]\nui: {{ title: {title} }}", upstream.origin());
    let gateway = TestGateway::with(yaml("One")).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let cookie = format!("portcullis={}", browser.agent.cookies.get("portcullis").unwrap().value);
    let mut events = gateway.raw().await;
    events.send(format!("GET /sse HTTP/1.1\r\nHost: app.test\r\nCookie: {cookie}\r\n\r\n")).await;
    assert_eq!(events.head().await.start_word(1), "200");
    gateway.reload_with(yaml("Two")).await;
    let page = browser.open("/auth/logout").await;
    assert!(page.text().contains("Two"));
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
    events.closed().await;
}

/// Contract 2: limits, the pages' looks, registration, mail
#[tokio::test(flavor = "multi_thread")]
async fn limits_pages_and_accounts_follow_the_configuration() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "one", "")).start().await;
    let mut browser = gateway.browser();
    let login = browser.open("/auth/login").await.text();
    assert!(login.contains("Portcullis") && browser.open("/auth/register").await.status == 404);
    assert_eq!(Raw::exchange(gateway.address(), get(&format!("/{}", "x".repeat(3000)))).await.status(), 200);
    let more = "ui: { title: Castle, accent: '#0a7' }\naccounts: { registration: open }\nemail: { transport: 'file:mails' }\n\
                server: { prefix: /gate, limits: { header: 2KiB }, methods: [GET, POST] }";
    let reloaded = gateway.reload_with(marked(&upstream, "two", "") + more).await;
    assert_eq!(reloaded, Reloaded { later: vec![] });
    assert_eq!(Raw::exchange(gateway.address(), get(&format!("/{}", "x".repeat(3000)))).await.status(), 414);
    let put = Raw::exchange(gateway.address(), "PUT /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((put.status(), put.header("allow")), (405, Some("GET, POST")));
    let mut browser = gateway.browser();
    let page = browser.open("/gate/login").await.text();
    assert!(page.contains("Castle") && !page.contains("Portcullis"), "{page}");
    let style = page.split('"').find(|text| text.starts_with("/gate/assets/style")).unwrap_or_else(|| panic!("{page}"));
    let former = login.split('"').find(|text| text.starts_with("/auth/assets/style")).unwrap_or_else(|| panic!("{login}"));
    assert!(style.split('/').next_back() != former.split('/').next_back() && browser.open(style).await.status == 200);
    let page = browser.open("/gate/register").await;
    let answer = browser.submit(&page, &[("username", "eva"), ("email", "eva@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let page = browser.open("/gate/forgot").await;
    assert_eq!(browser.submit(&page, &[("email", "eva@example.com")]).await.status, 303);
    let mails = gateway.folder().join("mails");
    within_patience("a mail, by the way that is configured now", async {
        while std::fs::read_dir(&mails).map_or(0, Iterator::count) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// `server.limits.connections`: those that are open stay
#[tokio::test(flavor = "multi_thread")]
async fn another_limit_of_connections_holds_for_new_ones() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "one", "")).start().await;
    let (mut one, mut two) = (gateway.raw().await, gateway.raw().await);
    for raw in [&mut one, &mut two] {
        raw.send(get("/")).await;
        assert_eq!(raw.response().await.status(), 200);
    }
    gateway.reload_with(marked(&upstream, "two", "") + "server: { limits: { connections: 1 } }").await;
    assert_eq!(gateway.raw().await.closed().await, 0);
    two.send(get("/")).await;
    assert_eq!(two.response().await.status(), 200);
    gateway.reload_with(marked(&upstream, "three", "") + "server: { limits: { connections: 3 } }").await;
    assert_eq!(Raw::exchange(gateway.address(), get("/")).await.status(), 200);
}

/// A route that leads to the sample application needs no restart.
#[tokio::test(flavor = "multi_thread")]
async fn the_sample_application_is_there_once_a_route_leads_to_it() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "one", "")).start().await;
    gateway.reload_with("routes: [{ upstream: sample }]\naccess: { default: public }").await;
    let answer = Raw::exchange(gateway.address(), get("/events")).await;
    assert!(answer.status() == 200 && answer.text().contains("Events"), "{}", answer.text());
}

/// Contract 2: certificates, also where only their files have changed
#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_at_the_next_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "server: {{ tls: {{ listen: ['127.0.0.1:0'], certificates: [{{ certificate: '{0}/one.test.pem', key: '{0}/one.test.key' }}] }} }}\n{1}",
        folder.path().display(),
        marked(&upstream, "one", "")
    );
    let old = Certificate::new(folder.path(), &["one.test"]);
    let gateway = TestGateway::with(yaml.clone()).start().await;
    let address = gateway.addresses().iter().find(|address| matches!(address, BoundAddress::Tcp(_, true))).unwrap().tcp().unwrap();
    let connect = async |trusted: &Certificate| {
        let connector = TlsConnector::from(trusted.client_config(&[]));
        connector.connect(ServerName::try_from("one.test").unwrap(), TcpStream::connect(address).await.unwrap()).await
    };
    let mut open = Raw::over(connect(&old).await.unwrap());
    let new = Certificate::new(folder.path(), &["one.test"]);
    assert!(connect(&new).await.is_err(), "nothing is read before it is asked for");
    gateway.reload_with(yaml.clone()).await;
    assert!(connect(&new).await.is_ok() && connect(&old).await.is_err());
    open.send("GET / HTTP/1.1\r\nHost: one.test\r\n\r\n").await;
    assert_eq!(open.response().await.status(), 200, "what is open stays open");
    // A key that belongs to another certificate, as while both are being written.
    std::fs::copy(Certificate::new(folder.path(), &["other.test"]).key, &new.key).unwrap();
    assert!(gateway.try_reload_with(yaml).await.is_err());
    assert!(connect(&new).await.is_ok());
}

/// What every configuration needs is made anew, and what it replaces goes away; stores and threads are the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_force_before_is_forgotten_once_nothing_uses_it() {
    let upstream = EchoUpstream::start().await;
    let gateway = TestGateway::with(marked(&upstream, "0", "")).user("ann", &[]).start().await;
    let mut former = Vec::new();
    for round in 1..=50 {
        gateway.reload_with(marked(&upstream, &round.to_string(), "")).await;
        former.push(Arc::downgrade(&gateway.live().app()));
        assert_eq!(Raw::exchange(gateway.address(), get("/auth/login")).await.status(), 200);
    }
    let last = former.pop().unwrap();
    within_patience("what is not in force to be forgotten", async {
        while former.iter().any(|app| app.strong_count() > 0) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(last.strong_count() > 0 && Arc::ptr_eq(&last.upgrade().unwrap().accounts, &gateway.app().accounts));
    let mut browser = gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    assert_eq!(browser.open("/x").await.header("x-mark"), Some("50"));
}
