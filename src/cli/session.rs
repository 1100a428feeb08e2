//! `portcullis session …`: who is signed in, and ending that, on the configured store.

use super::user::rfc3339;
use crate::administration::{Administration, AdministrationError};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::session::{Session, SessionKey};
use clap::Subcommand;
use std::fmt::Write as _;
use std::sync::Arc;

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
            let sessions = administration.sessions(&user).await.map_err(say)?;
            if json { as_json(&sessions) } else { Ok(as_table(&sessions)) }
        }
        SessionCommand::Revoke { user, all: true, .. } => {
            administration.end_sessions(&user).await.map(|ended| format!("{ended} ended\n")).map_err(say)
        }
        SessionCommand::Revoke { user, id, .. } => {
            let sessions = administration.sessions(&user).await.map_err(say)?;
            let key = chosen(&sessions, id.as_deref())?;
            // Whoever ended it a moment before us did what was asked.
            administration.end_session(&key).await.map(|_| "1 ended\n".to_owned()).map_err(say)
        }
    }
}

fn chosen(sessions: &[(SessionKey, Arc<Session>)], id: Option<&str>) -> Result<SessionKey, String> {
    let id = id.unwrap_or_default().to_ascii_lowercase();
    if !id.is_empty() && id.len() < LEAST {
        return Err(format!("write at least {LEAST} characters of the session's id, as `session list` prints it"));
    }
    let mut matching = sessions.iter().filter(|(key, _)| key.to_string().starts_with(&id));
    match (matching.next(), matching.next()) {
        (Some((key, _)), None) => Ok(*key),
        (None, _) if id.is_empty() => Err("the account has no session".to_owned()),
        (None, _) => Err("the account has no session of this id, `session list` prints them".to_owned()),
        (Some(_), Some(_)) => Err("the account has several such sessions, write the id of one, or --all".to_owned()),
    }
}

fn as_json(sessions: &[(SessionKey, Arc<Session>)]) -> Result<String, String> {
    let rows: Vec<_> = sessions.iter().map(|(key, session)| json_row(key, session)).collect();
    serde_json::to_string_pretty(&rows).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn json_row(key: &SessionKey, session: &Session) -> serde_json::Value {
    serde_json::json!({
        "id": key.to_string(),
        "createdAt": rfc3339(session.created_at),
        "lastSeenAt": rfc3339(session.last_seen),
        "expiresAt": rfc3339(session.expires_at),
        "remember": session.remember,
        "client": session.client,
        "userAgent": session.user_agent,
    })
}

fn as_table(sessions: &[(SessionKey, Arc<Session>)]) -> String {
    let mut text = String::new();
    for (key, session) in sessions {
        let (since, seen) = (rfc3339(session.created_at), rfc3339(session.last_seen));
        let client = session.client.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let _ = writeln!(text, "{key:.SHOWN$}  since {since}  seen {seen}  from {client}  {}", session.user_agent);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
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
