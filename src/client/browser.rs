//! A browser in words, for people who look through their sessions: a few names that `User-Agent` is searched for, no
//! database of devices. It is a hint and never decides anything.

/// Marks of browsers, the more particular ones first: nearly all call themselves Chrome or Safari, too.
const BROWSERS: [(&str, &str); 17] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("MSIE ", "Internet Explorer"),
    ("Trident/", "Internet Explorer"),
];

/// Marks of systems; phones say Linux or Mac OS, too.
const SYSTEMS: [(&str, &str); 9] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
];

/// Longest name of a program that is repeated.
const LONGEST_NAME: usize = 32;

/// For example `Firefox on Linux`; the name alone where a program tells it, as `curl`.
#[must_use]
pub fn in_words(user_agent: &str) -> String {
    known(user_agent).unwrap_or_else(|| program(user_agent).unwrap_or("Unknown browser").to_owned())
}

/// The same for what signs in without our pages: its own name comes first, as in `Herbarium on Android`.
#[must_use]
pub fn app_in_words(user_agent: &str) -> String {
    match (program(user_agent), first_of(&SYSTEMS, user_agent)) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => known(user_agent).unwrap_or_else(|| "Unknown app".to_owned()),
    }
}

/// The same in words of ours only, for mails: there, even a plain name could pass for an address to visit.
#[must_use]
pub fn in_known_words(user_agent: &str) -> String {
    known(user_agent).unwrap_or_else(|| "an unknown browser".to_owned())
}

fn known(user_agent: &str) -> Option<String> {
    match (first_of(&BROWSERS, user_agent), first_of(&SYSTEMS, user_agent)) {
        (Some(browser), Some(system)) => Some(format!("{browser} on {system}")),
        (Some(browser), None) => Some(browser.to_owned()),
        (None, Some(system)) => Some(format!("Unknown browser on {system}")),
        (None, None) => None,
    }
}

fn first_of(names: &[(&str, &'static str)], user_agent: &str) -> Option<&'static str> {
    names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
}

/// The name before the first version (RFC 9110 section 10.1.5), if it is a plain one.
fn program(user_agent: &str) -> Option<&str> {
    let (name, _) = user_agent.split_once('/')?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    (plain && !name.is_empty() && name.len() <= LONGEST_NAME && name != "Mozilla").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_told_by_their_own_name_and_system() {
        for (user_agent, expected) in [
            ("Herbarium/3.1 (Android 16)", "Herbarium on Android"),
            ("okhttp/5.1.0", "okhttp"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            ("<b>/1", "Unknown app"),
            ("", "Unknown app"),
        ] {
            assert_eq!(app_in_words(user_agent), expected, "{user_agent}");
        }
    }

    #[test]
    fn browsers_are_told_by_name_and_system() {
        for (user_agent, expected) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/141.0 Mobile/15E148 Safari/604.1",
                "Chrome on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            ("Mozilla/5.0 (Windows NT 10.0; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer on Windows"),
            ("curl/8.14.1", "curl"),
            ("python-requests/2.32.3", "python-requests"),
            ("Mozilla/5.0 (Linux)", "Unknown browser on Linux"),
            ("Mozilla/5.0", "Unknown browser"),
            ("", "Unknown browser"),
        ] {
            assert_eq!(in_words(user_agent), expected, "{user_agent}");
        }
    }

    /// threats.md I07: of what a client calls itself nothing is repeated but a plain name
    #[test]
    fn hostile_text_is_not_repeated() {
        for user_agent in ["\"><svg onload=alert(1)>/1", "<script>/1", "\u{202e}a/1", "/", " /1", &format!("{}/1", "x".repeat(33))] {
            assert_eq!(in_words(user_agent), "Unknown browser", "{user_agent}");
        }
    }

    /// contract 4: no user-chosen text in mails
    #[test]
    fn nothing_that_a_client_wrote_comes_through_where_only_our_words_may() {
        assert_eq!(in_known_words("visit https://evil.test Firefox/<b>now</b>\r\nX: y"), "Firefox");
        assert_eq!(in_known_words("evil.test/1"), "an unknown browser");
    }
}
