//! What ends a token, and what it has open: locks, resets, revocation, another secret.

use super::{Site, bearer, personal};
use crate::support::gateway::{Builder, PASSWORD, TestGateway};
use crate::support::mailbox::{Mailbox, with_mail};
use crate::support::raw::Raw;
use crate::support::within_patience;
use portcullis::audit::Party;
use portcullis::client::Client;
use portcullis::token::{PersonalText, Scope};
use std::time::Duration;

const NEW: &str = "New-otter-5-harbour";

/// Contract 3.5: locked, unlocked, deleted
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_refuses_every_token_at_once_and_an_unlock_gives_personal_ones_back() {
    let site = Site::start().await;
    let (access, personal, administration) = (site.access().await, site.personal().await, &site.gateway.app().administration);
    administration.lock("ann").await.unwrap();
    for token in [&access, &personal] {
        for path in ["/page", "/public/page"] {
            assert_eq!(site.status(&format!("GET {path}"), token).await, 401);
        }
    }
    administration.unlock("ann").await.unwrap();
    assert_eq!((site.status("GET /page", &access).await, site.status("GET /page", &personal).await), (401, 200));
    administration.delete("ann").await.unwrap();
    assert_eq!(site.status("GET /public/page", &personal).await, 401);
}

/// Contract 3.5: kept at a password change
#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_ends_access_tokens_and_keeps_personal_ones() {
    let site = Site::start().await;
    let (access, personal) = (site.access().await, site.personal().await);
    let mut browser = site.gateway.browser();
    browser.sign_in("/auth/account", "ann", PASSWORD).await;
    let page = browser.open("/auth/account/password").await;
    assert_eq!(browser.submit(&page, &[("current_password", PASSWORD), ("password", NEW)]).await.status, 303);
    assert_eq!((site.status("GET /page", &access).await, site.status("GET /page", &personal).await), (401, 200));
}

/// Contract 3.5: deleted at a reset, by whatever hand
#[tokio::test(flavor = "multi_thread")]
async fn whoever_sets_a_password_without_the_old_one_leaves_no_token() {
    let site = Site::with(with_mail).await;
    let mut mailbox = Mailbox::of(&site.gateway);
    let before = [site.access().await, site.personal().await];
    let mut browser = site.gateway.browser();
    let page = browser.open("/auth/forgot").await;
    assert_eq!(browser.submit(&page, &[("email", "ann@example.com")]).await.status, 303);
    let link = mailbox.next_to("ann@example.com").await.link_path();
    let page = browser.visit(&link).await;
    assert_eq!(browser.submit(&page, &[("password", NEW)]).await.status, 303);
    for token in &before {
        assert_eq!(site.status("GET /page", token).await, 401);
    }
    let tokens = &site.gateway.app().personal_tokens;
    assert!(tokens.list(site.account().await.id).await.unwrap().is_empty());
    let after = site.personal().await;
    assert_eq!(site.status("GET /page", &after).await, 200);
    let password = portcullis::account::Password::new(PASSWORD.to_owned());
    site.gateway.app().administration.set_password("ann", &password).await.unwrap();
    assert_eq!(site.status("GET /page", &after).await, 401, "an operator does so when the owner has lost the account");
}

/// Contract 6: the access token is refused from then on, at the gateway too; J13: by its id, not its text
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_by_the_next_request() {
    let site = Site::start().await;
    let (access, other, personal) = (site.access().await, site.access().await, site.personal().await);
    let app = site.gateway.app();
    let (_, claims) = app.access_tokens.authenticate(&access).await.unwrap_or_else(|error| panic!("{error:?}"));
    app.access_tokens.revoke(&claims).await.unwrap();
    assert_eq!((site.status("GET /page", &access).await, site.status("GET /page", &other).await), (401, 200));
    let account = site.account().await;
    let id = app.personal_tokens.list(account.id).await.unwrap()[0].id;
    assert!(app.personal_tokens.revoke(&account, id, Party::from(&account), &Client::default()).await.unwrap());
    assert_eq!(site.status("GET /page", &personal).await, 401);
}

impl Site {
    /// An event stream whose answer has begun.
    async fn stream(&self, path: &str, token: &str) -> Raw {
        let mut raw = self.gateway.raw().await;
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n{}\r\n", bearer(token))).await;
        assert_eq!(raw.head().await.start_word(1), "200", "{path}");
        raw
    }
}

