//! What is behind the address: which paths are open and which ask for a login, a session of the one who examines, and
//! how to see whether a request reached the application.

use super::front::Front;
use super::wire::{Answer, Server, Wire};
use super::{Login, Order};
use crate::entropy::random_bytes;
use serde_json::json;
use std::collections::BTreeSet;
use url::Url;

/// A path that nobody has, behind a login wherever all is unless said otherwise.
const NOWHERE: &str = "/portcullis-doctor";

/// What is examined.
pub(super) struct Site {
    pub(super) wire: Wire,
    pub(super) front: Front,
    pub(super) server: Server,
    pub(super) base: Url,
    /// A path that anybody reaches and that echoes.
    pub(super) open: Option<String>,
    /// A path that asks for a login.
    pub(super) closed: Option<String>,
    pub(super) session: Option<Session>,
    /// Where the gateway's own pages are.
    pub(super) prefix: String,
    /// In the value of whatever is forged; nobody else sends it.
    pub(super) mark: String,
}

/// Somebody's login.
pub(super) struct Session {
    pub(super) username: String,
    /// The line to send.
    pub(super) line: String,
    /// Values of the cookies.
    pub(super) values: Vec<String>,
    /// A path that asks for a login and echoes to whom it lets pass.
    pub(super) path: Option<String>,
}

/// An answer, and whether the application had the request.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) answer: Answer,
    pub(super) reached: bool,
}

impl Site {
    pub(super) async fn find(order: &Order) -> Result<Self, String> {
        let server = Server::of(&order.url).ok_or("the address must be an http or https one without a name in it")?;
        let random = |bytes: [u8; 8]| bytes.map(|byte| format!("{byte:02x}")).concat();
        let mut site = Self {
            wire: Wire::new(order.connect)?,
            front: Front::Silent,
            server,
            base: order.url.clone(),
            open: None,
            closed: None,
            session: None,
            prefix: "/auth".into(),
            mark: format!("forged{}x", random(random_bytes())),
        };
        let paths = candidates(order);
        let first = site.ask(&format!("GET {}", paths[0]), "").await?.answer;
        if first.is_silence() {
            return Err(format!("{} takes connections and says nothing; name the address of the front proxy", site.server.authority()));
        }
        site.front = Front::of(&first);
        site.look_around(&paths).await?;
        if let Some(login) = &order.login {
            site.session = Some(site.sign_in(login).await?);
            site.look_around_signed_in(&paths).await?;
        }
        Ok(site)
    }

    /// What a script asks for: `start` is method and target, `lines` are further headers.
    pub(super) async fn ask(&self, start: &str, lines: &str) -> Result<Seen, String> {
        self.send(start, &format!("Accept: application/json\r\n{lines}")).await
    }

    /// What a browser asks for that goes to a page.
    pub(super) async fn navigate(&self, path: &str, lines: &str) -> Result<Seen, String> {
        self.send(&format!("GET {path}"), &format!("Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n{lines}")).await
    }

    /// What is sent as `X-Doctor` tells by coming back that the application had the request.
    async fn send(&self, start: &str, lines: &str) -> Result<Seen, String> {
        let control = format!("seen{}", self.mark);
        let closing = if lines.contains("Connection:") { "" } else { "Connection: close\r\n" };
        let host = self.server.authority();
        let request = format!("{start} HTTP/1.1\r\nHost: {host}\r\nX-Doctor: {control}\r\n{closing}{lines}\r\n");
        let answer = self.wire.exchange(&self.server, &request).await?;
        // What is refused for being too much would be refused otherwise, too: nothing could be concluded.
        if answer.status == 429 {
            return Err(format!("{host} takes no more requests (429); wait, or raise its limits for this address"));
        }
        let reached = answer.body.contains(&control);
        Ok(Seen { answer, reached })
    }

    async fn look_around(&mut self, paths: &[String]) -> Result<(), String> {
        for path in paths {
            let seen = self.ask(&format!("GET {path}"), "").await?;
            if seen.reached {
                self.open.get_or_insert_with(|| path.clone());
            } else if matches!(seen.answer.status, 301..=303 | 307 | 401 | 403) {
                self.closed.get_or_insert_with(|| path.clone());
            }
        }
        Ok(())
    }

    async fn look_around_signed_in(&mut self, paths: &[String]) -> Result<(), String> {
        let Some(session) = &self.session else { return Ok(()) };
        let mut found = None;
        for path in paths.iter().filter(|path| self.open.as_ref() != Some(*path)) {
            let start = format!("GET {path}");
            if self.ask(&start, &session.line).await?.reached && !self.ask(&start, "").await?.reached {
                found = Some(path.clone());
                break;
            }
        }
        if let (Some(session), Some(path)) = (&mut self.session, found) {
            self.closed = Some(path.clone());
            session.path = Some(path);
        }
        Ok(())
    }

    /// The login page that the gateway sends people to, or the usual one.
    async fn login_page(&mut self) -> Result<Url, String> {
        let page = format!("{}/login", self.prefix);
        for path in self.closed.clone().into_iter().chain([page.clone()]) {
            let answer = self.navigate(&path, "").await?.answer;
            if let Some(url) = answer.leads_to(&self.base).filter(|url| url.path().ends_with("/login")) {
                url.path().trim_end_matches("/login").clone_into(&mut self.prefix);
                return Ok(url);
            }
        }
        self.base.join(&page).map_err(|error| format!("there is no login page: {error}"))
    }

    async fn sign_in(&mut self, login: &Login) -> Result<Session, String> {
        let page = self.login_page().await?;
        let server = Server::of(&page).filter(|server| self.server.shares_its_site_with(server));
        let server = server.ok_or_else(|| format!("the password is not sent to {page}, which is another site than the address given"))?;
        let body = json!({ "username": login.username, "password": login.password.expose() }).to_string();
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            page.path(),
            server.authority(),
            body.len()
        );
        let answer = self.wire.exchange(&server, &request).await?;
        let set = answer.headers.iter().filter(|(name, _)| name == "set-cookie").filter_map(|(_, value)| value.split(';').next());
        let cookies: Vec<&str> = set.filter(|pair| pair.split_once('=').is_some_and(|(_, value)| !value.is_empty())).collect();
        if answer.status != 200 || cookies.is_empty() {
            return Err(format!(
                "{} cannot sign in at {}{}: it answers {}",
                login.username,
                server.authority(),
                page.path(),
                answer.status
            ));
        }
        let values = cookies.iter().filter_map(|pair| pair.split_once('=')).map(|(_, value)| value.to_owned()).collect();
        Ok(Session { username: login.username.clone(), line: format!("Cookie: {}\r\n", cookies.join("; ")), values, path: None })
    }
}

/// Paths to look at, those that were named first.
fn candidates(order: &Order) -> Vec<String> {
    let named = [Some(order.url.path().to_owned()), order.echo.clone()].into_iter().flatten();
    let usual = [NOWHERE, "/public/portcullis-doctor", "/"].map(str::to_owned);
    let mut seen = BTreeSet::new();
    // The root says little about ways of writing a path.
    let (root, other): (Vec<String>, Vec<String>) = named.chain(usual).partition(|path| path == "/");
    other.into_iter().chain(root).filter(|path| seen.insert(path.clone())).collect()
}
