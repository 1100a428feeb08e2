//! `/.demo/mail`: the mails that the demo sent to nobody. Whoever reads them can take over accounts, so they are shown to this
//! machine only, and under a name that no site elsewhere can give to it (DNS rebinding).

use crate::mail::Caught;
use crate::portal::Visit;
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::error_page::Fault;
use axum::response::Response;
use http::StatusCode;

/// Where it is.
pub const PATH: &str = "/.demo/mail";

#[derive(askama::Template)]
#[template(path = "demo_mail.html")]
struct Page<'a> {
    look: &'a Look,
    mails: &'a [Caught],
}

/// `GET`: all mails, newest first.
pub(in crate::portal) async fn show(call: Call) -> Response {
    match &call.portal.app.mail_catcher {
        Some(catcher) if is_from_this_machine(&call.visit) => {
            call.page(StatusCode::OK, &Page { look: &call.portal.look, mails: &catcher.caught() })
        }
        _ => call.fault(&Fault::NotFound),
    }
}

fn is_from_this_machine(visit: &Visit) -> bool {
    visit.host.is_loopback() && visit.client.is_some_and(|client| client.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::visit;

    /// contract 1: to loopback peers with a loopback `Host` only
    #[test]
    fn only_this_machine_sees_mails_and_only_under_a_name_of_its_own() {
        let visit = |origin: &str, client: Option<&str>| Visit { client: client.map(|text| text.parse().unwrap()), ..visit(origin) };
        for (origin, client) in [
            ("http://localhost:8080", "127.0.0.1"),
            ("http://127.0.0.1:8080", "127.0.0.1"),
            ("http://[::1]:8080", "::1"),
            ("http://localhost", "::ffff:127.0.0.1"),
        ] {
            assert!(is_from_this_machine(&visit(origin, Some(client))), "{origin} {client}");
        }
        for (origin, client) in [
            ("http://localhost:8080", Some("192.0.2.1")),
            ("http://localhost:8080", None),
            ("http://192.0.2.1:8080", Some("127.0.0.1")),
            ("http://evil.test:8080", Some("127.0.0.1")),
            ("http://localhost.evil.test", Some("127.0.0.1")),
        ] {
            assert!(!is_from_this_machine(&visit(origin, client)), "{origin} {client:?}");
        }
    }
}
