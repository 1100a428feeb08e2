//! The program as an operator runs it: what it prints, how it ends, and what it leaves behind.

use crate::support::api_client::ApiClient;
use crate::support::gateway::PASSWORD;
use crate::support::program::{Program, address, run, run_with};
use crate::support::raw::Raw;
use crate::support::upstream::EchoUpstream;
use crate::support::within_patience;
use futures_util::{SinkExt, StreamExt};
use rustix::process::Signal;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

const PLAIN: &str = "server: { listen: ['127.0.0.1:0'], threads: 1 }\nadmin: { listen: '127.0.0.1:0' }\nlog: { access: false }\n";

/// A folder with a configuration for the sample application and this in addition.
fn configured(more: &str) -> TempDir {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    std::fs::write(folder.path().join("portcullis.yaml"), format!("{PLAIN}routes: [{{ upstream: sample }}]\n{more}")).unwrap();
    folder
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Contract 1, `serve`; contract 2, files that we make
#[tokio::test(flavor = "multi_thread")]
async fn serve_prints_where_it_listens_and_ends_well_on_sigterm() {
    let folder = configured("");
    let mut program = Program::start(folder.path(), &["serve"]);
    let printed = program.announced(&["listening", "admin"]).await;
    let answer = Raw::exchange(address(&printed["listening"]), "GET /x HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(answer.status(), 401);
    assert_eq!((mode(&folder.path().join("portcullis.db")), mode(&folder.path().join("portcullis.secret"))), (0o600, 0o600));
    let healthy = run(folder.path(), &["healthcheck", "--url", &format!("{}/readyz", printed["admin"])], "").await;
    assert_eq!(healthy.code, Some(0), "{healthy:?}");
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await, Some(0));
    let healthy = run(folder.path(), &["healthcheck", "--url", &format!("{}/readyz", printed["admin"])], "").await;
    assert_eq!((healthy.code, healthy.stderr.lines().count()), (Some(1), 1), "{healthy:?}");
}

/// Contract 2: a store that says nothing keeps nobody from ending it.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_waits_for_its_stores_can_be_stopped() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secret = "not-much-of-a-secret-but-long-enough-for-tests";
    let folder = configured(&format!("secret: {secret}\nstores: {{ sessions: 'redis://{}' }}\n", silent.local_addr().unwrap()));
    let mut program = Program::start(folder.path(), &["serve"]);
    let _connection = within_patience("the gateway to ask its store", silent.accept()).await.unwrap();
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await, Some(0));
}

/// Contract 2: the process ends with the last request.
#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_a_running_request_is_finished_first() {
    let upstream = EchoUpstream::start().await;
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let yaml = format!("{PLAIN}routes: [{{ upstream: \"{}\" }}]\naccess: {{ default: public }}\n", upstream.origin());
    std::fs::write(folder.path().join("other.yaml"), yaml).unwrap();
    let mut program = Program::start(folder.path(), &["serve", "--config", "other.yaml"]);
    let listening = address(&program.announced(&["listening", "admin"]).await["listening"]);
    let mut raw = Raw::connect(listening).await;
    raw.send("GET /slow HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    upstream.wait_for_open_streams(1).await;
    program.signal(Signal::TERM);
    while tokio::net::TcpStream::connect(listening).await.is_ok() {
        tokio::task::yield_now().await;
    }
    upstream.release(1);
    assert_eq!(raw.response().await.status(), 200);
    assert_eq!(program.ended().await, Some(0));
}

/// Contract 3.8. On runtimes that steal work, Pingora 0.9.1 ends a WebSocket whose upstream answers before Pingora has
/// taken note that the request has no body; on the program's own it does not get to see the answer that early.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_never_ends_as_it_opens() {
    let upstream = EchoUpstream::start().await;
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let yaml = format!("{PLAIN}routes: [{{ upstream: \"{}\" }}]\naccess: {{ default: public }}\n", upstream.origin());
    std::fs::write(folder.path().join("portcullis.yaml"), yaml).unwrap();
    let mut program = Program::start(folder.path(), &["serve"]);
    let listening = program.announced(&["listening", "admin"]).await["listening"].replace("http:", "ws:");
    for number in 0..200 {
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("{listening}/ws")).await.unwrap();
        socket.send(Message::text("hello")).await.unwrap();
        let echo = within_patience("an echo", socket.next()).await.unwrap();
        assert_eq!(echo.unwrap(), Message::text("hello"), "WebSocket {number}");
    }
}

