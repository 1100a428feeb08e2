//! Why a request would be let through or not: for the command line, the admin page and the policy tests in the
//! configuration. The decision is that of `policy` and `routing`; here it is only told. Pure.

mod text;

use crate::address::Address;
use crate::config::{Settings, Upstream};
use crate::policy::{Caller, Destination, Policy, Rule, User, Verdict};
use crate::routing::RoutingTable;
use http::Method;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};

/// A request that nobody has made.
#[derive(Clone, Debug)]
pub struct Question {
    /// Method.
    pub method: String,
    /// Whole address; a path may be left out.
    pub url: String,
    /// Who asks; `None` for nobody.
    pub person: Option<Person>,
    /// Address of the client, if it matters.
    pub client: Option<IpAddr>,
}

/// Somebody who is signed in.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Sign-in name; may be empty where only groups matter.
    pub name: String,
    /// Groups.
    pub groups: Vec<String>,
    /// Whether a second factor was given.
    pub mfa: bool,
}

/// What would become of the request, and why.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Method.
    pub method: String,
    /// Address, as it was asked for.
    pub url: String,
    /// Who asks.
    pub user: Option<Person>,
    /// Address of the client.
    pub client: Option<IpAddr>,
    /// The path that routes and rules see.
    pub path: Option<String>,
    /// The route that takes it.
    pub route: Option<RouteShown>,
    /// The rules that were looked at, in order, to the one that matches.
    pub rules: Vec<Trial>,
    /// Key of what decided: a rule, or the default.
    pub decided_by: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
    /// What becomes of the request.
    pub verdict: Answer,
}

/// A route, as its key and in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteShown {
    /// Its key in the configuration.
    pub key: String,
    /// Host and path.
    pub place: String,
    /// Whether it is for forward-auth only.
    pub forward_auth_only: bool,
}

/// A rule that was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// Its key in the configuration.
    pub key: String,
    /// What it says.
    pub rule: String,
    /// Whether it matches.
    pub matches: bool,
    /// Why not.
    pub why_not: Vec<String>,
}

/// What becomes of a request, in the words of `explain` and of policy tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Let through, as somebody.
    Allow,
    /// Let through, whoever it is.
    Public,
    /// Asked to sign in.
    Login,
    /// Asked for a second factor.
    Mfa,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 400, or 405.
    BadRequest,
}

impl Answer {
    /// All of them, with their words.
    pub const WORDS: [(&str, Self); 7] = [
        ("allow", Self::Allow),
        ("public", Self::Public),
        ("login", Self::Login),
        ("mfa", Self::Mfa),
        ("forbidden", Self::Forbidden),
        ("not-found", Self::NotFound),
        ("bad-request", Self::BadRequest),
    ];

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, answer)| *answer == self).map_or("", |(word, _)| word)
    }

    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Public => Self::Public,
            Verdict::Allow => Self::Allow,
            Verdict::Login => Self::Login,
            Verdict::SecondFactor => Self::Mfa,
            // Without a store there is nobody who cannot be told.
            Verdict::Forbidden | Verdict::Unavailable => Self::Forbidden,
        }
    }
}

impl Explanation {
    /// What would become of a request under these settings.
    #[must_use]
    pub fn of(question: &Question, settings: &Settings) -> Self {
        let mut explanation = Self {
            method: question.method.clone(),
            url: question.url.clone(),
            user: question.person.clone(),
            client: question.client,
            path: None,
            route: None,
            rules: Vec::new(),
            decided_by: None,
            reason: String::new(),
            verdict: Answer::BadRequest,
        };
        (explanation.verdict, explanation.reason) = match explanation.judge(settings) {
            Ok(decided) | Err(decided) => decided,
        };
        explanation
    }

    /// The verdict and its reason; `Err` where it never comes to the rules.
    fn judge(&mut self, settings: &Settings) -> Result<(Answer, String), (Answer, String)> {
        let refused = |reason: &str| (Answer::BadRequest, reason.to_owned());
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|_| refused("The method is none that HTTP knows."))?;
        if !settings.server.methods.contains(&method) {
            return Err((Answer::BadRequest, format!("{method} is not among server.methods.")));
        }
        let address = Address::parse(whole(&self.url).as_bytes()).map_err(refused)?;
        let path = address.target.path();
        self.path = Some(String::from_utf8_lossy(path).into_owned());
        let table = RoutingTable::new(settings);
        if !table.knows(&address.host) {
            return Err((Answer::NotFound, format!("No route is for {}, and portal.url is not there either.", address.host)));
        }
        let route = table.route_for(&address.host, path);
        self.route = route.map(|index| RouteShown::of(&table, index));
        if address.target.has_encoded_slash() && !route.is_some_and(|index| table.route(index).encoded_slashes) {
            return Err(refused("The path holds an encoded slash, which the route does not let through."));
        }
        if table.own_page(path).is_some() {
            return Err((Answer::Public, "It is a page of the gateway's own, for which rules do not count.".to_owned()));
        }
        if route.is_none() {
            return Err((Answer::NotFound, format!("No route of {} is for this path.", address.host)));
        }
        let client = self.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Ok(self.apply(&settings.policy, &Destination { host: &address.host, path, method: &method, client }))
    }

    fn apply(&mut self, policy: &Policy, destination: &Destination<'_>) -> (Answer, String) {
        let requirement = policy.requirement(destination);
        let tried = requirement.rule.map_or(policy.rules.len(), |index| index + 1);
        self.rules = policy.rules[..tried].iter().enumerate().map(|(index, rule)| Trial::of(index, rule, destination)).collect();
        self.decided_by = Some(requirement.rule.map_or_else(|| "access.default".to_owned(), rule_key));
        let caller = match &self.user {
            None => Caller::Nobody,
            Some(person) => Caller::User(User { name: &person.name, groups: &person.groups, second_factor: person.mfa }),
        };
        let verdict = requirement.verdict(&caller);
        (Answer::of(verdict), text::reason(verdict, &requirement, requirement.rule.map(|index| &policy.rules[index])))
    }
}

/// An address to whose host no path was written is that of its root.
fn whole(url: &str) -> String {
    let bare = url.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#']));
    if bare { format!("{url}/") } else { url.to_owned() }
}

fn rule_key(index: usize) -> String {
    format!("access.rules[{index}]")
}

impl Trial {
    fn of(index: usize, rule: &Rule, destination: &Destination<'_>) -> Self {
        let why_not: Vec<String> = rule.mismatches(destination).map(|condition| text::mismatch(condition, rule)).collect();
        Self { key: rule_key(index), rule: text::rule(rule), matches: why_not.is_empty(), why_not }
    }
}

impl RouteShown {
    fn of(table: &RoutingTable, index: usize) -> Self {
        let route = table.route(index);
        let host = route.host.as_ref().map_or_else(|| "any host".to_owned(), ToString::to_string);
        Self {
            key: format!("routes[{}]", table.written_at(index)),
            place: format!("{host}, {}", route.path),
            forward_auth_only: matches!(route.upstream, Upstream::None),
        }
    }
}
