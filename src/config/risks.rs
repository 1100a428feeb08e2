//! What is allowed and yet risky or without effect (warnings), and what only shows when sections are seen together.

use super::section::Section;
use super::{
    ListenAddress, MailTransport, Registration, Route, SessionStoreKind, Settings, SmtpServer, SmtpTls, Upstream, UpstreamAddress,
    UserStore,
};
use crate::host::HostPattern;
use crate::policy::{Access, PathPattern, Policy, Rule};
use std::net::IpAddr;

const NOBODY: &str = "this version lacks second factors, so `mfa` lets nobody in";

/// Looks at the whole.
pub(super) fn check(root: &Section<'_>, settings: &Settings) {
    listeners(root, settings);
    policy(root, settings);
    rules(root, settings);
    routes(root, settings);
    confirmation(root, settings);
    mail(root, settings);
    if matches!(&settings.stores.users, UserStore::Mongo(url) if url.is_exposed()) {
        warn(root, "stores.users", "accounts cross the network unencrypted; add tls=true to the options of the address");
    }
    if matches!(&settings.stores.sessions, SessionStoreKind::Redis(address) if address.is_remote() && !address.tls) {
        warn(root, "stores.sessions", "sessions cross the network unencrypted; write rediss:// where Redis has a certificate");
    }
    if settings.log.level == tracing::Level::TRACE {
        warn(root, "log.level", "trace logs more of each request than anybody reads; use it for a short time only");
    }
}

fn warn(root: &Section<'_>, key: &str, message: impl Into<String>) {
    root.findings().warn(root.place_at(key), key, message);
}

fn error(root: &Section<'_>, key: &str, message: impl Into<String>) {
    root.findings().error(root.place_at(key), key, message);
}

fn is_loopback(address: &ListenAddress) -> bool {
    matches!(address, ListenAddress::Unix(_)) || matches!(address, ListenAddress::Tcp(tcp) if tcp.ip().is_loopback())
}

fn listeners(root: &Section<'_>, settings: &Settings) {
    let server = &settings.server;
    let proxied = !trusts_nobody(settings);
    if server.tls.is_none() && !proxied && server.listen.iter().any(|address| !is_loopback(address)) {
        let message = "passwords cross the network in plain HTTP: set server.tls, or name the proxy that ends TLS in server.trusted_proxies, or listen at 127.0.0.1";
        warn(root, "server.listen", message);
    }
    if server.trusted_proxies.networks.iter().any(|network| network.prefix_len() == 0) {
        warn(root, "server.trusted_proxies", "everyone may claim any address and scheme; name the networks of your own proxies only");
    }
    if server.ext_authz_grpc.is_some() && !proxied {
        warn(root, "server.ext_authz_grpc", "answers nobody while server.trusted_proxies is empty; name Envoy's addresses there");
    }
    if settings.admin.as_ref().is_some_and(|address| !is_loopback(address)) {
        warn(root, "admin.listen", "metrics are told to whoever reaches this address; keep it off public networks");
    }
}

fn trusts_nobody(settings: &Settings) -> bool {
    let trusted = &settings.server.trusted_proxies;
    !trusted.unix && trusted.networks.is_empty()
}

/// An account whose address cannot be confirmed would never be let in.
fn confirmation(root: &Section<'_>, settings: &Settings) {
    const KEY: &str = "accounts.verify_email";
    if !settings.accounts.verify_email {
        return;
    }
    if settings.email.transport.is_none() {
        error(root, KEY, "needs mail, which the links that confirm addresses go by: set email.transport");
    }
    let is_named = |route: &Route| matches!(route.host, Some(HostPattern::Exact(_)));
    if settings.portal.url.is_none() && !settings.routes.iter().all(is_named) {
        error(
            root,
            KEY,
            "mails links, which begin with portal.url or the exact host of a route: set portal.url, or name the host of every route",
        );
    }
}

