//! What an attacker sends to a front proxy.

use super::Site;
use crate::support::front_proxy::weakened;
use crate::support::gateway::PASSWORD;
use crate::support::message::Head;
use crate::support::raw::Raw;
use portcullis::snippet::FrontProxy;

/// Characters that may stand in a header's name between letters (RFC 9110 section 5.6.2), upper and lower case around them.
const SEPARATORS: &str = "!#$%&'*+-.^_`|~";

/// Names that say who somebody is, ours and the peers'.
const IDENTITY: [&str; 12] = [
    "X-User",
    "X-User-Id",
    "X-User-Email",
    "X-User-Name",
    "X-User-Groups",
    "X-User-Assertion",
    "Remote-User",
    "Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Preferred-Username",
    "X-Auth-Request-User",
    "X-Auth-Request-Groups",
];

/// Names that only a proxy may write.
const PROXYS: [&str; 15] = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Host",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-Real-IP",
    "Forwarded",
];

const MARK: &str = "forged-by-the-visitor";

/// No spelling of a name that speaks of identity or of the way passes, on public and on protected paths; a header that
/// `Connection` names is not lost.
pub async fn forged_headers(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let mut browser = site.browser();
    browser.sign_in("/page", "ann", PASSWORD).await;
    let cookie = browser.agent.cookies.header(&browser.url("/")).unwrap();
    let cookie = format!("Cookie: {cookie}\r\n");

    for separator in SEPARATORS.chars() {
        let names = IDENTITY.iter().chain(&PROXYS).map(|name| name.replace('-', &separator.to_string()));
        let lines: String =
            names.flat_map(|name| [name.to_lowercase(), name]).fold(String::new(), |lines, name| lines + &name + ": " + MARK + "\r\n");
        for (path, cookie, user) in [("/public/x", "", ""), ("/public/x", cookie.as_str(), "ann"), ("/page", cookie.as_str(), "ann")] {
            // Some proxies refuse names that others pass on, which is as good.
            let seen = site.seen();
            let answer = site.raw(&format!("GET {path}"), &format!("{lines}{cookie}")).await;
            if site.seen() == seen {
                assert!(answer.status() >= 400, "{separator:?}: {}", answer.status());
                continue;
            }
            nothing_forged(&site.wiki.last().head, user, &format!("{separator:?} {path}"));
        }
    }

    for nominated in ["X-User", "x-user, X-User-Groups", "close, X-User", "Remote-User"] {
        let answer = site.raw("GET /page", &format!("Connection: {nominated}\r\nX-User: {MARK}\r\n{cookie}")).await;
        assert_eq!(answer.status(), 200, "{nominated}: {}", answer.text());
        let head = site.wiki.last().head;
        nothing_forged(&head, "ann", nominated);
        assert_eq!(head.header_values("remote-user"), ["ann"], "{nominated}");
    }
    // Half a session is none.
    let seen = site.seen();
    let answer = site.raw("GET /page", &format!("Connection: Cookie\r\n{cookie}")).await;
    assert!([200, 302, 401].contains(&answer.status()), "{}", answer.status());
    if site.seen() > seen {
        nothing_forged(&site.wiki.last().head, "ann", "Connection: Cookie");
    }
}

fn nothing_forged(head: &Head, user: &str, what: &str) {
    let forged: Vec<_> = head.headers.iter().filter(|(_, value)| value.contains(MARK)).collect();
    assert!(forged.is_empty(), "{what}: {forged:?}");
    let values: Vec<_> = head.header_values("x-user").into_iter().filter(|value| !value.is_empty()).collect();
    let wanted: &[&str] = if user.is_empty() { &[] } else { &[user] };
    assert_eq!(values, wanted, "{what}");
}

/// A connection that is upgraded to HTTP/2 would carry requests that nobody is asked about.
pub async fn upgrades(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    for upgrade in [
        "h2c",
        "H2C",
        "websocket, h2c",
        "h2c, websocket",
        "websocket2",
        "web",
        "TLS/1.3",
        "h2c\r\nUpgrade: websocket",
        "websocket\r\nUpgrade: h2c",
    ] {
        let lines = format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n");
        let seen = site.seen();
        let answer = site.raw("GET /public/x", &lines).await;
        if site.seen() == seen {
            assert!(answer.status() >= 400, "{upgrade}: {}", answer.status());
            continue;
        }
        let head = site.wiki.last().head;
        // Two lines may become the one that is permitted.
        let passed: Vec<_> = head.header_values("upgrade").into_iter().filter(|value| !value.eq_ignore_ascii_case("websocket")).collect();
        assert_eq!((answer.status(), passed), (200, vec![]), "{upgrade}: {head:?}");
        assert!(head.header("upgrade").is_none() || upgrade.contains("\r\n"), "{upgrade}: {head:?}");
    }
}

