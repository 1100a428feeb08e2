//! `{prefix}/forgot`: what to do about a forgotten password. This site sends no mail, so the page says whom to ask.

use super::logout::Message;
use crate::portal::call::Call;
use axum::response::Response;
use http::StatusCode;

/// `GET`: the advice.
pub(in crate::portal) async fn show(call: Call) -> Response {
    let look = &call.portal.look;
    let page = Message {
        look,
        title: "Forgot your password?",
        text: "This site sends no mail, so it cannot send you a link. Ask its administrator to set a new password for you.",
        href: format!("{}/login", look.prefix),
        link: "Back to sign in",
    };
    call.page(StatusCode::OK, &page)
}
