//! `access`: the rules as written → [`Policy`].

use super::field::Field;
use super::section::Section;
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

fn rule(field: &Field<'_>, server: &ServerSettings) -> Option<Rule> {
    let mut section = field.section()?;
    let host = condition(&mut section, "host", routes::host_pattern);
    let glob = condition(&mut section, "path", |field| pattern(field, PathPattern::glob));
    let regex = condition(&mut section, "path_regex", |field| pattern(field, PathPattern::regex));
    let methods = condition(&mut section, "method", server::methods);
    let networks = condition(&mut section, "network", |field| {
        let allowed = "write for example 10.0.0.0/8 or 192.168.1.5";
        some(field, |field| field.parse("a network", allowed, server::network))
    });
    let groups = condition(&mut section, "group", |field| some(field, accounts::group));
    let users = condition(&mut section, "user", |field| some(field, accounts::username));
    let allow = section.required("allow", "allowed are public, authenticated, mfa, deny", |field| field.word(&WORDS));
    if section.has("path") && section.has("path_regex") {
        section.error("path_regex", "stands beside `path`, keep one of the two");
    }
    if let Ok(Some(methods)) = &methods
        && let Some(never) = methods.iter().find(|method| !server.methods.contains(method))
    {
        section.error("method", format!("{never} is not among server.methods, so it never gets here; add it there or leave it out"));
    }
    for key in ["group", "user"] {
        if section.has(key) && matches!(allow, Some(Access::Public | Access::Deny)) {
            section
                .error(key, "says who is let in, which means nothing with `public` or `deny`; leave it out or allow authenticated or mfa");
        }
    }
    section.finish();
    Some(Rule {
        host: host.ok()?,
        path: glob.ok()?.or(regex.ok()?),
        methods: methods.ok()?.unwrap_or_default(),
        networks: networks.ok()?.unwrap_or_default(),
        groups: groups.ok()?.unwrap_or_default(),
        users: users.ok()?.unwrap_or_default(),
        allow: allow?,
    })
}

/// A condition was written and could not be read; that was reported.
struct Unreadable;

/// A condition of a rule, if it is written. Null is an error rather than absent, as an empty list is: the rule would
/// match everything, or let everyone in.
fn condition<'a, T>(section: &mut Section<'a>, key: &str, read: impl FnOnce(&Field<'a>) -> Option<T>) -> Result<Option<T>, Unreadable> {
    section.take(key).map(|field| read(&field).ok_or(Unreadable)).transpose()
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
