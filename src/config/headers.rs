//! `identity`, and the headers that routes set and remove: which names may be written, and which are not ours to touch.

use super::HeaderChanges;
use super::field::Field;
use super::section::Section;
use crate::identity::{AlsoHeaders, IdentityHeaders, folded};
use http::{HeaderName, HeaderValue};

/// Framing and connection (RFC 9110 sections 7.6.1 and 8.6), and what the gateway itself writes.
const NEVER: [&str; 20] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "content-length",
    "content-encoding",
    "expect",
    "host",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-request-id",
    "traceparent",
];

pub(super) fn identity(root: &mut Section<'_>) -> IdentityHeaders {
    let mut section = root.section("identity");
    let mut names = section.section("headers");
    let default = IdentityHeaders::default();
    let mut headers =
        IdentityHeaders {
            user: names.read("user", default.user, identity_name),
            id: names.read("id", default.id, identity_name),
            email: names.read("email", default.email, identity_name),
            name: names.read("name", default.name, identity_name),
            groups: names.read("groups", default.groups, identity_name),
            assertion: names
                .read("assertion", default.assertion, |field| if field.is_null() { Some(None) } else { identity_name(field).map(Some) }),
            also: Vec::new(),
        };
    all_different(&names, &headers);
    names.finish();
    headers.also = section.read("also", Vec::new(), also);
    section.finish();
    headers
}

/// Two values under one name would let the one pass for the other: a display name for a user name.
fn all_different(section: &Section<'_>, headers: &IdentityHeaders) {
    let named =
        [("user", &headers.user), ("id", &headers.id), ("email", &headers.email), ("name", &headers.name), ("groups", &headers.groups)];
    let named: Vec<(&str, &HeaderName)> = named.into_iter().chain(headers.assertion.iter().map(|name| ("assertion", name))).collect();
    for (index, (key, name)) in named.iter().enumerate() {
        let same = |other: &&(&str, &HeaderName)| folded(other.1.as_str().as_bytes()) == folded(name.as_str().as_bytes());
        if let Some((other, _)) = named[..index].iter().find(same) {
            section.error(key, format!("has the name of `{other}`, give each a name of its own"));
        }
    }
}

fn identity_name(field: &Field<'_>) -> Option<HeaderName> {
    let name = header_name(field)?;
    let taken = ["authorization", "cookie", "set-cookie", "content-type", "accept", "origin", "referer", "user-agent", "range"];
    let fetch = name.as_str().starts_with("sec-") || name.as_str().starts_with("if-");
    if NEVER.contains(&name.as_str()) || taken.contains(&name.as_str()) || fetch {
        return field.error(format!("{name} has a meaning of its own in HTTP, write for example X-User"));
    }
    Some(name)
}

fn also(field: &Field<'_>) -> Option<Vec<AlsoHeaders>> {
    let families = [
        ("remote-user", AlsoHeaders::RemoteUser),
        ("x-forwarded-user", AlsoHeaders::XForwardedUser),
        ("x-auth-request", AlsoHeaders::XAuthRequest),
    ];
    let mut listed = field.list(|field| field.word(&families))?;
    let mut seen = Vec::new();
    listed.retain(|family| {
        let new = !seen.contains(family);
        seen.push(*family);
        new
    });
    Some(listed)
}

/// `request_headers` of a route. Identity headers cannot be set: what an upstream is told of the user is the session's.
pub(super) fn request(route: &mut Section<'_>, identity: &IdentityHeaders) -> HeaderChanges {
    let reserved = identity.reserved();
    changes(route, "request_headers", |name| {
        let cookie = (name == "cookie").then_some("carries the browser's cookies, which pass on their own");
        let user = reserved.contains(&folded(name.as_str().as_bytes())).then_some("speaks of the user, which only the gateway does");
        cookie.or(user)
    })
}

/// `response_headers` of a route.
pub(super) fn response(route: &mut Section<'_>) -> HeaderChanges {
    changes(route, "response_headers", |name| {
        (name == "set-cookie").then_some("carries cookies, which only the application and the gateway set")
    })
}

fn changes(route: &mut Section<'_>, key: &str, refused: impl Fn(&HeaderName) -> Option<&'static str>) -> HeaderChanges {
    let mut section = route.section(key);
    let set = section.read("set", Vec::new(), |field| set(field, &refused));
    let remove = section.read("remove", Vec::new(), |field| field.list(changeable));
    section.finish();
    HeaderChanges { set, remove }
}

fn set(field: &Field<'_>, refused: impl Fn(&HeaderName) -> Option<&'static str>) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let allowed = "write a map such as { X-Robots-Tag: noindex }";
    let mut names: Vec<HeaderName> = Vec::new();
    let mut listed = Vec::new();
    for (entry, field) in field.section()?.entries() {
        let report = |message: String| field.findings().error(&entry.place, field.path(), message);
        let Ok(name) = HeaderName::from_bytes(entry.key.as_bytes()) else {
            report(format!("is not the name of a header, {allowed}"));
            continue;
        };
        if let Some(reason) = refused(&name).or_else(|| NEVER.contains(&name.as_str()).then_some("is the gateway's own to write")) {
            report(format!("{name} {reason}, leave it out"));
        }
        if names.contains(&name) {
            report(format!("{name} is set twice, keep one of the two"));
        }
        names.push(name.clone());
        let value = field.parse("the value of a header", "write one line of ASCII text", header_value);
        listed.extend(value.map(|value| (name, value)));
    }
    Some(listed)
}

fn header_value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok().filter(|_| text.is_ascii() && text.trim() == text)
}

fn changeable(field: &Field<'_>) -> Option<HeaderName> {
    let name = header_name(field)?;
    if NEVER.contains(&name.as_str()) { field.error(format!("{name} is the gateway's own to write, leave it out")) } else { Some(name) }
}

fn header_name(field: &Field<'_>) -> Option<HeaderName> {
    field.parse("the name of a header", "write for example X-User", |text| HeaderName::from_bytes(text.as_bytes()).ok())
}
