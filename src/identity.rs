//! The identity headers: what clients send of them is dropped, what we vouch for is written. Pure.

mod names;

pub use names::{AlsoHeaders, IdentityHeaders, folded};

use crate::session::SessionUser;
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

/// Who an upstream is told the user is, ready to be written into a request: names as they are written by custom
/// (`X-User`), and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity(Vec<(Bytes, HeaderValue)>);

impl Identity {
    /// The headers for a signed-in user, an empty one where nothing is known.
    #[must_use]
    pub fn of(user: &SessionUser, names: &IdentityHeaders) -> Self {
        let groups = user.groups.iter().map(|group| encode(group)).collect::<Vec<_>>().join(",");
        let values = Values {
            user: value(&encode(&user.username)),
            id: value(&user.id.to_string()),
            email: value(&encode(&user.email)),
            name: value(&encode(&user.name)),
            groups: value(&groups),
        };
        let mut headers = vec![
            (names.user.clone(), values.user.clone()),
            (names.id.clone(), values.id.clone()),
            (names.email.clone(), values.email.clone()),
            (names.name.clone(), values.name.clone()),
            (names.groups.clone(), values.groups.clone()),
        ];
        for also in &names.also {
            headers.extend(also.headers(&values));
        }
        Self(headers.into_iter().map(|(name, value)| (in_title_case(&name), value)).collect())
    }

    /// The headers where nobody is signed in: every name there is, the assertion's too, and nothing in it.
    #[must_use]
    pub fn nobody(names: &IdentityHeaders) -> Self {
        let nothing = || HeaderValue::from_static("");
        let values = Values { user: nothing(), id: nothing(), email: nothing(), name: nothing(), groups: nothing() };
        let also = names.also.iter().flat_map(|also| also.headers(&values)).map(|(name, _)| name);
        Self(names.names().cloned().chain(also).map(|name| (in_title_case(&name), nothing())).collect())
    }

    /// The headers, in a fixed order.
    pub fn headers(&self) -> impl Iterator<Item = (&Bytes, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// Names are equal in any case, but people and some old applications know them as `X-User`.
fn in_title_case(name: &HeaderName) -> Bytes {
    let mut before = b'-';
    let title = |byte: u8| {
        let titled = if before == b'-' { byte.to_ascii_uppercase() } else { byte };
        before = byte;
        titled
    };
    name.as_str().bytes().map(title).collect()
}

/// The values that every family of names is filled from.
pub(crate) struct Values {
    user: HeaderValue,
    id: HeaderValue,
    email: HeaderValue,
    name: HeaderValue,
    groups: HeaderValue,
}

/// What must not stand as it is in a header value: controls, and `%` since it begins an escape.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');

/// Percent-encoded UTF-8 where the text is not plain printable ASCII without `%`.
fn encode(text: &str) -> String {
    percent_encode(text.as_bytes(), ESCAPED).to_string()
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::AccountId;

    fn user(name: &str) -> SessionUser {
        SessionUser {
            id: AccountId(uuid::Uuid::nil()),
            username: "alice".into(),
            name: name.into(),
            email: "alice@example.com".into(),
            groups: vec!["users".into(), "editors".into()],
            version: 1,
        }
    }

    fn header(identity: &Identity, name: &str) -> String {
        let found = identity.headers().find(|(n, _)| n.as_ref() == name.as_bytes());
        found.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// C3, threats.md A10
    #[test]
    fn values_are_printable_ascii_whatever_the_user_chose() {
        let identity = Identity::of(&user("Zoë\r\nX-Role: 100%"), &IdentityHeaders::default());
        assert_eq!(header(&identity, "X-User-Name"), "Zo%C3%AB%0D%0AX-Role: 100%25");
        assert_eq!(header(&identity, "X-User"), "alice");
        assert_eq!(header(&identity, "X-User-Groups"), "users,editors");
    }

    #[test]
    fn peers_names_are_written_where_asked_for() {
        let names = IdentityHeaders { also: vec![AlsoHeaders::RemoteUser], ..IdentityHeaders::default() };
        let identity = Identity::of(&user("Alice"), &names);
        assert_eq!(header(&identity, "Remote-User"), "alice");
        assert_eq!(header(&identity, "Remote-Groups"), "users,editors");
        assert_eq!(header(&identity, "X-Auth-Request-User"), "");
    }
}
