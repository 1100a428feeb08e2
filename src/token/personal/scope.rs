//! Where a personal token may be used: what can be asked for, and what is covered. Pure.

use crate::config::Settings;
use crate::host::Host;
use crate::policy::is_at_or_below;
use crate::registration::FieldProblem;
use crate::routing::RoutingTable;
use crate::token::Destination;
use serde::{Deserialize, Serialize};

/// Where a personal token may be used. What is not named is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// A host, exact.
    pub host: Option<String>,
    /// A path and what lies below it, as rules see paths.
    pub path: Option<String>,
    /// Methods; none for all.
    pub methods: Vec<String>,
}

/// Bytes of the longest path.
const LONGEST_PATH: usize = 512;

impl Scope {
    /// Whether a request is within it. `GET` stands for `HEAD` too, which shows less (RFC 9110 section 9.3.2).
    #[must_use]
    pub fn covers(&self, destination: &Destination<'_>) -> bool {
        let method = |allowed: &String| allowed == destination.method || (allowed == "GET" && destination.method == "HEAD");
        self.host.as_ref().is_none_or(|host| host == destination.host)
            && self.path.as_ref().is_none_or(|path| is_at_or_below(destination.path, path.as_bytes()))
            && (self.methods.is_empty() || self.methods.iter().any(method))
    }

    /// Whether it lets some methods through and others not.
    #[must_use]
    pub fn names_methods(&self) -> bool {
        !self.methods.is_empty()
    }

    /// The scope as it is kept, of one that was typed.
    ///
    /// # Errors
    /// Every problem at once.
    pub(super) fn check(typed: &Self, settings: &Settings) -> Result<Self, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let host = typed.host.as_deref().map(str::trim).filter(|host| !host.is_empty());
        let host = host.map(|host| check_host(host, settings)).transpose();
        let path = typed.path.as_deref().map(str::trim).filter(|path| !path.is_empty() && *path != "/");
        let path = path.map(check_path).transpose();
        let methods = check_methods(&typed.methods, settings);
        let host = host.map_err(|problem| problems.push(problem)).ok().flatten();
        let path = path.map_err(|problem| problems.push(problem)).ok().flatten();
        let methods = methods.map_err(|problem| problems.push(problem)).unwrap_or_default();
        if problems.is_empty() { Ok(Self { host, path, methods }) } else { Err(problems) }
    }
}

fn check_host(typed: &str, settings: &Settings) -> Result<String, FieldProblem> {
    let problem = |code, message: &str| FieldProblem::new("host", code, &message);
    let host = Host::parse(typed).ok_or_else(|| problem("invalid", "write a host alone, for example wiki.example.com"))?;
    if RoutingTable::new(settings).knows(&host) {
        Ok(host.as_str().to_owned())
    } else {
        Err(problem("unknown", "no site of this name is behind this gateway"))
    }
}

/// A path that a normalised one can lie at or below (see `target`); any other would match nothing.
fn check_path(typed: &str) -> Result<String, FieldProblem> {
    let segments = typed.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest).split('/'));
    let plain = segments.is_some_and(|mut segments| segments.all(|segment| !matches!(segment, "" | "." | "..")));
    let readable = !typed.chars().any(|character| character.is_control() || "?#;%\\*\u{fffd}".contains(character));
    if plain && readable && typed.len() <= LONGEST_PATH {
        Ok(typed.to_owned())
    } else {
        Err(FieldProblem::new("path", "invalid", &"write the beginning of a path, decoded and without query, for example /wiki"))
    }
}

fn check_methods(typed: &[String], settings: &Settings) -> Result<Vec<String>, FieldProblem> {
    let mut methods = Vec::new();
    for method in typed.iter().map(|method| method.trim().to_ascii_uppercase()).filter(|method| !method.is_empty()) {
        if !settings.server.methods.iter().any(|known| known.as_str() == method) {
            let known = settings.server.methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(", ");
            return Err(FieldProblem::new("method", "invalid", &format!("the methods are {known}")));
        }
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    Ok(methods)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing;

    fn scope(host: &str, path: &str, methods: &[&str]) -> Scope {
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Scope { host: some(host), path: some(path), methods: methods.iter().map(|method| (*method).to_owned()).collect() }
    }

    fn covers(scope: &Scope, host: &str, path: &str, method: &str) -> bool {
        scope.covers(&Destination { host, path: path.as_bytes(), method })
    }

    /// threats.md B13, B20
    #[test]
    fn a_scope_covers_its_host_its_path_and_its_methods_and_nothing_beside_them() {
        let wide = Scope::default();
        assert!(covers(&wide, "a.test", "/", "DELETE"));
        let narrow = scope("a.test", "/wiki", &["GET"]);
        for path in ["/wiki", "/wiki/", "/wiki/a/b"] {
            assert!(covers(&narrow, "a.test", path, "GET") && covers(&narrow, "a.test", path, "HEAD"), "{path}");
        }
        for (host, path, method) in [
            ("b.test", "/wiki", "GET"),
            ("x.a.test", "/wiki", "GET"),
            ("a.test", "/wikis", "GET"),
            ("a.test", "/Wiki", "GET"),
            ("a.test", "/", "GET"),
            ("a.test", "/x/wiki", "GET"),
            ("a.test", "/wiki", "POST"),
            ("a.test", "/wiki", "get"),
        ] {
            assert!(!covers(&narrow, host, path, method), "{method} {host}{path}");
        }
        assert!(!covers(&scope("", "", &["HEAD"]), "a.test", "/", "GET"), "the other way round it is not so");
    }

    #[test]
    fn what_is_typed_is_kept_in_one_spelling() {
        let settings = testing::loaded("routes: [{ host: Wiki.Example.com, upstream: sample }]");
        let checked = Scope::check(&scope(" WIKI.example.com. ", "/a/ü/", &["get", "POST", "GET", " "]), &settings);
        assert_eq!(checked.unwrap(), scope("wiki.example.com", "/a/ü/", &["GET", "POST"]));
        assert_eq!(Scope::check(&scope("  ", "/", &[]), &settings).unwrap(), Scope::default());
    }

    #[test]
    fn what_could_never_match_is_refused_with_every_reason() {
        let settings = testing::loaded("routes: [{ host: wiki.example.com, upstream: sample }]");
        for path in
            ["wiki", "/a//b", "/a/../b", "/a?x", "/a;b", "/a%20b", "/a\\b", "/a/*", "/a\u{0}", "//", &format!("/{}", "a".repeat(512))]
        {
            assert_eq!(Scope::check(&scope("", path, &[]), &settings).unwrap_err()[0].field, "path", "{path:?}");
        }
        let problems = Scope::check(&scope("other.example.com", "x", &["TRACE"]), &settings).unwrap_err();
        assert_eq!(problems.iter().map(|problem| problem.field).collect::<Vec<_>>(), ["host", "path", "method"]);
        assert_eq!(Scope::check(&scope("https://wiki.example.com", "", &[]), &settings).unwrap_err()[0].code, "invalid");
    }
}
