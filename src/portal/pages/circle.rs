//! The page for a browser that comes back to the login right after it signed in, again and again: it names the likely
//! cause, since neither the user nor a browser's own error page could.

use crate::config::{Route, Upstream};
use crate::gate::single_cookie;
use crate::host::Host;
use crate::portal::Presence;
use crate::portal::assets::Look;
use crate::portal::call::{Call, rd_query};
use crate::portal::redirect::Onward;
use crate::portal::rounds::{Brought, Cause, Circle, Rounds};
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "circle.html")]
struct Page<'a> {
    look: &'a Look,
    to: &'a str,
    onward: &'a str,
    again: String,
    causes: Vec<Cause>,
}

/// Takes note of a browser's way to the login, and out of it.
pub(super) fn rounds(call: &Call, onward: &Onward) -> Rounds {
    Rounds::of(call.headers(), &call.cookies, onward, call.portal.app.clock.now())
}

/// The page, if this browser goes round in a circle. Not where it asks for the form itself (`?switch`).
pub(super) fn broken(call: &Call, onward: &Onward) -> Option<Response> {
    if !onward.asked || call.query.has("switch") {
        return None;
    }
    let rounds = rounds(call, onward);
    let enough = match &call.visit.session {
        Presence::Somebody { .. } => rounds.enough_for_somebody(),
        Presence::Nobody => rounds.enough_for_nobody(),
        Presence::Unknown | Presence::Program(_) | Presence::Refused(_) => false,
    };
    enough.then(|| page(call, onward))
}

fn page(call: &Call, onward: &Onward) -> Response {
    let (to, to_https) = destination(call, onward);
    let circle = Circle {
        here: &call.visit.host,
        came_by_https: call.visit.arrival.is_https(),
        to: &to,
        to_https,
        forward_auth: is_asked_about(call, &to),
        brought: brought(call),
        cookies: &call.cookies,
    };
    let causes = circle.causes();
    let names: Vec<_> = causes.iter().map(|cause| cause.name).collect();
    tracing::warn!(event = "login_circle", host = %to, causes = names.join(", "), "a browser goes round in a circle at the login");
    let again = format!("{}/login?switch{}", call.portal.look.prefix, rd_query('&', onward.asked_for()));
    let page = Page { look: &call.portal.look, to: to.as_str(), onward: &onward.location, again, causes };
    // No success: a program that follows redirects must not take it for one.
    call.page(StatusCode::BAD_REQUEST, &page)
}

fn destination(call: &Call, onward: &Onward) -> (Host, bool) {
    let url = url::Url::parse(&onward.location).ok();
    let there = url.as_ref().and_then(|url| Some((Host::parse(url.host_str()?)?, url.scheme() == "https")));
    there.unwrap_or_else(|| (call.visit.host.clone(), call.visit.https))
}

/// Whether some route of this host is for forward-auth only.
fn is_asked_about(call: &Call, host: &Host) -> bool {
    let serves = |route: &&Route| route.host.as_ref().is_none_or(|pattern| pattern.matches(host));
    call.portal.settings.routes.iter().filter(serves).any(|route| matches!(route.upstream, Upstream::None))
}

fn brought(call: &Call) -> Brought {
    if let Presence::Somebody { .. } = call.visit.session {
        return Brought::Session;
    }
    match single_cookie(call.headers(), call.cookies.session_name()) {
        None => Brought::Nothing,
        Some(value) if call.portal.app.cookie_key.open(value).is_some() => Brought::Ended,
        Some(_) => Brought::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    #[test]
    fn the_page_names_the_causes_and_the_ways_out() {
        let look = look();
        let causes = vec![Cause { name: "Clock", text: HOSTILE.into() }];
        let page = Page { look: &look, to: HOSTILE, onward: HOSTILE, again: "/auth/login?switch&rd=/x".into(), causes };
        let html = rendered("circle", &page);
        assert!(html.contains("Clock") && html.contains("href=\"/auth/login?switch&#38;rd=/x\""), "{html}");
    }
}
