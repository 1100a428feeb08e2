//! The API's document, `OpenAPI` 3.1: what it says is so.

use super::{gateway, present, text};
use crate::support::agent::Answer;
use crate::support::api_client::ApiClient;
use crate::support::gateway::{PASSWORD, TestGateway};
use crate::support::mailbox::{Mailbox, with_mail};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const KEPT: &str = "docs/openapi.json";
const SERVED: &str = "/api/auth/openapi.json";

/// Every operation with its examples, in an order in which each gets the answer that it is named after.
const EXAMPLES: [(&str, &[&str]); 9] = [
    ("register", &["signed_in", "username_taken", "email_taken", "validation", "invalid_request"]),
    ("login", &["signed_in", "by_email", "invalid_credentials", "validation", "invalid_request"]),
    ("profile", &[]),
    ("changeProfile", &["user", "validation", "invalid_request", "username_taken"]),
    ("refresh", &["renewed", "invalid_token", "validation", "invalid_request"]),
    ("logout", &["signed_out", "invalid_request"]),
    ("requestPasswordReset", &["sent", "validation", "invalid_request"]),
    ("confirmPasswordReset", &["invalid_token", "validation", "invalid_request", "set"]),
    ("document", &[]),
];

/// `PORTCULLIS_BLESS=1` writes it anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_document_that_is_kept_is_the_one_that_is_served() {
    let gateway = gateway().start().await;
    let served = gateway.api().get(SERVED).await;
    assert_eq!((served.status, served.header("content-type")), (200, Some("application/json")));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT);
    if std::env::var_os("PORTCULLIS_BLESS").is_some() {
        fs::write(&path, &served.body).unwrap();
    } else {
        let same = fs::read(&path).is_ok_and(|kept| kept == served.body);
        assert!(same, "{KEPT} is not what is served: run the tests once with PORTCULLIS_BLESS=1");
    }
    let document = served.json();
    assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&json!("3.1.0"), &json!("/api/auth")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_the_prefix_that_is_configured() {
    let gateway = gateway().set("SERVER__PREFIX", "/sso").start().await;
    let document = gateway.api().get("/api/sso/openapi.json").await.json();
    assert_eq!(document["servers"][0]["url"], "/api/sso");
}

/// Examples are what their schemas say, but for those that show how that is refused.
#[test]
fn every_example_is_what_its_schema_says() {
    let document = Document::kept();
    for operation in document.operations() {
        for (name, example) in operation.requests() {
            let fits = document.fits(&operation.body["requestBody"]["content"]["application/json"]["schema"], &example);
            match &*name {
                "invalid_request" => assert!(!fits, "{} {name}: {example}", operation.id),
                "validation" => {}
                _ => assert!(fits, "{} {name}: {example}", operation.id),
            }
        }
        for reply in document.replies(&operation) {
            for (name, example) in examples(&reply.content) {
                assert!(document.fits(&reply.content["schema"], &example), "{} {} {name}: {example}", operation.id, reply.status);
            }
        }
    }
}

/// S4.1, S4.9: each request of the document, sent as it is written but for its tokens.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_gets_the_answer_that_it_is_named_after() {
    let document = Document::kept();
    let builder = with_mail(gateway()).set("ACCOUNTS__REGISTRATION", "open").user("alice", &[]);
    let world = World { gateway: builder.start().await };
    let written: BTreeSet<(String, String)> = document
        .operations()
        .flat_map(|operation| operation.requests().into_iter().map(move |(name, _)| (operation.id.clone(), name)))
        .collect();
    let run = EXAMPLES.iter().flat_map(|(id, names)| names.iter().map(|name| ((*id).to_owned(), (*name).to_owned()))).collect();
    assert_eq!(written, run, "the examples of the document are not those that are run here");
    assert_eq!(document.operations().count(), EXAMPLES.len());
    for (id, names) in EXAMPLES {
        let operation = document.operations().find(|operation| operation.id == id).unwrap();
        for name in names {
            let (_, example) = operation.requests().into_iter().find(|(found, _)| found == name).unwrap();
            let answer = world.send(&document, &operation, Some(&example)).await;
            document.check(&operation, name, &answer);
        }
        if names.is_empty() {
            let answer = world.send(&document, &operation, None).await;
            let success = document.replies(&operation).into_iter().find(|reply| reply.status == "200").unwrap();
            document.check(&operation, &examples(&success.content)[0].0, &answer);
        }
        world.check_common(&document, &operation).await;
    }
}

/// The document.
struct Document(Value);

/// One operation of it.
struct Operation {
    id: String,
    method: Method,
    path: String,
    body: Value,
}

/// One answer of an operation.
struct Reply {
    status: String,
    kind: Option<String>,
    content: Value,
    headers: Vec<String>,
}

