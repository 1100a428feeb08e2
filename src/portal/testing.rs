//! What the portal's tests share.

pub(crate) mod site;

use super::assets::{Assets, Look};
use super::{Arrival, Presence, Visit};
use crate::account::AccountId;
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::host::Host;
use crate::session::{Session, SessionUser};
use crate::token::RefreshToken;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// Defaults, one host-less route, open registration, `/landing`.
pub(crate) fn settings() -> Settings {
    loaded("portal: { landing: /landing }\nroutes: [{ upstream: sample }]\naccounts: { registration: open }")
}

/// The settings that a configuration says.
pub(crate) fn loaded(yaml: &str) -> Settings {
    let folder = std::path::Path::new("/nowhere");
    crate::config::load_str(yaml, folder, &[]).unwrap_or_else(|report| panic!("{report}")).settings
}

/// A visit by nobody to an origin.
pub(crate) fn visit(origin: &str) -> Visit {
    let (scheme, authority) = origin.split_once("://").unwrap();
    Visit {
        https: scheme == "https",
        host: Host::parse_authority(authority).unwrap().0,
        authority: authority.to_owned(),
        client: Some([192, 0, 2, 1].into()),
        request_id: "request-1".into(),
        session: Presence::Nobody,
        arrival: Arrival { peer: Some([192, 0, 2, 1].into()), trusted: false, tls: scheme == "https", told_https: false },
    }
}

/// A session of 12 hours that began at the epoch.
pub(crate) fn session(username: &str) -> Session {
    Session {
        user: SessionUser {
            id: AccountId(uuid::Uuid::nil()),
            username: username.into(),
            name: String::new(),
            email: "alice@example.com".into(),
            groups: vec!["users".into()],
            version: 1,
        },
        created_at: Timestamp(0),
        last_seen: Timestamp(0),
        idle_timeout: 30 * MINUTE,
        expires_at: Timestamp(0).plus(12 * HOUR),
        remember: false,
        client: None,
        user_agent: String::new(),
        confirmed_at: Some(Timestamp(0)),
    }
}

/// A program that signed in at the epoch, for a week.
pub(crate) fn program(user_agent: &str) -> RefreshToken {
    RefreshToken {
        id: uuid::Uuid::from_u128(8),
        account: AccountId(uuid::Uuid::nil()),
        family: uuid::Uuid::from_u128(7),
        predecessor: None,
        generation: 1,
        began_at: Timestamp(0),
        issued_at: Timestamp(0),
        expires_at: Timestamp(0).plus(7 * 24 * HOUR),
        client: None,
        user_agent: user_agent.into(),
    }
}

/// What hostile users call themselves.
pub(crate) const HOSTILE: &str = r#""><svg onload=alert(1)>'</title>&amp;"#;

/// Renders a page and checks what holds for all: one heading, one `main`, a language, labels, nothing unescaped or inline.
pub(crate) fn rendered(name: &str, page: &impl askama::Template) -> String {
    let html = page.render().unwrap();
    for (what, count) in
        [("<h1>", 1), ("<main", 1), ("<html lang=\"en\"", 1), ("<title>", 1), ("<svg onload", 0), (" style=", 0), ("<style", 0)]
    {
        assert_eq!(html.matches(what).count(), count, "{name}: {what} in {html}");
    }
    for input in html.split("<input ").skip(1) {
        let tag = input.split('>').next().unwrap();
        let id = tag.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
        let labelled = id.is_some_and(|id| html.contains(&format!("<label for=\"{id}\"")));
        assert!(labelled || tag.contains("hidden"), "{name}: no label for {tag}");
        assert!(!tag.contains("maxlength"), "{name}: a password that is cut silently: {tag}");
    }
    html
}

/// The looks of the default settings.
pub(crate) fn look() -> std::sync::Arc<Look> {
    Assets::load(&super::assets::tests::plain_ui(), "/auth").unwrap().look()
}
