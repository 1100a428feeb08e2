//! A program that speaks JSON to the gateway: no navigation headers, no forms; cookies only if the server sets them.

use super::agent::{Agent, Answer};
use http::Method;
use serde_json::Value;
use url::Url;

/// One program.
#[derive(Debug)]
pub struct ApiClient {
    /// Its cookies, and requests of any other kind.
    pub agent: Agent,
    /// Value of `Authorization`, if it has one.
    pub authorization: Option<String>,
    origin: Url,
}

impl ApiClient {
    /// A client for the server at `origin`.
    pub fn new(origin: &str) -> Self {
        Self { agent: Agent::new(), authorization: None, origin: Url::parse(origin).unwrap() }
    }

    /// The address of a path.
    pub fn url(&self, address: &str) -> Url {
        self.origin.join(address).unwrap()
    }

    /// Asks for JSON.
    pub async fn get(&mut self, address: &str) -> Answer {
        self.send(Method::GET, address, None).await
    }

    /// Sends JSON.
    pub async fn post(&mut self, address: &str, body: &Value) -> Answer {
        self.send(Method::POST, address, Some(body)).await
    }

    /// Any method, with or without a JSON body.
    pub async fn send(&mut self, method: Method, address: &str, body: Option<&Value>) -> Answer {
        let url = self.url(address);
        let mut headers = vec![("accept", "application/json")];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        headers.extend(self.authorization.as_deref().map(|value| ("authorization", value)));
        self.agent.send(method, &url, &headers, body.map(Value::to_string).unwrap_or_default()).await
    }
}
