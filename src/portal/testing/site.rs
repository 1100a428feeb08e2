//! A portal with real use cases over embedded stores, and a browser and a program that visit it.

use super::{settings, visit};
use crate::app::App;
use crate::clock::{ManualClock, Timestamp};
use crate::config::{Secret, SecretSource, SessionStoreKind, Settings, UserStore};
use crate::portal::{Portal, Presence, Visit, router};
use crate::session::SessionCookies;
use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use std::collections::BTreeMap;
use std::sync::Arc;
use tower::ServiceExt as _;

const ORIGIN: &str = "http://app.test:8080";

/// Everybody's password.
pub(crate) const PASSWORD: &str = "Correct-horse-7-battery";

/// A portal with stores of its own.
pub(crate) struct Site {
    app: Arc<App>,
    pub(crate) portal: Arc<Portal>,
    pub(crate) clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

/// A browser on a site: keeps cookies, follows nothing by itself.
pub(crate) struct Browser<'a> {
    site: &'a Site,
    pub(crate) origin: &'static str,
    pub(crate) jar: BTreeMap<String, String>,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) store_is_down: bool,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings();
        settings.stores.users = UserStore::Sqlite(folder.path().join("users.db"));
        settings.stores.sessions = SessionStoreKind::Memory;
        settings.secret = SecretSource::Given(Secret::new("a secret for tests, long enough for all".into()));
        change(&mut settings);
        let settings = Arc::new(settings);
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000)));
        let app = App::open(settings.clone(), clock.clone()).unwrap();
        let portal = Portal::new(app.clone()).unwrap();
        Self { app, portal: Arc::new(portal), clock, _folder: folder }
    }

    /// A site where alice has an account.
    pub(crate) async fn with_alice() -> Self {
        let site = Self::new();
        site.register("alice").await;
        site
    }

    pub(crate) async fn register(&self, name: &str) -> Answer {
        let body = serde_json::json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        self.program().json("/auth/register", &body).await
    }

    pub(crate) fn router(&self) -> Router {
        router(self.portal.clone())
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        let headers = vec![("accept", "text/html,*/*;q=0.8"), ("sec-fetch-site", "same-origin")];
        Browser { site: self, origin: ORIGIN, jar: BTreeMap::new(), headers, store_is_down: false }
    }

    pub(crate) fn program(&self) -> Browser<'_> {
        Browser { headers: vec![("accept", "application/json")], ..self.browser() }
    }
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(LOCATION).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    pub(crate) fn code(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap().to_owned();
        kind.strip_prefix("urn:portcullis:").unwrap().to_owned()
    }
}

impl Browser<'_> {
    fn cookie_names(&self) -> SessionCookies {
        SessionCookies::for_scheme(self.origin.starts_with("https"), &self.site.portal.settings.cookies)
    }

    /// What the gateway does before a page sees the request.
    async fn visit(&self) -> Visit {
        let value = self.jar.get(self.cookie_names().session_name());
        let id = value.and_then(|value| self.site.app.cookie_key.open(value.as_bytes()));
        let session = match id.map(|id| id.key()) {
            Some(_) if self.store_is_down => Presence::Unknown,
            Some(key) => match self.site.app.sessions.find(&key, self.site.app.clock.now()).await.unwrap() {
                Some(session) => Presence::Somebody { key, session },
                None => Presence::Nobody,
            },
            None => Presence::Nobody,
        };
        Visit { session, ..visit(self.origin) }
    }

    pub(crate) async fn send(&mut self, method: Method, target: &str, content_type: Option<&str>, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        for (name, value) in &self.jar {
            request = request.header(COOKIE, format!("{name}={value}"));
        }
        let request = request.extension(self.visit().await).body(Body::from(body)).unwrap();
        let (parts, body) = self.site.router().oneshot(request).await.unwrap().into_parts();
        self.keep(&parts.headers);
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE) {
            let text = value.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            if text.contains("Max-Age=0") {
                self.jar.remove(name)
            } else {
                self.jar.insert(name.into(), value.into())
            };
        }
    }

    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.send(Method::GET, target, None, String::new()).await
    }

    pub(crate) async fn json(&mut self, target: &str, body: &serde_json::Value) -> Answer {
        self.send(Method::POST, target, Some("application/json"), body.to_string()).await
    }

    /// Sends a form as it stands, without looking at a page first.
    pub(crate) async fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(Method::POST, target, Some("application/x-www-form-urlencoded"), body).await
    }

    /// Opens a page and sends its form: hidden fields as they are, others as given.
    pub(crate) async fn fill(&mut self, page: &str, fields: &[(&str, &str)]) -> Answer {
        let html = self.get(page).await.body;
        let action = attribute(html.split("<form").nth(1).unwrap(), "action").unwrap();
        let hidden =
            html.split("<input type=\"hidden\"").skip(1).map(|tag| (attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap()));
        let hidden: Vec<_> = hidden.collect();
        let all: Vec<_> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(fields.iter().copied()).collect();
        self.post(&action, &all).await
    }

    pub(crate) async fn sign_in(&mut self, page: &str) -> Answer {
        self.fill(page, &[("username", "alice"), ("password", PASSWORD)]).await
    }

    pub(crate) fn session_cookie(&self) -> Option<&String> {
        self.jar.get(self.cookie_names().session_name())
    }
}

/// The first attribute of this name, unescaped.
pub(crate) fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&#38;", "&").replace("&#34;", "\""))
}
