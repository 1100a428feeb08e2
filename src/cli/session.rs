//! `portcullis session …`: who is signed in, with a browser or a program, and ending that, on the configured store.

use super::user::rfc3339;
use crate::administration::{Administration, AdministrationError};
use crate::app::App;
use crate::clock::SystemClock;
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::session::{Session, SessionKey};
use crate::token::RefreshToken;
use clap::Subcommand;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// What is to be done. USER is a name or an email.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionCommand {
    /// Print an account's sessions, newest first
    List {
        /// Name or email
        user: String,
        /// As one JSON array
        #[arg(long)]
        json: bool,
    },
    /// End an account's sessions: one, all, or the only one there is
    Revoke {
        /// Name or email
        user: String,
        /// Which one, as `session list` prints it; its first characters will do
        #[arg(conflicts_with = "all")]
        id: Option<String>,
        /// All of them
        #[arg(long)]
        all: bool,
    },
}

/// As much of an id as people are shown.
const SHOWN: usize = 16;

/// The least of an id that names a session.
const LEAST: usize = 8;

/// Opens the configured stores and runs the command; what it returns goes to standard output.
///
/// # Errors
/// One sentence for standard error.
pub fn run(command: SessionCommand, settings: Settings) -> Result<String, String> {
    let app = App::open_for_command(Arc::new(settings), Arc::new(SystemClock)).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
    runtime.block_on(perform(command, &app.administration))
}

async fn perform(command: SessionCommand, administration: &Administration) -> Result<String, String> {
    let say = |error: AdministrationError| error.to_string();
    match command {
        SessionCommand::List { user, json } => {
            let entries = entries(administration, &user).await.map_err(say)?;
            if json { as_json(&entries) } else { Ok(as_table(&entries)) }
        }
        SessionCommand::Revoke { user, all: true, .. } => {
            administration.end_sessions(&user).await.map(|ended| format!("{ended} ended\n")).map_err(say)
        }
        SessionCommand::Revoke { user, id, .. } => {
            let entries = entries(administration, &user).await.map_err(say)?;
            let ended = match chosen(&entries, id.as_deref())?.name {
                Name::Browser(key) => administration.end_session(&key).await,
                Name::App(family) => administration.end_program(&user, family).await,
            };
            // Whoever ended it a moment before us did what was asked.
            ended.map(|_| "1 ended\n".to_owned()).map_err(say)
        }
    }
}

/// One of an account's sessions, or one of its programs.
struct Entry {
    name: Name,
    since: Timestamp,
    seen: Timestamp,
    ends: Timestamp,
    remember: bool,
    client: Option<IpAddr>,
    user_agent: String,
}

enum Name {
    Browser(SessionKey),
    App(Uuid),
}

impl Entry {
    fn of_session(key: &SessionKey, session: &Session) -> Self {
        Self {
            name: Name::Browser(*key),
            since: session.created_at,
            seen: session.last_seen,
            ends: session.expires_at,
            remember: session.remember,
            client: session.client,
            user_agent: session.user_agent.clone(),
        }
    }

    fn of_program(program: RefreshToken) -> Self {
        Self {
            name: Name::App(program.family),
            since: program.began_at,
            seen: program.issued_at,
            ends: program.expires_at,
            remember: false,
            client: program.client,
            user_agent: program.user_agent,
        }
    }

    const fn kind(&self) -> &'static str {
        match self.name {
            Name::Browser(_) => "browser",
            Name::App(_) => "app",
        }
    }

    fn id(&self) -> String {
        match &self.name {
            Name::Browser(key) => key.to_string(),
            Name::App(family) => family.simple().to_string(),
        }
    }
}

/// Sessions and then programs, each newest first.
async fn entries(administration: &Administration, user: &str) -> Result<Vec<Entry>, AdministrationError> {
    let (sessions, programs) = (administration.sessions(user).await?, administration.programs(user).await?);
    let sessions = sessions.iter().map(|(key, session): &(SessionKey, Arc<Session>)| Entry::of_session(key, session));
    Ok(sessions.chain(programs.into_iter().map(Entry::of_program)).collect())
}

fn chosen<'a>(entries: &'a [Entry], id: Option<&str>) -> Result<&'a Entry, String> {
    let id = id.unwrap_or_default().to_ascii_lowercase();
    if !id.is_empty() && id.len() < LEAST {
        return Err(format!("write at least {LEAST} characters of the session's id, as `session list` prints it"));
    }
    let mut matching = entries.iter().filter(|entry| entry.id().starts_with(&id));
    match (matching.next(), matching.next()) {
        (Some(entry), None) => Ok(entry),
        (None, _) if id.is_empty() => Err("the account has no session".to_owned()),
        (None, _) => Err("the account has no session of this id, `session list` prints them".to_owned()),
        (Some(_), Some(_)) => Err("the account has several such sessions, write the id of one, or --all".to_owned()),
    }
}

