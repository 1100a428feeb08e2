//! Which header names speak of identity, ours and the peers', and how names are compared.

use super::{Values, in_title_case};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::collections::HashSet;

/// `identity`: the names under which upstreams are told who the user is.
#[derive(Clone, Debug)]
pub struct IdentityHeaders {
    /// Sign-in name.
    pub user: HeaderName,
    /// Account id.
    pub id: HeaderName,
    /// Address, empty until verified.
    pub email: HeaderName,
    /// Display name.
    pub name: HeaderName,
    /// Groups, separated by commas.
    pub groups: HeaderName,
    /// Signed assertion; `None` where none is written.
    pub assertion: Option<HeaderName>,
    /// Other families of names to write.
    pub also: Vec<AlsoHeaders>,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        let name = HeaderName::from_static;
        Self {
            user: name("x-user"),
            id: name("x-user-id"),
            email: name("x-user-email"),
            name: name("x-user-name"),
            groups: name("x-user-groups"),
            assertion: Some(name("x-user-assertion")),
            also: Vec::new(),
        }
    }
}

/// `identity.also`: the names that comparable gateways use, for applications that were set up for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlsoHeaders {
    /// `Remote-User`, `-Groups`, `-Name`, `-Email`.
    RemoteUser,
    /// `X-Forwarded-User`, `-Groups`, `-Email`, `-Preferred-Username`.
    XForwardedUser,
    /// `X-Auth-Request-User`, `-Groups`, `-Email`, `-Preferred-Username`.
    XAuthRequest,
}

impl AlsoHeaders {
    const ALL: [Self; 3] = [Self::RemoteUser, Self::XForwardedUser, Self::XAuthRequest];

    /// The family's names: user, groups, email, and what carries the display or preferred name.
    const fn names(self) -> [&'static str; 4] {
        match self {
            Self::RemoteUser => ["remote-user", "remote-groups", "remote-email", "remote-name"],
            Self::XForwardedUser => ["x-forwarded-user", "x-forwarded-groups", "x-forwarded-email", "x-forwarded-preferred-username"],
            Self::XAuthRequest => {
                ["x-auth-request-user", "x-auth-request-groups", "x-auth-request-email", "x-auth-request-preferred-username"]
            }
        }
    }

    pub(crate) fn headers(self, values: &Values) -> [(HeaderName, HeaderValue); 4] {
        let [user, groups, email, name] = self.names().map(HeaderName::from_static);
        let last = if matches!(self, Self::RemoteUser) { &values.name } else { &values.user };
        [(user, values.user.clone()), (groups, values.groups.clone()), (email, values.email.clone()), (name, last.clone())]
    }
}

impl IdentityHeaders {
    /// The assertion's name as it is written by custom.
    #[must_use]
    pub fn assertion_title(&self) -> Option<Bytes> {
        self.assertion.as_ref().map(in_title_case)
    }

    /// The names configured for our own headers.
    pub(super) fn names(&self) -> impl Iterator<Item = &HeaderName> {
        [&self.user, &self.id, &self.email, &self.name, &self.groups].into_iter().chain(&self.assertion)
    }

    /// The names under which an upstream is told who the user is, those of `also` among them.
    #[must_use]
    pub fn told(&self) -> Vec<HeaderName> {
        let also = self.also.iter().flat_map(|family| family.names()).map(HeaderName::from_static);
        self.names().cloned().chain(also).collect()
    }

    /// The folded names that no client may send: those configured, the defaults, and every family that `also` knows.
    #[must_use]
    pub fn reserved(&self) -> HashSet<Vec<u8>> {
        let default = Self::default();
        let configured = self.names().chain(default.names()).map(|name| folded(name.as_str().as_bytes()));
        let known = AlsoHeaders::ALL.into_iter().flat_map(AlsoHeaders::names).map(|name| folded(name.as_bytes()));
        configured.chain(known).collect()
    }
}

/// The name as CGI, WSGI and PHP servers see it: lower case, every non-alphanumeric the same.
/// So `X_User` and `X.User` are `X-User` here as they are there (CVE-2026-88011 and its kin).
#[must_use]
pub fn folded(name: &[u8]) -> Vec<u8> {
    name.iter().map(|byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// threats.md A04, A05
    #[test]
    fn every_spelling_of_a_reserved_name_is_reserved() {
        let reserved = IdentityHeaders::default().reserved();
        for separator in "!#$%&'*+-.^_`|~".chars() {
            let name = format!("x{separator}USER{separator}groups");
            assert!(reserved.contains(&folded(name.as_bytes())), "{name}");
        }
        assert!(!reserved.contains(&folded(b"x-username")));
    }
}
