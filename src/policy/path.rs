//! Path patterns of rules: globs and regular expressions over the bytes of the normalised path.

use regex::bytes::{Regex, RegexBuilder};

/// What paths a rule is for.
#[derive(Clone, Debug)]
pub enum PathPattern {
    /// This path and what lies below it.
    Below(Vec<u8>),
    /// The whole path matches a glob.
    Glob(Whole),
    /// The whole path matches a regular expression.
    Regex(Whole),
}

/// A pattern for whole paths, and how it was written.
#[derive(Clone, Debug)]
pub struct Whole {
    regex: Regex,
    written: String,
}

impl std::fmt::Display for PathPattern {
    /// As it was written.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Below(prefix) => f.write_str(&String::from_utf8_lossy(prefix)),
            Self::Glob(pattern) | Self::Regex(pattern) => f.write_str(&pattern.written),
        }
    }
}

/// Why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPatternError(pub String);

impl std::fmt::Display for PathPatternError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl PathPattern {
    /// Reads a glob: `*` stands for anything within a segment, `**` for anything at all; without either, the pattern
    /// also matches what lies below it.
    ///
    /// # Errors
    /// When it could never match a normalised path, or is too long.
    pub fn glob(text: &str) -> Result<Self, PathPatternError> {
        let error = |reason: &str| Err(PathPatternError(format!("{reason}, write for example /public/**")));
        if !text.starts_with('/') && !text.starts_with("**") {
            return error("a path pattern starts with /");
        }
        if text.contains("//") {
            return error("paths are matched with // merged, so // never matches");
        }
        if text.split('/').any(|segment| segment == "." || segment == "..") {
            return error("paths with . or .. segments are refused, so they never match");
        }
        if text.contains(['?', '#']) {
            return error("a pattern is matched with the path alone, without ? or #");
        }
        if text.contains([';', '\\']) {
            return error(
                "paths are matched without what follows a ; in a segment, and those with \\ are refused, so neither ever matches",
            );
        }
        if !text.contains('*') {
            return Ok(Self::Below(text.as_bytes().to_vec()));
        }
        let parts: Vec<String> =
            text.split("**").map(|part| part.split('*').map(regex::escape).collect::<Vec<_>>().join("[^/]*")).collect();
        Whole::read(&parts.join(".*"), text).map(Self::Glob)
    }

    /// Reads a regular expression, which must match the whole path.
    ///
    /// # Errors
    /// When it is not one, or is too large.
    pub fn regex(text: &str) -> Result<Self, PathPatternError> {
        Whole::read(text, text).map(Self::Regex)
    }

    /// Whether the normalised `path` is meant.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::Below(prefix) => is_at_or_below(path, prefix),
            Self::Glob(pattern) | Self::Regex(pattern) => pattern.regex.is_match(path),
        }
    }

    /// Whether both mean the same paths, as far as their spelling tells.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Below(one), Self::Below(other)) => one == other,
            (Self::Glob(one) | Self::Regex(one), Self::Glob(other) | Self::Regex(other)) => one.regex.as_str() == other.regex.as_str(),
            _ => false,
        }
    }
}

impl Whole {
    fn read(regex: &str, written: &str) -> Result<Self, PathPatternError> {
        // On its own first: `a)|(b` would close our group, and no longer stand for whole paths.
        compiled(regex)?;
        Ok(Self { regex: compiled(&format!(r"\A(?:{regex})\z"))?, written: written.to_owned() })
    }
}

fn compiled(regex: &str) -> Result<Regex, PathPatternError> {
    let compiled = RegexBuilder::new(regex).unicode(false).dot_matches_new_line(true).size_limit(1 << 20).build();
    compiled
        .map_err(|error| PathPatternError(format!("not a usable pattern: {}", error.to_string().lines().last().unwrap_or_default().trim())))
}

/// Whether `path` is `prefix` or lies below it, on a segment boundary.
#[must_use]
pub fn is_at_or_below(path: &[u8], prefix: &[u8]) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || prefix.ends_with(b"/") || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(glob: &str, matching: &[&str], others: &[&str]) {
        let pattern = PathPattern::glob(glob).unwrap();
        for path in matching {
            assert!(pattern.matches(path.as_bytes()), "{glob} should match {path}");
        }
        for path in others {
            assert!(!pattern.matches(path.as_bytes()), "{glob} should not match {path}");
        }
    }

    /// threats.md B13
    #[test]
    fn a_plain_path_matches_itself_and_what_lies_below_it() {
        check("/public", &["/public", "/public/", "/public/a/b"], &["/publicsecret", "/public.bak", "/Public", "/", "/a/public"]);
        check("/", &["/", "/anything/at/all"], &[]);
    }

    #[test]
    fn one_star_stays_within_a_segment_and_two_cross_segments() {
        check("/files/*.css", &["/files/a.css", "/files/.css"], &["/files/a/b.css", "/files/a.css/x", "/files/axcss"]);
        check("/public/**", &["/public/", "/public/a", "/public/a/b"], &["/public", "/publicx"]);
        check("/**/edit", &["/a/edit", "/a/b/edit"], &["/edit/x", "/edit"]);
        check("/u/*/x", &["/u/a/x"], &["/u/a/b/x"]);
    }

    #[test]
    fn a_glob_is_literal_but_for_stars() {
        check("/a.b(c)+/*", &["/a.b(c)+/x"], &["/aXb(c)+/x", "/a.bcc/x"]);
    }

    #[test]
    fn patterns_match_bytes_that_are_no_text() {
        assert!(PathPattern::glob("/a/*/b").unwrap().matches(b"/a/\xff\xfe/b"));
    }

    #[test]
    fn a_regular_expression_matches_the_whole_path() {
        let pattern = PathPattern::regex("/api/v[0-9]+|/x").unwrap();
        assert!(pattern.matches(b"/api/v12") && pattern.matches(b"/x"));
        assert!(!pattern.matches(b"/api/v12/y") && !pattern.matches(b"/a/x"));
        assert!(PathPattern::regex("/x)|(?:.*").is_err(), "it must not end the group that makes it whole");
    }

    #[test]
    fn patterns_that_never_match_are_refused() {
        for text in ["public", "/a//b", "/a/../b", "/a?x", "/a;x", "/a\\b", ""] {
            assert!(PathPattern::glob(text).is_err(), "{text:?}");
        }
    }
}