fn as_json(entries: &[Entry]) -> Result<String, String> {
    let rows: Vec<_> = entries.iter().map(json_row).collect();
    serde_json::to_string_pretty(&rows).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn json_row(entry: &Entry) -> serde_json::Value {
    serde_json::json!({
        "id": entry.id(),
        "kind": entry.kind(),
        "createdAt": rfc3339(entry.since),
        "lastSeenAt": rfc3339(entry.seen),
        "expiresAt": rfc3339(entry.ends),
        "remember": entry.remember,
        "client": entry.client,
        "userAgent": entry.user_agent,
    })
}

fn as_table(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let (id, kind) = (entry.id(), entry.kind());
        let (since, seen) = (rfc3339(entry.since), rfc3339(entry.seen));
        let client = entry.client.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let _ = writeln!(text, "{id:.SHOWN$}  {kind:<7}  since {since}  seen {seen}  from {client}  {}", entry.user_agent);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::config::SessionStoreKind;
    use crate::fixture::{Fixture, PASSWORD, settings};
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: SessionCommand,
    }

    fn parse(line: &str) -> Result<SessionCommand, clap::Error> {
        Line::try_parse_from(std::iter::once("session").chain(line.split_whitespace())).map(|line| line.command)
    }

    async fn perform_on(fixture: &Fixture, line: &str) -> Result<String, String> {
        perform(parse(line).unwrap(), &fixture.administration).await
    }

    #[tokio::test]
    async fn sessions_are_listed_and_one_or_all_are_ended() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        assert_eq!(perform_on(&fixture, "list alice").await.unwrap(), "");
        assert_eq!(perform_on(&fixture, "revoke alice").await.unwrap_err(), "the account has no session");
        let key = fixture.sign_in("alice", PASSWORD).await.unwrap().id.key();
        let listed = perform_on(&fixture, "list alice@example.com").await.unwrap();
        assert!(listed.starts_with(&key.to_string()[..16]) && listed.ends_with("from 10.0.0.1  Browser/1\n"), "{listed}");
        let rows: serde_json::Value = serde_json::from_str(&perform_on(&fixture, "list alice --json").await.unwrap()).unwrap();
        assert_eq!((rows[0]["id"].as_str(), rows[0]["client"].as_str()), (Some(key.to_string().as_str()), Some("10.0.0.1")));
        assert!(rows[0]["expiresAt"].as_str().unwrap().ends_with('Z'));

        fixture.sign_in("alice", PASSWORD).await.unwrap();
        assert!(perform_on(&fixture, "revoke alice").await.unwrap_err().contains("--all"));
        assert!(perform_on(&fixture, "revoke alice 0").await.unwrap_err().contains("at least 8"));
        assert!(perform_on(&fixture, "revoke alice 00000000").await.unwrap_err().contains("no session of this id"));
        assert_eq!(perform_on(&fixture, &format!("revoke alice {:.8}", key.to_string())).await.unwrap(), "1 ended\n");
        assert!(fixture.session(&key).await.is_none());
        assert_eq!(perform_on(&fixture, "revoke alice").await.unwrap(), "1 ended\n");
        for _ in 0..2 {
            fixture.sign_in("alice", PASSWORD).await.unwrap();
        }
        assert_eq!(perform_on(&fixture, "revoke alice --all").await.unwrap(), "2 ended\n");
        assert_eq!(perform_on(&fixture, "list bob").await.unwrap_err(), "no account has this name or address");
    }

    #[tokio::test]
    async fn programs_are_listed_and_ended_like_sessions() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        let client = Client { address: Some([10, 0, 0, 2].into()), user_agent: "App/1".to_owned(), ..Client::default() };
        fixture.sign_in("alice", PASSWORD).await.unwrap();
        fixture.refresh_tokens.issue(&alice, &client).await.unwrap();
        let listed = perform_on(&fixture, "list alice").await.unwrap();
        let (browser, app) = listed.split_once('\n').unwrap();
        assert!(browser.contains("  browser  since"), "{listed}");
        assert!(app.contains("  app      since") && app.ends_with("from 10.0.0.2  App/1\n"), "{listed}");
        let rows: serde_json::Value = serde_json::from_str(&perform_on(&fixture, "list alice --json").await.unwrap()).unwrap();
        assert_eq!((&rows[0]["kind"], &rows[1]["kind"]), (&"browser".into(), &"app".into()));
        assert!(app.starts_with(&rows[1]["id"].as_str().unwrap()[..16]), "{rows}");
        assert_eq!(perform_on(&fixture, &format!("revoke alice {app:.8}")).await.unwrap(), "1 ended\n");
        assert!(!perform_on(&fixture, "list alice").await.unwrap().contains("App/1"));
        fixture.refresh_tokens.issue(&alice, &client).await.unwrap();
        assert_eq!(perform_on(&fixture, "revoke alice --all").await.unwrap(), "2 ended\n");
        assert_eq!(perform_on(&fixture, "list alice").await.unwrap(), "");
    }

    #[test]
    fn one_and_all_at_once_is_wrong_usage() {
        assert_eq!(parse("revoke alice 0123456789abcdef --all").unwrap_err().exit_code(), 2);
        assert!(parse("revoke").is_err());
    }

    /// on `sessions: memory` the commands fail with one sentence
    #[test]
    fn sessions_in_a_gateways_memory_are_out_of_reach() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::clone(&settings(folder.path(), SessionStoreKind::Memory));
        for line in ["list alice", "revoke alice", "revoke alice --all"] {
            let said = run(parse(line).unwrap(), settings.clone()).unwrap_err();
            assert!(said.contains("in the memory of the gateway") && !said.contains('\n'), "{said}");
        }
    }
}
