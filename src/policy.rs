//! Access rules: host, path, method and network → who may pass. The first rule that matches decides. Pure.

mod path;
mod verdict;

pub use path::{PathPattern, PathPatternError, is_at_or_below};
pub use verdict::{Caller, User, Verdict};

use crate::host::{Host, HostPattern};
use http::Method;
use ipnet::IpNet;
use std::net::IpAddr;

/// What a rule, or the default, asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone passes; who is signed in is still told to the application.
    Public,
    /// Any signed-in user.
    Authenticated,
    /// A signed-in user who gave a second factor.
    Mfa,
    /// Nobody.
    Deny,
}

/// The rules, in order, and what holds where none matches.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where no rule matches.
    pub default: Access,
    /// First match decides.
    pub rules: Vec<Rule>,
}

/// One rule. Absent conditions match everything.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Hosts it is for.
    pub host: Option<HostPattern>,
    /// Paths it is for.
    pub path: Option<PathPattern>,
    /// Methods it is for; empty for all.
    pub methods: Vec<Method>,
    /// Client networks it is for; empty for all.
    pub networks: Vec<IpNet>,
    /// Groups that are let in; with `users` empty too, everyone that `allow` admits.
    pub groups: Vec<String>,
    /// Canonical user names that are let in.
    pub users: Vec<String>,
    /// What it asks for.
    pub allow: Access,
}

/// What is asked of the policy: where a request wants to go, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// Host asked for.
    pub host: &'a Host,
    /// Normalised path (see `target`).
    pub path: &'a [u8],
    /// Method.
    pub method: &'a Method,
    /// Address of the client.
    pub client: IpAddr,
}

/// What the policy says of a destination, whoever asks.
#[derive(Clone, Copy, Debug)]
pub struct Requirement<'a> {
    /// What is asked for.
    pub access: Access,
    /// Who is let in, where the deciding rule names someone.
    pub only: Option<Only<'a>>,
    /// Index of the deciding rule; `None` for the default.
    pub rule: Option<usize>,
    /// Whether the deciding rule names methods: then headers that override the method are removed.
    pub names_methods: bool,
}

/// Groups or users, one of which somebody must be in or be.
#[derive(Clone, Copy, Debug)]
pub struct Only<'a> {
    groups: &'a [String],
    users: &'a [String],
}

impl Only<'_> {
    /// Whether someone with this name and these groups is meant.
    #[must_use]
    pub fn admits(&self, username: &str, groups: &[String]) -> bool {
        self.users.iter().any(|user| user.eq_ignore_ascii_case(username)) || self.groups.iter().any(|group| groups.contains(group))
    }
}

impl Policy {
    /// The requirement of the first rule that matches, or the default.
    #[must_use]
    pub fn requirement(&self, destination: &Destination<'_>) -> Requirement<'_> {
        let found = self.rules.iter().enumerate().find(|(_, rule)| rule.matches(destination));
        let Some((index, rule)) = found else {
            return Requirement { access: self.default, only: None, rule: None, names_methods: false };
        };
        let names_someone = !(rule.groups.is_empty() && rule.users.is_empty());
        Requirement {
            access: rule.allow,
            only: names_someone.then_some(Only { groups: &rule.groups, users: &rule.users }),
            rule: Some(index),
            names_methods: !rule.methods.is_empty(),
        }
    }
}

/// A condition that a rule may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `host`.
    Host,
    /// `path` or `path_regex`.
    Path,
    /// `method`.
    Method,
    /// `network`.
    Network,
}

impl Rule {
    /// The conditions that keep the rule from deciding on a destination; none where it matches.
    pub fn mismatches(&self, destination: &Destination<'_>) -> impl Iterator<Item = Condition> {
        [Condition::Host, Condition::Path, Condition::Method, Condition::Network]
            .into_iter()
            .filter(|condition| !self.holds(*condition, destination))
    }

    fn holds(&self, condition: Condition, destination: &Destination<'_>) -> bool {
        match condition {
            Condition::Host => self.host.as_ref().is_none_or(|host| host.matches(destination.host)),
            Condition::Path => self.path.as_ref().is_none_or(|path| path.matches(destination.path)),
            Condition::Method => self.methods.is_empty() || self.methods.contains(destination.method),
            Condition::Network => self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&destination.client)),
        }
    }

    fn matches(&self, destination: &Destination<'_>) -> bool {
        self.mismatches(destination).next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(path: &str, allow: Access) -> Rule {
        Rule {
            host: None,
            path: Some(PathPattern::glob(path).unwrap()),
            methods: vec![],
            networks: vec![],
            groups: vec![],
            users: vec![],
            allow,
        }
    }

    fn access(policy: &Policy, method: &Method, path: &str) -> Access {
        let host = Host::parse("app.test").unwrap();
        let destination = Destination { host: &host, path: path.as_bytes(), method, client: [10, 1, 2, 3].into() };
        policy.requirement(&destination).access
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let policy = Policy { default: Access::Authenticated, rules: vec![rule("/a/b", Access::Deny), rule("/a", Access::Public)] };
        assert_eq!(access(&policy, &Method::GET, "/a/b/c"), Access::Deny);
        assert_eq!(access(&policy, &Method::GET, "/a/c"), Access::Public);
        assert_eq!(access(&policy, &Method::GET, "/ab"), Access::Authenticated);
    }

    /// threats.md B20
    #[test]
    fn a_rule_for_a_method_is_for_that_method_only() {
        let public = Rule { methods: vec![Method::GET], ..rule("/", Access::Public) };
        let policy = Policy { default: Access::Deny, rules: vec![public] };
        assert_eq!(access(&policy, &Method::GET, "/"), Access::Public);
        assert_eq!(access(&policy, &Method::HEAD, "/"), Access::Deny);
        assert_eq!(access(&policy, &Method::POST, "/"), Access::Deny);
    }

    #[test]
    fn a_rule_for_a_network_is_for_clients_in_it_only() {
        let inside = Rule { networks: vec!["10.0.0.0/8".parse().unwrap()], ..rule("/", Access::Public) };
        let outside = Rule { networks: vec!["192.168.0.0/16".parse().unwrap()], ..rule("/", Access::Public) };
        assert_eq!(access(&Policy { default: Access::Deny, rules: vec![inside] }, &Method::GET, "/"), Access::Public);
        assert_eq!(access(&Policy { default: Access::Deny, rules: vec![outside] }, &Method::GET, "/"), Access::Deny);
    }

    #[test]
    fn group_or_user_says_who_is_let_in_after_the_rule_matched() {
        let named = Rule { groups: vec!["admins".into()], users: vec!["root".into()], ..rule("/", Access::Authenticated) };
        let policy = Policy { default: Access::Public, rules: vec![named] };
        let host = Host::parse("app.test").unwrap();
        let destination = Destination { host: &host, path: b"/", method: &Method::GET, client: [10, 1, 2, 3].into() };
        let only = policy.requirement(&destination).only.unwrap();
        assert!(only.admits("Root", &[]) && only.admits("alice", &["users".into(), "admins".into()]));
        assert!(!only.admits("alice", &["admin".into(), "Admins".into()]));
    }
}
