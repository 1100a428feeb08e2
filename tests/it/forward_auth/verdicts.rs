//! What is decided, and how each front is told.

use super::front::{ALL, Front};
use super::{HTML, RULES, cookie, envoy_grpc, gateway};
use crate::support::gateway::TestGateway;
use crate::support::raw::{Raw, RawResponse};
use crate::support::upstream::EchoUpstream;
use rusqlite::Connection;

/// Every answer is small, and never kept.
fn assert_small_and_fresh(answer: &RawResponse, what: &str) {
    assert!(answer.head.raw.len() + answer.body.len() < 4096, "{what}: {} + {}", answer.head.raw.len(), answer.body.len());
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
}

/// C3, C4, contract 5
#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_pass_is_named_in_every_header() {
    let gateway = gateway("identity: { also: [remote-user, x-forwarded-user, x-auth-request] }").await;
    let cookie = cookie(&gateway, "https").await;
    for front in ALL {
        for path in ["/", "/public/x"] {
            let url = format!("https://app.test{path}");
            let answer = front.question("GET", &url).with(&[("Cookie", cookie.as_str()), ("X-User", "root")]).ask(&gateway).await;
            assert_eq!((answer.status(), answer.body.len()), (200, 0), "{front:?}");
            for (name, value) in [
                ("x-user", "alice"),
                ("x-user-email", "alice@example.com"),
                ("x-user-name", ""),
                ("x-user-groups", "users,editors"),
                ("remote-user", "alice"),
                ("remote-groups", "users,editors"),
                ("x-forwarded-user", "alice"),
                ("x-auth-request-email", "alice@example.com"),
            ] {
                assert_eq!(answer.head.header_values(name), [value], "{front:?} {name}");
            }
            assert_eq!(answer.header("x-user-id").unwrap().len(), 36);
            assert_eq!(answer.header("x-user-assertion").unwrap().split('.').count(), 3);
            assert_small_and_fresh(&answer, &format!("{front:?}"));
        }
    }
}

/// Contract 5, threats A02: a front that replaces only what it is given would leave the client's own.
#[tokio::test(flavor = "multi_thread")]
async fn on_public_paths_every_identity_header_is_there_and_empty() {
    let gateway = gateway("identity: { headers: { user: X-Name }, also: [remote-user] }").await;
    for front in ALL {
        let forged = [("X-Name", "root"), ("Remote-User", "root"), ("X-User-Groups", "admins")];
        let answer = front.question("GET", "https://app.test/public/x").with(&forged).ask(&gateway).await;
        assert_eq!(answer.status(), 200, "{front:?}");
        for name in
            ["x-name", "x-user-id", "x-user-email", "x-user-name", "x-user-groups", "x-user-assertion", "remote-user", "remote-email"]
        {
            assert_eq!(answer.head.header_values(name), [""], "{front:?} {name}");
        }
    }
}

/// C4, contract 5
#[tokio::test(flavor = "multi_thread")]
async fn a_navigation_is_sent_to_the_login_in_the_way_that_the_front_passes_on() {
    let gateway = gateway("").await;
    let login = "https://app.test/auth/login";
    let deep = "https://app.test/auth/login?rd=https%3A%2F%2Fapp.test%2Fa%2F%2Fb%3Fx%3D%252f%26y%3D1";
    for front in ALL {
        let (get, post) = match front {
            Front::Nginx => ((401, Some(deep)), (401, Some(login))),
            Front::Skipper => ((401, None), (401, None)),
            _ => ((302, Some(deep)), (303, Some(login))),
        };
        for method in ["GET", "HEAD"] {
            let answer = front.question(method, "https://app.test/a//b?x=%2f&y=1").with(&[HTML]).ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("location")), get, "{front:?} {method}");
            assert_small_and_fresh(&answer, &format!("{front:?}"));
            assert_eq!(answer.header("x-user"), None, "{front:?}");
        }
        let longest = format!("https://app.test/{}", "a".repeat(1989));
        let id = "i".repeat(128);
        let answer = front.question("GET", &longest).with(&[HTML, ("X-Request-Id", &id)]).ask(&gateway).await;
        assert_small_and_fresh(&answer, &format!("{front:?}, the longest address"));
        let form = [HTML, ("Content-Type", "application/x-www-form-urlencoded"), ("Sec-Fetch-Mode", "navigate")];
        let answer = front.question("POST", "https://app.test/save").with(&form).ask(&gateway).await;
        assert_eq!((answer.status(), answer.header("location")), post, "{front:?}");
        let answer = front
            .question("POST", "https://app.test/save")
            .with(&form)
            .with(&[("Referer", "https://app.test/edit?page=1")])
            .ask(&gateway)
            .await;
        let back = format!("{login}?rd=https%3A%2F%2Fapp.test%2Fedit%3Fpage%3D1");
        let expected = post.1.map(|_| back.as_str());
        assert_eq!((answer.status(), answer.header("location")), (post.0, expected), "{front:?}");
    }
}

