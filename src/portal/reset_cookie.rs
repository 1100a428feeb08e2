//! The cookie that carries a reset link's token from the address bar to the form, so that it stands in no history, no
//! `Referer` and no log. Host-only, with or without `cookies.domain`.
//!
//! `SameSite=Lax`, not `Strict`: the link is opened from a webmail page, and a browser sends no `Strict` cookie with a
//! redirect that began at another site.

use super::csrf::cookies;
use crate::link_token::LinkToken;
use crate::session::SessionCookies;
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use http::HeaderMap;

/// How long a form may wait for its password.
const AGE: Duration = Duration::minutes(30);

/// The token that the browser sent.
pub(super) fn token(headers: &HeaderMap, names: &SessionCookies) -> Option<LinkToken> {
    token_named(headers, names.reset_name())
}

/// The token in the cookie of this name. Two different ones count as none.
pub(super) fn token_named(headers: &HeaderMap, name: &str) -> Option<LinkToken> {
    let mut values = cookies(headers, name);
    let first = values.next()?;
    if values.any(|other| other != first) {
        return None;
    }
    LinkToken::parse(std::str::from_utf8(first).ok()?)
}

/// `Set-Cookie` that keeps the token.
pub(super) fn set(names: &SessionCookies, token: &LinkToken) -> String {
    cookie(names, token.expose(), AGE)
}

/// `Set-Cookie` that removes it.
pub(super) fn expire(names: &SessionCookies) -> String {
    cookie(names, "", Duration::ZERO)
}

fn cookie(names: &SessionCookies, value: &str, age: Duration) -> String {
    let cookie = Cookie::build((names.reset_name(), value)).path("/").http_only(true).same_site(SameSite::Lax);
    cookie.secure(names.secure).max_age(age).build().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CookieSettings;
    use http::header::COOKIE;

    fn names(https: bool) -> SessionCookies {
        SessionCookies::for_scheme(https, &CookieSettings { domain: Some("example.com".to_owned()), secure: None })
    }

    /// contract 4 "Cookies", threats.md S08
    #[test]
    fn the_token_is_kept_for_half_an_hour_from_scripts_and_from_other_hosts() {
        let token = LinkToken::random();
        let flags = "; HttpOnly; SameSite=Lax";
        let kept = format!("__Host-portcullis-reset={}{flags}; Secure; Path=/; Max-Age=1800", token.expose());
        assert_eq!(set(&names(true), &token), kept);
        assert_eq!(expire(&names(false)), format!("portcullis-reset={flags}; Path=/; Max-Age=0"));
    }

    /// threats.md S05, S11
    #[test]
    fn only_one_well_formed_token_of_the_right_name_is_read() {
        let (one, other) = (LinkToken::random(), LinkToken::random());
        let read = |cookie: &str| token(&HeaderMap::from_iter([(COOKIE, cookie.parse().unwrap())]), &names(true));
        let named = |token: &LinkToken| format!("__Host-portcullis-reset={}", token.expose());
        assert_eq!(read(&format!("a=b; {}", named(&one))).unwrap().expose(), one.expose());
        assert!(read(&format!("{}; {}", named(&one), named(&one))).is_some());
        for bad in [
            format!("{}; {}", named(&one), named(&other)),
            format!("portcullis-reset={}", one.expose()),
            format!("{}x", named(&one)),
            "__Host-portcullis-reset=".to_owned(),
            "__Host-portcullis-reset={\"$gt\":\"\"}".to_owned(),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }
}