/// Contract 3.8: on revocation, and not at the token's own end
#[tokio::test(flavor = "multi_thread")]
async fn what_a_token_has_open_ends_when_it_is_revoked_and_not_when_its_time_is_over() {
    let site = Site::with(Builder::manual_clock).await;
    let app = site.gateway.app();
    let end = app.clock.now().plus(Duration::from_mins(1));
    let (revoked, expiring) = (site.personal().await, site.personal_for(Scope::default(), Some(end)).await);
    let (access, signed_out) = (site.access().await, site.access().await);
    let mut dead = [site.stream("/sse", &revoked).await, site.stream("/sse", &signed_out).await];
    let mut living = [
        site.stream("/sse", &expiring).await,
        site.stream("/sse", &access).await,
        site.stream("/public/sse", &revoked).await,
        site.stream("/public/sse", &signed_out).await,
    ];
    let (_, claims) = app.access_tokens.authenticate(&signed_out).await.unwrap_or_else(|error| panic!("{error:?}"));
    site.gateway.advance(Duration::from_mins(20));
    assert_eq!((site.status("GET /page", &expiring).await, site.status("GET /page", &access).await), (401, 401));
    app.one_time
        .put(&format!("revoked_token:{}", claims.jti), &[], app.clock.now(), app.clock.now().plus(Duration::from_mins(1)))
        .await
        .unwrap();
    let account = site.account().await;
    for token in app.personal_tokens.list(account.id).await.unwrap().iter().filter(|token| token.expires_at.is_none()) {
        app.personal_tokens.revoke(&account, token.id, Party::from(&account), &Client::default()).await.unwrap();
    }
    for stream in &mut dead {
        assert_eq!(stream.closed().await, 0, "not even the end of the body: what was cut off must not look whole");
    }
    site.upstream.push("on");
    for stream in &mut living {
        assert_eq!(stream.piece().await.unwrap(), b"data: on\n\n");
    }
    app.administration.lock("ann").await.unwrap();
    let [one, two, ..] = &mut living;
    for stream in [one, two] {
        stream.closed().await;
    }
}

/// Contract 2: `secret_previous`. A token that is used while the former secret is still known outlives it.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_use_goes_over_to_a_new_secret() {
    let (old, new) = ("the-former-secret-is-long-enough-for-tests", "the-present-secret-is-long-enough-for-tests");
    let site = Site::with(|builder| builder.set("SECRET", old)).await;
    let (used, unused) = (site.personal().await, site.personal().await);
    let users = format!("sqlite:{}", site.gateway.folder().join("portcullis.db").display());
    let yaml = format!("routes: [{{ path: /, upstream: \"{}\" }}]", site.upstream.origin());
    let start = async |previous: Option<&str>| {
        let builder = TestGateway::with(yaml.clone()).set("SECRET", new).set("STORES__USERS", &users);
        match previous {
            Some(previous) => builder.set("SECRET_PREVIOUS", previous).start().await,
            None => builder.start().await,
        }
    };
    let status = async |gateway: &TestGateway, token: &str| {
        let request = format!("GET /page HTTP/1.1\r\nHost: app.test\r\n{}\r\n", bearer(token));
        Raw::exchange(gateway.address(), request).await.status()
    };
    let between = start(Some(old)).await;
    let id = site.account().await.id;
    let hashes = async || between.app().personal_tokens.list(id).await.unwrap().iter().map(|token| token.hash).collect::<Vec<_>>();
    let before = hashes().await;
    assert_eq!(status(&between, &used).await, 200);
    within_patience("the token to be kept under another hash", async {
        while hashes().await == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    assert_eq!(status(&between, &used).await, 200);
    let after = start(None).await;
    assert_eq!((status(&after, &used).await, status(&after, &unused).await), (200, 401));
}

/// Issue "last use shown": at most once a minute
#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_personal_token_is_noted_once_a_minute() {
    let site = Site::with(Builder::manual_clock).await;
    let (app, account) = (site.gateway.app(), site.account().await);
    let text = personal(&site.gateway, &account, Scope::default(), None).await;
    let used = async || app.personal_tokens.list(account.id).await.unwrap()[0].last_used;
    let noted = async |at| {
        within_patience("the use to be noted", async {
            while used().await != Some(at) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    };
    assert_eq!(used().await, None);
    assert!(PersonalText::parse(&text).is_some());
    let first = app.clock.now();
    assert_eq!(site.status("GET /page", &text).await, 200);
    noted(first).await;
    site.gateway.advance(Duration::from_secs(59));
    assert_eq!(site.status("GET /page", &text).await, 200);
    site.gateway.advance(Duration::from_secs(1));
    let second = app.clock.now();
    assert_eq!(site.status("GET /page", &text).await, 200);
    noted(second).await;
}
