//! What the integration tests stand on: an upstream that tells what it received, clients from raw bytes to a real
//! browser. Nothing here decides whether the gateway is right; tests do.

pub mod agent;
pub mod api_client;
pub mod browser;
pub mod cache;
pub mod certificate;
pub mod chromium;
pub mod collector;
pub mod cookie_jar;
pub mod fault_proxy;
pub mod form;
pub mod front_proxy;
pub mod gateway;
pub mod guarded;
pub mod mail_sink;
pub mod mailbox;
pub mod message;
pub mod mongo_server;
pub mod program;
pub mod prometheus;
pub mod raw;
pub mod raw_h2;
pub mod redis_server;
pub mod scrape;
pub mod secrets;
pub mod served;
pub mod upstream;

use std::future::Future;
use std::time::Duration;

/// Longest that anything on this machine may take before a test gives up waiting for it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `future` and fails the test, naming `what`, when it takes longer than [`PATIENCE`].
pub async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain: {what}"))
}

/// Asks again and again until it is so, and fails the test, naming `what`, when that takes longer than [`PATIENCE`]. For
/// what tells nobody when it happens.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within_patience(what, asking).await;
}
