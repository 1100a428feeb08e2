//! Header names in every spelling that an application may take for them: CGI, WSGI and PHP servers show `X_User` and
//! `X.User` as they show `X-User`. For proxies that keep such names, as regular expressions over lower-case names.

use super::plan::Plan;

/// Any character of a header's name that is no letter and no digit.
const SEPARATOR: &str = "[^a-z0-9]";
/// One that is no hyphen.
const OTHER: &str = "[^a-z0-9-]";

/// Whatever speaks of identity or of an original URL; none of it may come from a visitor.
pub(super) fn identity(plan: &Plan) -> String {
    let names = plan.identity.iter().chain(&plan.foreign).map(in_every_spelling);
    let originals = ["x-original-.*", "x-rewrite-url"].map(in_every_spelling);
    joined(names.chain(originals))
}

/// Whatever a proxy says of the connection before it, in any spelling.
pub(super) fn forwarded() -> String {
    joined(["forwarded", "x-forwarded-.*", "x-real-ip"].map(in_every_spelling))
}

/// The same in the spellings that a proxy does not write itself.
pub(super) fn misspelt_forwarded() -> String {
    joined([
        format!("x{OTHER}forwarded{SEPARATOR}.*"),
        format!("x-forwarded{OTHER}.*"),
        format!("x-forwarded-.*{OTHER}.*"),
        format!("x{OTHER}real{SEPARATOR}ip"),
        format!("x-real{OTHER}ip"),
    ])
}

fn in_every_spelling(name: impl AsRef<str>) -> String {
    name.as_ref().to_ascii_lowercase().replace('-', SEPARATOR)
}

fn joined(patterns: impl IntoIterator<Item = String>) -> String {
    patterns.into_iter().collect::<Vec<_>>().join("|")
}