/// Contract 1: errors are one sentence that says what to do, exit code 1.
#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_starting_is_one_sentence_and_nothing_is_damaged() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let cases = [
        (format!("server: {{ listen: ['127.0.0.1:{port}'] }}\nadmin: {{ listen: '127.0.0.1:0' }}"), port.as_str()),
        (format!("{PLAIN}stores: {{ users: 'sqlite:a-file/users.db' }}"), "a-file/users.db"),
        (format!("{PLAIN}stores: {{ users: 'sqlite:no-folder/users.db' }}"), "no-folder"),
        (format!("{PLAIN}stores: {{ users: 'sqlite:corrupt.db', sessions: memory }}"), "corrupt.db"),
        (format!("{PLAIN}secret: too-short"), "secret"),
        (format!("{PLAIN}access: {{ default: publik }}"), "public"),
        ("server: [".to_owned(), "portcullis.yaml"),
    ];
    let garbage = b"this is no database, whatever its name says, and somebody may still want it".repeat(20);
    for (yaml, named) in cases {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        std::fs::write(folder.path().join("portcullis.yaml"), format!("{yaml}\nroutes: [{{ upstream: sample }}]\n")).unwrap();
        std::fs::write(folder.path().join("a-file"), "kept").unwrap();
        std::fs::write(folder.path().join("corrupt.db"), &garbage).unwrap();
        let ended = run(folder.path(), &["serve"], "").await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{yaml}: {ended:?}");
        let errors: Vec<&str> = ended.stderr.lines().filter(|line| !line.starts_with("warning: ")).collect();
        assert_eq!(errors.len(), 1, "{yaml}: {}", ended.stderr);
        assert!(
            errors[0].contains(named) && !errors[0].contains("panicked") && !errors[0].contains("too-short"),
            "{yaml}: {}",
            ended.stderr
        );
        assert_eq!(std::fs::read(folder.path().join("corrupt.db")).unwrap(), garbage);
        assert_eq!(std::fs::read(folder.path().join("a-file")).unwrap(), b"kept");
    }
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let ended = run(folder.path(), &["serve", "--config", "missing.yaml"], "").await;
    assert!(ended.code == Some(1) && ended.stderr.contains("missing.yaml") && ended.stderr.lines().count() == 1, "{ended:?}");
}

/// Contract 1, `check`
#[tokio::test(flavor = "multi_thread")]
async fn check_says_whether_a_configuration_is_valid_and_names_every_problem() {
    let folder = configured("");
    let valid = run(folder.path(), &["check"], "").await;
    assert_eq!((valid.code, valid.stderr.as_str()), (Some(0), ""), "{valid:?}");
    assert!(!folder.path().join("portcullis.db").exists(), "a check makes no files");
    let folder = configured("access: { defualt: public }\nlog: { level: loud }\nsessions: { lifetime: soon }\n");
    let wrong = run(folder.path(), &["check"], "").await;
    assert_eq!((wrong.code, wrong.stderr.lines().count()), (Some(1), 3), "{wrong:?}");
    assert!(
        wrong.stderr.contains("portcullis.yaml:5:") && wrong.stderr.contains("did you mean") && wrong.stderr.contains("default"),
        "{wrong:?}"
    );
    for usage in [&["check", "--nonsense"][..], &["chek"], &[]] {
        let ended = run(folder.path(), usage, "").await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{usage:?}: {ended:?}");
    }
}

/// The example of several gateways is one that starts, and says so when a secret is missing.
#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_of_the_compose_example_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/compose");
    let secret = "0123456789abcdef0123456789abcdef0123456789abcdef";
    let environment = ["PORTCULLIS_SECRET", "MONGO_PASSWORD", "REDIS_PASSWORD"].map(|name| (name, secret));
    let checked = run_with(&folder, &["check"], &environment, "").await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(!checked.stderr.contains(secret), "{checked:?}");
    for missing in 0..environment.len() {
        let given: Vec<_> = environment.iter().enumerate().filter(|(number, _)| *number != missing).map(|(_, given)| *given).collect();
        let checked = run_with(&folder, &["check"], &given, "").await;
        assert!(checked.code == Some(1) && checked.stderr.contains(environment[missing].0), "{checked:?}");
    }
}

