//! One operation as the document shows it: what it takes, what it answers, and how it fails.

use super::{BEARER, INTERNAL, OUTAGE, TOO_LARGE, TOO_MANY, UNSUPPORTED};
use crate::portal::error_page::Fault;
use crate::portal::failure::UNAUTHORIZED;
use crate::portal::problem::Problem;
use http::StatusCode;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Components, Content, ContentBuilder, Header, HeaderBuilder, Paths, Ref, RefOr, Required, Response, ResponseBuilder};

/// An operation, and the schemas that it names.
pub(in super::super) struct Endpoint {
    path: &'static str,
    method: HttpMethod,
    operation: OperationBuilder,
    failures: BTreeMap<u16, Vec<Problem>>,
    schemas: Vec<(String, RefOr<Schema>)>,
}

/// A value, and the name of the answer that it is, or that it gets.
type Example = (&'static str, Value);

const JSON: &str = "application/json";

impl Endpoint {
    pub(in super::super) fn get(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Get, path, id, summary)
    }

    pub(in super::super) fn post(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Post, path, id, summary)
    }

    pub(in super::super) fn put(path: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self::new(HttpMethod::Put, path, id, summary)
    }

    fn new(method: HttpMethod, path: &'static str, id: &'static str, summary: &'static str) -> Self {
        let operation = OperationBuilder::new()
            .operation_id(Some(id))
            .summary(Some(summary))
            .response("500", Ref::from_response_name(INTERNAL))
            .response("503", Ref::from_response_name(OUTAGE));
        Self { path, method, operation, failures: BTreeMap::new(), schemas: Vec::new() }
    }

    /// What else is to be known.
    pub(in super::super) fn note(mut self, description: &'static str) -> Self {
        self.operation = self.operation.description(Some(description));
        self
    }

    /// The body that it reads.
    pub(in super::super) fn takes<T: ToSchema>(self, examples: impl IntoIterator<Item = Example>) -> Self {
        self.reads::<T>(Required::True, examples)
    }

    /// The body that it reads, if there is one.
    pub(in super::super) fn may_take<T: ToSchema>(self, examples: impl IntoIterator<Item = Example>) -> Self {
        self.reads::<T>(Required::False, examples)
    }

    fn reads<T: ToSchema>(mut self, required: Required, examples: impl IntoIterator<Item = Example>) -> Self {
        let body = RequestBodyBuilder::new().required(Some(required)).content(JSON, content(self.named::<T>(), examples));
        self.operation = self
            .operation
            .request_body(Some(body.build()))
            .response("413", Ref::from_response_name(TOO_LARGE))
            .response("415", Ref::from_response_name(UNSUPPORTED));
        self
    }

    /// What it answers where all is well.
    pub(in super::super) fn answers<T: ToSchema>(
        mut self,
        status: u16,
        description: &'static str,
        examples: impl IntoIterator<Item = Example>,
    ) -> Self {
        let schema = self.named::<T>();
        self.answers_with(status, description, schema, examples)
    }

    pub(super) fn answers_with(
        mut self,
        status: u16,
        description: &'static str,
        schema: impl Into<RefOr<Schema>>,
        examples: impl IntoIterator<Item = Example>,
    ) -> Self {
        let response = ResponseBuilder::new()
            .description(description)
            .header("Cache-Control", header("Always `no-store`."))
            .content(JSON, content(schema, examples));
        self.operation = self.operation.response(status.to_string(), response.build());
        self
    }

    /// It answers no more than that all is well.
    pub(in super::super) fn answers_nothing(mut self, status: u16, description: &'static str) -> Self {
        self.operation = self.operation.response(status.to_string(), ResponseBuilder::new().description(description).build());
        self
    }

    /// How it fails, beside what all endpoints do.
    pub(in super::super) fn fails(mut self, problems: impl IntoIterator<Item = Problem>) -> Self {
        for problem in problems {
            self.failures.entry(problem.status().as_u16()).or_default().push(problem);
        }
        self
    }

    /// It takes an access token.
    pub(in super::super) fn authorized(mut self) -> Self {
        self.operation = self.operation.security(SecurityRequirement::new(BEARER, [] as [&str; 0]));
        self.fails([UNAUTHORIZED.problem(), Problem::of(&Fault::InvalidToken)])
    }

    /// Its attempts are limited.
    pub(in super::super) fn limited(mut self) -> Self {
        self.operation = self.operation.response("429", Ref::from_response_name(TOO_MANY));
        self
    }

    /// Enters it into the document.
    pub(super) fn enter(self, paths: &mut Paths, components: &mut Components) {
        let failures = self.failures.iter().map(|(status, found)| (status.to_string(), problems(*status, found)));
        let operation = failures.fold(self.operation, |operation, (status, response)| operation.response(status, response));
        paths.add_path_operation(self.path, vec![self.method], operation.build());
        components.schemas.extend(self.schemas);
    }

    fn named<T: ToSchema>(&mut self) -> Ref {
        self.schemas.extend(named::<T>());
        Ref::from_schema_name(T::name())
    }
}

/// The schema of a type, and of all that it is made of.
pub(super) fn named<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

/// The answer with this status where one of these has happened.
pub(super) fn problems(status: u16, problems: &[Problem]) -> Response {
    let examples = problems.iter().filter_map(|problem| Some((problem.code().to_owned(), serde_json::to_value(problem).ok()?)));
    let content = content(Ref::from_schema_name(Problem::name()), examples);
    let response = ResponseBuilder::new().description(reason(status)).content("application/problem+json", content);
    headers(status, problems).into_iter().fold(response, |response, (name, told)| response.header(name, header(told))).build()
}

fn headers(status: u16, problems: &[Problem]) -> Vec<(&'static str, &'static str)> {
    let challenge = ("WWW-Authenticate", "What is wrong with the credential, or that there is none (RFC 6750 section 3).");
    let retry_after = ("Retry-After", "Seconds to wait.");
    match status {
        401 => vec![challenge],
        403 if problems.iter().any(Problem::challenges) => vec![challenge],
        429 => vec![
            retry_after,
            ("RateLimit", "What is left, and when there is more (draft-ietf-httpapi-ratelimit-headers)."),
            ("RateLimit-Policy", "The limit: how many in how many seconds."),
        ],
        503 => vec![retry_after],
        _ => Vec::new(),
    }
}

/// What a status means here.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "What was sent cannot be taken.",
        409 => "Somebody else has it.",
        _ => StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default(),
    }
}

fn header(description: &'static str) -> Header {
    let text = ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).build();
    HeaderBuilder::new().schema(text).description(Some(description)).build()
}

fn content<N: Into<String>>(schema: impl Into<RefOr<Schema>>, examples: impl IntoIterator<Item = (N, Value)>) -> Content {
    let examples = examples.into_iter().map(|(name, value)| (name, ExampleBuilder::new().value(Some(value)).build()));
    ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build()
}
