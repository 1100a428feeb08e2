//! What the portal's tests share.

use super::assets::{Assets, Look};
use super::{Presence, Visit};
use crate::account::{AccountId, PasswordProfile};
use crate::clock::Timestamp;
use crate::config::{
    AccountSettings, CookieSettings, HashAlgorithm, HeaderChanges, Limits, LogSettings, PortalSettings, PortalUrl, Registration, Route,
    SecretSource, ServerSettings, SessionSettings, SessionStoreKind, Settings, StoreSettings, Timeouts, TrustedProxies, Upstream,
    UpstreamTls, UserStore,
};
use crate::host::{Host, HostPattern};
use crate::identity::IdentityHeaders;
use crate::policy::{Access, Policy};
use crate::session::{Session, SessionUser};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Defaults, one host-less route, open registration, `/landing`.
pub(crate) fn settings() -> Settings {
    Settings {
        local_hosts_only: None,
        server: server(),
        admin: None,
        portal: PortalSettings { url: None, landing: "/landing".into() },
        cookies: CookieSettings { domain: None, secure: None },
        sessions: SessionSettings {
            idle_timeout: 30 * MINUTE,
            lifetime: 12 * HOUR,
            remember_for: 30 * 24 * HOUR,
            max_per_user: 50,
            cache: Duration::from_secs(5),
        },
        secret: SecretSource::Ephemeral,
        secret_previous: None,
        stores: StoreSettings { users: UserStore::Sqlite("users.db".into()), sessions: SessionStoreKind::Memory },
        accounts: AccountSettings {
            registration: Registration::Open,
            rename: true,
            admin_group: "admins".into(),
            password: PasswordProfile::Classic,
            hash: HashAlgorithm::Argon2id,
            reserved_usernames: vec![],
        },
        routes: vec![Route { host: None, ..route("any.test") }],
        policy: Policy { default: Access::Authenticated, rules: vec![] },
        identity: IdentityHeaders::default(),
        log: LogSettings { json: false, level: tracing::Level::INFO, access: false },
        ui: super::assets::tests::plain_ui(),
    }
}

fn server() -> ServerSettings {
    ServerSettings {
        listen: vec![],
        h2c: false,
        tls: None,
        trusted_proxies: TrustedProxies::default(),
        prefix: "/auth".into(),
        threads: None,
        limits: Limits { header: 16 << 10, own_body: 64 << 10, proxied_body: 1 << 30, connections: 100 },
        timeouts: Timeouts {
            header: Duration::from_secs(10),
            idle: MINUTE,
            upstream_connect: MINUTE,
            upstream_read: MINUTE,
            drain_delay: Duration::ZERO,
            drain: MINUTE,
        },
        methods: vec![http::Method::GET, http::Method::POST],
    }
}

/// `https`, at its usual port.
pub(crate) fn portal_url(host: &str) -> Option<PortalUrl> {
    Some(PortalUrl { https: true, host: Host::parse(host).unwrap(), port: 443 })
}

/// A route for a host.
pub(crate) fn route(host: &str) -> Route {
    Route {
        host: HostPattern::parse(host),
        path: "/".into(),
        upstream: Upstream::Sample,
        upstream_tls: UpstreamTls::default(),
        strip_prefix: false,
        preserve_host: true,
        read_timeout: MINUTE,
        request_headers: HeaderChanges::default(),
        response_headers: HeaderChanges::default(),
        encoded_slashes: false,
        websocket_origins: vec![],
        basic_auth: None,
    }
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
