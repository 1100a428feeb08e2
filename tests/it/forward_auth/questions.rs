//! Who may ask, and what a question must hold.

use super::front::{ALL, Front};
use super::{HTML, cookie, gateway};
use crate::support::gateway::TestGateway;
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;

/// Contract 5, threats C01: nobody but proxies that the configuration names is answered, and by default none is.
#[tokio::test(flavor = "multi_thread")]
async fn only_trusted_proxies_are_answered() {
    for trusted in ["[]", "[10.0.0.0/8]", "[unix]"] {
        let yaml = format!(
            "server: {{ trusted_proxies: {trusted} }}\nroutes: [{{ host: app.test, upstream: none }}]\naccess: {{ default: public }}"
        );
        let gateway = TestGateway::with(yaml).start().await;
        for front in ALL {
            let answer = front.question("GET", "https://app.test/").ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("x-user")), (403, None), "{front:?} {trusted}");
        }
        let mut nowhere = Front::Nginx.question("GET", "https://app.test/");
        nowhere.target = "/auth/verify/nowhere".to_owned();
        assert_eq!(nowhere.ask(&gateway).await.status(), 403);
    }
}

/// Contract 5, threats C02: missing, doubled or empty is 400, never an allow, not even where everything is public.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_lacks_something_is_refused() {
    let gateway = gateway("").await;
    for front in ALL {
        let whole = front.question("GET", "https://app.test/public/x");
        assert_eq!(whole.ask(&gateway).await.status(), 200, "{front:?}");
        for name in front.needs() {
            let value = whole.headers.iter().find(|(other, _)| other == name).unwrap().1.clone();
            let missing = whole.clone().without(name);
            assert_eq!(missing.ask(&gateway).await.status(), 400, "{front:?} without {name}");
            assert_eq!(missing.with(&[(name, "")]).ask(&gateway).await.status(), 400, "{front:?} with an empty {name}");
            if *name != "X-Forwarded-For" {
                let doubled = whole.clone().with(&[(name, &value)]);
                assert_eq!(doubled.ask(&gateway).await.status(), 400, "{front:?} with two {name}");
            }
        }
    }
    let mut bare = Front::Envoy.question("GET", "https://app.test/public/x");
    bare.target = "/auth/verify/envoy".to_owned();
    assert_eq!(bare.ask(&gateway).await.status(), 400);
    bare.target = "/auth/verify/envoy?/public".to_owned();
    assert_eq!(bare.ask(&gateway).await.status(), 400);
}

/// Contract 5, threats C05, C07, C08
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_refused() {
    let gateway = gateway("").await;
    let cases: [(&str, &[&str]); 7] = [
        (
            "X-Original-URL",
            &[
                "/public",
                "app.test/public",
                "https://app.test",
                "javascript://app.test/public",
                "https://app.test/public%",
                "https://app.test/a b",
                "https://u@app.test/public",
                "https://app.test/public#x",
                "https://app.test/public/../admin",
                "https://app.test,app.test/public",
                "https://app.test:99999/public",
            ],
        ),
        ("X-Original-Method", &["GET, POST", "POST,GET", "G T"]),
        ("X-Forwarded-Method", &["POST,GET", "GE T"]),
        ("X-Forwarded-Proto", &["javascript", "http,https", "ftp", "https "]),
        ("X-Forwarded-Host", &["app.test, b.test", "app.test/x", "a b", "u@app.test", "app.test:0"]),
        ("X-Forwarded-Uri", &["public", "https://app.test/public", "/public%00", "/public%", "/public/..;/admin", "/public\\x", "*"]),
        ("X-Forwarded-For", &["unknown", "198.51.100.7, garbage", "198.51.100.7,", "garbage, 127.0.0.1"]),
    ];
    for front in ALL {
        for (name, values) in cases.iter().filter(|(name, _)| front.needs().contains(name)) {
            for value in values.iter().filter(|value| !value.ends_with(' ')) {
                let spoilt = front.question("GET", "https://app.test/public/x").without(name).with(&[(name, value)]);
                let answer = spoilt.ask(&gateway).await;
                assert_eq!((answer.status(), answer.header("location")), (400, None), "{front:?} {name}: {value:?}");
            }
        }
    }
}

