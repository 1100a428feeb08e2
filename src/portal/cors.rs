//! Requests that pages of other origins make to the API (Fetch standard, section 3.2): answered so that no page may read them,
//! but those of the origins that `api.allowed_origins` lists. Credentials are never allowed: the API takes no cookies, and a page
//! that has a token needs none. Pure; the gateway asks for every answer of its own, so that refusals can be read, too.

use super::headers;
use crate::config::Settings;
use crate::routing::is_api;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

/// Which pages may.
pub struct Cors {
    origins: Vec<String>,
    prefix: String,
}

/// Every method that the API takes from pages, and the headers that they may set.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT");
const HEADERS: HeaderValue = HeaderValue::from_static("Authorization, Content-Type");

/// What pages may read of an answer beside what the standard lets them.
const EXPOSED: HeaderValue = HeaderValue::from_static("Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate");

/// Seconds for which browsers need not ask again: as long as an origin that is taken off the list may still be let through.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

impl Cors {
    /// As configured; `None` where no origin is listed.
    #[must_use]
    pub fn of(settings: &Settings) -> Option<Self> {
        let origins = settings.api.allowed_origins.clone();
        (!origins.is_empty()).then(|| Self { origins, prefix: settings.server.prefix.clone() })
    }

    /// The answer to a browser that asks what it may send to this (normalised) path, if that is what this request is. It carries
    /// no credential yet, so none is looked for.
    #[must_use]
    pub fn preflight(&self, method: &Method, path: &[u8], request: &HeaderMap) -> Option<Response<Bytes>> {
        let asks = method == Method::OPTIONS && request.contains_key(ORIGIN) && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !self.covers(path) {
            return None;
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let told = response.headers_mut();
        if self.listed(request).is_some() {
            told.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            told.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
            told.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        headers::protect(told);
        Some(response)
    }

    /// Adds to an answer whether the page that asked may read it.
    pub fn tell(&self, path: &[u8], request: &HeaderMap, response: &mut HeaderMap) {
        if !self.covers(path) {
            return;
        }
        response.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = self.listed(request) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }

    /// The API, and the keys that its tokens are verified with.
    fn covers(&self, path: &[u8]) -> bool {
        is_api(path, &self.prefix) || path == b"/.well-known/jwks.json"
    }

    /// The origin of the page, if there is one and it is listed. Compared byte for byte: browsers write it in one way only, and
    /// `null`, which any sandboxed frame can claim, cannot be listed.
    fn listed<'a>(&self, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut origins = request.get_all(ORIGIN).iter();
        let origin = origins.next().filter(|_| origins.next().is_none())?;
        self.origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then_some(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::loaded;

    fn cors() -> Cors {
        let yaml = "api: { allowed_origins: ['https://app.example.com', 'http://localhost:5173'] }\nroutes: [{ upstream: sample }]";
        Cors::of(&loaded(yaml)).unwrap()
    }

    fn from(origins: &[&'static str]) -> HeaderMap {
        let origins = origins.iter().map(|origin| (ORIGIN, HeaderValue::from_static(origin)));
        origins.chain([(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"))]).fold(
            HeaderMap::new(),
            |mut all, (name, value)| {
                all.append(name, value);
                all
            },
        )
    }

    /// What a page of these origins is told.
    fn told(origins: &[&'static str], path: &str) -> HeaderMap {
        let mut answer = HeaderMap::new();
        cors().tell(path.as_bytes(), &from(origins), &mut answer);
        answer
    }

    #[test]
    fn it_is_off_where_no_origin_is_listed() {
        assert!(Cors::of(&loaded("routes: [{ upstream: sample }]")).is_none());
    }

    #[test]
    fn an_origin_counts_byte_for_byte_and_alone() {
        for listed in ["https://app.example.com", "http://localhost:5173"] {
            assert_eq!(told(&[listed], "/api/auth/login")[ACCESS_CONTROL_ALLOW_ORIGIN], listed);
        }
        let others: [&[&'static str]; 9] = [
            &[],
            &["null"],
            &["https://app.example.com:443"],
            &["http://app.example.com"],
            &["https://APP.example.com"],
            &["https://app.example.com.evil.test"],
            &["https://app.example.com/"],
            &["https://app.example.com", "https://app.example.com"],
            &["https://app.example.com", "https://evil.test"],
        ];
        for origins in others {
            let answer = told(origins, "/api/auth/login");
            assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{origins:?}");
            assert_eq!(answer[VARY], "Origin", "{origins:?}");
        }
    }

    #[test]
    fn pages_and_applications_are_not_covered() {
        for path in ["/auth/login", "/api/authority", "/api", "/", "/wiki", "/.well-known/change-password"] {
            assert!(told(&["https://app.example.com"], path).is_empty(), "{path}");
        }
        assert!(told(&["https://app.example.com"], "/.well-known/jwks.json").contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }

    #[test]
    fn credentials_are_never_allowed() {
        let preflight = cors().preflight(&Method::OPTIONS, b"/api/auth/profile", &from(&["https://app.example.com"])).unwrap();
        assert_eq!(preflight.headers()[ACCESS_CONTROL_ALLOW_METHODS], "GET, POST, PUT");
        let headers = preflight.headers().keys().chain(told(&["https://app.example.com"], "/api/auth").keys()).cloned().collect::<Vec<_>>();
        assert!(headers.iter().all(|name| name != "access-control-allow-credentials"), "{headers:?}");
    }

    #[test]
    fn an_ordinary_request_is_no_preflight() {
        let mut plain = from(&["https://app.example.com"]);
        assert!(cors().preflight(&Method::POST, b"/api/auth/login", &plain).is_none());
        assert!(cors().preflight(&Method::OPTIONS, b"/wiki", &plain).is_none());
        plain.remove(ACCESS_CONTROL_REQUEST_METHOD);
        assert!(cors().preflight(&Method::OPTIONS, b"/api/auth/login", &plain).is_none());
    }
}
