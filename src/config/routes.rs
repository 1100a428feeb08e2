//! `routes`: which host and path lead to which upstream.

use super::field::Field;
use super::file::Place;
use super::section::Section;
use super::{Route, ServerSettings, Upstream, UpstreamScheme, certificates, headers, upstream};
use crate::host::HostPattern;
use crate::identity::IdentityHeaders;
use base64::Engine as _;
use http::HeaderValue;
use zeroize::Zeroizing;

const EXAMPLE: &str = "write for example [{ upstream: \"http://127.0.0.1:3000\" }]";

/// All routes; `None` if one could not be read, which was reported then.
pub(super) fn routes(root: &mut Section<'_>, server: &ServerSettings, identity: &IdentityHeaders) -> Option<Vec<Route>> {
    root.required("routes", EXAMPLE, |field| {
        let listed = field
            .list(|field| route(field, server, identity).map(|read| Listed { read, place: field.place(), key: field.path().to_owned() }))?;
        if listed.is_empty() {
            return field.error(format!("is empty, {EXAMPLE}"));
        }
        for (index, route) in listed.iter().enumerate().filter(|(_, route)| route.read.addressed) {
            if let Some(first) = listed[..index].iter().find(|first| first.read.addressed && first.is_addressed_like(route)) {
                let message = format!("has the host and path of {}, so it would never be used", first.key);
                field.findings().error(route.place, &route.key, message);
            }
        }
        Some(listed.into_iter().map(|listed| listed.read.route).collect())
    })
}

/// A route and where it stands.
struct Listed<'a> {
    read: Read,
    place: &'a Place,
    key: String,
}

/// A route as far as it could be read.
struct Read {
    route: Route,
    /// Whether its host and path are what was written, and not what stands in for something wrong.
    addressed: bool,
}

impl Listed<'_> {
    fn is_addressed_like(&self, other: &Self) -> bool {
        (&self.read.route.host, &self.read.route.path) == (&other.read.route.host, &other.read.route.path)
    }
}

fn route(field: &Field<'_>, server: &ServerSettings, identity: &IdentityHeaders) -> Option<Read> {
    let mut section = field.section()?;
    let errors = field.findings().errors();
    let host = section.optional("host", host_pattern);
    let path = section.read("path", "/".into(), |field| path(field, &server.prefix));
    let addressed = field.findings().errors() == errors;
    let allowed = "write for example http://127.0.0.1:3000, unix:/run/app.sock, sample or none";
    let upstream = section.required("upstream", allowed, upstream::upstream);
    let upstream_tls = certificates::upstream(&mut section);
    if upstream.as_ref().is_some_and(|upstream| !speaks_tls(upstream)) && (upstream_tls.ca.is_some() || upstream_tls.client.is_some()) {
        section.error("upstream_tls", "has no effect on an upstream without https://, leave it out");
    }
    let strip_prefix = section.read("strip_prefix", false, Field::flag);
    let preserve_host = section.read("preserve_host", true, Field::flag);
    let mut timeouts = section.section("timeouts");
    let read_timeout = timeouts.optional("read", Field::positive_duration).unwrap_or(server.timeouts.upstream_read);
    timeouts.finish();
    let request_headers = headers::request(&mut section, identity);
    let response_headers = headers::response(&mut section);
    let encoded_slashes = section.read("encoded_slashes", false, Field::flag);
    let websocket_origins = section.read("websocket_origins", Vec::new(), |field| field.list(origin));
    let park_forms = section.read("park_forms", false, Field::flag);
    let basic_auth = section.optional("basic_auth", basic_auth);
    section.finish();
    let route = Route {
        host,
        path,
        upstream: upstream?,
        upstream_tls,
        strip_prefix,
        preserve_host,
        read_timeout,
        request_headers,
        response_headers,
        encoded_slashes,
        websocket_origins,
        park_forms,
        basic_auth,
    };
    Some(Read { route, addressed })
}

fn speaks_tls(upstream: &Upstream) -> bool {
    matches!(upstream, Upstream::Servers(servers) if servers.iter().any(|server| server.scheme == UpstreamScheme::Https))
}

pub(super) fn host_pattern(field: &Field<'_>) -> Option<HostPattern> {
    field.parse("a host", "write for example wiki.example.com or *.example.com, without scheme, port or path", HostPattern::parse)
}

/// A path prefix as requests are matched with: decoded, without parameters, `//` merged.
fn path(field: &Field<'_>, prefix: &str) -> Option<String> {
    let allowed = "write for example / or /wiki: a prefix that begins with /, decoded, without *, ?, #, ;, \\, // and dot segments";
    let path = field.parse("a path", allowed, |text| {
        let never_matches = text.contains("//") || text.contains(['*', '?', '#', ';', '\\']) || text.chars().any(char::is_control);
        let segments_sound = text.split('/').all(|segment| !matches!(segment, "." | "..") && !has_escape(segment));
        let trimmed = if text == "/" { text } else { text.strip_suffix('/').unwrap_or(text) };
        (text.starts_with('/') && !never_matches && segments_sound).then(|| trimmed.to_owned())
    })?;
    let below = |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    if below(prefix) || below(&format!("/api{prefix}")) {
        return field
            .error(format!("lies under the gateway's own pages ({prefix}), so it would never be used; change it or server.prefix"));
    }
    Some(path)
}

fn has_escape(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    bytes.windows(3).any(|window| window[0] == b'%' && window[1].is_ascii_hexdigit() && window[2].is_ascii_hexdigit())
}

/// An origin as browsers write it in `Origin` (RFC 6454): lower case, without the scheme's default port.
fn origin(field: &Field<'_>) -> Option<String> {
    field.parse("an origin", "write scheme, host and port, for example https://app.example.com", |text| {
        let url = url::Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()))?;
        let authority = text.split_once("://")?.1;
        let bare = !authority.trim_end_matches('/').contains(['/', '?', '#', '@', '*', '\\']);
        bare.then(|| url.origin().ascii_serialization())
    })
}

/// The whole value of `Authorization` (RFC 7617), never printed.
fn basic_auth(field: &Field<'_>) -> Option<HeaderValue> {
    let mut section = field.section()?;
    let username = section.required("username", "write the application's user name", |field| credential(field, true));
    let password = section.required("password", "write the application's password", |field| credential(field, false));
    section.finish();
    let pair = Zeroizing::new(format!("{}:{}", *username?, *password?));
    let encoded = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", *encoded)).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn credential(field: &Field<'_>, is_username: bool) -> Option<Zeroizing<String>> {
    let text = &field.scalar("write a text")?.text;
    if text.chars().any(char::is_control) {
        return field.error("has a control character, write one line of text");
    }
    if is_username && (text.is_empty() || text.contains(':')) {
        return field.error("must not be empty or have a colon (RFC 7617)");
    }
    Some(Zeroizing::new(text.clone()))
}
