//! The admin listener: whether the process lives, whether it is ready, which version it is, and its metrics.
//! Never served on the public listeners.

use crate::clock::Stopwatch;
use crate::metrics::TEXT_FORMAT;
use crate::server::{Listener, Live, Socket};
use crate::store::StoreError;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest a readiness check waits for a store.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What `/readyz` finds.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// Accepting new work; false once a stop was asked for.
    serving: bool,
    users: &'static str,
    sessions: &'static str,
    /// Only where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<[Check; 4]>,
}

/// One thing that was looked at. What exactly a store said may name servers and users, and stands in the log.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    result: &'static str,
    milliseconds: f64,
}

impl Check {
    /// Of what is known without asking anybody.
    fn known(name: &'static str, result: &'static str) -> Self {
        Self { name, result, milliseconds: 0.0 }
    }

    async fn of_store(name: &'static str, ping: impl Future<Output = Result<(), StoreError>>) -> Self {
        let asked = Stopwatch::start();
        let result = match tokio::time::timeout(CHECK_TIMEOUT, ping).await {
            Ok(Ok(())) => "ok",
            Ok(Err(_)) => "unavailable",
            Err(_late) => "timeout",
        };
        Self { name, result, milliseconds: asked.elapsed().as_secs_f64() * 1000.0 }
    }

    fn is_ok(&self) -> bool {
        self.result == "ok"
    }

    fn word(&self) -> &'static str {
        if self.is_ok() { "ok" } else { "unavailable" }
    }
}

/// Serves until told to stop.
pub async fn serve(listener: Listener, live: Arc<Live>, mut stop: watch::Receiver<bool>) {
    let router = axum::Router::new()
        .route("/livez", get(liveness))
        .route("/readyz", get(readiness))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .with_state(live);
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let served = match listener.into_socket() {
        Socket::Tcp(socket) => axum::serve(socket, router).with_graceful_shutdown(stopped).await,
        Socket::Unix(socket) => axum::serve(socket, router).with_graceful_shutdown(stopped).await,
    };
    if let Err(error) = served {
        tracing::error!(event = "listener_ended", %error, "the admin listener ended");
    }
}

/// 200 while every thread does its work, else 503: a restart would help. No store is asked, since a restart would not help that.
async fn liveness(State(live): State<Arc<Live>>) -> Response {
    match live.lost_thread().await {
        None => "ok\n".into_response(),
        Some(thread) => (StatusCode::SERVICE_UNAVAILABLE, format!("thread {thread} does not work any more\n")).into_response(),
    }
}

/// 200 when the stores answer and no stop was asked for, else 503. A configuration that was refused is told, and what was in
/// force before it serves as well as ever.
async fn readiness(State(live): State<Arc<Live>>, RawQuery(query): RawQuery) -> Response {
    let serving = !live.is_draining();
    let app = live.app();
    let (users, sessions) = tokio::join!(Check::of_store("users", app.accounts.ping()), Check::of_store("sessions", app.sessions.ping()));
    let ready = serving && users.is_ok() && sessions.is_ok();
    let (users_word, sessions_word) = (users.word(), sessions.word());
    let checks = query.is_some_and(|query| query.split('&').any(|key| key == "verbose" || key.starts_with("verbose="))).then(|| {
        let configuration = if live.last_reload_was_refused() { "last_reload_refused" } else { "ok" };
        let stopping = if serving { "ok" } else { "stopping" };
        [Check::known("serving", stopping), Check::known("configuration", configuration), users, sessions]
    });
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, serving, users: users_word, sessions: sessions_word, checks })).into_response()
}

/// The metrics, in Prometheus' text format 0.0.4.
async fn metrics(State(live): State<Arc<Live>>) -> Response {
    match live.app().scrape().await {
        Ok(text) => ([(CONTENT_TYPE, format!("{TEXT_FORMAT}; charset=utf-8"))], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written down");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn version() -> impl IntoResponse {
    Json(serde_json::json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") }))
}
