//! `access`: the rules as written → [`Policy`].

use super::reader::{Field, Section};
use super::{ServerSettings, accounts, routes, server};
use crate::policy::{Access, PathPattern, PathPatternError, Policy, Rule};

const WORDS: [(&str, Access); 4] =
    [("public", Access::Public), ("authenticated", Access::Authenticated), ("mfa", Access::Mfa), ("deny", Access::Deny)];

pub(super) fn access(root: &mut Section<'_>, server: &ServerSettings) -> Policy {
    let mut section = root.section("access");
    let default = section.read("default", Access::Authenticated, |field| field.word(&WORDS));
    let rules = section.read("rules", Vec::new(), |field| field.list(|field| rule(field, server)));
    section.later("tests", &["[]"], "policy tests");
    section.finish();
    Policy { default, rules }
}

/// Names (canonical) in any rule's `user`.
pub(super) fn named_users(policy: &Policy) -> Vec<String> {
    let mut users: Vec<String> = policy.rules.iter().flat_map(|rule| rule.users.clone()).collect();
    users.sort();
    users.dedup();
    users
}

/// A condition that is null or empty is an error rather than absent: it would make the rule match everything, or let
/// everyone in.
fn rule(field: &Field<'_>, server: &ServerSettings) -> Option<Rule> {
    let mut section = field.section()?;
    let host = section.take("host").map(|field| routes::host_pattern(&field));
    let path = path(&mut section);
    let methods = section.take("method").map(|field| server::methods(&field));
    if let Some(Some(methods)) = &methods
        && let Some(never) = methods.iter().find(|method| !server.methods.contains(method))
    {
        section.error("method", format!("{never} is not among server.methods, so it never gets here; add it there or leave it out"));
    }
    let networks = section.take("network").map(|field| {
        let allowed = "write for example 10.0.0.0/8 or 192.168.1.5";
        some(&field, |field| field.parse("a network", allowed, server::network))
    });
    let groups = section.take("group").map(|field| some(&field, accounts::group));
    let users = section.take("user").map(|field| some(&field, accounts::username));
    let allow = section.required("allow", "allowed are public, authenticated, mfa, deny", |field| field.word(&WORDS));
    for (key, written) in [("group", groups.is_some()), ("user", users.is_some())] {
        if written && matches!(allow, Some(Access::Public | Access::Deny)) {
            section
                .error(key, "says who is let in, which means nothing with `public` or `deny`; leave it out or allow authenticated or mfa");
        }
    }
    section.finish();
    Some(Rule {
        host: settled(host)?,
        path: settled(path)?,
        methods: settled(methods)?.unwrap_or_default(),
        networks: settled(networks)?.unwrap_or_default(),
        groups: settled(groups)?.unwrap_or_default(),
        users: settled(users)?.unwrap_or_default(),
        allow: allow?,
    })
}

/// A key that was not written, or written and read; `None` if it could not be read.
fn settled<T>(written: Option<Option<T>>) -> Option<Option<T>> {
    written.map_or(Some(None), |read| read.map(Some))
}

fn path(section: &mut Section<'_>) -> Option<Option<PathPattern>> {
    let glob = section.take("path").map(|field| pattern(&field, PathPattern::glob));
    let regex = section.take("path_regex").map(|field| pattern(&field, PathPattern::regex));
    if glob.is_some() && regex.is_some() {
        section.error("path_regex", "stands beside `path`, keep one of the two");
    }
    glob.or(regex)
}

fn pattern(field: &Field<'_>, read: impl Fn(&str) -> Result<PathPattern, PathPatternError>) -> Option<PathPattern> {
    let allowed = "write a pattern such as /public/**";
    let scalar = field.scalar(allowed)?;
    if scalar.text.is_empty() {
        return field.error(format!("is empty, {allowed}"));
    }
    read(&scalar.text).or_else(|error| field.error(error.to_string()).ok_or(error)).ok()
}

fn some<'a, T>(field: &Field<'a>, read: impl Fn(&Field<'a>) -> Option<T>) -> Option<Vec<T>> {
    let listed = field.list(read)?;
    if listed.is_empty() { field.error("is empty, name at least one or leave the key out") } else { Some(listed) }
}
