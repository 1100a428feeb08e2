//! The words of an explanation.

use super::{Explanation, Person};
use crate::policy::{Access, Condition, PathPattern, Requirement, Rule, Verdict};
use std::fmt::{self, Display, Formatter};

/// A rule as it could be written.
pub(super) fn rule(rule: &Rule) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut part = |name: &str, value: String| parts.push(format!("{name}: {value}"));
    if let Some(host) = &rule.host {
        part("host", host.to_string());
    }
    match &rule.path {
        Some(PathPattern::Regex(_)) => part("path_regex", path(rule)),
        Some(PathPattern::Below(_) | PathPattern::Glob(_)) => part("path", path(rule)),
        None => {}
    }
    for (name, values) in [("method", listed(&rule.methods)), ("network", listed(&rule.networks))] {
        if let Some(values) = values {
            part(name, format!("[{values}]"));
        }
    }
    for (name, values) in [("group", listed(&rule.groups)), ("user", listed(&rule.users))] {
        if let Some(values) = values {
            part(name, format!("[{values}]"));
        }
    }
    part("allow", word(rule.allow).to_owned());
    parts.join(", ")
}

/// Why a rule does not match.
pub(super) fn mismatch(condition: Condition, rule: &Rule) -> String {
    match condition {
        Condition::Host => format!("the host is not {}", rule.host.as_ref().map(ToString::to_string).unwrap_or_default()),
        Condition::Path => format!("the path is not {}", path(rule)),
        Condition::Method => format!("the method is not {}", one_of(&rule.methods)),
        Condition::Network => format!("the client is not in {}", one_of(&rule.networks)),
    }
}

/// Why the verdict is what it is.
pub(super) fn reason(verdict: Verdict, requirement: &Requirement<'_>, rule: Option<&Rule>) -> String {
    let named = rule.map(|rule| {
        let groups = listed(&rule.groups)
            .map(|groups| if rule.groups.len() == 1 { format!("in the group {groups}") } else { format!("in one of the groups {groups}") });
        let users = listed(&rule.users).map(|users| if rule.users.len() == 1 { users } else { format!("one of {users}") });
        groups.into_iter().chain(users).collect::<Vec<_>>().join(" or ")
    });
    let named = named.filter(|_| requirement.only.is_some());
    match (verdict, named) {
        (Verdict::Public, _) => "It is open to everyone.".to_owned(),
        (Verdict::Allow, Some(named)) => format!("The user is {named}."),
        (Verdict::Allow, None) => "Anyone who is signed in may pass.".to_owned(),
        (Verdict::Login, _) => "Nobody is signed in.".to_owned(),
        (Verdict::SecondFactor, _) => "A second factor is asked for. This version has none yet, so in force it answers 403.".to_owned(),
        (Verdict::Forbidden, Some(named)) => format!("The user is not {named}."),
        (Verdict::Forbidden, None) => "Nobody may pass.".to_owned(),
        (Verdict::Unavailable, _) => "The session store does not answer.".to_owned(),
    }
}

fn path(rule: &Rule) -> String {
    rule.path.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn listed(values: &[impl Display]) -> Option<String> {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    if values.is_empty() { None } else { Some(values.join(", ")) }
}

fn one_of(values: &[impl Display]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Public => "public",
        Access::Authenticated => "authenticated",
        Access::Mfa => "mfa",
        Access::Deny => "deny",
    }
}

impl Display for Person {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "somebody" } else { &self.name };
        match listed(&self.groups) {
            Some(groups) => write!(f, "{name}, in {groups}")?,
            None => write!(f, "{name}, in no group")?,
        }
        f.write_str(if self.mfa { ", with a second factor" } else { ", without a second factor" })
    }
}

impl Display for Explanation {
    /// Several lines, the last of which is `verdict: …`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let nobody = || "nobody (name somebody with --user and --group)".to_owned();
        let unknown = || "unknown, in no network (name one with --ip)".to_owned();
        writeln!(f, "request: {} {}", self.method.escape_debug(), self.url.escape_debug())?;
        writeln!(f, "user: {}", self.user.as_ref().map_or_else(nobody, ToString::to_string))?;
        writeln!(f, "client: {}", self.client.map_or_else(unknown, |client| client.to_string()))?;
        if let Some(path) = &self.path {
            writeln!(f, "path: {}", path.escape_debug())?;
        }
        match &self.route {
            Some(route) if route.forward_auth_only => {
                writeln!(f, "route: {} ({}), for forward-auth only: asked directly it is not found", route.key, route.place)?;
            }
            Some(route) => writeln!(f, "route: {} ({})", route.key, route.place)?,
            None => writeln!(f, "route: none")?,
        }
        for trial in &self.rules {
            writeln!(f, "{}: {{ {} }}", trial.key, trial.rule)?;
            let outcome = if trial.matches { "matches".to_owned() } else { format!("no match: {}", trial.why_not.join("; ")) };
            writeln!(f, "  {outcome}")?;
        }
        if let Some(key) = &self.decided_by {
            writeln!(f, "decided by: {key}")?;
        }
        writeln!(f, "reason: {}", self.reason)?;
        write!(f, "verdict: {}", self.verdict.word())
    }
}
