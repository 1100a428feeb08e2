//! From Pingora to axum: our own pages and API are an ordinary router, called in-process. Bodies are read whole first,
//! within a size and a time.

use crate::portal::Visit;
use crate::portal::error_page::Fault;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use pingora::Result;
use pingora::http::ResponseHeader;
use pingora::proxy::Session as Exchange;
use std::time::Duration;
use tower::ServiceExt as _;

/// Longest a client may take to send the body of a request to one of our pages.
const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// Largest answer of a page; assets included.
const MAX_ANSWER: usize = 16 << 20;

/// The router's answer to the request, at `path` if given, else where the client asked.
///
/// # Errors
/// The refusal to answer with instead: the body was too large or too slow.
pub async fn call(
    exchange: &mut Exchange,
    router: &axum::Router,
    visit: Visit,
    path: Option<&str>,
    limit: usize,
) -> Result<Response<Bytes>, Fault> {
    let mut parts = exchange.req_header().as_owned_parts();
    if let Some(path) = path {
        parts.uri = path.parse().map_err(|_| Fault::Internal)?;
    }
    let declared = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(Fault::PayloadTooLarge);
    }
    let body = read_body(exchange, limit).await?;
    parts.headers.remove(TRANSFER_ENCODING);
    parts.extensions.insert(visit);
    let response = match router.clone().oneshot(Request::from_parts(parts, Body::from(body))).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (parts, body) = response.into_parts();
    match Limited::new(body, MAX_ANSWER).collect().await {
        Ok(body) => Ok(Response::from_parts(parts, body.to_bytes())),
        Err(error) => {
            tracing::error!(event = "page_failed", %error, "a page could not be collected");
            Err(Fault::Internal)
        }
    }
}

/// The whole body.
///
/// # Errors
/// The refusal to answer with instead: it was too large or too slow.
pub async fn read_body(exchange: &mut Exchange, limit: usize) -> Result<Bytes, Fault> {
    tokio::time::timeout(BODY_DEADLINE, read_to_the_end(exchange, limit)).await.map_err(|_late| Fault::RequestTimeout)?
}

async fn read_to_the_end(exchange: &mut Exchange, limit: usize) -> Result<Bytes, Fault> {
    if exchange.is_body_empty() {
        return Ok(Bytes::new());
    }
    if exchange.req_header().headers.contains_key(EXPECT) {
        let go_on = ResponseHeader::build(100, None).map_err(|_| Fault::Internal)?;
        exchange.write_response_header(Box::new(go_on), false).await.map_err(|_| Fault::Internal)?;
    }
    let mut body = BytesMut::new();
    loop {
        match exchange.read_request_body().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => return Err(Fault::PayloadTooLarge),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(_broken) => return Err(Fault::BadRequest("The body could not be read.")),
        }
    }
}
