//! What a client says it takes: `Accept`, `Accept-Encoding` and lists of entity tags (RFC 9110 sections 12.5 and 13.1).

use http::header::ACCEPT;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Whether `Accept` names `text/html`. `*/*`, which every script sends, does not count.
#[must_use]
pub fn names_html(headers: &HeaderMap) -> bool {
    names(headers, &ACCEPT, "text/html")
}

/// Whether a list header names `wanted` with a quality above zero.
pub(crate) fn names(headers: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted)) && !parts.any(is_zero_quality)
    })
}

/// Whether a list of entity tags holds `tag`, compared weakly.
pub(crate) fn lists(list: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(list), Ok(tag)) = (list.to_str(), tag.to_str()) else { return false };
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.trim() == "*" || list.split(',').any(|item| bare(item) == bare(tag))
}

fn is_zero_quality(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_html(accept: &'static str) -> bool {
        names_html(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn only_a_client_that_names_html_gets_html() {
        assert!(takes_html("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(takes_html("application/json, TEXT/HTML;q=0.1"));
        assert!(!takes_html("*/*") && !takes_html("application/json") && !takes_html("text/html;q=0"));
        assert!(!names_html(&HeaderMap::new()));
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        let tag = HeaderValue::from_static("W/\"a\"");
        assert!(lists(&HeaderValue::from_static("\"b\", \"a\""), &tag) && lists(&HeaderValue::from_static("*"), &tag));
        assert!(!lists(&HeaderValue::from_static("\"b\""), &tag));
    }
}