/// Contract 3.6, 5: what is no navigation is never redirected, nor is a handshake whose `Upgrade` was removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_gets_401_and_is_told_where_to_sign_in() {
    let gateway = gateway("").await;
    for front in ALL {
        for headers in [
            &[][..],
            &[("Accept", "*/*")],
            &[("Accept", "application/json")],
            &[("Accept", "text/html"), ("X-Requested-With", "XMLHttpRequest")],
            &[("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")],
            &[("Accept", "text/html"), ("Sec-Fetch-Dest", "iframe")],
            &[("Accept", "text/html"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")],
            &[("Accept", "text/html"), ("Upgrade", "websocket"), ("Connection", "Upgrade")],
        ] {
            let answer = front.question("GET", "https://app.test/data").with(headers).ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("location")), (401, None), "{front:?} {headers:?}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"portcullis\""), "{front:?} {headers:?}");
            assert_small_and_fresh(&answer, &format!("{front:?} {headers:?}"));
        }
        let answer = front.question("GET", "wss://app.test/ws").with(&[HTML]).ask(&gateway).await;
        assert_eq!((answer.status(), answer.header("location")), (401, None), "{front:?}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer =
                front.question(method, "https://app.test/data").with(&[HTML, ("Content-Type", "application/json")]).ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("location")), (401, None), "{front:?} {method}");
        }
    }
    let answer = Front::Traefik.question("GET", "https://app.test/data").ask(&gateway).await;
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["loginUrl"], "https://app.test/auth/login");
}

/// Contract 3.5, 3.6, 5
#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_and_may_not_is_told_so_and_never_sent_to_the_login() {
    let gateway = gateway("").await;
    let cookie = cookie(&gateway, "https").await;
    for front in ALL {
        for path in ["/admin/x", "/never", "/factor"] {
            let answer = front.question("GET", &format!("https://app.test{path}")).with(&[HTML, ("Cookie", &cookie)]).ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("location"), answer.header("x-user")), (403, None, None), "{front:?} {path}");
            assert_small_and_fresh(&answer, &format!("{front:?} {path}"));
        }
        let answer = front.question("GET", "https://app.test/never").with(&[HTML]).ask(&gateway).await;
        assert_eq!(answer.status(), 403, "{front:?}");
    }
    let answer = Front::Caddy.question("GET", "https://app.test/admin/x").with(&[HTML, ("Cookie", &cookie)]).ask(&gateway).await;
    assert!(answer.text().contains("https://app.test/auth/login?switch&#38;rd=https%3A%2F%2Fapp.test%2Fadmin%2Fx"), "{}", answer.text());
}

/// Contract 5: even with the longest addresses.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_stays_below_4_kib() {
    let yaml = format!(
        "server: {{ trusted_proxies: [127.0.0.1] }}\nportal: {{ url: 'https://auth.example.test' }}\ncookies: {{ domain: example.test }}\n\
         routes: [{{ host: '*.example.test', upstream: none }}, {{ host: app.test, upstream: sample }}]\n{RULES}"
    );
    let gateway = TestGateway::with(yaml).user("alice", &["users"]).start().await;
    let cookie = cookie(&gateway, "https").await;
    for front in ALL {
        for length in [100, 400, 600, 1000, 1900, 3000] {
            let path = format!("/admin/{}", "%26&".repeat(length / 4));
            for cookies in [&[][..], &[("Cookie", cookie.as_str())]] {
                for accept in ["text/html", "application/json"] {
                    let question =
                        front.question("GET", &format!("https://x.example.test{path}")).with(cookies).with(&[("Accept", accept)]);
                    let answer = question.ask(&gateway).await;
                    assert_small_and_fresh(&answer, &format!("{front:?} {length} {accept} {}", answer.status()));
                }
            }
        }
    }
}

