//! `{prefix}/forgot`: asking for a link to set a new password. The answer is the same for every address (S2.1); a site
//! that sends no mail says whom to ask.

use super::logout::Message;
use super::{Problems, forged, too_many, unavailable as outage};
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::submission::Fields;
use crate::recovery::RequestError;
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "forgot.html")]
struct Page<'a> {
    look: &'a Look,
    csrf: String,
    problems: &'a Problems,
    email: &'a str,
}

/// `GET`: the form, or what came of it.
pub(in crate::portal) async fn show(call: Call) -> Response {
    if !call.portal.app.recovery.is_possible(call.link_base().as_deref()) {
        return call.page(StatusCode::OK, &no_mail(&call));
    }
    if call.query.has("sent") {
        return call.page(StatusCode::OK, &sent(&call));
    }
    call.page(StatusCode::OK, &page(&call, "", &Problems::default()))
}

/// `POST`: asks for a link.
pub(in crate::portal) async fn submit(call: Call, fields: Fields) -> Response {
    let email = fields.text("email");
    if !call.is_genuine(&fields) {
        return call.page(StatusCode::FORBIDDEN, &page(&call, email, &forged()));
    }
    match call.portal.app.recovery.request(email, call.link_base(), &call.client()).await {
        Ok(()) => call.to_page(StatusCode::SEE_OTHER, "/forgot?sent"),
        Err(RequestError::NoMail) => call.page(StatusCode::OK, &no_mail(&call)),
        Err(RequestError::Invalid(problem)) => call.page(StatusCode::BAD_REQUEST, &page(&call, email, &vec![problem].into())),
        Err(RequestError::TooMany(limit)) => call.too_many_page(limit, &page(&call, email, &too_many(limit))),
        Err(RequestError::Unavailable(error)) => {
            call.note(&error);
            call.outage_page(&page(&call, email, &outage()))
        }
    }
}

fn page<'a>(call: &'a Call, email: &'a str, problems: &'a Problems) -> Page<'a> {
    Page { look: &call.portal.look, csrf: call.csrf_token(), problems, email }
}

fn sent(call: &Call) -> Message<'_> {
    let look = &call.portal.look;
    Message {
        look,
        title: "Check your mail",
        text: "If there is an account with that address, we have sent a link to it. It may take a minute. If nothing comes, look \
               into your spam folder, or ask again.",
        href: format!("{}/login", look.prefix),
        link: "Back to sign in",
    }
}

fn no_mail(call: &Call) -> Message<'_> {
    let look = &call.portal.look;
    Message {
        look,
        title: "Forgot your password?",
        text: "This site sends no mail, so it cannot send you a link. Ask its administrator to set a new password for you.",
        href: format!("{}/login", look.prefix),
        link: "Back to sign in",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    #[test]
    fn an_address_that_is_none_is_shown_again_with_its_problem() {
        let (look, problems) = (look(), Problems::of_field("email", "invalid", HOSTILE));
        let html = rendered("forgot-failed", &Page { look: &look, csrf: "token".into(), problems: &problems, email: HOSTILE });
        assert!(html.contains(r#"aria-describedby="email-hint email-problem" aria-invalid="true""#), "{html}");
        assert!(html.contains("<title>Error: Forgot your password?") && html.contains(r#"autocomplete="email""#));
        assert_eq!(html.matches("autofocus").count(), 1);
    }
}
