//! Gateways whose sessions are in Redis and whose users are in a file: side by side, and while Redis is away.

use crate::support::fault_proxy::{FaultProxy, Network};
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::redis_server::RedisServer;
use crate::support::upstream::EchoUpstream;
use crate::support::{PATIENCE, browser::Browser, within_patience};
use portcullis::account::Password;
use std::path::Path;
use std::time::{Duration, Instant};

const SECRET: &str = "not-much-of-a-secret-but-long-enough-for-tests";

/// What is promised of outages and of changes made elsewhere, with some room for a busy machine in the first.
const ANSWER: Duration = Duration::from_secs(2);
const IN_FORCE: Duration = Duration::from_secs(1);

fn gateway(upstream: &EchoUpstream, redis: &str) -> Builder {
    let yaml = format!(
        "routes: [{{ path: /, upstream: \"{}\" }}]\naccess: {{ rules: [{{ path: /public/**, allow: public }}] }}",
        upstream.origin()
    );
    TestGateway::with(yaml).set("SECRET", SECRET).set("STORES__SESSIONS", redis).set("STORES__REDIS_PREFIX", "test:")
}

fn beside(users: &Path, upstream: &EchoUpstream, redis: &str) -> Builder {
    gateway(upstream, redis).set("STORES__USERS", &format!("sqlite:{}", users.join("portcullis.db").display()))
}

/// The browser, with the same cookies, at another gateway.
fn at(gateway: &TestGateway, browser: &mut Browser) -> String {
    let cookies = browser.agent.cookies.header(&browser.url("/")).unwrap_or_default();
    assert!(cookies.contains("portcullis="), "{cookies}");
    format!("{}/", gateway.origin())
}

async fn within(limit: Duration, what: &str, mut happens: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !happens().await {
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// S0.3, threats.md S03: what Redis writes down is no use to whoever reads it
#[tokio::test(flavor = "multi_thread")]
async fn a_login_lasts_until_the_logout_and_a_dump_of_redis_shows_no_usable_id() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start_durable());
    let gateway = gateway(&upstream, &redis.url()).user("ann", &["staff"]).start().await;
    let mut browser = gateway.browser();
    assert_eq!(browser.sign_in("/wiki", "ann", PASSWORD).await.json()["target"], "/wiki");
    assert_eq!(upstream.last().head.header("x-user-groups"), Some("staff"));
    let cookies = browser.agent.cookies.header(&browser.url("/")).unwrap();
    let dump = String::from_utf8_lossy(&redis.dump()).into_owned();
    assert!(dump.contains("test:session:") && dump.contains("ann"));
    for cookie in cookies.split("; ") {
        let (name, value) = cookie.split_once('=').unwrap();
        assert!(!dump.contains(value) && !value.split('.').any(|part| part.len() > 8 && dump.contains(part)), "{name}");
    }
    let page = browser.open("/auth/logout").await;
    assert_eq!(browser.submit(&page, &[]).await.status, 303);
    assert_eq!(browser.open("/wiki").await.status, 302);
}

/// two gateways on one Redis
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_at_one_gateway_is_in_force_at_the_other() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let one = gateway(&upstream, &redis.url()).user("ann", &[]).user("bob", &[]).user("eve", &[]).start().await;
    let other = beside(one.folder(), &upstream, &redis.url()).start().await;

    let mut ann = one.browser();
    ann.sign_in("/", "ann", PASSWORD).await;
    let elsewhere = at(&other, &mut ann);
    assert_eq!(ann.open(&elsewhere).await.status, 200, "a login at one is good at the other");
    let page = ann.open("/auth/logout").await;
    ann.agent.cookies = {
        let kept = ann.agent.cookies.clone();
        ann.submit(&page, &[]).await;
        kept
    };
    assert_eq!(ann.open(&elsewhere).await.status, 302, "a logout at one is in force at the other");

    let mut bob = one.browser();
    bob.sign_in("/", "bob", PASSWORD).await;
    let elsewhere = at(&other, &mut bob);
    assert_eq!(bob.open(&elsewhere).await.status, 200);
    other.app().administration.lock("bob").await.unwrap();
    within(IN_FORCE, "the lock", async || bob.open("/").await.status == 302).await;

    let mut eve = other.browser();
    eve.sign_in("/", "eve", PASSWORD).await;
    let elsewhere = at(&one, &mut eve);
    assert_eq!(eve.open(&elsewhere).await.status, 200);
    one.app().administration.set_password("eve", &Password::new(format!("{PASSWORD}-new"))).await.unwrap();
    within(IN_FORCE, "the new password", async || eve.open("/").await.status == 302).await;
}

/// One way of Redis to be away.
async fn check_outage(gateway: &TestGateway, browser: &mut Browser, what: &str) {
    let started = Instant::now();
    let refused = browser.open("/wiki").await;
    assert_eq!(refused.status, 503, "{what}");
    assert!(refused.header("retry-after").is_some(), "{what}");
    assert!(refused.header("set-cookie").is_none(), "{what}: an outage signs nobody out");
    assert!(started.elapsed() < ANSWER, "{what}: {:?}", started.elapsed());
    let started = Instant::now();
    assert_eq!(browser.open("/public/page").await.status, 200, "{what}: public paths go on");
    let mut probe = gateway.browser();
    let login = probe.open("/auth/login").await;
    assert_eq!(login.status, 200, "{what}: pages that ask for no session go on");
    let style = login.text().split('"').find(|text| text.contains("/assets/")).unwrap().to_owned();
    assert_eq!(browser.open(&style).await.status, 200, "{what}: static pages go on");
    assert!(started.elapsed() < ANSWER, "{what}: and none of them waits");
    let ready = format!("{}/readyz", gateway.admin_origin());
    assert_eq!(probe.open(&ready).await.status, 503, "{what}");
    assert_eq!(probe.open(&format!("{}/livez", gateway.admin_origin())).await.status, 200, "{what}");
}

