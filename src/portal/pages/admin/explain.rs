//! `{prefix}/explain`: for administrators, why a request of somebody would pass or not, and what was believed of the
//! headers of the request at hand.

use super::Admin;
use crate::account::Account;
use crate::administration::AdministrationError;
use crate::explain::{Explanation, Person, Question};
use crate::portal::assets::Look;
use crate::portal::call::Call;
use crate::portal::pages::nav::{Here, Nav};
use axum::response::Response;
use http::StatusCode;

#[derive(askama::Template)]
#[template(path = "admin/explain.html")]
struct Page<'a> {
    look: &'a Look,
    nav: Nav,
    url: &'a str,
    method: &'a str,
    user: &'a str,
    ip: &'a str,
    mfa: bool,
    bad_ip: bool,
    remark: Option<&'static str>,
    explanation: Option<Explanation>,
    beliefs: Vec<Belief>,
    headers: Vec<Header>,
}

/// One fact of this request, and where it comes from.
struct Belief {
    name: &'static str,
    value: String,
    because: &'static str,
}

/// A header by which a proxy tells of its client.
struct Header {
    name: String,
    value: String,
    used: bool,
}

/// As much of a header as is shown.
const SHOWN: usize = 200;

/// `GET`: the form, and the answer where something was asked. It changes nothing, so an answer can be linked to.
pub(in crate::portal) async fn show(admin: Admin) -> Response {
    match page(&admin).await {
        Ok(page) => admin.call.page(StatusCode::OK, &page),
        Err(error) => admin.fault(&error),
    }
}

async fn page(admin: &Admin) -> Result<Page<'_>, AdministrationError> {
    let call = &admin.call;
    let query = &call.query;
    let (user, ip) = (query.text("user").trim(), query.text("ip").trim());
    let method = Some(query.text("method").trim()).filter(|method| !method.is_empty()).unwrap_or("GET");
    let client = ip.parse().ok().map(|address: std::net::IpAddr| address.to_canonical());
    let bad_ip = !ip.is_empty() && client.is_none();
    let account = if user.is_empty() { None } else { find(admin, user).await? };
    let mfa = query.has("mfa");
    let person = (!user.is_empty()).then(|| person(user, account.as_ref(), mfa));
    let question = Question { method: method.to_owned(), url: query.text("url").trim().to_owned(), person, client };
    let asked = !question.url.is_empty() && !bad_ip;
    Ok(Page {
        look: &call.portal.look,
        nav: admin.nav(Here::Explain),
        url: query.text("url"),
        method,
        user,
        ip,
        mfa,
        bad_ip,
        remark: if asked { remark(user, account.as_ref()) } else { None },
        explanation: asked.then(|| Explanation::of(&question, &call.portal.settings)),
        beliefs: beliefs(call),
        headers: headers(call),
    })
}

async fn find(admin: &Admin, user: &str) -> Result<Option<Account>, AdministrationError> {
    match admin.administration.find(user).await {
        Ok(account) => Ok(Some(account)),
        Err(AdministrationError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn person(user: &str, account: Option<&Account>, mfa: bool) -> Person {
    let groups = account.into_iter().flat_map(|account| &account.groups).map(|group| group.as_str().to_owned()).collect();
    let name = account.map_or_else(|| user.to_owned(), |account| account.username.as_str().to_owned());
    Person { name, groups, mfa }
}

fn remark(user: &str, account: Option<&Account>) -> Option<&'static str> {
    match account {
        None if user.is_empty() => None,
        None => Some("There is no account of this name. The answer is that for somebody in no group."),
        Some(account) if account.locked => Some("This account is locked: it cannot sign in. The answer is that for when it could."),
        Some(_) => None,
    }
}

/// What was believed of the request at hand.
fn beliefs(call: &Call) -> Vec<Belief> {
    let (visit, arrival) = (&call.visit, &call.visit.arrival);
    let unknown = || "unknown".to_owned();
    let peer = arrival.peer.map_or_else(|| "a Unix socket".to_owned(), |address| address.to_string());
    let trusted = if arrival.trusted {
        "It is in server.trusted_proxies, so what it says of its client is believed."
    } else {
        "It is not in server.trusted_proxies, so it is taken for the client itself."
    };
    let scheme = match (arrival.tls, arrival.told_https) {
        _ if visit.https && !arrival.is_https() => {
            "Fixed by cookies.secure or portal.url; the request itself seems to have come over plain HTTP."
        }
        (true, _) => "The connection to the gateway is TLS.",
        (false, true) => "X-Forwarded-Proto of the trusted proxy says so.",
        (false, false) => "The connection is not TLS, and no trusted proxy says https in X-Forwarded-Proto.",
    };
    let client = if arrival.trusted && visit.client != arrival.peer {
        "The right-most address in X-Forwarded-For that is no trusted proxy's."
    } else {
        "The address of the peer."
    };
    vec![
        Belief { name: "Peer", value: peer, because: trusted },
        Belief { name: "Client", value: visit.client.map_or_else(unknown, |client| client.to_string()), because: client },
        Belief { name: "Scheme", value: if visit.https { "https" } else { "http" }.to_owned(), because: scheme },
        Belief { name: "Host", value: visit.authority.clone(), because: "Always the Host header, never a forwarded one." },
    ]
}

/// The headers by which proxies tell of their clients, as far as this request has any.
fn headers(call: &Call) -> Vec<Header> {
    let tells = |name: &str| {
        let name = name.replace('_', "-");
        ["x-forwarded-", "x-original-", "x-real-ip", "forwarded", "x-rewrite-url"].iter().any(|start| name.starts_with(start))
    };
    let used = |name: &str| call.visit.arrival.trusted && ["x-forwarded-for", "x-forwarded-proto"].contains(&name);
    let shown = |(name, value): (&http::HeaderName, &http::HeaderValue)| Header {
        name: name.to_string(),
        value: String::from_utf8_lossy(value.as_bytes()).chars().take(SHOWN).collect(),
        used: used(name.as_str()),
    };
    call.headers().iter().filter(|(name, _)| tells(name.as_str())).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::portal::testing::{HOSTILE, look, rendered, settings};

    /// threats.md I07
    #[test]
    fn nothing_that_was_typed_or_sent_is_markup() {
        let look = look();
        let person = Person { name: HOSTILE.into(), groups: vec![HOSTILE.into()], mfa: true };
        let question = Question { method: HOSTILE.into(), url: HOSTILE.into(), person: Some(person), client: None };
        let page = Page {
            look: &look,
            nav: Nav::sample(Here::Explain),
            url: HOSTILE,
            method: HOSTILE,
            user: HOSTILE,
            ip: HOSTILE,
            mfa: true,
            bad_ip: true,
            remark: Some("There is no account of this name."),
            explanation: Some(Explanation::of(&question, &settings())),
            beliefs: vec![Belief { name: "Host", value: HOSTILE.into(), because: "x" }],
            headers: vec![Header { name: "x-forwarded-for".into(), value: HOSTILE.into(), used: false }],
        };
        rendered("explain", &page);
    }
}