/// Where the lines that strip are left out, some spelling does reach an application.
pub async fn without_stripping(proxy: FrontProxy) {
    let site = Site::behind_changed(proxy, |text| weakened(proxy, &text)).await;
    let answer = site.raw("GET /public/x", &format!("X_User: {MARK}\r\nRemote-User: {MARK}\r\nX.User: {MARK}\r\n")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let head = site.wiki.last().head;
    assert!(head.headers.iter().any(|(_, value)| value == MARK), "{head:?}");
}

/// However a path is written, what is not public stays closed, and no verify endpoint answers a visitor.
pub async fn paths(proxy: FrontProxy) {
    let site = Site::behind(proxy).await;
    let protected = [
        "/editors",
        "//editors",
        "///editors",
        "/./editors",
        "/public/../editors",
        "/public/%2e%2e/editors",
        "/public/.%2e/editors",
        "/public/..;/editors",
        "/public;/../editors",
        "/%65ditors",
        "/%2565ditors",
        "/editors;x=1",
        "/editors/;/",
        "/editors%00",
        "/editors%00.css",
        "/editors%2f",
        "/public%2f..%2feditors",
        "/public/..%2feditors",
        "/public\\..\\editors",
        "/public/%5c../editors",
        "/editors%23/public/x",
        "/editors#/public/x",
        "/publicsecret",
        "/public.bak",
        "/auth/../editors",
        "/auth/%2e%2e/editors",
        "/auth/..;/editors",
        "/auth/x/../../editors",
        "/auth/verify/../../editors",
        "/auth//../editors",
        "/AUTH/x",
        "/auth/;/editors",
        "/auth%2f..%2feditors",
    ];
    let headers = [
        "",
        "X-Original-URL: /public/x\r\nX-Rewrite-URL: /public/x\r\n",
        "X-Forwarded-Uri: /public/x\r\nX-Forwarded-Host: wiki.example.test\r\nX-Forwarded-Method: GET\r\n",
    ];
    for path in protected {
        for lines in headers {
            let answer = site.raw(&format!("GET {path}"), lines).await;
            assert_eq!(site.seen(), 0, "{path} {lines:?}: {} {:?}", answer.status(), site.wiki.requests());
            assert!([400, 401, 404].contains(&answer.status()), "{path} {lines:?}: {}", answer.status());
        }
    }
    for method in ["POST", "HEAD", "OPTIONS", "FOO", "TRACE"] {
        let mut raw = Raw::connect(site.proxy.address()).await;
        raw.send(format!("{method} /editors HTTP/1.1\r\nHost: wiki.example.test:{}\r\nContent-Length: 0\r\n\r\n", site.port)).await;
        raw.head().await;
        assert_eq!(site.seen(), 0, "{method}");
    }

    // A request line with a whole address: what is judged is what is asked for.
    let port = site.port;
    for (line, host) in [("shop", "wiki"), ("wiki", "shop")] {
        for path in ["/open/x", "/editors"] {
            let request = format!("GET http://{line}.example.test:{port}{path} HTTP/1.1\r\nHost: {host}.example.test:{port}\r\n\r\n");
            let (wiki, shop) = (site.wiki.seen(), site.shop.seen());
            let answer = Raw::exchange(site.proxy.address(), request).await;
            assert_eq!(site.wiki.seen(), wiki, "{line} {host} {path}: {}", answer.status());
            // The shop's /open is public, by whichever of the names it is the shop.
            assert!(site.shop.seen() == shop || path == "/open/x", "{line} {host} {path}: {}", answer.status());
        }
    }

    for path in [
        "/auth/verify",
        "/auth/verify/",
        "/auth/verify/traefik",
        "/auth//verify/traefik",
        "/auth/%76erify/traefik",
        "/auth/;/verify/traefik",
        "/auth/verify;/traefik",
        "/auth/verify/envoy/public/x",
        "/auth/x/../verify/envoy/public/x",
    ] {
        let lines = "X-Forwarded-Method: GET\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: wiki.example.test\r\nX-Forwarded-Uri: /public/x\r\nX-Forwarded-For: 127.0.0.1\r\n";
        let answer = site.raw(&format!("GET {path}"), lines).await;
        assert!(answer.status() != 200 && answer.header("x-user").is_none(), "{path}: {}", answer.status());
        assert_eq!(site.wiki.seen(), 0, "{path}");
    }
}