async fn check_recovery(gateway: &TestGateway, browser: &mut Browser, what: &str) {
    let ready = format!("{}/readyz", gateway.admin_origin());
    let mut probe = gateway.browser();
    within(PATIENCE, "readiness", async || probe.open(&ready).await.status == 200).await;
    assert_eq!(browser.open("/wiki").await.status, 200, "{what}: signed in as before");
}

/// contract 3.9, threats.md B22
#[tokio::test(flavor = "multi_thread")]
async fn while_redis_hangs_or_is_gone_protected_pages_are_unavailable_and_the_rest_goes_on() {
    let (upstream, mut redis) = (EchoUpstream::start().await, RedisServer::start_durable());
    let gateway = gateway(&upstream, &redis.url()).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/wiki", "ann", PASSWORD).await;
    redis.freeze();
    check_outage(&gateway, &mut browser, "frozen").await;
    redis.thaw();
    check_recovery(&gateway, &mut browser, "frozen").await;
    redis.kill();
    check_outage(&gateway, &mut browser, "killed").await;
    redis.start_again();
    check_recovery(&gateway, &mut browser, "killed").await;
}

/// latency, cut, half-open, refuse
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_network_to_redis_is_survived() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let network = FaultProxy::start(redis.port()).await;
    let gateway = gateway(&upstream, &format!("redis://127.0.0.1:{}", network.port())).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/wiki", "ann", PASSWORD).await;
    network.set(Network::Slow(Duration::from_millis(50)));
    assert_eq!(browser.open("/wiki").await.status, 200, "slow");
    network.set(Network::Good);
    for _ in 0..3 {
        network.cut();
        assert_eq!(browser.open("/wiki").await.status, 200, "cut");
    }
    for (bad, what) in
        [(Network::Silent, "half-open"), (Network::Refusing, "refusing"), (Network::Slow(Duration::from_secs(5)), "far away")]
    {
        network.set(bad);
        check_outage(&gateway, &mut browser, what).await;
        network.set(Network::Good);
        check_recovery(&gateway, &mut browser, what).await;
    }
}

/// a hanging store costs no pile-up of waiting requests
#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_pile_up_in_front_of_a_redis_that_hangs() {
    let (upstream, redis) = (EchoUpstream::start().await, RedisServer::start());
    let gateway = gateway(&upstream, &redis.url()).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/wiki", "ann", PASSWORD).await;
    redis.freeze();
    assert_eq!(browser.open("/wiki").await.status, 503);
    let started = Instant::now();
    for _ in 0..50 {
        assert_eq!(browser.open("/wiki").await.status, 503);
    }
    assert!(started.elapsed() < ANSWER, "50 requests waited {:?}", started.elapsed());
    redis.thaw();
    check_recovery(&gateway, &mut browser, "frozen").await;
}

/// Runs the program; its exit code and standard error.
async fn command(folder: &Path, authorities: &Path, arguments: &[&str], input: &str) -> (Option<i32>, String) {
    use tokio::io::AsyncWriteExt as _;
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).arg("--config").arg(folder.join("portcullis.yaml")).env("SSL_CERT_FILE", authorities);
    let pipes = (std::process::Stdio::piped(), std::process::Stdio::piped(), std::process::Stdio::piped());
    let mut child = command.kill_on_drop(true).stdin(pipes.0).stdout(pipes.1).stderr(pipes.2).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = within_patience("the program ends", child.wait_with_output()).await.unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// TLS; the certificate is verified
#[tokio::test(flavor = "multi_thread")]
async fn redis_is_reached_over_tls_if_its_certificate_is_one_to_trust() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), certificate.cert.pem()).unwrap();
    std::fs::write(path("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(path("other.pem"), other.cert.pem()).unwrap();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let files =
        ["--tls-cert-file", cert.to_str().unwrap(), "--tls-key-file", key.to_str().unwrap(), "--tls-ca-cert-file", cert.to_str().unwrap()];
    let redis = RedisServer::start_with(
        &[&files[..], &["--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no", "--save", "", "--requirepass", "right"]]
            .concat(),
    );
    let yaml = format!(
        "secret: {SECRET}\nstores: {{ sessions: 'rediss://:hunter2@localhost:{}' }}\nroutes: [{{ upstream: sample }}]\n",
        redis.port()
    );
    std::fs::write(path("portcullis.yaml"), yaml.replace("hunter2", "right")).unwrap();
    let (code, said) = command(folder.path(), &cert, &["user", "add", "ann", "--email", "ann@example.com"], &format!("{PASSWORD}\n")).await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, said) = command(folder.path(), &cert, &["session", "list", "ann"], "").await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, said) = command(folder.path(), &path("other.pem"), &["session", "list", "ann"], "").await;
    assert!(code == Some(1) && said.contains("certificate") && said.lines().count() == 1, "{said}");
    std::fs::write(path("portcullis.yaml"), yaml).unwrap();
    let (code, said) = command(folder.path(), &cert, &["serve"], "").await;
    assert!(code == Some(1) && said.contains("cannot use the Redis at rediss://localhost") && !said.contains("hunter2"), "{said}");
}