/// Contract 5, threats C01: a client cannot say where it is; rules for networks see the right-most address that is no proxy's.
#[tokio::test(flavor = "multi_thread")]
async fn the_client_is_the_right_most_address_that_is_no_proxy() {
    let gateway = gateway("").await;
    for front in ALL {
        let question = front.question("GET", "https://app.test/metrics").without("X-Forwarded-For");
        for (lines, status) in [
            (&["203.0.113.9"][..], 200),
            (&["203.0.113.9, 198.51.100.7"], 401),
            (&["198.51.100.7, 203.0.113.9"], 200),
            (&["203.0.113.9", "198.51.100.7"], 401),
            (&["203.0.113.9, 127.0.0.1"], 200),
            (&["198.51.100.7, 127.0.0.1"], 401),
        ] {
            let headers: Vec<_> = lines.iter().map(|line| ("X-Forwarded-For", *line)).collect();
            assert_eq!(question.clone().with(&headers).ask(&gateway).await.status(), status, "{front:?} {lines:?}");
        }
    }
}

/// Contract 5: hosts and methods that the proxy would refuse with 404 and 405 are 403, which every front passes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_forbidden() {
    let gateway = gateway("").await;
    for front in ALL {
        for (method, url) in [
            ("GET", "https://other.test/public/x"),
            ("GET", "https://apps.test/public/x"),
            ("PURGE", "https://app.test/public/x"),
            ("get", "https://app.test/public/x"),
            ("TRACE", "https://app.test/public/x"),
        ] {
            let answer = front.question(method, url).with(&[HTML]).ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("location")), (403, None), "{front:?} {method} {url}");
        }
        assert_eq!(front.question("GET", "https://deep.x.apps.test/public").ask(&gateway).await.status(), 200, "{front:?}");
        assert_eq!(front.question("OPTIONS", "wss://app.test:8443/public").ask(&gateway).await.status(), 200, "{front:?}");
    }
}

/// Contract 5: the endpoints are exempt from the checks of the request itself; only the request asked about is judged.
#[tokio::test(flavor = "multi_thread")]
async fn method_host_and_body_of_the_question_itself_do_not_matter() {
    let gateway = gateway("").await;
    for front in ALL.into_iter().filter(|front| *front != Front::Envoy) {
        for method in ["GET", "HEAD", "POST", "PUT", "PROPFIND", "OPTIONS"] {
            let mut question = front.question("GET", "https://app.test/public/x");
            question.method = method.to_owned();
            let answer = question.ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("x-user")), (200, Some("")), "{front:?} {method}");
        }
        let mut nobodys = front.question("GET", "https://app.test/public/x");
        nobodys.target.push_str("/x");
        assert_eq!(nobodys.ask(&gateway).await.status(), 404, "{front:?}");
    }
}

/// Threats C04: each endpoint reads its own headers and no other front's.
#[tokio::test(flavor = "multi_thread")]
async fn the_headers_of_another_front_are_ignored() {
    let gateway = gateway("").await;
    let others = [
        ("X-Original-URL", "https://app.test/public/x"),
        ("X-Original-URI", "/public/x"),
        ("X-Original-Method", "GET"),
        ("X-Rewrite-URL", "/public/x"),
        ("X-Forwarded-Uri", "/public/x"),
        ("X-Forwarded-Host", "app.test"),
        ("X-Forwarded-Method", "GET"),
        ("X-HTTP-Method-Override", "GET"),
        ("X_Forwarded_Uri", "/public/x"),
    ];
    for front in ALL {
        let foreign: Vec<_> = others.iter().copied().filter(|(name, _)| !front.needs().contains(name)).collect();
        let answer = front.question("POST", "https://app.test/read/x").with(&foreign).ask(&gateway).await;
        assert_eq!(answer.status(), 401, "{front:?}");
    }
}

/// Contract 4: the cookie's name is that of the original address's scheme, and no other is read.
#[tokio::test(flavor = "multi_thread")]
async fn the_session_cookie_is_that_of_the_original_scheme() {
    let gateway = gateway("").await;
    let (plain, secure) = (cookie(&gateway, "http").await, cookie(&gateway, "https").await);
    assert!(plain.starts_with("portcullis=") && secure.starts_with("__Host-portcullis="), "{plain} {secure}");
    for front in ALL {
        for (url, cookie, status) in [
            ("http://app.test/", &plain, 200),
            ("https://app.test/", &secure, 200),
            ("https://app.test/", &plain, 401),
            ("http://app.test/", &secure, 401),
            ("wss://app.test/", &secure, 200),
        ] {
            let answer = front.question("GET", url).with(&[("Cookie", cookie.as_str())]).ask(&gateway).await;
            assert_eq!(answer.status(), status, "{front:?} {url}");
        }
    }
}

