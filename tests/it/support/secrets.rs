//! What must stand in no log and in no store: collected while a test uses it, and looked for at its end.

use super::agent::Answer;
use super::form::Form;
use serde_json::Value;
use std::collections::BTreeSet;

/// Shorter parts of a secret say nothing by themselves.
const SHORTEST: usize = 7;
/// Names of hidden fields, and endings of names in JSON, whose values are secrets.
const FIELDS: [&str; 3] = ["csrf", "token", "invite"];
const JSON: [&str; 4] = ["token", "assertion", "password", "secret"];

/// Secrets seen so far.
#[derive(Clone, Debug, Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Keeps one, and each of its parts: what is sealed or signed is made of several.
    pub fn keep(&mut self, secret: &str) {
        assert!(secret.len() >= SHORTEST, "{secret:?} is too short to be looked for");
        let parts = secret.split('.').filter(|part| part.len() >= SHORTEST);
        self.0.extend(parts.chain([secret]).map(str::to_owned));
    }

    /// Keeps the credential in a value of `Authorization`.
    pub fn keep_authorization(&mut self, value: &str) {
        self.keep(value.split_once(' ').map_or(value, |(_scheme, credential)| credential));
    }

    /// Keeps every cookie, form token and token in JSON of an answer.
    pub fn keep_those_in(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(http::header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap();
            let value = cookie.split(';').next().unwrap().split_once('=').unwrap().1;
            if value.len() >= SHORTEST {
                self.keep(value);
            }
        }
        let kind = answer.header("content-type").unwrap_or_default();
        if kind.starts_with("text/html") {
            let values = Form::all(&answer.text()).into_iter().flat_map(|form| form.values);
            values.filter(|(name, value)| FIELDS.contains(&name.as_str()) && !value.is_empty()).for_each(|(_, value)| self.keep(&value));
        } else if kind.contains("json") {
            self.keep_those_in_json(&answer.json());
        }
    }

    fn keep_those_in_json(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let named_so = JSON.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending));
                    match value {
                        Value::String(text) if named_so => self.keep(text),
                        other => self.keep_those_in_json(other),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.keep_those_in_json(item)),
            _ => {}
        }
    }

    /// Keeps what another has seen.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Fails the test where one stands in this text.
    pub fn assert_not_in(&self, text: &str) {
        let found: Vec<_> = self.0.iter().filter(|secret| text.contains(secret.as_str())).collect();
        assert!(found.is_empty(), "{found:?} stand in: {text}");
    }
}