fn mail(root: &Section<'_>, settings: &Settings) {
    const KEY: &str = "email.transport";
    let Some(transport) = &settings.email.transport else { return };
    let tls = settings.server.tls.iter().flat_map(|tls| &tls.listen);
    let is_local = settings.server.listen.iter().chain(tls).all(is_loopback);
    match transport {
        MailTransport::Log if !is_local => {
            let message = "writes links that let people in to the log, so every address of server.listen must be a loopback one; write file:FOLDER or smtp://";
            error(root, KEY, message);
        }
        MailTransport::File(_) if !is_local => {
            warn(
                root,
                KEY,
                "mails are written to files and reach nobody, while others reach the gateway; write smtp:// outside development",
            );
        }
        MailTransport::Smtp(server) => mail_server(root, server, settings),
        _ => {}
    }
    let named = settings.routes.iter().any(|route| matches!(route.host, Some(HostPattern::Exact(_))));
    if settings.portal.url.is_none() && !named && !settings.server.is_for_this_machine() {
        error(
            root,
            KEY,
            "mails hold links, and no address is known that they could begin with: set portal.url, or name the host of a route",
        );
    }
}

fn mail_server(root: &Section<'_>, server: &SmtpServer, settings: &Settings) {
    const KEY: &str = "email.transport";
    if server.tls == SmtpTls::None && server.is_remote() {
        if server.login.is_some() {
            error(root, KEY, "would send email.password across the network unencrypted; leave ?tls=none out, or write smtps://");
        } else {
            warn(root, KEY, "mails cross the network unencrypted, and links in them let people in; leave ?tls=none out, or write smtps://");
        }
    }
    if server.is_remote() && settings.email.from.address.canonical().ends_with("@localhost") {
        warn(root, "email.from", "mail servers refuse senders at localhost; write an address of your own domain");
    }
}

fn policy(root: &Section<'_>, settings: &Settings) {
    let policy = &settings.policy;
    if policy.default == Access::Public {
        warn(root, "access.default", "whatever no rule names is open to everyone; `authenticated` with rules for public paths is safer");
    }
    if policy.default == Access::Mfa {
        warn(root, "access.default", NOBODY);
    }
    let anyone = |rule: &Rule| rule.allow == Access::Authenticated && rule.groups.is_empty() && rule.users.is_empty();
    if settings.accounts.registration == Registration::Open && (policy.default == Access::Authenticated || policy.rules.iter().any(anyone))
    {
        let message = "whoever registers passes every rule that asks for a sign-in only; close registration, or name groups in the rules";
        warn(root, "accounts.registration", message);
    }
}

fn rules(root: &Section<'_>, settings: &Settings) {
    let Policy { rules, .. } = &settings.policy;
    for (index, rule) in rules.iter().enumerate() {
        let key = format!("access.rules[{index}]");
        if rule.groups.contains(&settings.accounts.admin_group) {
            let message = "lets in the group of accounts.admin_group, whose members also manage accounts; a group of its own is safer";
            warn(root, &key, message);
        }
        if rule.allow == Access::Mfa {
            warn(root, &format!("{key}.allow"), NOBODY);
        }
        if let Some(PathPattern::Below(path)) = &rule.path
            && let Some(without) = path.strip_suffix(b"/").filter(|without| !without.is_empty())
        {
            let without = String::from_utf8_lossy(without);
            warn(root, &format!("{key}.path"), format!("leaves {without} itself out; write {without} for it and all that lies below"));
        }
        if let Some(host) = &rule.host
            && !settings.routes.iter().any(|route| route.host.as_ref().is_none_or(|served| overlap(served, host)))
        {
            warn(root, &key, format!("no route serves {host}, so the rule never decides"));
        }
        if let Some(earlier) = rules[..index].iter().position(|earlier| covers(earlier, rule)) {
            warn(root, &key, format!("never decides: access.rules[{earlier}] before it matches all that it matches"));
        }
    }
}

