//! The sample application that `demo` and `upstream: sample` put behind the gateway. It knows nothing of logins and shows
//! what reached it, so that anyone can see what an application is told: identity headers, a form, a WebSocket, events.

use crate::identity::{IdentityHeaders, folded};
use crate::portal::accept;
use askama::Template;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures_util::Stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use std::collections::HashSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// What the handlers know.
struct Sample {
    /// Where the gateway's own pages are.
    prefix: String,
    /// Folded names of headers that speak of identity.
    identity: HashSet<Vec<u8>>,
}

/// A request as it reached the application.
#[derive(Serialize)]
struct Seen {
    method: String,
    target: String,
    identity: Vec<Pair>,
    headers: Vec<Pair>,
    form: Vec<Pair>,
}

#[derive(Serialize)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Template)]
#[template(path = "sample_request.html")]
struct RequestPage<'a> {
    title: &'a str,
    prefix: &'a str,
    seen: &'a Seen,
}

#[derive(Template)]
#[template(path = "sample_events.html")]
struct EventsPage<'a> {
    title: &'a str,
    prefix: &'a str,
}

const STYLE: &str = include_str!("../static/sample/sample.css");
const SCRIPT: &str = include_str!("../static/sample/sample.js");

/// Larger forms are not echoed.
const FORM_LIMIT: usize = 64 * 1024;

/// The application; `prefix` is where the gateway's own pages are. Every address that it does not know shows the request.
pub fn router(prefix: &str) -> Router {
    let sample = Sample { prefix: prefix.to_owned(), identity: IdentityHeaders::default().reserved() };
    Router::new()
        .route("/form", post(form))
        .route("/ws", any(socket))
        .route("/events", get(events))
        .route("/events/stream", get(stream))
        .route("/sample.css", get(async || file("text/css; charset=utf-8", STYLE)))
        .route("/sample.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .fallback(show)
        .with_state(Arc::new(sample))
}

/// Serves the application on a free port of loopback until told to stop; where it listens.
///
/// # Errors
/// One sentence when there is no port.
pub async fn serve(prefix: &str, mut stop: watch::Receiver<bool>) -> Result<SocketAddr, String> {
    let failed = |error: std::io::Error| format!("cannot start the sample application: {error}");
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let router = router(prefix);
    tokio::spawn(async move {
        let stopped = async move {
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
    });
    Ok(address)
}

async fn show(State(sample): State<Arc<Sample>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    sample.answer(&parts, b"")
}

async fn form(State(sample): State<Arc<Sample>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, FORM_LIMIT).await {
        Ok(body) => sample.answer(&parts, &body),
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    }
}

async fn events(State(sample): State<Arc<Sample>>) -> Response {
    html(&EventsPage { title: "Server-sent events", prefix: &sample.prefix })
}

async fn stream() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = futures_util::stream::unfold(1_u64, |count| async move {
        if count > 1 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Some((Ok(Event::default().id(count.to_string()).data(format!("event {count}"))), count + 1))
    });
    Sse::new(ticks).keep_alive(KeepAlive::default())
}

async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(echo)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let reply = match message {
            Message::Text(_) | Message::Binary(_) => message,
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return,
        };
        if socket.send(reply).await.is_err() {
            return;
        }
    }
}

fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "max-age=300")], Bytes::from_static(content.as_bytes()))
}

impl Sample {
    fn answer(&self, parts: &http::request::Parts, body: &[u8]) -> Response {
        let seen = self.seen(parts, body);
        if accept::names(&parts.headers, &ACCEPT, "application/json") && !accept::names_html(&parts.headers) {
            return Json(seen).into_response();
        }
        html(&RequestPage { title: "What reached the application", prefix: &self.prefix, seen: &seen })
    }

    fn seen(&self, parts: &http::request::Parts, body: &[u8]) -> Seen {
        let (identity, headers) = headers(&parts.headers).partition(|pair| self.identity.contains(&folded(pair.name.as_bytes())));
        let form = url::form_urlencoded::parse(body).map(|(name, value)| Pair { name: name.into_owned(), value: value.into_owned() });
        let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        Seen { method: parts.method.to_string(), target: target.to_owned(), identity, headers, form: form.collect() }
    }
}

fn headers(headers: &HeaderMap) -> impl Iterator<Item = Pair> {
    let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| Pair {
        name: title_case(name.as_str()),
        value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    headers.iter().map(pair)
}

/// `x-user-id` as people write it: `X-User-Id`.
fn title_case(name: &str) -> String {
    let capital = |word: &str| word.get(..1).map_or_else(String::new, |first| first.to_ascii_uppercase() + &word[1..]);
    name.split('-').map(capital).collect::<Vec<_>>().join("-")
}

fn html(page: &impl Template) -> Response {
    page.render().map_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response(), |text| Html(text).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use tower::ServiceExt as _;

    async fn body(request: http::request::Builder, body: &'static str) -> String {
        let response = router("/auth").oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// C3
    #[tokio::test]
    async fn the_identity_that_reached_it_is_shown_apart_from_other_headers() {
        let request = http::Request::get("/any/where?q=1").header("x-user", "alice").header("user-agent", "\"><svg onload=alert(1)>");
        let page = body(request, "").await;
        assert!(page.contains(r#"<th scope="row">X-User</th><td>alice</td>"#), "{page}");
        assert!(page.contains("GET /any/where?q=1") && page.contains(r#"href="/auth/logout""#));
        assert!(!page.contains("<svg onload"), "{page}");
    }

    #[tokio::test]
    async fn a_program_gets_json() {
        let request = http::Request::get("/").header("accept", "application/json").header("x-user", "alice").header("x-other", "1");
        let seen: serde_json::Value = serde_json::from_str(&body(request, "").await).unwrap();
        assert_eq!(seen["identity"], serde_json::json!([{ "name": "X-User", "value": "alice" }]));
        assert_eq!(seen["headers"][1], serde_json::json!({ "name": "X-Other", "value": "1" }));
    }

    #[tokio::test]
    async fn a_form_is_echoed_escaped() {
        let page = body(http::Request::post("/form"), "text=%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
        assert!(page.contains("&#60;script&#62;alert(1)") && !page.contains("<script>alert"), "{page}");
    }
}
