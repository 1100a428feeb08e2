//! `{prefix}/parked`: offers the form that met an expired session to be sent again, to its sender alone, and once. The button sends it
//! straight to where it went before: the application gets it as from one of its own pages.

use super::logout::Message;
use crate::parked_forms::ParkedForm;
use crate::portal::assets::Look;
use crate::portal::call::{Call, set_cookie};
use crate::portal::headers;
use axum::response::Response;
use http::StatusCode;
use std::time::Duration;

#[derive(askama::Template)]
#[template(path = "parked.html")]
struct Page<'a> {
    look: &'a Look,
    username: &'a str,
    action: String,
    target: &'a str,
    fields: Vec<(String, String)>,
}

/// Names that are shown; the others are counted.
const SHOWN: usize = 20;

impl Page<'_> {
    /// Names of fields, and how many characters are in each.
    fn shown(&self) -> impl Iterator<Item = (&str, usize)> {
        self.fields.iter().take(SHOWN).map(|(name, value)| (name.as_str(), value.chars().count()))
    }

    fn others(&self) -> usize {
        self.fields.len().saturating_sub(SHOWN)
    }
}

/// `GET`: takes the form, and shows what would be sent.
pub(in crate::portal) async fn show(call: Call) -> Response {
    let session = match call.somebody() {
        Ok(Some((_, session))) => session,
        Ok(None) => return call.to_login(StatusCode::FOUND, "", "/parked"),
        Err(outage) => return *outage,
    };
    let Some(token) = call.form_token() else { return gone(&call) };
    if !call.is_looked_at() {
        return gone(&call);
    }
    let mut response = match call.portal.app.parked_forms.take(&token, session.user.id, &call.visit.authority).await {
        Ok(Some(form)) => offer(&call, &session.user.username, &form),
        Ok(None) => gone(&call),
        Err(error) => {
            call.note(&error);
            return call.fault(&Call::outage());
        }
    };
    set_cookie(&mut response, &call.cookies.set_form("", Duration::ZERO));
    response
}

fn offer(call: &Call, username: &str, form: &ParkedForm) -> Response {
    let scheme = if call.visit.https { "https" } else { "http" };
    // Whole: a path that begins with // would lead to another host.
    let action = format!("{scheme}://{}{}", form.authority(), form.target());
    let target = form.target().split('?').next().unwrap_or_default();
    let page = Page { look: &call.portal.look, username, action, target, fields: form.fields() };
    let mut response = call.page(StatusCode::OK, &page);
    headers::let_forms_leave(response.headers_mut());
    response
}

fn gone(call: &Call) -> Response {
    let message = Message {
        look: &call.portal.look,
        title: "Nothing is waiting to be sent",
        text: "A form is kept for ten minutes, for the person who sent it, and offered once. Go back to the page and fill it in again.",
        href: call.onward(&call.query).location,
        link: "Go on",
    };
    call.page(StatusCode::NOT_FOUND, &message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    #[test]
    fn names_and_sizes_are_shown_and_values_are_not() {
        let look = look();
        let fields = (0..22).map(|number| (format!("{HOSTILE}{number}"), "hidden words".to_owned())).collect();
        let page = Page { look: &look, username: HOSTILE, action: "http://app.test//save?x".into(), target: HOSTILE, fields };
        let html = rendered("parked", &page);
        assert!(html.contains("12 characters") && html.contains("2 more"), "{html}");
        assert_eq!(html.matches("hidden words").count(), 22, "in hidden fields only");
        assert_eq!(html.matches(r#"<input type="hidden""#).count(), 22);
        assert!(html.contains(r#"action="http://app.test//save?x""#), "{html}");
    }
}
