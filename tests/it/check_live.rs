//! `portcullis check --live`: whether everything that the configuration names is there.

use crate::support::mail_sink::MailSink;
use crate::support::mongo_server::MongoServer;
use crate::support::program::run;
use crate::support::redis_server::RedisServer;
use crate::support::upstream::EchoUpstream;
use std::fs;
use std::net::TcpListener;
use tempfile::TempDir;

/// An address where nothing listens.
fn nowhere() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn folder_with(yaml: &str) -> TempDir {
    let folder = TempDir::with_prefix("portcullis-test-").unwrap();
    fs::write(folder.path().join("portcullis.yaml"), yaml).unwrap();
    folder
}

/// Contract 1, `check --live`
#[tokio::test(flavor = "multi_thread")]
async fn a_live_check_connects_to_everything_and_changes_nothing() {
    let upstream = EchoUpstream::start().await;
    let (mongo, redis, mail) = (MongoServer::start(), RedisServer::start(), MailSink::start());
    let folder = folder_with(&format!(
        "secret: 0123456789012345678901234567890123456789\nserver: {{ listen: ['127.0.0.1:8080'] }}\n\
         stores: {{ users: '{}', sessions: '{}' }}\nportal: {{ url: 'http://localhost' }}\n\
         email: {{ transport: '{}?tls=none' }}\nroutes: [{{ path: /, upstream: ['{}', '{}'] }}, {{ path: /x, upstream: sample }}]\n",
        mongo.database("test"),
        redis.url(),
        mail.url("smtp", "127.0.0.1"),
        upstream.origin(),
        upstream.origin().replace("127.0.0.1", "localhost"),
    ));
    let checked = run(folder.path(), &["check", "--live"], "").await;
    let expected = "portcullis.yaml is valid\nstores.users: ok\nstores.sessions: ok\nemail.transport: ok\nroutes[0].upstream: ok\nroutes[0].upstream: ok\n";
    assert_eq!((checked.code, &*checked.stdout), (Some(0), expected), "{checked:?}");
    assert_eq!(upstream.seen(), 0);
    let embedded = folder_with("server: { listen: ['127.0.0.1:8080'] }\nroutes: [{ path: /, upstream: sample }]\n");
    let checked = run(embedded.path(), &["check", "--live"], "").await;
    assert_eq!((checked.code, checked.stdout.lines().count()), (Some(0), 3), "{checked:?}");
    assert_eq!(fs::read_dir(embedded.path()).unwrap().count(), 1, "a check makes no files");
}

/// Contract 1, `check --live`: each with one line, and exit code 1
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_told_a_line_each() {
    let upstream = EchoUpstream::start().await;
    let folder = folder_with(&format!(
        "secret: 0123456789012345678901234567890123456789\nserver: {{ listen: ['127.0.0.1:8080'] }}\n\
         stores: {{ users: 'mongodb://u:hunter2@{}/test', sessions: 'redis://:hunter2@{}' }}\nportal: {{ url: 'http://localhost' }}\n\
         email: {{ transport: 'smtp://{}?tls=none' }}\nroutes: [{{ path: /, upstream: ['http://{}', '{}'] }}, {{ path: /x, upstream: 'http://nowhere.invalid' }}]\n",
        nowhere(),
        nowhere(),
        nowhere(),
        nowhere(),
        upstream.origin().replace("http", "https"),
    ));
    let checked = run(folder.path(), &["check", "--live"], "").await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let keys: Vec<&str> = checked.stdout.lines().skip(1).map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        keys,
        ["stores.users", "stores.sessions", "email.transport", "routes[0].upstream", "routes[0].upstream", "routes[1].upstream"],
        "{checked:?}"
    );
    assert!(!checked.stdout.contains(": ok") && !format!("{checked:?}").contains("hunter2"), "{checked:?}");
    assert_eq!(checked.stderr.lines().last(), Some("error: 6 of these cannot be reached, start them or correct their addresses"));
}
