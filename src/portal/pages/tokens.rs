//! `{prefix}/account/tokens`: personal tokens for scripts, making and revoking them. The text of one is shown once, in the answer
//! to the form that made it; nobody can see it again.

use super::nav::{Here, Nav};
use super::own::Own;
use super::{Problems, forged};
use crate::account::Account;
use crate::audit::Party;
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::host::HostPattern;
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::error_page::Fault;
use crate::portal::moment::Moment;
use crate::portal::submission::Fields;
use crate::store::StoreError;
use crate::token::{MOST, NewPersonalToken, PersonalText, PersonalToken, PersonalTokenError, Scope};
use axum::response::Response;
use http::{Method, StatusCode};
use std::collections::BTreeSet;
use std::time::Duration;
use uuid::Uuid;

#[derive(askama::Template)]
#[template(path = "tokens.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    csrf: String,
    notice: Option<&'static str>,
    problems: &'a Problems,
    /// The text of the token that was made just now.
    made: Option<&'a str>,
    rows: Vec<Row>,
    /// Whether one can be made now: the password was given a short while ago.
    fresh: bool,
    typed: Typed<'a>,
    hosts: &'a [String],
    methods: &'a [Method],
}

/// A token, as pages show it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) name: String,
    /// Where it may be used, in words.
    pub(super) scope: String,
    pub(super) made: Moment,
    pub(super) ends: Option<Moment>,
    pub(super) ended: bool,
    pub(super) used: Option<Moment>,
}

/// What the form holds.
#[derive(Clone, Default)]
struct Typed<'a> {
    name: &'a str,
    host: &'a str,
    path: &'a str,
    methods: Vec<&'a str>,
    expires: &'a str,
}

/// What is said above the list.
#[derive(Clone, Copy, Default)]
struct Said<'a> {
    problems: Option<&'a Problems>,
    made: Option<&'a PersonalText>,
}

/// Under the prefix.
const PATH: &str = "/account/tokens";

/// Days after which a token may end, as the form says them.
const DAYS: [&str; 4] = ["7", "30", "90", "365"];

/// What is chosen unless something else is.
const USUAL_DAYS: &str = "30";

const NEVER: &str = "never";

impl Row {
    pub(super) fn of(token: &PersonalToken, now: Timestamp) -> Self {
        Self {
            id: token.id,
            name: token.name.clone(),
            scope: in_words(&token.scope),
            made: Moment::of(token.created_at),
            ends: token.expires_at.map(Moment::of),
            ended: token.expires_at.is_some_and(|end| end <= now),
            used: token.last_used.map(|used| Moment::ago(used, now)),
        }
    }
}

#[cfg(test)]
impl Row {
    /// One with this for every text, for tests of templates.
    pub(super) fn sample(text: &str) -> Self {
        let scope = Scope { host: Some(text.to_owned()), ..Scope::default() };
        let at = || Moment::of(Timestamp(0));
        let (name, scope) = (text.to_owned(), in_words(&scope));
        Self { id: Uuid::nil(), name, scope, made: at(), ends: Some(at()), ended: false, used: Some(at()) }
    }
}

impl Typed<'_> {
    fn wants(&self, method: &Method) -> bool {
        self.methods.contains(&method.as_str())
    }

    fn ends_after(&self, days: &str) -> bool {
        self.expires == days
    }
}

/// `GET`: the tokens, and the form.
pub(in crate::portal) async fn show(Own { call, account, .. }: Own) -> Response {
    listed(&call, &account, StatusCode::OK, Typed { expires: USUAL_DAYS, ..Typed::default() }, Said::default()).await
}

/// `POST`: makes a token, or revokes the one that `revoke` names.
pub(in crate::portal) async fn submit(Own { call, account, .. }: Own, fields: Fields) -> Response {
    let typed = typed(&fields);
    if !call.is_genuine(&fields) {
        let said = Said { problems: Some(&forged()), made: None };
        return listed(&call, &account, StatusCode::FORBIDDEN, typed, said).await;
    }
    if !call.is_fresh() {
        return call.to_confirm(PATH);
    }
    if fields.has("revoke") { revoke(&call, &account, &fields).await } else { create(&call, &account, typed).await }
}

async fn revoke(call: &Call, account: &Account, fields: &Fields) -> Response {
    let Ok(id) = Uuid::try_parse(fields.text("revoke")) else { return call.fault(&Fault::NotFound) };
    match call.portal.app.personal_tokens.revoke(account, id, Party::from(account), &call.client()).await {
        // What was revoked a moment before is revoked.
        Ok(_) => call.to_page(StatusCode::SEE_OTHER, "/account/tokens?revoked"),
        Err(error) => unavailable(call, &error),
    }
}

async fn create(call: &Call, account: &Account, typed: Typed<'_>) -> Response {
    let again = async |status, problems: &Problems| {
        let said = Said { problems: Some(problems), made: None };
        listed(call, account, status, typed.clone(), said).await
    };
    let Some(wanted) = wanted(call, &typed) else {
        return again(StatusCode::BAD_REQUEST, &Problems::of_field("expires", "invalid", "Choose one of these.")).await;
    };
    match call.portal.app.personal_tokens.create(account, wanted, Party::from(account), &call.client()).await {
        Ok((_, text)) => {
            let empty = Typed { expires: USUAL_DAYS, ..Typed::default() };
            listed(call, account, StatusCode::OK, empty, Said { problems: None, made: Some(&text) }).await
        }
        Err(PersonalTokenError::Invalid(problems)) => again(StatusCode::BAD_REQUEST, &problems.into()).await,
        Err(PersonalTokenError::TooMany) => again(StatusCode::CONFLICT, &too_many()).await,
        Err(PersonalTokenError::Unavailable(error)) => unavailable(call, &error),
    }
}

