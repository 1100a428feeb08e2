//! Users in MongoDB, sessions in SQLite or in memory: what users do, races, and outages of the user store. The server is
//! the stand-in mongo-java-server; see docs/mongodb.md.

use crate::support::browser::Browser;
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::mongo_server::MongoServer;
use crate::support::until;
use futures_util::future::join_all;
use portcullis::app::App;
use portcullis::clock::SystemClock;
use portcullis::config::load_str;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NEW_PASSWORD: &str = "Battery-8-staple-wrong";

/// A gateway whose users are in this database; `/open` is public.
fn gateway_on(database: &str) -> Builder {
    let yaml = "routes: [{ path: /, upstream: sample }]\naccess: { rules: [{ path: /open, allow: public }] }";
    let builder = TestGateway::with(yaml).set("STORES__USERS", database).set("ACCOUNTS__REGISTRATION", "open");
    builder.set("SECRET", "0123456789012345678901234567890123456789")
}

async fn readiness(gateway: &TestGateway) -> u16 {
    gateway.browser().open(&format!("{}/readyz", gateway.admin_origin())).await.status
}

/// S0.1, S0.3, contract 2: mixed choices of stores
#[tokio::test(flavor = "multi_thread")]
async fn users_register_sign_in_rename_themselves_and_change_their_password() {
    for sessions in ["memory", "sqlite:sessions.db"] {
        let gateway = gateway_on(&MongoServer::fresh_database()).set("STORES__SESSIONS", sessions).start().await;
        let (mut api, mut other) = (gateway.api(), gateway.api());
        let new = json!({ "username": "Ann", "email": "Ann@bücher.example", "password": PASSWORD });
        let registered = api.post("/auth/register", &new).await;
        assert_eq!((registered.status, &registered.json()["user"]["username"]), (201, &json!("Ann")), "{sessions}");
        for (client, identifier) in
            [(&mut api, json!({ "username": "ann" })), (&mut other, json!({ "email": "ann@xn--bcher-kva.example" }))]
        {
            let mut credentials = identifier;
            credentials["password"] = json!(PASSWORD);
            assert_eq!(client.post("/auth/login", &credentials).await.status, 200, "{sessions}");
            assert_eq!(client.get("/").await.status, 200);
        }
        let mut browser = gateway.browser();
        browser.sign_in("/auth/account", "ann", PASSWORD).await;
        let page = browser.visit("/auth/account").await;
        let saved = browser.submit(&page, &[("username", "Anna"), ("name", "Zoë")]).await;
        assert_eq!(saved.status, 303, "{}", saved.text());
        let profile = api.get("/auth/profile").await.json();
        assert_eq!((&profile["username"], &profile["name"]), (&json!("Anna"), &json!("Zoë")));
        let page = browser.visit("/auth/account/password").await;
        let changed = browser.submit(&page, &[("current_password", PASSWORD), ("password", NEW_PASSWORD)]).await;
        assert_eq!(changed.status, 303, "{}", changed.text());
        assert_eq!(browser.open("/").await.status, 200);
        assert_eq!(api.get("/").await.status, 401, "other sessions end with the password ({sessions})");
        assert_eq!(api.post("/auth/login", &json!({ "username": "anna", "password": PASSWORD })).await.status, 401);
        assert_eq!(api.post("/auth/login", &json!({ "username": "anna", "password": NEW_PASSWORD })).await.status, 200);
        let squatter = json!({ "username": "ann", "email": "squatter@example.com", "password": PASSWORD });
        assert_eq!(api.post("/auth/register", &squatter).await.status, 409, "a former name stays with its account");
    }
}

/// S3.4, threats V15.4.2
#[tokio::test(flavor = "multi_thread")]
async fn of_32_registrations_of_one_name_at_once_one_is_made_and_the_rest_are_told_it_is_taken() {
    let gateway = gateway_on(&MongoServer::fresh_database()).start().await;
    let attempts = (0..32).map(|number| {
        let mut api = gateway.api();
        let new = json!({ "username": "ann", "email": format!("ann{number}@example.com"), "password": PASSWORD });
        async move { api.post("/auth/register", &new).await }
    });
    let answers = join_all(attempts).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 31), "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    let refused = answers.iter().find(|answer| answer.status == 409).unwrap().json();
    assert_eq!(refused["errors"][0]["field"], "username");
}