/// Contract 5, threats B22: a store that does not answer opens nothing, and sends nobody to the login.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_session_store_fails_the_answer_is_503() {
    let gateway = gateway("sessions: { cache: 0s }").await;
    let cookie = cookie(&gateway, "https").await;
    let connection = Connection::open(gateway.folder().join("portcullis.db")).unwrap();
    connection.execute_batch("PRAGMA busy_timeout = 5000; ALTER TABLE sessions RENAME TO elsewhere;").unwrap();
    for front in ALL {
        let ask = async |path: &str| {
            let url = format!("https://app.test{path}");
            front.question("GET", &url).with(&[HTML, ("Cookie", cookie.as_str())]).ask(&gateway).await
        };
        let answer = ask("/").await;
        assert_eq!((answer.status(), answer.header("location")), (503, None), "{front:?}");
        assert!(answer.header("retry-after").is_some());
        let answer = ask("/public/x").await;
        assert_eq!((answer.status(), answer.header("x-user")), (200, Some("")), "{front:?}");
    }
}

/// Contract 3.8: cross-site WebSocket hijacking.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_open_to_pages_of_its_own_host_only() {
    let gateway = gateway("").await;
    let cookie = cookie(&gateway, "https").await;
    for front in ALL {
        for (origin, status) in [("https://app.test", 200), ("https://evil.test", 403), ("null", 403)] {
            let headers = [("Cookie", cookie.as_str()), ("Origin", origin)];
            let question = front.question("GET", "wss://app.test/ws").with(&headers);
            assert_eq!(question.ask(&gateway).await.status(), status, "{front:?} {origin}");
            let key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
            let question = front.question("GET", "https://app.test/ws").with(&headers).with(&[key]);
            assert_eq!(question.ask(&gateway).await.status(), status, "{front:?} {origin}");
        }
    }
}

/// Issue "Must hold": the cases of threats b give the same verdict through the proxy and through every front.
#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_path_gets_the_same_verdict_as_through_the_proxy() {
    let upstream = EchoUpstream::start().await;
    let origin = upstream.origin();
    let yaml = format!(
        "server: {{ trusted_proxies: [127.0.0.1] }}\nroutes:\n  - {{ host: app.test, upstream: \"{origin}\" }}\n  \
         - {{ host: registry.test, upstream: \"{origin}\", encoded_slashes: true }}\n{RULES}    - {{ path: /, allow: deny }}\n"
    );
    let gateway = TestGateway::with(yaml).set("SERVER__EXT_AUTHZ_GRPC", "127.0.0.1:0").start().await;
    let mut envoy = envoy_grpc::client(&gateway).await;
    let paths = [
        "/public",
        "/public/",
        "/public/x",
        "/publicsecret",
        "/public.bak",
        "/Public",
        "//public//x",
        "/%70ublic",
        "/%2570ublic",
        "/public;x=1",
        "/public;/../admin",
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2e/admin",
        "/public/..;/admin",
        "/./public",
        "/public/..",
        "/admin",
        "//admin",
        "///admin",
        "/./admin",
        "/%61dmin",
        "/%2561dmin",
        "/admin;x=1",
        "/admin/;/",
        "/admin%00",
        "/admin%00.css",
        "/admin%23/public/x",
        "/public%2f..%2fadmin",
        "/public%2fx",
        "/a%2Fadmin",
        "/admin%5c",
        "/admin\\x",
        "/admin%",
        "/admin%zz",
        "/?/public",
        "/x?/public",
        "/public?/admin",
        "/read",
        "/metrics",
        "/%ff",
        "/<x>",
        "/`",
    ];
    for host in ["app.test", "registry.test"] {
        for path in paths {
            for method in ["GET", "HEAD", "POST"] {
                let mut raw = Raw::connect(gateway.address()).await;
                raw.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n")).await;
                let through = if method == "HEAD" { raw.response_to_head().await } else { raw.response().await }.status();
                for front in ALL {
                    let told = front.question(method, &format!("https://{host}{path}")).ask(&gateway).await.status();
                    assert_eq!(told, through, "{front:?}: {method} {host}{path}");
                }
                let asked = envoy_grpc::question("198.51.100.7", method, &format!("https://{host}{path}"), &[]);
                let told = envoy_grpc::check(&mut envoy, asked).await.status;
                assert_eq!(told, i32::from(through), "gRPC: {method} {host}{path}");
            }
        }
    }
}