/// Whether some host is meant by both.
fn overlap(one: &HostPattern, other: &HostPattern) -> bool {
    match (one, other) {
        (HostPattern::Exact(host), pattern) | (pattern, HostPattern::Exact(host)) => pattern.matches(host),
        (HostPattern::Under(a), HostPattern::Under(b)) => a == b || a.ends_with(&format!(".{b}")) || b.ends_with(&format!(".{a}")),
    }
}

/// Whether all that `rule` matches is matched by `earlier`; may miss some, never claims too much.
fn covers(earlier: &Rule, rule: &Rule) -> bool {
    let host = earlier.host.is_none() || earlier.host == rule.host;
    let path = match (&earlier.path, &rule.path) {
        (None, _) => true,
        (Some(earlier @ PathPattern::Below(_)), Some(PathPattern::Below(path))) => earlier.matches(path),
        (Some(earlier), Some(path)) => earlier.is_same(path),
        (Some(_), None) => false,
    };
    let methods =
        earlier.methods.is_empty() || !rule.methods.is_empty() && rule.methods.iter().all(|method| earlier.methods.contains(method));
    let inside = |network| earlier.networks.iter().any(|outer| outer.contains(network));
    let networks = earlier.networks.is_empty() || !rule.networks.is_empty() && rule.networks.iter().all(inside);
    host && path && methods && networks
}

fn routes(root: &Section<'_>, settings: &Settings) {
    for (index, route) in settings.routes.iter().enumerate() {
        let key = format!("routes[{index}]");
        if leads_to_itself(route, settings) {
            error(root, &key, "the upstream is an address that the gateway itself listens at; name the application's");
        }
        if let Some(host) = host_without_login(route, settings) {
            let message = format!("host {host} is not under cookies.domain, so browsers refuse its login there");
            warn(root, &key, message);
        }
        if matches!(route.upstream, Upstream::None) && trusts_nobody(settings) {
            let message =
                "is for forward-auth only, and answers nobody while server.trusted_proxies is empty; name the proxy in front there";
            warn(root, &key, message);
        }
        if matches!(route.upstream, Upstream::None) && !can_be_signed_in(route, settings) {
            let message =
                "a host for forward-auth only must be portal.url's or lie under cookies.domain, or no login at the portal counts there";
            error(root, &key, message);
        }
    }
}

fn leads_to_itself(route: &Route, settings: &Settings) -> bool {
    let Upstream::Servers(servers) = &route.upstream else { return false };
    let own = settings.server.listen.iter().chain(settings.server.tls.iter().flat_map(|tls| &tls.listen));
    own.into_iter().any(|own| {
        servers.iter().any(|server| match (&server.address, own) {
            (UpstreamAddress::Unix(path), ListenAddress::Unix(own)) => path == own,
            (UpstreamAddress::Tcp { host, port }, ListenAddress::Tcp(own)) => {
                let address = if host == "localhost" { Some(IpAddr::from([127, 0, 0, 1])) } else { host.parse().ok() };
                own.port() == *port && address.is_some_and(|ip| own.ip() == ip || (own.ip().is_unspecified() && ip.is_loopback()))
            }
            _ => false,
        })
    })
}

fn host_without_login<'s>(route: &'s Route, settings: &Settings) -> Option<&'s HostPattern> {
    let domain = settings.cookies.domain.as_deref()?;
    route.host.as_ref().filter(|host| !serves_only_under(host, domain))
}

/// Whether every host that is meant is this domain, or lies under it.
fn serves_only_under(host: &HostPattern, domain: &str) -> bool {
    let name = match host {
        HostPattern::Exact(host) => host.as_str(),
        HostPattern::Under(parent) => parent,
    };
    name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn can_be_signed_in(route: &Route, settings: &Settings) -> bool {
    let Some(portal) = &settings.portal.url else { return true };
    let is_portal = |host: &HostPattern| matches!(host, HostPattern::Exact(host) if *host == portal.host);
    let domain = settings.cookies.domain.as_deref();
    route.host.as_ref().is_some_and(|host| is_portal(host) || domain.is_some_and(|domain| serves_only_under(host, domain)))
}
