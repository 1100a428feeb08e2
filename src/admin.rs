//! The admin listener: whether the process lives, whether it is ready, which version it is, and its metrics.
//! Never served on the public listeners.

use crate::app::App;
use crate::metrics::TEXT_FORMAT;
use crate::server::{Listener, Socket};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Longest a readiness check waits for a store.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Admin {
    app: Arc<App>,
    draining: Arc<AtomicBool>,
}

/// What `/readyz` finds.
#[derive(Serialize)]
struct Readiness {
    ready: bool,
    /// Accepting new work; false once a stop was asked for.
    serving: bool,
    users: &'static str,
    sessions: &'static str,
}

/// Serves until told to stop.
pub async fn serve(listener: Listener, app: Arc<App>, draining: Arc<AtomicBool>, mut stop: watch::Receiver<bool>) {
    let router = axum::Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .with_state(Admin { app, draining });
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let served = match listener.into_socket() {
        Socket::Tcp(socket) => axum::serve(socket, router).with_graceful_shutdown(stopped).await,
        Socket::Unix(socket) => axum::serve(socket, router).with_graceful_shutdown(stopped).await,
    };
    if let Err(error) = served {
        tracing::error!(%error, "the admin listener ended");
    }
}

/// 200 when the stores answer and no stop was asked for, else 503.
async fn readiness(State(admin): State<Admin>) -> impl IntoResponse {
    let serving = !admin.draining.load(Ordering::Acquire);
    let (users, sessions) = tokio::join!(
        tokio::time::timeout(CHECK_TIMEOUT, admin.app.accounts.ping()),
        tokio::time::timeout(CHECK_TIMEOUT, admin.app.sessions.ping()),
    );
    let (users, sessions) = (matches!(users, Ok(Ok(()))), matches!(sessions, Ok(Ok(()))));
    let word = |answers| if answers { "ok" } else { "unavailable" };
    let ready = serving && users && sessions;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, serving, users: word(users), sessions: word(sessions) }))
}

/// The metrics, in Prometheus' text format 0.0.4.
async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.app.scrape().await {
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
