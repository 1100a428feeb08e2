//! Rules.

use super::*;

fn check_rule(rule: &str, expected: &[&str]) {
    check_after_route(&format!("access: {{rules: [{rule}]}}"), expected);
}

#[test]
fn rules_are_read() {
    let yaml = "access: {default: deny, rules: [{host: '*.a.test', path: /x/**, method: [GET], network: [10.0.0.0/8], group: [staff], user: [Alice], allow: mfa}]}";
    let settings = settings(yaml);
    let rule = &settings.policy.rules[0];
    assert_eq!(settings.policy.default, Access::Deny);
    assert_eq!((rule.groups.clone(), rule.users.clone(), rule.allow), (vec!["staff".into()], vec!["alice".into()], Access::Mfa));
    assert_eq!(settings.accounts.reserved_usernames, ["alice"]);
}

#[test]
fn rules_that_contradict_themselves_are_told() {
    check_rule("{path: /}", &["2:18: access.rules[0].allow: is missing, allowed are public, authenticated, mfa, deny"]);
    check_rule("{allow: pubic}", &["2:26: access.rules[0].allow: \"pubic\" is not allowed; did you mean `public`?"]);
    check_rule("{group: [a], allow: public}", &["2:26: access.rules[0].group: says who is let in"]);
    check_rule("{user: [al], allow: deny}", &["2:25: access.rules[0].user: says who is let in"]);
    check_rule("{path: /, path_regex: /, allow: deny}", &["2:40: access.rules[0].path_regex: stands beside `path`"]);
    check_rule("{path_regex: '(', allow: deny}", &["2:31: access.rules[0].path_regex: not a usable pattern"]);
    check_rule("{path: x, allow: deny}", &["2:25: access.rules[0].path: "]);
    check_rule("{method: [PURGE], allow: deny}", &["2:27: access.rules[0].method: PURGE is not among server.methods"]);
    check_rule("{user: ['a b'], allow: mfa}", &["2:26: access.rules[0].user[0]: \"a b\" is not a user name"]);
    check_rule("{group: staff, allow: mfa}", &["2:26: access.rules[0].group: a single value stands here, write a list"]);
}

/// An empty condition would match everything, and an empty list of names let everyone in.
#[test]
fn an_empty_condition_is_an_error_rather_than_absent() {
    for key in ["host", "path", "path_regex", "method", "network", "group", "user"] {
        for value in ["null", "[]", "''"] {
            let problems = problems_with(&format!("{ROUTES}access: {{rules: [{{{key}: {value}, allow: mfa}}]}}"), &[]);
            assert!(problems.len() == 1 && problems[0].contains(&format!("access.rules[0].{key}: ")), "{key} {value} {problems:?}");
        }
    }
}
