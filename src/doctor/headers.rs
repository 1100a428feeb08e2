//! Headers that a visitor may not have a say in: names that speak of identity, names that a proxy writes, and what
//! `Connection` takes away, in every spelling that an application may take for them.

use super::front::Fault;
use super::report::Check;
use super::site::{Seen, Site};
use crate::identity::{AlsoHeaders, IdentityHeaders};
use std::collections::HashSet;

/// Characters that may stand between the words of a header's name (RFC 9110 section 5.6.2).
const SEPARATORS: &str = "-_.!#$%&'*+^`|~";

/// Names that only a proxy may write.
const PROXYS: [&str; 15] = [
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Host",
    "X-Forwarded-Uri",
    "X-Forwarded-Method",
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X-Real-IP",
    "Forwarded",
];

const NOMINATIONS: [&str; 4] = ["X-User", "x-user, X-User-Groups", "close, X-User", "Remote-User"];

const NO_ECHO: &str = "name a page that echoes the headers of requests with --echo, and who may see it with --user";

/// A header line, and how it is called in the report.
struct Forged {
    shown: String,
    line: String,
    /// In its value.
    mark: String,
}

/// What came of a round of requests.
#[derive(Default)]
struct Findings {
    passed: Vec<String>,
    requests: usize,
    refused: usize,
    unseen: usize,
}

pub(super) async fn checks(site: &Site) -> Result<Vec<Check>, String> {
    let identity = identity_names();
    let mut checks = Vec::new();
    for (name, place) in [("identity headers, anonymous", Place::Open), ("identity headers, signed in", Place::Closed)] {
        if let Some((path, cookie)) = place.of(site) {
            let findings = forge(site, &path, &cookie, &identity).await?;
            checks.push(findings.check(name, site));
        }
    }
    let place = Place::Open.of(site).or_else(|| Place::Closed.of(site));
    let Some((path, cookie)) = place else {
        let seen = "no page is known that shows what reaches the application";
        return Ok(vec![Check::unknown("identity headers", seen, NO_ECHO)]);
    };
    let names: Vec<String> = PROXYS.map(str::to_owned).into();
    checks.push(forge(site, &path, &cookie, &names).await?.check("forwarded headers", site));
    if let Some((path, cookie)) = Place::Closed.of(site) {
        checks.push(nominations(site, &path, &cookie).await?);
    }
    Ok(checks)
}

/// What could not be looked at, and where the session goes.
pub(super) async fn notes(site: &Site) -> Result<Vec<String>, String> {
    let mut notes = Vec::new();
    if site.open.is_none() {
        notes.push("no path that is open to everybody was found; name one with --echo if there is one".into());
    }
    let Some(session) = &site.session else {
        notes.push("nobody was signed in; name somebody with --user".into());
        return Ok(notes);
    };
    if let Some((path, cookie)) = Place::Closed.of(site) {
        let seen = site.ask(&format!("GET {path}"), &cookie).await?;
        if session.values.iter().any(|value| seen.answer.body.contains(value)) {
            notes.push("the session cookie reaches the application, which can act as its visitors; Traefik and ingress-nginx cannot take it away, a route through Portcullis does".into());
        }
    }
    Ok(notes)
}

/// Where to attack.
#[derive(Clone, Copy)]
enum Place {
    Open,
    Closed,
}

impl Place {
    /// The path, and the line that carries the session.
    fn of(self, site: &Site) -> Option<(String, String)> {
        match self {
            Self::Open => site.open.clone().map(|path| (path, String::new())),
            Self::Closed => site.session.as_ref().and_then(|session| Some((session.path.clone()?, session.line.clone()))),
        }
    }
}

fn identity_names() -> Vec<String> {
    let also = vec![AlsoHeaders::RemoteUser, AlsoHeaders::XForwardedUser, AlsoHeaders::XAuthRequest];
    IdentityHeaders { also, ..IdentityHeaders::default() }.told().iter().map(|name| name.as_str().to_owned()).collect()
}

async fn forge(site: &Site, path: &str, cookie: &str, names: &[String]) -> Result<Findings, String> {
    let mut findings = Findings::default();
    for separator in SEPARATORS.chars() {
        findings.add(site, path, cookie, &spelled(site, names, separator)).await?;
    }
    findings.add(site, path, cookie, &doubled(site, &names[0])).await?;
    // A server that takes these for the header has them refused alone, so that they do not hide the others.
    for gap in [" ", "\t"] {
        let mark = format!("{}0y", site.mark);
        let line = format!("{}{gap}: {mark}\r\n", names[0]);
        findings.add(site, path, cookie, &[Forged { shown: format!("{}{gap:?}:", names[0]), line, mark }]).await?;
    }
    Ok(findings)
}