/// Contract 5: what goes through the gateway is not judged by what front proxies say of other requests.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_only_resembles_an_endpoint_is_none() {
    let upstream = EchoUpstream::start().await;
    let yaml = format!(
        "server: {{ trusted_proxies: [127.0.0.1] }}\nroutes: [{{ upstream: \"{}\" }}]\naccess: {{ default: public }}",
        upstream.origin()
    );
    let gateway = TestGateway::with(yaml).start().await;
    for (target, status) in [
        ("/auth//verify/nginx", 404),
        ("/auth/verify", 404),
        ("/auth/%76erify/nginx", 404),
        ("/auth/verify;x/nginx", 404),
        ("/verify/nginx", 200),
    ] {
        let mut question = Front::Nginx.question("GET", "https://app.test/");
        question.target = target.to_owned();
        assert_eq!(question.ask(&gateway).await.status(), status, "{target}");
    }
}

/// Threats c: whoever reaches an endpoint through its front proxy asks as a trusted peer; the front is told to refuse that.
#[tokio::test(flavor = "multi_thread")]
async fn the_endpoints_themselves_are_refused_to_clients_of_the_front() {
    let yaml = "server: { trusted_proxies: [127.0.0.1] }\nroutes: [{ host: app.test, upstream: none }]\naccess: { default: public }";
    let gateway = TestGateway::with(yaml).start().await;
    for front in ALL {
        for path in ["/auth/verify", "/auth/verify/nginx", "/auth//verify/traefik?x", "/auth/%76erify/envoy/x", "/auth;x/verify/caddy"] {
            let answer = front.question("GET", &format!("https://app.test{path}")).with(&[HTML]).ask(&gateway).await;
            assert_eq!((answer.status(), answer.header("location")), (403, None), "{front:?} {path}");
        }
        assert_eq!(front.question("GET", "https://app.test/auth/verifying").ask(&gateway).await.status(), 200, "{front:?}");
    }
}

/// Contract 2, `trusted_proxies`: a proxy on the same machine may come by a Unix socket.
#[tokio::test(flavor = "multi_thread")]
async fn a_front_on_a_unix_socket_is_answered_where_such_peers_are_trusted() {
    for (trusted, status) in [("unix", 200), ("127.0.0.1", 403)] {
        let yaml = format!(
            "server: {{ trusted_proxies: [{trusted}] }}\nroutes: [{{ host: app.test, upstream: none }}]\naccess: {{ default: public }}"
        );
        let builder = TestGateway::with(yaml);
        let socket = builder.folder().join("gateway.sock");
        let listen = format!(r#"["unix:{}"]"#, socket.display());
        let _gateway = builder.set("SERVER__LISTEN", &listen).start().await;
        let mut raw = Raw::connect_unix(&socket).await;
        let question = Front::Nginx.question("GET", "https://app.test/");
        let lines: String = question.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        raw.send(format!("GET {} HTTP/1.1\r\n{lines}\r\n", question.target)).await;
        assert_eq!(raw.response().await.status(), status, "{trusted}");
    }
}

/// Contract 5, over HTTP/2, which Envoy and HAProxy can speak to us.
#[tokio::test(flavor = "multi_thread")]
async fn questions_are_taken_over_http_2_as_well() {
    let yaml = "server: { trusted_proxies: [127.0.0.1], h2c: true }\nroutes: [{ host: app.test, upstream: none }]";
    let gateway = TestGateway::with(yaml).start().await;
    let builder = reqwest::Client::builder().http2_prior_knowledge().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let client = builder.build().unwrap();
    for front in [Front::Haproxy, Front::Traefik] {
        let mut request = client.get(format!("{}/auth/verify/{}", gateway.origin(), front.name()));
        for (name, value) in
            front.question("GET", "https://app.test/x").with(&[HTML]).headers.into_iter().filter(|(name, _)| name != "Host")
        {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!((answer.version(), answer.status().as_u16()), (http::Version::HTTP_2, 302), "{front:?}");
        assert_eq!(answer.headers()["location"], "https://app.test/auth/login?rd=https%3A%2F%2Fapp.test%2Fx", "{front:?}");
    }
}
