//! `access`: the rules as written → [`Policy`], and the tests of them.

use super::field::Field;
use super::findings::Finding;
use super::section::Section;
use super::{ServerSettings, Settings, accounts, routes, server};
use crate::explain::{Answer, Explanation, Person, Question};
use crate::policy::{Access, PathPattern, PathPatternError, Policy, Rule};

const WORDS: [(&str, Access); 4] =
    [("public", Access::Public), ("authenticated", Access::Authenticated), ("mfa", Access::Mfa), ("deny", Access::Deny)];

/// A question to the policy, and what it must answer.
pub(super) struct PolicyTest {
    question: Question,
    expected: Answer,
}

pub(super) fn access(root: &mut Section<'_>, server: &ServerSettings) -> (Policy, Vec<PolicyTest>) {
    let mut section = root.section("access");
    let default = section.read("default", Access::Authenticated, |field| field.word(&WORDS));
    let rules = section.read("rules", Vec::new(), |field| field.list(|field| rule(field, server)));
    let tests = section.read("tests", Vec::new(), |field| field.list(test));
    section.finish();
    (Policy { default, rules }, tests)
}

fn test(field: &Field<'_>) -> Option<PolicyTest> {
    let mut section = field.section()?;
    let url = section.required("url", "write the whole address of a page, for example https://wiki.example.com/", Field::text);
    let method = section.read("method", "GET".into(), Field::text);
    let name = condition(&mut section, "user", accounts::username).ok()?;
    let groups = condition(&mut section, "groups", |field| field.list(accounts::group)).ok()?;
    let mfa = section.read("mfa", false, Field::flag);
    let client = section.optional("ip", |field| field.parse("an address", "write for example 10.1.2.3", |text| text.parse().ok()));
    let words: Vec<&str> = Answer::WORDS.iter().map(|(word, _)| *word).collect();
    let expected = section.required("expect", &format!("allowed are {}", words.join(", ")), |field| field.word(&Answer::WORDS));
    if mfa && name.is_none() && groups.is_none() {
        section.error("mfa", "nobody is signed in who could give a second factor; add user or groups");
    }
    section.finish();
    let person = Person { groups: groups.clone().unwrap_or_default(), mfa, name: name.clone().unwrap_or_default() };
    let person = (name.is_some() || groups.is_some()).then_some(person);
    Some(PolicyTest { question: Question { method, url: url?, person, client }, expected: expected? })
}

/// What the policy answers otherwise than expected.
pub(super) fn failing(tests: &[PolicyTest], root: &Section<'_>, settings: &Settings) -> Vec<Finding> {
    let fails = |(index, test): (usize, &PolicyTest)| {
        let got = Explanation::of(&test.question, settings);
        let key = format!("access.tests[{index}]");
        let by = got.decided_by.as_deref().map(|key| format!(" by {key}")).unwrap_or_default();
        let message = format!("expected {}, got {}{by}: {}", test.expected.word(), got.verdict.word(), got.reason);
        (got.verdict != test.expected).then(|| Finding { place: root.place_at(&key).clone(), key, message })
    };
    tests.iter().enumerate().filter_map(fails).collect()
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
