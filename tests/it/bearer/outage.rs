//! The stores fail: a token that cannot be checked opens nothing, and its bearer is never taken for nobody.

use super::{HTML, Site, bearer};
use rusqlite::Connection;

/// Takes a table away, as a broken disk could, or gives it back.
fn rename_table(site: &Site, from: &str, to: &str) {
    let connection = Connection::open(site.gateway.folder().join("portcullis.db")).unwrap();
    connection.execute_batch(&format!("PRAGMA busy_timeout = 5000; ALTER TABLE {from} RENAME TO {to};")).unwrap();
}

/// Contract 3.9: with the user store down, bearers are 503 while live sessions go on; threats B22
#[tokio::test(flavor = "multi_thread")]
async fn without_the_accounts_whoever_presents_a_token_is_told_to_come_back() {
    let site = Site::start().await;
    let (access, personal, cookie) = (site.access().await, site.personal().await, site.cookie().await);
    let before = site.upstream.seen();
    rename_table(&site, "accounts", "elsewhere");
    for token in [&access, &personal] {
        for path in ["/page", "/public/page", "/never", "/auth/profile"] {
            for also in ["", HTML, &cookie] {
                let answer = site.ask(&format!("GET {path}"), &format!("{}{also}", bearer(token))).await;
                assert_eq!(answer.status(), 503, "{path} {also}");
                assert!(answer.header("retry-after").is_some() && answer.header("location").is_none(), "{path} {also}");
            }
        }
    }
    assert_eq!(site.status("GET /public/page", "pat_bad").await, 401, "what cannot be one is told without asking");
    assert_eq!(site.upstream.seen(), before);
    assert_eq!(site.ask("GET /public/page", "").await.status(), 200, "who presents nothing is nobody, store or not");
    assert_eq!(site.ask("GET /page", &cookie).await.status(), 200);
    rename_table(&site, "elsewhere", "accounts");
    for token in [&access, &personal] {
        assert_eq!(site.status("GET /page", token).await, 200);
    }
}

/// Contract 3.9: each kind of token needs the stores that say whether it holds
#[tokio::test(flavor = "multi_thread")]
async fn without_the_revocations_access_tokens_wait_and_personal_ones_go_on() {
    let site = Site::start().await;
    let (access, personal) = (site.access().await, site.personal().await);
    rename_table(&site, "one_time", "elsewhere");
    for path in ["/page", "/public/page"] {
        assert_eq!(site.status(&format!("GET {path}"), &access).await, 503);
        assert_eq!(site.status(&format!("GET {path}"), &personal).await, 200);
    }
}
