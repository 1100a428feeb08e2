//! What a running gateway writes to its log, at the finest level: what happened, and nothing that opens anything.

mod flows;
mod reference;

use crate::support::browser::Browser;
use crate::support::form::Form;
use crate::support::gateway::PASSWORD;
use crate::support::mail_sink::MailSink;
use crate::support::program;
use crate::support::redis_server::RedisServer;
use crate::support::served::Served;
use http::Method;
use serde_json::json;
use tempfile::TempDir;

const CONFIGURATION: &str = "\
server: { listen: ['127.0.0.1:0'] }
admin: { listen: '127.0.0.1:0' }
accounts: { registration: open }
log: { level: trace, format: FORMAT }
routes: [{ path: /, upstream: sample }]
";

/// threats K07, I08; ASVS V16.2.5, V16.4.1: a user's whole life leaves no password, cookie or token in the log, and what
/// somebody types cannot pass for a record of its own.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_forged_record_gets_into_the_log() {
    for format in ["text", "json"] {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let served = Served::start(folder.path(), &CONFIGURATION.replace("FORMAT", format)).await;
        let mut browser = Browser::new(&served.origin);
        let page = browser.open("/auth/register").await;
        browser.submit(&page, &[("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)]).await;
        let login = browser.open("/auth/login?password=Query-secret-7").await;
        browser.submit(&login, &[("username", "ada"), ("password", "Wrong-secret-7")]).await;
        for name in ["a\nlevel=info msg=forged", "a\u{1b}[31mforged", "a\u{2028}forged"] {
            browser.submit(&login, &[("username", name), ("password", "Wrong-secret-7")]).await;
        }
        browser.sign_in("/app?token=Query-secret-7", "ada", PASSWORD).await;
        let first = browser.agent.cookies.get("portcullis").unwrap().value.clone();
        let url = browser.url("/app");
        let headers = [("authorization", "Bearer Header-secret-7"), ("x-api-key", "Header-secret-7"), ("user-agent", "agent\tforged")];
        browser.agent.send(Method::GET, &url, &headers, "Body-secret-7").await;
        let page = browser.open("/auth/account/password").await;
        let answer = browser.submit(&page, &[("current_password", PASSWORD), ("password", "New-secret-password-7")]).await;
        assert_eq!(answer.status, 303);
        let second = browser.agent.cookies.get("portcullis").unwrap().value.clone();
        let form = Form::all(&page.text()).remove(0).values;
        let csrf = form.iter().find(|(name, _)| name == "csrf").map(|(_, value)| value.clone()).unwrap();
        let page = browser.open("/auth/logout").await;
        browser.submit(&page, &[("csrf", &csrf)]).await;
        let json = [("content-type", "application/json")];
        let body = json!({ "username": "ada", "password": "Wrong-secret-7", "Field-secret-7": 1 }).to_string();
        let url = browser.url("/auth/login");
        browser.agent.send(Method::POST, &url, &json, body).await;
        let log = served.log().await;

        assert!(log.lines().count() > 20 && log.contains("/auth/account/password"), "the requests are logged: {log}");
        let cookie = browser.agent.cookies.get("portcullis-csrf").unwrap().value.clone();
        assert_without(&log, &[PASSWORD, "secret-7", "secret-password-7", &first, &second, &csrf, &cookie, "argon2"]);
        assert_records(&log, format);
        let told = log.lines().filter(|line| line.contains("forged")).count();
        assert_eq!((told, log.matches("portcullis::audit").count()), (3, 8), "{log}");
        assert!(!log.contains('\u{1b}') && !log.contains('\u{2028}'), "{log}");
    }
}

/// threats K07, P11; ASVS V14.2.1, V16.2.5: nothing that a mailed link opens, and nothing that opens the mail server
#[tokio::test(flavor = "multi_thread")]
async fn no_mailed_link_gets_into_the_log() {
    for format in ["text", "json"] {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let sink = MailSink::start_with(&["--login", "gate:Smtp-secret-7"]);
        let more = format!(
            "email: {{ transport: '{}?tls=none', username: gate, password: Smtp-secret-7 }}\nportal: {{ url: 'http://localhost' }}\n",
            sink.url("smtp", "127.0.0.1")
        );
        let configuration =
            (CONFIGURATION.to_owned() + &more).replace("FORMAT", format).replace("registration: open", "registration: invite");
        let served = Served::start(folder.path(), &configuration).await;
        let (mut browser, mut mailbox) = (Browser::new(&served.origin), sink.mailbox());

        let invited = program::run(folder.path(), &["invite", "create", "--email", "ada@example.com"], "").await;
        assert_eq!(invited.code, Some(0), "{invited:?}");
        let invitation = mailbox.next_to("ada@example.com").await;
        let page = browser.open(&invitation.link_path()).await;
        let answer = browser.submit(&page, &[("username", "ada"), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser.sign_in("/app", "ada", PASSWORD).await;
        let device = browser.agent.cookies.get("portcullis-device").unwrap().value.clone();
        let page = browser.open("/auth/account/email").await;
        let answer = browser.submit(&page, &[("email", "eva@example.com"), ("current_password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let confirmation = mailbox.next_to("eva@example.com").await;
        let page = browser.open(&confirmation.link_path()).await;
        assert_eq!(browser.submit(&page, &[]).await.status, 303);
        let page = browser.open("/auth/forgot").await;
        assert_eq!(browser.submit(&page, &[("email", "eva@example.com")]).await.status, 303);
        let mut reset = mailbox.next_to("eva@example.com").await;
        while !reset.text.contains("/auth/reset?token=") {
            reset = mailbox.next_to("eva@example.com").await;
        }
        let opened = browser.open(&reset.link_path()).await;
        let moved = browser.agent.cookies.get("portcullis-reset").unwrap().value.clone();
        let page = browser.follow(opened).await;
        assert_eq!(browser.submit(&page, &[("password", "New-secret-password-7")]).await.status, 303);
        let last = browser.agent.cookies.get("portcullis").unwrap().value.clone();
        let log = served.log().await;

        let secret = std::fs::read_to_string(folder.path().join("portcullis.secret")).unwrap();
        let tokens = [invitation.token(), confirmation.token(), reset.token()];
        let mut secrets = vec![PASSWORD, "secret-7", "New-secret-password-7", &device, &moved, &last, secret.trim()];
        secrets.extend(tokens.iter().map(String::as_str));
        assert_without(&log, &secrets);
        assert_records(&log, format);
        for event in ["registration", "login", "email_change_request", "email_confirmation", "password_reset_request", "password_reset"] {
            let told = if format == "json" { format!("\"event\":\"{event}\"") } else { format!("event={event} ") };
            assert!(log.contains(&told), "{event}: {log}");
        }
    }
}

fn assert_without(log: &str, secrets: &[&str]) {
    for secret in secrets {
        assert!(secret.len() > 5 && !log.contains(secret), "{secret} is in the log: {log}");
    }
}

/// Every line is a record of its own.
fn assert_records(log: &str, format: &str) {
    for line in log.lines().filter(|line| !line.starts_with("warning: ")) {
        let is_record = if format == "json" { serde_json::from_str::<serde_json::Value>(line).is_ok() } else { line.starts_with("20") };
        assert!(is_record, "{line:?} is no record");
    }
}

/// Issue "request id everywhere": what goes wrong within a request can be traced to it, and to the page that its user saw
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_logged_within_a_request_has_its_id() {
    for format in ["text", "json"] {
        let folder = TempDir::with_prefix("portcullis-test-").unwrap();
        let mut redis = RedisServer::start();
        let stores = format!(
            "stores: {{ sessions: '{}' }}\nsecret: not-much-of-a-secret-but-long-enough-for-tests\nserver: {{ listen: ['127.0.0.1:0'], trusted_proxies: [127.0.0.1] }}\n",
            redis.url()
        );
        let configuration = CONFIGURATION.replace("FORMAT", format).replace("server: { listen: ['127.0.0.1:0'] }\n", &stores);
        let served = Served::start(folder.path(), &configuration).await;
        let mut browser = Browser::new(&served.origin);
        let page = browser.open("/auth/register").await;
        browser.submit(&page, &[("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)]).await;
        browser.sign_in("/app", "ada", PASSWORD).await;
        redis.kill();
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        for (number, path) in ["/app", "/auth/account", "/auth/verify/nginx", "/app"].into_iter().enumerate() {
            let id = format!("outage-{number}");
            let headers = [
                ("x-request-id", id.as_str()),
                ("traceparent", trace),
                ("x-original-url", "http://localhost/app"),
                ("x-original-method", "GET"),
                ("x-forwarded-for", "198.51.100.7"),
            ];
            let url = browser.url(path);
            assert_eq!(browser.agent.send(Method::GET, &url, &headers, "").await.status, 503, "{path}");
        }
        let log = served.log().await;
        assert_records(&log, format);
        for number in 0..4 {
            let (field, event) = match format {
                "json" => (format!("\"request_id\":\"outage-{number}\""), "\"event\":\"store_failed\""),
                _ => (format!("request_id=outage-{number}"), "event=\"store_failed\""),
            };
            let of_it: Vec<_> = log.lines().filter(|line| line.contains(&field)).collect();
            assert!(of_it.iter().any(|line| line.contains(event)), "{number}: {log}");
            let access = of_it.iter().find(|line| line.contains("portcullis::access")).unwrap_or_else(|| panic!("{number}: {log}"));
            assert!(access.contains("0af7651916cd43dd8448eb211c80319c"), "{access}");
        }
        let warned = log.lines().filter(|line| line.contains("store_failed"));
        assert!(warned.clone().all(|line| line.matches("request_id").count() == 1) && warned.count() >= 4, "{log}");
    }
}