/// Contract 3.9 with the user store gone: what needs no account goes on, the rest says so in time.
async fn only_accounts_are_missing(gateway: &TestGateway, signed_in: &mut Browser) {
    assert_eq!(signed_in.open("/").await.status, 200, "live sessions go on");
    assert_eq!(gateway.browser().open("/open").await.status, 200, "public paths go on");
    assert_eq!(gateway.browser().open("/auth/login").await.status, 200, "the login page can be shown");
    assert_eq!(readiness(gateway).await, 503);
    for page in ["/auth/account", "/auth/account/password"] {
        let asked = Instant::now();
        let answer = signed_in.open(page).await;
        assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{page}");
        assert!(asked.elapsed() < Duration::from_secs(2), "{page} took {:?}", asked.elapsed());
    }
    let asked = Instant::now();
    let login = gateway.api().post("/auth/login", &json!({ "username": "ann", "password": PASSWORD })).await;
    assert_eq!((login.status, login.header("retry-after").is_some()), (503, true));
    assert!(asked.elapsed() < Duration::from_secs(2), "the login took {:?}", asked.elapsed());
}

async fn is_whole_again(gateway: &TestGateway, signed_in: &mut Browser) {
    until("the gateway is ready again", async || readiness(gateway).await == 200).await;
    assert_eq!(signed_in.open("/auth/account").await.status, 200);
    gateway.browser().sign_in("/", "ann", PASSWORD).await;
}

/// Contract 3.9
#[tokio::test(flavor = "multi_thread")]
async fn with_the_user_store_down_live_sessions_go_on_and_all_is_well_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.h2");
    let server = MongoServer::start_with_file(0, &file);
    let port = server.port();
    let gateway = gateway_on(&server.database("gate")).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "ann", PASSWORD).await;
    assert_eq!(readiness(&gateway).await, 200);
    server.stop();
    only_accounts_are_missing(&gateway, &mut browser).await;
    let _server = MongoServer::start_with_file(port, &file);
    is_whole_again(&gateway, &mut browser).await;
}

/// Contract 3.9: the store takes connections and never answers
#[tokio::test(flavor = "multi_thread")]
async fn with_the_user_store_hanging_answers_come_in_time_and_nothing_piles_up() {
    let server = MongoServer::start();
    let gateway = gateway_on(&server.database("gate")).user("ann", &[]).start().await;
    let mut browser = gateway.browser();
    browser.sign_in("/", "ann", PASSWORD).await;
    server.hang();
    only_accounts_are_missing(&gateway, &mut browser).await;
    let asked = Instant::now();
    let login = json!({ "username": "ann", "password": PASSWORD });
    let flood = (0..100).map(|_| {
        let mut api = gateway.api();
        let login = login.clone();
        async move { api.post("/auth/login", &login).await.status }
    });
    let answers = join_all(flood).await;
    assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    only_accounts_are_missing(&gateway, &mut browser).await;
    server.resume();
    is_whole_again(&gateway, &mut browser).await;
}

/// S4.11
#[test]
fn an_address_that_is_wrong_is_told_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    for (address, told) in [
        ("mongodb://root:hun/ter2@db/x", "stores.users: has a user name or password with one of"),
        ("mongodb://root:hunter2@db:x/x", "stores.users: has a port that is not a number from 1 to 65535"),
        ("mongodb+srv://root:hunter2@db:1/x", "stores.users: is an address of mongodb+srv, which takes one host name and no port"),
        ("mongodb://root:hunter2@db/x?maxPoolSize=hunter2", "stores.users: has an option `maxPoolSize` that is unknown"),
    ] {
        let yaml =
            format!("routes: [{{ upstream: sample }}]\nsecret: 0123456789012345678901234567890123456789\nstores: {{ users: '{address}' }}");
        let report = load_str(&yaml, folder.path(), &[]).err().unwrap().to_string();
        assert!(report.contains(told), "{address}: {report}");
        assert!(!report.contains("hun"), "{report}");
    }
}

/// S4.11: what keeps the gateway from starting is one sentence
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_the_store_refuses_end_the_start_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let address = MongoServer::fresh_database().replace("mongodb://", "mongodb://root:hunter2@");
    let yaml =
        format!("routes: [{{ upstream: sample }}]\nsecret: 0123456789012345678901234567890123456789\nstores: {{ users: '{address}' }}");
    let settings = load_str(&yaml, folder.path(), &[]).unwrap().settings;
    let told = App::open(Arc::new(settings), Arc::new(SystemClock)).err().unwrap().to_string();
    assert!(told.contains(" refuses the user name or password of stores.users: "), "{told}");
    assert!(!told.contains("hunter2") && !told.contains('\n'), "{told}");
}