/// Every name with this character between its words, in lower and in upper case.
fn spelled(site: &Site, names: &[String], separator: char) -> Vec<Forged> {
    let spelled = names.iter().map(|name| name.replace('-', &separator.to_string()));
    let cases = spelled.flat_map(|name| [name.to_ascii_lowercase(), name.to_ascii_uppercase()]);
    let forged = |(number, name): (usize, String)| {
        let mark = format!("{}{number}y", site.mark);
        Forged { line: format!("{name}: {mark}\r\n"), shown: name, mark }
    };
    cases.enumerate().map(forged).collect()
}

/// An empty header before a forged one, and two.
fn doubled(site: &Site, name: &str) -> Vec<Forged> {
    let mark = format!("{}0y", site.mark);
    vec![Forged { line: format!("{name}:\r\n{name}: {mark}\r\n{name}: {mark}\r\n"), shown: format!("{name} (sent more than once)"), mark }]
}

async fn nominations(site: &Site, path: &str, cookie: &str) -> Result<Check, String> {
    const NAME: &str = "headers named by Connection";
    let start = format!("GET {path}");
    let username = site.session.as_ref().map(|session| session.username.clone()).unwrap_or_default();
    let told = |seen: &Seen| seen.reached && seen.answer.body.contains(&username);
    if !told(&site.ask(&start, cookie).await?) {
        let seen = format!("{path} does not show that {username} is signed in");
        return Ok(Check::unknown(NAME, seen, "let the proxy tell the application who the user is, as `portcullis snippet` has it"));
    }
    for nominated in NOMINATIONS {
        let seen = site.ask(&start, &format!("Connection: {nominated}\r\n{}: {}\r\n{cookie}", identity_names()[0], site.mark)).await?;
        let lost = seen.reached && !told(&seen);
        if lost || seen.answer.body.replace(&format!("seen{}", site.mark), "").contains(&site.mark) {
            let what = if lost { "takes the identity away" } else { "lets a forged one through" };
            return Ok(Check::fail(NAME, format!("`Connection: {nominated}` {what}"), site.front.mend(Fault::Headers)));
        }
    }
    let seen = site.ask(&start, &format!("Connection: Cookie\r\n{cookie}")).await?;
    if seen.reached && !told(&seen) {
        let what = "`Connection: Cookie` reaches the application without an identity";
        return Ok(Check::fail(NAME, what, site.front.mend(Fault::Headers)));
    }
    Ok(Check::pass(NAME, format!("{} requests changed nothing", NOMINATIONS.len() + 1)))
}

impl Findings {
    async fn add(&mut self, site: &Site, path: &str, cookie: &str, forged: &[Forged]) -> Result<(), String> {
        let lines: String = forged.iter().map(|forged| forged.line.as_str()).collect();
        let seen = site.ask(&format!("GET {path}"), &format!("{lines}{cookie}")).await?;
        self.requests += 1;
        let passed = forged.iter().filter(|forged| seen.answer.body.contains(&forged.mark)).map(|forged| forged.shown.clone());
        let before = self.passed.len();
        self.passed.extend(passed);
        match seen {
            _ if self.passed.len() > before => {}
            Seen { reached: true, .. } => {}
            // Some proxies refuse names that others drop, which is as good.
            Seen { answer, .. } if answer.is_refusal() => self.refused += 1,
            Seen { .. } => self.unseen += 1,
        }
        Ok(())
    }

    fn check(self, name: &'static str, site: &Site) -> Check {
        const SHOWN: usize = 6;
        let Self { mut passed, requests, refused, unseen } = self;
        let mut before = HashSet::new();
        passed.retain(|name| before.insert(name.to_ascii_lowercase()));
        if !passed.is_empty() {
            let more = passed.len().saturating_sub(SHOWN);
            passed.truncate(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return Check::fail(name, format!("the application sees forged {}{more}", passed.join(", ")), site.front.mend(Fault::Headers));
        }
        if unseen > 0 || refused == requests {
            return Check::unknown(
                name,
                format!("{} of {requests} requests did not come back from the application", unseen + refused),
                NO_ECHO,
            );
        }
        Check::pass(name, format!("no spelling of any name passes ({requests} requests, {refused} of them refused)"))
    }
}
