//! Free values of a profile: display name and picture address.

/// The name as it will be stored: without blanks at its ends.
///
/// # Errors
/// What to write instead.
pub(crate) fn check_name(text: &str) -> Result<String, (&'static str, &'static str)> {
    let text = text.trim();
    if text.chars().count() > 128 {
        return Err(("too_long", "use at most 128 characters"));
    }
    if text.chars().any(is_invisible) {
        return Err(("invalid", "use letters, digits, blanks and punctuation only"));
    }
    Ok(text.to_owned())
}

/// The address as it will be stored; `None` when it is empty.
///
/// # Errors
/// What to write instead.
pub(crate) fn check_avatar_url(text: &str) -> Result<Option<String>, (&'static str, &'static str)> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > 2048 {
        return Err(("too_long", "use an address of at most 2048 characters"));
    }
    let invalid = ("invalid", "use an address like https://example.com/me.png");
    let url = url::Url::parse(text).map_err(|_| invalid)?;
    let names_a_picture = url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none();
    let stored = url.to_string();
    if !names_a_picture || stored.len() > 2048 { Err(invalid) } else { Ok(Some(stored)) }
}

/// Control characters, line and paragraph separators, direction overrides and characters of no width: they break
/// headers, mails and logs, or make one name look like another.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// threats.md E01, A10
    #[test]
    fn a_display_name_may_be_anything_that_can_be_seen() {
        assert_eq!(check_name("  Zoë O'Hara <b>  ").unwrap(), "Zoë O'Hara <b>");
        assert_eq!(check_name(&"é".repeat(128)).unwrap().chars().count(), 128);
        for text in
            ["a\r\nX-Role: x", "a\0", "a\u{202e}b", "a\u{200b}b", "a\u{2028}b", "a\u{1b}[31m", &"x".repeat(129), &"x".repeat(10_000)]
        {
            assert!(check_name(text).is_err(), "{text:?}");
        }
    }

    /// threats.md I13: the address is stored and never fetched
    #[test]
    fn a_picture_has_an_https_address_without_credentials() {
        assert_eq!(check_avatar_url(" https://Example.com/a b.png ").unwrap().unwrap(), "https://example.com/a%20b.png");
        assert_eq!(check_avatar_url("").unwrap(), None);
        for text in ["http://example.com/a", "javascript:alert(1)", "data:image/png,x", "//example.com/a", "https://u:p@example.com/", "x"]
        {
            assert!(check_avatar_url(text).is_err(), "{text}");
        }
        assert!(check_avatar_url(&format!("https://example.com/{}", "x".repeat(2048))).is_err());
    }
}
