//! Cookies as a browser keeps them (RFC 6265bis), with the rules of the `__Host-` and `__Secure-` prefixes and of
//! `Secure` spelt out, since tests of those rules must not lean on a library's leniency.

use cookie::Cookie;
use url::{Host, Url};

/// A cookie that was accepted.
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of its own in RFC 6265bis")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCookie {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// Host that set it, or the domain it is for.
    pub domain: String,
    /// Whether it is sent to that very host only.
    pub host_only: bool,
    /// Path it is for.
    pub path: String,
    /// Whether it is sent over `https` only.
    pub secure: bool,
    /// Whether scripts cannot read it.
    pub http_only: bool,
    /// `SameSite` as spelt by the `cookie` crate.
    pub same_site: Option<cookie::SameSite>,
    /// Whether it outlives the browser.
    pub persistent: bool,
}

/// Cookies of one browser.
#[derive(Clone, Debug, Default)]
pub struct CookieJar {
    cookies: Vec<StoredCookie>,
    refused: Vec<String>,
}

impl CookieJar {
    /// Takes a `Set-Cookie` header of an answer from `url`; what a browser would refuse is kept under [`Self::refused`].
    pub fn store(&mut self, url: &Url, set_cookie: &str) {
        let Some(cookie) = Cookie::parse(set_cookie).ok().and_then(|cookie| accept(url, &cookie).map(|stored| (cookie, stored))) else {
            self.refused.push(set_cookie.to_owned());
            return;
        };
        let (cookie, stored) = cookie;
        self.cookies.retain(|old| (&old.name, &old.domain, &old.path) != (&stored.name, &stored.domain, &stored.path));
        if !is_expired(&cookie) {
            self.cookies.push(stored);
        }
    }

    /// The `Cookie` header for a request to `url`, longest path first.
    pub fn header(&self, url: &Url) -> Option<String> {
        let mut sent: Vec<&StoredCookie> = self.cookies.iter().filter(|cookie| matches(cookie, url)).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The cookie of that name.
    pub fn get(&self, name: &str) -> Option<&StoredCookie> {
        self.cookies.iter().find(|cookie| cookie.name == name)
    }

    /// Names in the order they were set.
    pub fn names(&self) -> Vec<&str> {
        self.cookies.iter().map(|cookie| cookie.name.as_str()).collect()
    }

    /// Plants a host-only cookie, as an attacker on a neighbouring host could.
    pub fn plant(&mut self, url: &Url, name: &str, value: &str) {
        self.store(url, &format!("{name}={value}; Path=/"));
    }

    /// Forgets one cookie.
    pub fn remove(&mut self, name: &str) {
        self.cookies.retain(|cookie| cookie.name != name);
    }

    /// `Set-Cookie` headers that a browser would not have obeyed.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }
}

/// RFC 6265bis section 5.7: what is stored, or `None` where a browser ignores the header.
fn accept(url: &Url, cookie: &Cookie<'_>) -> Option<StoredCookie> {
    let host = url.host_str()?.to_ascii_lowercase();
    let is_https = url.scheme() == "https";
    let secure = cookie.secure().unwrap_or(false);
    let domain = cookie.domain().map(|domain| domain.trim_start_matches('.').to_ascii_lowercase()).filter(|domain| !domain.is_empty());
    let path = cookie.path().filter(|path| path.starts_with('/'));
    let name = cookie.name().to_ascii_lowercase();
    if secure && !is_https {
        return None;
    }
    if name.starts_with("__secure-") && !secure {
        return None;
    }
    if name.starts_with("__host-") && (!secure || domain.is_some() || path != Some("/")) {
        return None;
    }
    if domain.as_deref().is_some_and(|domain| !covers(domain, url)) {
        return None;
    }
    Some(StoredCookie {
        name: cookie.name().to_owned(),
        value: cookie.value().to_owned(),
        host_only: domain.is_none(),
        domain: domain.unwrap_or(host),
        path: path.map_or_else(|| default_path(url), str::to_owned),
        secure,
        http_only: cookie.http_only().unwrap_or(false),
        same_site: cookie.same_site(),
        persistent: cookie.max_age().is_some() || cookie.expires_datetime().is_some(),
    })
}

fn is_expired(cookie: &Cookie<'_>) -> bool {
    if let Some(age) = cookie.max_age() {
        return !age.is_positive();
    }
    // Whoever deletes a cookie by date names one long past, so no clock is needed.
    cookie.expires_datetime().is_some_and(|date| date.year() < 2000)
}

fn matches(cookie: &StoredCookie, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let right_host = if cookie.host_only { host.eq_ignore_ascii_case(&cookie.domain) } else { covers(&cookie.domain, url) };
    let path = url.path();
    let right_path = path == cookie.path
        || path.strip_prefix(cookie.path.as_str()).is_some_and(|rest| cookie.path.ends_with('/') || rest.starts_with('/'));
    right_host && right_path && (!cookie.secure || url.scheme() == "https")
}

fn covers(domain: &str, url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(host)) => {
            let host = host.to_ascii_lowercase();
            host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        }
        _ => url.host_str() == Some(domain),
    }
}

fn default_path(url: &Url) -> String {
    match url.path().rfind('/') {
        Some(0) | None => "/".to_owned(),
        Some(end) => url.path()[..end].to_owned(),
    }
}