impl Document {
    fn kept() -> Self {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT)).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    fn operations(&self) -> impl Iterator<Item = Operation> {
        let server = text(&self.0["servers"][0], "url");
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths.flat_map(move |(path, methods)| {
            methods.as_object().unwrap().iter().map(move |(method, body)| Operation {
                id: text(body, "operationId").to_owned(),
                method: method.to_uppercase().parse().unwrap(),
                path: format!("{server}{path}"),
                body: body.clone(),
            })
        })
    }

    /// All answers of an operation.
    fn replies(&self, operation: &Operation) -> Vec<Reply> {
        let replies = operation.body["responses"].as_object().unwrap().iter();
        let reply = |(status, reply): (&String, &Value)| {
            let reply = reply["$ref"].as_str().map_or(reply, |at| self.0.pointer(at.trim_start_matches('#')).unwrap());
            let first = reply["content"].as_object().and_then(|content| content.iter().next());
            let (kind, content) = first.map_or((None, Value::Null), |(kind, content)| (Some(kind.clone()), content.clone()));
            let headers = reply["headers"].as_object().map(|headers| headers.keys().cloned().collect());
            Reply { status: status.clone(), kind, content, headers: headers.unwrap_or_default() }
        };
        replies.map(reply).collect()
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        jsonschema::draft202012::new(&whole).unwrap().is_valid(value)
    }

    /// Whether an answer is the one with this example, as the document says it: status, type, headers, schema, and the example but
    /// for what differs from time to time.
    fn check(&self, operation: &Operation, name: &str, answer: &Answer) {
        let what = format!("{} {name}: {} {}", operation.id, answer.status, answer.text());
        let replies = self.replies(operation);
        let named = |reply: &&Reply| examples(&reply.content).iter().any(|(found, _)| found == name);
        let Some(reply) = replies.iter().find(named) else {
            assert!(answer.status == 204 && answer.body.is_empty() && replies.iter().any(|reply| reply.status == "204"), "{what}");
            return;
        };
        assert_eq!(answer.status.to_string(), reply.status, "{what}");
        assert_eq!(answer.header("content-type"), reply.kind.as_deref(), "{what}");
        for header in &reply.headers {
            assert!(answer.header(header).is_some(), "{what}: {header}");
        }
        assert!(self.fits(&reply.content["schema"], &answer.json()), "{what}");
        let (_, example) = examples(&reply.content).into_iter().find(|(found, _)| found == name).unwrap();
        if answer.status < 400 {
            assert!(has_members_of(&answer.json(), &example), "{what}");
        } else {
            let mut told = answer.json();
            told.as_object_mut().unwrap().remove("requestId");
            assert_eq!(told, example, "{what}");
        }
    }
}

impl Operation {
    /// Its examples of requests.
    fn requests(&self) -> Vec<(String, Value)> {
        examples(&self.body["requestBody"]["content"]["application/json"])
    }

    fn is_authorized(&self) -> bool {
        self.body.get("security").is_some()
    }
}

/// Names and values.
fn examples(content: &Value) -> Vec<(String, Value)> {
    let examples = content["examples"].as_object().into_iter().flatten();
    examples.map(|(name, example)| (name.clone(), example["value"].clone())).collect()
}

/// Whether an answer has all members that the example shows, as deep as they are objects in both.
fn has_members_of(answer: &Value, example: &Value) -> bool {
    let (Some(found), Some(shown)) = (answer.as_object(), example.as_object()) else { return true };
    shown.iter().all(|(name, value)| found.get(name).is_some_and(|found| has_members_of(found, value)))
}

/// Where the requests are sent to.
struct World {
    gateway: TestGateway,
}

impl World {
    /// Sends a request with real tokens in place of those of the document.
    async fn send(&self, document: &Document, operation: &Operation, example: Option<&Value>) -> Answer {
        let mut api = self.gateway.api();
        let Some(example) = example else {
            self.present(&mut api, operation).await;
            return api.send(operation.method.clone(), &operation.path, None).await;
        };
        let tokens = self.present(&mut api, operation).await;
        let mut written = example.to_string();
        let shown = |id: &str, name: &str| {
            let operation = document.operations().find(|operation| operation.id == id).unwrap();
            operation.requests().into_iter().find(|(found, _)| found == name).unwrap().1
        };
        if let Some(tokens) = tokens {
            written = written.replace(text(&shown("refresh", "renewed"), "refreshToken"), text(&tokens, "refreshToken"));
        }
        let reset = shown("confirmPasswordReset", "set")["token"].as_str().unwrap().to_owned();
        if written.contains(&reset) {
            written = written.replace(&reset, &self.reset_token().await);
        }
        api.send(operation.method.clone(), &operation.path, Some(&serde_json::from_str(&written).unwrap())).await
    }

    /// Signs ada in, who has registered by the first example, where that matters.
    async fn present(&self, api: &mut ApiClient, operation: &Operation) -> Option<Value> {
        if !operation.is_authorized() && operation.id != "refresh" {
            return None;
        }
        let tokens = api.post("/api/auth/login", &json!({ "username": "ada", "password": PASSWORD })).await.json();
        if operation.is_authorized() {
            present(api, &tokens);
        }
        Some(tokens)
    }

    /// The token of the last link that ada was mailed.
    async fn reset_token(&self) -> String {
        let asked = self.gateway.api().post("/api/auth/password-reset/request", &json!({ "email": "ada@example.com" })).await;
        assert_eq!(asked.status, 202, "{}", asked.text());
        let mails = Mailbox::of(&self.gateway).rest(&self.gateway).await;
        let last = mails.iter().rev().find(|mail| mail.text.contains("/auth/reset?token="));
        last.expect("a link was mailed").token()
    }

    /// What operations of a kind have in common.
    async fn check_common(&self, document: &Document, operation: &Operation) {
        let mut api = self.gateway.api();
        if operation.is_authorized() {
            let answer = api.send(operation.method.clone(), &operation.path, None).await;
            document.check(operation, "unauthorized", &answer);
            api.authorization = Some("Bearer no-token".to_owned());
            let answer = api.send(operation.method.clone(), &operation.path, None).await;
            document.check(operation, "invalid_token", &answer);
        }
        if operation.body.get("requestBody").is_some() && operation.id != "confirmPasswordReset" {
            self.present(&mut api, operation).await;
            let url = self.gateway.browser().url(&operation.path);
            let bearer = api.authorization.clone().unwrap_or_else(|| "none".to_owned());
            let headers = [("content-type", "text/plain"), ("authorization", &*bearer)];
            let answer = api.agent.send(operation.method.clone(), &url, &headers, "{}").await;
            document.check(operation, "unsupported_media_type", &answer);
        }
    }
}