/// The token that is wanted; `None` where it is to end when none can.
fn wanted(call: &Call, typed: &Typed<'_>) -> Option<NewPersonalToken> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let days = |days: &str| DAYS.contains(&days).then(|| days.parse().ok()).flatten();
    let expires_at = match typed.expires {
        NEVER => None,
        chosen => Some(call.portal.app.personal_tokens.end_after(Duration::from_hours(24) * days(chosen)?)),
    };
    let methods = typed.methods.iter().map(|method| (*method).to_owned()).collect();
    let scope = Scope { host: given(typed.host), path: given(typed.path), methods };
    Some(NewPersonalToken { name: typed.name.to_owned(), scope, expires_at })
}

fn too_many() -> Problems {
    Problems::general("too_many", &format!("You have {MOST} tokens, the most there can be. Revoke one that is not needed any more."))
}

fn typed(fields: &Fields) -> Typed<'_> {
    Typed {
        name: fields.text("name"),
        host: fields.text("host"),
        path: fields.text("path"),
        methods: fields.all("method").collect(),
        expires: fields.text("expires"),
    }
}

/// Where a token may be used.
fn in_words(scope: &Scope) -> String {
    let methods = if scope.methods.is_empty() { "Everything".to_owned() } else { scope.methods.join(", ") };
    match (&scope.host, &scope.path) {
        (None, None) if scope.methods.is_empty() => "Everything that you may do".to_owned(),
        (None, None) => format!("{methods} everywhere"),
        (Some(host), path) => format!("{methods} at {host}{}", path.as_deref().unwrap_or_default()),
        (None, Some(path)) => format!("{methods} at {path} on any host"),
    }
}

fn unavailable(call: &Call, error: &StoreError) -> Response {
    call.note(error);
    call.fault(&Call::outage())
}

async fn listed(call: &Call, account: &Account, status: StatusCode, typed: Typed<'_>, said: Said<'_>) -> Response {
    let portal = &call.portal;
    let tokens = match portal.app.personal_tokens.list(account.id).await {
        Ok(tokens) => tokens,
        Err(error) => return unavailable(call, &error),
    };
    let (none, now) = (Problems::default(), portal.app.clock.now());
    let (made, hosts) = (said.made.map(PersonalText::expose), hosts(&portal.settings));
    let page = Page {
        look: &portal.look,
        nav: Nav::of(portal, account, Here::Tokens),
        csrf: call.csrf_token(),
        notice: call.query.has("revoked").then_some("The token is revoked.").filter(|_| said.made.is_none()),
        problems: said.problems.unwrap_or(&none),
        made: made.as_deref(),
        rows: tokens.iter().map(|token| Row::of(token, now)).collect(),
        fresh: call.is_fresh(),
        typed,
        hosts: &hosts,
        methods: &portal.settings.server.methods,
    };
    call.page(status, &page)
}

/// The hosts that routes name in full, to choose from.
fn hosts(settings: &Settings) -> Vec<String> {
    let named = settings.routes.iter().filter_map(|route| match &route.host {
        Some(HostPattern::Exact(host)) => Some(host.as_str().to_owned()),
        Some(HostPattern::Under(_)) | None => None,
    });
    named.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered};

    fn html(fresh: bool, made: Option<&str>) -> String {
        let (look, problems) = (look(), Problems::of_field("host", "unknown", HOSTILE));
        let page = Page {
            look: &look,
            nav: Nav::sample(Here::Tokens),
            csrf: "token".into(),
            notice: Some("x"),
            problems: &problems,
            made,
            rows: vec![Row::sample(HOSTILE), Row { ended: true, ..Row::sample(HOSTILE) }],
            fresh,
            typed: Typed { name: HOSTILE, host: HOSTILE, path: HOSTILE, methods: vec!["POST"], expires: NEVER },
            hosts: &[HOSTILE.to_owned()],
            methods: &[Method::GET, Method::POST],
        };
        rendered("tokens", &page)
    }

    /// threats.md I07
    #[test]
    fn tokens_can_be_revoked_and_the_form_keeps_what_was_typed() {
        let html = html(true, None);
        assert_eq!(html.matches(r#"name="revoke""#).count(), 2);
        assert_eq!(html.matches("<span class=\"tag\">expired</span>").count(), 1);
        assert!(html.contains(r#"value="POST" checked"#) && !html.contains(r#"value="GET" checked"#), "{html}");
        assert!(html.contains(r#"<option value="never" selected"#) && html.contains(r##"<a href="#host">"##), "{html}");
    }

    #[test]
    fn the_text_of_a_token_is_shown_to_who_made_it() {
        assert!(html(true, Some("pat_shown-once")).contains("pat_shown-once"));
    }

    /// ASVS V7.5.1
    #[test]
    fn who_has_not_given_the_password_lately_is_asked_for_it_before_the_form() {
        let html = html(false, None);
        assert!(!html.contains(r#"name="expires""#) && html.contains("/auth/account/confirm?rd=/auth/account/tokens"), "{html}");
    }

    #[test]
    fn a_scope_is_told_in_words() {
        let words = |host: Option<&str>, path: Option<&str>, methods: &[&str]| {
            let methods = methods.iter().map(|method| (*method).to_owned()).collect();
            in_words(&Scope { host: host.map(str::to_owned), path: path.map(str::to_owned), methods })
        };
        assert_eq!(words(None, None, &[]), "Everything that you may do");
        assert_eq!(words(None, None, &["GET"]), "GET everywhere");
        assert_eq!(words(Some("a.test"), Some("/x"), &["GET", "POST"]), "GET, POST at a.test/x");
        assert_eq!(words(None, Some("/x"), &[]), "Everything at /x on any host");
    }
}