/// Contract 1, `demo`; threats (DNS rebinding)
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_prints_how_to_sign_in_serves_this_machine_only_and_leaves_nothing_behind() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let mut program = Program::start(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let printed = program.announced(&["url", "username", "password"]).await;
    let url = &printed["url"];
    let mut api = ApiClient::new(url);
    let answer = api.post("/auth/login", &json!({ "username": printed["username"], "password": printed["password"] })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(api.get("/").await.text().contains("X-User"));
    assert_ne!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it keeps its users somewhere");
    for (host, status) in [("evil.test", 404), ("localhost.evil.test", 404), ("localhost", 401), ("127.0.0.1", 401), ("[::1]", 401)] {
        let answer = Raw::exchange(address(url), format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(answer.status(), status, "{host}");
        let answer = Raw::exchange(address(url), format!("GET /auth/login HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n")).await;
        assert_eq!(answer.status() == 200, status == 401, "{host}");
    }
    program.signal(Signal::INT);
    assert_eq!(program.ended().await, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// The demo has no file to read again, and its terminal was closed.
#[tokio::test(flavor = "multi_thread")]
async fn the_demo_leaves_nothing_behind_when_its_terminal_is_closed_either() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let mut program = Program::start(folder.path(), &["demo", "--listen", "127.0.0.1:0"]);
    program.announced(&["url", "username", "password"]).await;
    program.signal(Signal::HUP);
    assert_eq!(program.ended().await, Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Contract 1, `user`; contract 3.9: an account's change is in force before it is told, a lock within a second
#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_managed_beside_a_running_gateway() {
    for stores in ["", "stores: { sessions: memory }"] {
        let folder = configured(stores);
        let mut program = Program::start(folder.path(), &["serve"]);
        let origin = program.announced(&["listening", "admin"]).await["listening"].clone();
        let added =
            run(folder.path(), &["user", "add", "ann", "--email", "ann@example.com", "--group", "staff"], &format!("{PASSWORD}\n")).await;
        assert_eq!((added.code, added.stdout.trim().len(), added.stdout.lines().count()), (Some(0), 36, 1), "{added:?}");
        let mut api = ApiClient::new(&origin);
        let login = json!({ "username": "ann", "password": PASSWORD });
        assert_eq!(api.post("/auth/login", &login).await.status, 200);
        assert_eq!(api.get("/x").await.status, 200);
        let listed = run(folder.path(), &["user", "list", "--json"], "").await;
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!((listed[0]["username"].as_str(), listed[0]["groups"][0].as_str()), (Some("ann"), Some("staff")), "{listed}");
        assert!(!listed.to_string().contains("argon2"), "{listed}");

        let locked = run(folder.path(), &["user", "lock", "ann"], "").await;
        assert_eq!(locked.code, Some(0), "{locked:?}");
        let begun = Instant::now();
        while api.get("/x").await.status != 401 {
            assert!(begun.elapsed() < Duration::from_secs(1), "{stores:?}");
        }
        assert_eq!(api.post("/auth/login", &login).await.status, 401);
        assert_eq!(run(folder.path(), &["user", "unlock", "ann"], "").await.code, Some(0));
        assert_eq!(api.post("/auth/login", &login).await.status, 200);
        assert_eq!(run(folder.path(), &["user", "set-password", "ann@example.com"], "Another-horse-8-battery").await.code, Some(0));
        assert_eq!(api.post("/auth/login", &login).await.status, 401);
        let undecided = run(folder.path(), &["user", "delete", "ann"], "").await;
        assert_eq!((undecided.code, undecided.stderr.lines().count()), (Some(1), 1), "{undecided:?}");
        assert_eq!(run(folder.path(), &["user", "delete", "ann", "--yes"], "").await.code, Some(0));
        for (arguments, input) in [
            (&["user", "lock", "ann"][..], ""),
            (&["user", "add", "bob", "--email", "bob@example.com"], "weak\n"),
            (&["user", "add", "bob", "--email", "no address"], PASSWORD),
            (&["user", "add", "b b", "--email", "bob@example.com"], PASSWORD),
            (&["user", "add", "ann", "--email", "again@example.com"], PASSWORD),
        ] {
            let failed = run(folder.path(), arguments, input).await;
            assert_eq!((failed.code, failed.stdout.as_str(), failed.stderr.lines().count()), (Some(1), "", 1), "{arguments:?}: {failed:?}");
            assert!(!failed.stderr.contains(PASSWORD));
        }
        program.signal(Signal::TERM);
        assert_eq!(program.ended().await, Some(0));
    }
}

/// Contract 1, `secret` and `hash`; S4.3
#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_hashes_are_printed_alone_on_a_line() {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    let secret = run(folder.path(), &["secret"], "").await;
    assert_eq!((secret.code, secret.stdout.len(), secret.stdout.trim_end().len()), (Some(0), 44, 43), "{secret:?}");
    assert_ne!(run(folder.path(), &["secret"], "").await.stdout, secret.stdout);
    for input in ["Correct-horse-7-battery\n", "Correct-horse-7-battery"] {
        let hash = run(folder.path(), &["hash"], input).await;
        assert!(
            hash.code == Some(0) && hash.stdout.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && hash.stdout.lines().count() == 1,
            "{hash:?}"
        );
    }
    let version = run(folder.path(), &["--version"], "").await;
    assert_eq!((version.code, version.stdout.as_str()), (Some(0), concat!("portcullis ", env!("CARGO_PKG_VERSION"), "\n")));
}
