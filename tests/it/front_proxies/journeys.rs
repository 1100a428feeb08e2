//! What people and scripts do behind a front proxy.

use super::Site;
use crate::support::fault_proxy::Network;
use crate::support::gateway::PASSWORD;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use portcullis::snippet::FrontProxy;
use tokio_tungstenite::tungstenite::{Error, Message, handshake::client::generate_key, http::Request};

/// An anonymous navigation, the login, and back: the application sees who it is and no cookie of ours.
pub async fn deep_link(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let mut browser = site.browser();
    let answer = browser.open("/deep/page?a=1&b=%2Fx%20y").await;
    assert_eq!((answer.status, site.seen()), (302, 0), "{}", answer.text());
    assert!(answer.location().starts_with(&format!("{}/auth/login?rd=", site.origin("auth"))), "{}", answer.location());
    browser.agent.cookies.plant(&browser.url("/"), "theirs", "kept");
    let page = browser.sign_in("/deep/page?a=1&b=%2Fx%20y", "ann", PASSWORD).await;
    assert_eq!((page.status, page.url.as_str()), (200, format!("{}/deep/page?a=1&b=%2Fx%20y", site.origin("wiki")).as_str()));
    let head = site.wiki.last().head;
    assert_eq!(head.start_word(1), "/deep/page?a=1&b=%2Fx%20y");
    for (name, value) in [("x-user", "ann"), ("x-user-groups", "staff"), ("remote-user", "ann"), ("remote-email", "ann@example.com")] {
        assert_eq!(head.header_values(name), [value], "{name}");
    }
    let cookies = head.header("cookie").unwrap_or_default();
    match proxy {
        // It cannot take one cookie away.
        FrontProxy::Traefik => assert!(cookies.contains("theirs=kept"), "{cookies}"),
        _ => assert_eq!(cookies, "theirs=kept"),
    }
    assert_eq!(head.header_values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(head.header_values("x-forwarded-proto"), ["http"]);
    assert_eq!(head.header("host"), Some(format!("wiki.example.test:{}", site.port).as_str()));

    // One login for all hosts, through the gateway as beside it.
    for (path, way) in [("/", None), ("/through/x", Some("gateway"))] {
        let answer = browser.open(&format!("{}{path}", site.origin("shop"))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let head = site.shop.last().head;
        assert_eq!((head.header("x-way"), head.header_values("x-user")), (way, vec!["ann"]), "{path}");
        assert_eq!(head.header_values("x-forwarded-proto"), ["http"]);
    }
    assert_eq!(browser.open(&format!("{}/", site.origin("auth"))).await.target().path(), "/auth/account");
}

/// A script is told with 401 what is wrong; what it sends arrives.
pub async fn scripts_and_bodies(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let mut browser = site.browser();
    let answer = browser.fetch(Method::GET, "/api/things").await;
    assert_eq!((answer.status, site.seen()), (401, 0), "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.json()["loginUrl"].as_str().unwrap().starts_with(&site.origin("auth")), "{}", answer.text());
    assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    assert_eq!(browser.fetch(Method::POST, "/api/things").await.status, 401);
    assert_eq!(site.seen(), 0);

    browser.sign_in("/", "ann", PASSWORD).await;
    let body = vec![b'x'; 300_000];
    for (method, target) in [(Method::POST, "/api/things?x=1"), (Method::PUT, "/api/things/1"), (Method::DELETE, "/api/things/1")] {
        let url = browser.url(target);
        let answer = browser.agent.send(method.clone(), &url, &[("accept", "*/*")], body.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let request = site.wiki.last();
        assert_eq!((request.method(), request.target(), request.body.len()), (method.as_str(), target, body.len()));
        assert_eq!(request.head.header_values("x-user"), ["ann"]);
    }
    let forbidden = browser.open("/editors/plan").await;
    assert_eq!(forbidden.status, 403);
    assert!(forbidden.text().contains("Sign in as"), "{}", forbidden.text());
}

/// What has ended or changed is so with the next request.
pub async fn changes(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let mut browser = site.browser();
    browser.sign_in("/editors/plan", "ann", PASSWORD).await;
    assert_eq!(browser.open("/editors/plan").await.status, 403);
    site.gateway.app().administration.set_groups("ann", &["editors".to_owned()]).await.unwrap();
    assert_eq!(browser.open("/editors/plan").await.status, 200);
    assert_eq!(site.wiki.last().head.header_values("x-user-groups"), ["editors"]);
    site.gateway.app().administration.set_groups("ann", &[]).await.unwrap();
    assert_eq!(browser.open("/editors/plan").await.status, 403);
    assert_eq!(browser.open("/page").await.status, 200);

    let seen = site.seen();
    let page = browser.open("/auth/logout").await;
    assert_eq!(page.status, 200, "{}", page.text());
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
    assert_eq!((browser.open("/page").await.status, browser.fetch(Method::GET, "/page").await.status), (302, 401));

    browser.sign_in("/page", "ann", PASSWORD).await;
    site.gateway.app().administration.lock("ann").await.unwrap();
    assert_eq!((browser.open("/page").await.status, site.seen()), (302, seen + 1));
}

/// A WebSocket is refused without a session and passes with one.
pub async fn websocket(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let host = format!("wiki.example.test:{}", site.port);
    let request = |cookie: &str| {
        let request = Request::get(format!("ws://{}/ws", site.proxy.address())).header("host", &host);
        let request = request.header("connection", "Upgrade").header("upgrade", "websocket").header("cookie", cookie);
        request.header("sec-websocket-version", "13").header("sec-websocket-key", generate_key()).header("x-user", "root")
    };
    match tokio_tungstenite::connect_async(request("a=b").body(()).unwrap()).await {
        Err(Error::Http(response)) => assert_eq!(response.status().as_u16(), 401),
        other => panic!("not refused: {other:?}"),
    }
    assert_eq!(site.seen(), 0);
    let mut browser = site.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let cookie = browser.agent.cookies.header(&browser.url("/ws")).unwrap();
    let (mut socket, _) = tokio_tungstenite::connect_async(request(&cookie).body(()).unwrap()).await.unwrap();
    for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    assert_eq!(site.wiki.last().head.header_values("x-user"), ["ann"]);
}

/// Without the gateway nothing passes, neither with a session nor to a public path.
pub async fn dead_gateway(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let mut browser = site.browser();
    browser.sign_in("/page", "ann", PASSWORD).await;
    assert_eq!(browser.open("/public/x").await.status, 200);
    let seen = site.seen();
    let Site { wiki, shop, gateway, network, proxy, .. } = site;
    network.set(Network::Refusing);
    gateway.stop().await;
    let page = browser.open("/page").await;
    let script = browser.fetch(Method::POST, "/public/x").await;
    for answer in [page, script] {
        assert!(answer.status >= 500, "{}: {} {}", answer.url, answer.status, answer.text());
    }
    assert_eq!(wiki.seen() + shop.seen(), seen, "{}", proxy.log());
}

/// Every request is a question to the gateway, and a connection for each would cost more than the question.
pub async fn kept_connections(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let mut browser = site.browser();
    browser.sign_in("/page", "ann", PASSWORD).await;
    let before = site.network.connections();
    for _ in 0..40 {
        assert_eq!(browser.fetch(Method::GET, "/page").await.status, 200);
    }
    let made = site.network.connections() - before;
    assert!(made <= 4, "{made} connections for 40 questions");
}
