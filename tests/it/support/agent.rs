//! An HTTP client with a cookie jar that follows nothing by itself and takes every host name for this machine, so that
//! one gateway can be asked under all the names it serves.

use super::PATIENCE;
use super::cookie_jar::CookieJar;
use super::secrets::Secrets;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use url::Url;

/// The client.
#[derive(Debug)]
pub struct Agent {
    client: reqwest::Client,
    /// What servers have set.
    pub cookies: CookieJar,
    /// Every credential that it has sent or was given, where a test wants to know.
    pub secrets: Option<Secrets>,
}

/// A response, whole.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked for.
    pub url: Url,
    /// Protocol version.
    pub version: http::Version,
    /// Status code.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Agent {
    /// A client without cookies.
    pub fn new() -> Self {
        // Fails only where another test was first, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Arc::new(ThisMachine))
            .danger_accept_invalid_certs(true)
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self { client, cookies: CookieJar::default(), secrets: None }
    }

    /// Sends one request with the cookies for its address and keeps those of the answer.
    pub async fn send(&mut self, method: Method, url: &Url, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
        let sent = self.try_send(method.clone(), url, headers, body).await;
        sent.unwrap_or_else(|error| panic!("{method} {url}: {error:?}"))
    }

    /// As [`send`](Self::send), where there may be no answer.
    pub async fn try_send(
        &mut self,
        method: Method,
        url: &Url,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Result<Answer, reqwest::Error> {
        let mut all = HeaderMap::new();
        if let Some(cookies) = self.cookies.header(url) {
            all.insert(http::header::COOKIE, HeaderValue::from_str(&cookies).unwrap());
        }
        for (name, value) in headers {
            all.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let sent: Vec<HeaderValue> = all.get_all(http::header::AUTHORIZATION).iter().cloned().collect();
        let response = self.client.request(method, url.clone()).headers(all).body(body).send().await?;
        let (version, status) = (response.version(), response.status().as_u16());
        let headers = response.headers().clone();
        let body = response.bytes().await?.to_vec();
        for value in headers.get_all(http::header::SET_COOKIE) {
            self.cookies.store(url, &String::from_utf8_lossy(value.as_bytes()));
        }
        let answer = Answer { url: url.clone(), version, status, headers, body };
        if let Some(secrets) = &mut self.secrets {
            for value in &sent {
                secrets.keep_authorization(value.to_str().unwrap());
            }
            secrets.keep_those_in(&answer);
        }
        Ok(answer)
    }
}

impl Answer {
    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `Location` as sent.
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no Location in a {} from {}", self.status, self.url))
    }

    /// `Location`, resolved.
    pub fn target(&self) -> Url {
        self.url.join(self.location()).unwrap()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// Answers 127.0.0.1 for every name; the port comes from the address asked for.
struct ThisMachine;

impl Resolve for ThisMachine {
    fn resolve(&self, _name: Name) -> Resolving {
        let here: Addrs = Box::new(std::iter::once(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
        Box::pin(std::future::ready(Ok(here)))
    }
}
