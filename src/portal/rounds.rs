//! Going round in a circle: the login sends a browser on, and it comes straight back. A short-lived cookie counts how
//! often; nothing is stored, and whoever changes the cookie changes only what they themselves see.

mod causes;

pub(super) use causes::{Brought, Cause, Circle};

use super::redirect::Onward;
use crate::clock::Timestamp;
use crate::gate::single_cookie;
use crate::session::SessionCookies;
use http::HeaderMap;
use sha2::{Digest as _, Sha256};

/// How often a browser was sent on to one and the same place of late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rounds {
    count: u32,
    began: i64,
    to: String,
}

/// Longest that rounds belong together: who signs in by hand needs a while for each.
const TOGETHER_SECONDS: i64 = 120;
/// Rounds by hand after which whoever comes again is told.
const ENOUGH_BY_HAND: u32 = 3;
/// Rounds without a hand: more, since pages may be opened several at once, and far fewer than browsers follow.
const ENOUGH_BY_ITSELF: u32 = 5;

impl Rounds {
    /// The rounds of the browser that sent these headers, towards this place; none where it was somewhere else, or long ago.
    pub(super) fn of(headers: &HeaderMap, cookies_in_force: &SessionCookies, onward: &Onward, now: Timestamp) -> Self {
        let (now, to) = (now.0 / 1000, fingerprint(&onward.location));
        let told = single_cookie(headers, cookie_name(cookies_in_force));
        let told = told.and_then(|value| Self::read(std::str::from_utf8(value).ok()?));
        told.filter(|rounds| rounds.to == to && (0..=TOGETHER_SECONDS).contains(&(now.saturating_sub(rounds.began)))).unwrap_or(Self {
            count: 0,
            began: now,
            to,
        })
    }

    /// Whether somebody who is signed in here has been sent on often enough.
    pub(super) fn enough_for_somebody(&self) -> bool {
        self.count >= ENOUGH_BY_ITSELF
    }

    /// Whether nobody being signed in after so many sign-ins is no accident.
    pub(super) fn enough_for_nobody(&self) -> bool {
        self.count >= ENOUGH_BY_HAND
    }

    /// `Set-Cookie` for one round more: host-only, and gone when the rounds no longer belong together.
    pub(super) fn one_more(&self, cookies_in_force: &SessionCookies) -> String {
        let value = format!("{}.{}.{}", self.count.saturating_add(1), self.began, self.to);
        let cookie = cookie::Cookie::build((cookie_name(cookies_in_force), value))
            .path("/")
            .http_only(true)
            .same_site(cookie::SameSite::Lax)
            .secure(cookies_in_force.secure)
            .max_age(cookie::time::Duration::seconds(TOGETHER_SECONDS));
        cookie.build().to_string()
    }

    /// `Set-Cookie` that forgets all rounds, where the browser that sent these headers has any: who signs out comes back to
    /// the login for a good reason.
    pub(super) fn forget(headers: &HeaderMap, cookies_in_force: &SessionCookies) -> Option<String> {
        single_cookie(headers, cookie_name(cookies_in_force))?;
        let none = cookie::Cookie::build((cookie_name(cookies_in_force), "")).path("/").http_only(true).same_site(cookie::SameSite::Lax);
        Some(none.secure(cookies_in_force.secure).max_age(cookie::time::Duration::ZERO).build().to_string())
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let rounds = Self { count: parts.next()?.parse().ok()?, began: parts.next()?.parse().ok()?, to: parts.next()?.to_owned() };
        parts.next().is_none().then_some(rounds)
    }
}

fn cookie_name(cookies_in_force: &SessionCookies) -> &'static str {
    if cookies_in_force.secure { "__Host-portcullis-rounds" } else { "portcullis-rounds" }
}

fn fingerprint(location: &str) -> String {
    Sha256::digest(location.as_bytes())[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::COOKIE;

    fn onward(location: &str) -> Onward {
        Onward { location: location.to_owned(), asked: true, leaves: false, host: "app.test".to_owned() }
    }

    fn of(cookie: &str, location: &str, seconds: i64) -> Rounds {
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookie).unwrap())]);
        Rounds::of(&headers, &SessionCookies { secure: true, domain: None }, &onward(location), Timestamp(seconds * 1000))
    }

    #[test]
    fn rounds_to_one_place_within_two_minutes_belong_together() {
        let cookies = SessionCookies { secure: true, domain: None };
        let set = of("", "/x", 1000).one_more(&cookies);
        assert!(set.contains("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=120") && !set.contains("Domain"), "{set}");
        let cookie = set.split(';').next().unwrap();
        assert_eq!((of(cookie, "/x", 1120).count, of(cookie, "/x", 1000).count), (1, 1));
        assert_eq!((of(cookie, "/y", 1001).count, of(cookie, "/x", 1121).count, of(cookie, "/x", 999).count), (0, 0, 0));
        let mut again = of(cookie, "/x", 1010);
        for _ in 0..2 {
            assert!(!again.enough_for_nobody());
            again = of(again.one_more(&cookies).split(';').next().unwrap(), "/x", 1020);
        }
        assert!(again.count == 3 && again.enough_for_nobody() && !again.enough_for_somebody());
    }

    #[test]
    fn a_cookie_that_says_nonsense_says_nothing() {
        for value in
            ["", "1", "1.2", "x.1000.y", "1.x.y", "1.1000.y.z", "-1.1000.y", "99999999999999999999.1.y", "1.-9223372036854775808.y"]
        {
            assert_eq!(of(&format!("__Host-portcullis-rounds={value}"), "/x", 1000).count, 0, "{value}");
        }
    }
}
