//! Forms in a page, as a browser without scripts would submit them.

use regex::Regex;
use std::sync::LazyLock;

static FORM: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?is)<form\b([^>]*)>(.*?)</form>").unwrap());
static CONTROL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?is)<input\b([^>]*)>").unwrap());
static ATTRIBUTE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?s)([a-zA-Z-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?"#).unwrap());
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"&(#[xX]?[0-9a-fA-F]+|[a-zA-Z]+);").unwrap());

/// One form and what it would send untouched.
#[derive(Clone, Debug)]
pub struct Form {
    /// `action`; absent: the page's own address.
    pub action: Option<String>,
    /// Whether it is a `POST`.
    pub is_post: bool,
    /// Names of all inputs.
    pub names: Vec<String>,
    /// Names and values that are sent if nothing is typed.
    pub values: Vec<(String, String)>,
}

impl Form {
    /// All forms of a page, in order.
    pub fn all(html: &str) -> Vec<Self> {
        FORM.captures_iter(html).map(|form| Self::read(&form[1], &form[2])).collect()
    }

    /// What is sent when these fields are filled in; a field the form lacks is a mistake in the test.
    pub fn filled(&self, fields: &[(&str, &str)]) -> String {
        let untouched = self.values.iter().filter(|(name, _)| fields.iter().all(|(field, _)| field != name));
        let untouched = untouched.map(|(name, value)| (name.as_str(), value.as_str()));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(untouched).extend_pairs(fields).finish()
    }

    /// Whether the form has all these inputs.
    pub fn has(&self, fields: &[(&str, &str)]) -> bool {
        fields.iter().all(|(field, _)| self.names.iter().any(|name| name == field))
    }

    fn read(tag: &str, content: &str) -> Self {
        let mut form = Self {
            action: attribute(tag, "action").filter(|action| !action.is_empty()),
            is_post: attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("post")),
            names: Vec::new(),
            values: Vec::new(),
        };
        for control in CONTROL.captures_iter(content) {
            let Some(name) = attribute(&control[1], "name") else { continue };
            form.names.push(name.clone());
            let kind = attribute(&control[1], "type").unwrap_or_default().to_ascii_lowercase();
            let is_choice = kind == "checkbox" || kind == "radio";
            if kind == "submit" || (is_choice && attribute(&control[1], "checked").is_none()) {
                continue;
            }
            let default = if is_choice { "on" } else { "" };
            form.values.push((name, attribute(&control[1], "value").unwrap_or_else(|| default.to_owned())));
        }
        form
    }
}

/// The value of an attribute of a tag, references resolved; empty where it has none.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let found = ATTRIBUTE.captures_iter(tag).find(|attribute| attribute[1].eq_ignore_ascii_case(name))?;
    let value = found.get(2).or(found.get(3)).or(found.get(4)).map_or("", |value| value.as_str());
    Some(unescape(value))
}

/// Resolves character references.
pub fn unescape(text: &str) -> String {
    let resolve = |captures: &regex::Captures<'_>| {
        let reference = &captures[1];
        let code = match reference.strip_prefix('#') {
            Some(digits) => match digits.strip_prefix(['x', 'X']) {
                Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok(),
                None => digits.parse().ok(),
            },
            None => [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')]
                .into_iter()
                .find(|(name, _)| *name == reference)
                .map(|(_, character)| u32::from(character)),
        };
        code.and_then(char::from_u32).map_or_else(|| captures[0].to_owned(), String::from)
    };
    REFERENCE.replace_all(text, resolve).into_owned()
}
