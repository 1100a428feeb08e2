//! `portcullis token …`: personal access tokens, on the configured store.

use super::user::rfc3339;
use crate::account::Account;
use crate::app::App;
use crate::audit::Party;
use crate::client::Client;
use crate::clock::{SystemClock, Timestamp};
use crate::config::{Settings, read_duration};
use crate::token::{NewPersonalToken, PersonalToken, Scope};
use clap::Subcommand;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What is to be done. USER is a name or an email.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, and nothing else: it cannot be printed again
    Create {
        /// Name or email of whom it acts for
        user: String,
        /// What it is for
        #[arg(long)]
        name: String,
        /// Only at this host
        #[arg(long, value_parser = limit)]
        host: Option<String>,
        /// Only at this path and what lies below it
        #[arg(long, value_parser = limit)]
        path: Option<String>,
        /// Only with this method, any number of times; GET is HEAD, too
        #[arg(long = "method", value_name = "METHOD", value_parser = limit)]
        methods: Vec<String>,
        /// How long it works, for example 90d [default: until it is revoked]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<Duration>,
    },
    /// Print an account's tokens, newest first, without what opens anything
    List {
        /// Name or email
        user: String,
        /// As one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token
    Revoke {
        /// Name or email
        user: String,
        /// Which one: its id, as `token list` prints it, or its name
        #[arg(value_name = "ID|NAME")]
        token: String,
    },
}

/// An empty limit, as of a variable that is not set, would be none at all.
fn limit(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it is empty and would limit nothing, leave the option out".to_owned()) } else { Ok(text.to_owned()) }
}

/// Opens the configured stores and runs the command; what it returns goes to standard output.
///
/// # Errors
/// One sentence for standard error.
pub fn run(command: TokenCommand, settings: Settings) -> Result<String, String> {
    let app = App::open_for_command(Arc::new(settings), Arc::new(SystemClock)).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
    runtime.block_on(perform(command, &app))
}

async fn perform(command: TokenCommand, app: &App) -> Result<String, String> {
    match command {
        TokenCommand::Create { user, name, host, path, methods, expires } => {
            let account = find(app, &user).await?;
            let expires_at = expires.map(|lifetime| app.personal_tokens.end_after(lifetime));
            let wanted = NewPersonalToken { name, scope: Scope { host, path, methods }, expires_at };
            let created = app.personal_tokens.create(&account, wanted, Party::operator(), &Client::default()).await;
            created.map(|(_, text)| format!("{}\n", text.expose())).map_err(|error| error.to_string())
        }
        TokenCommand::List { user, json } => {
            let tokens = list(app, &find(app, &user).await?).await?;
            if json { as_json(&tokens) } else { Ok(as_table(&tokens, app.clock.now())) }
        }
        TokenCommand::Revoke { user, token } => {
            let account = find(app, &user).await?;
            let id = chosen(&list(app, &account).await?, &token)?;
            let revoked = app.personal_tokens.revoke(&account, id, Party::operator(), &Client::default()).await;
            // Whoever revoked it a moment before us did what was asked.
            revoked.map(|_| "revoked\n".to_owned()).map_err(|error| error.0)
        }
    }
}

async fn find(app: &App, user: &str) -> Result<Account, String> {
    app.administration.find(user).await.map_err(|error| error.to_string())
}

async fn list(app: &App, account: &Account) -> Result<Vec<PersonalToken>, String> {
    app.personal_tokens.list(account.id).await.map_err(|error| error.0)
}

fn chosen(tokens: &[PersonalToken], wanted: &str) -> Result<Uuid, String> {
    let id = Uuid::try_parse(wanted).ok();
    let mut matching = tokens.iter().filter(|token| Some(token.id) == id || token.name == wanted);
    match (matching.next(), matching.next()) {
        (Some(token), None) => Ok(token.id),
        (None, _) => Err("the account has no token of this id or name, `token list` prints them".to_owned()),
        (Some(_), Some(_)) => Err("the account has several tokens of this name, write the id of one, as `token list` prints it".to_owned()),
    }
}

fn as_json(tokens: &[PersonalToken]) -> Result<String, String> {
    let row = |token: &PersonalToken| {
        serde_json::json!({
            "id": token.id,
            "name": token.name,
            "host": token.scope.host,
            "path": token.scope.path,
            "methods": token.scope.methods,
            "createdAt": rfc3339(token.created_at),
            "expiresAt": token.expires_at.map(rfc3339),
            "lastUsedAt": token.last_used.map(rfc3339),
        })
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    serde_json::to_string_pretty(&rows).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn as_table(tokens: &[PersonalToken], now: Timestamp) -> String {
    let mut text = String::new();
    for token in tokens {
        let Scope { host, path, methods } = &token.scope;
        let methods = if methods.is_empty() { "*".to_owned() } else { methods.join(",") };
        let place = format!("{}{}", host.as_deref().unwrap_or("*"), path.as_deref().unwrap_or("/"));
        let end = match token.expires_at {
            Some(end) if end <= now => format!("expired {}", rfc3339(end)),
            Some(end) => format!("until {}", rfc3339(end)),
            None => "without end".to_owned(),
        };
        let used = token.last_used.map_or_else(|| "never used".to_owned(), |used| format!("used {}", rfc3339(used)));
        let _ = writeln!(text, "{}  {methods} {place}  {end}  {used}  {}", token.id, token.name);
    }
    text
}

fn duration(text: &str) -> Result<Duration, String> {
    let read = read_duration(text).filter(|duration| !duration.is_zero());
    read.ok_or_else(|| "not a duration, write for example 12h or 90d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::administration::AddedAccount;
    use crate::clock::ManualClock;
    use crate::config::SessionStoreKind;
    use crate::fixture::{PASSWORD, password, settings};
    use crate::token::PersonalText;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: TokenCommand,
    }

    fn parse(line: &str) -> Result<TokenCommand, clap::Error> {
        Line::try_parse_from(std::iter::once("token").chain(line.split_whitespace())).map(|line| line.command)
    }

    async fn perform_on(app: &App, line: &str) -> Result<String, String> {
        perform(parse(line).unwrap(), app).await
    }

    async fn with_ann(folder: &tempfile::TempDir) -> Arc<App> {
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000)));
        let app = App::open(settings(folder.path(), SessionStoreKind::Memory), clock).unwrap();
        let (username, email) = ("ann".to_owned(), "ann@example.com".to_owned());
        app.administration.add(AddedAccount { username, email, groups: vec![], password: password(PASSWORD) }).await.unwrap();
        app
    }

    /// contract 1
    #[tokio::test]
    async fn tokens_are_made_listed_and_revoked_by_id_or_name() {
        let folder = tempfile::tempdir().unwrap();
        let app = with_ann(&folder).await;
        assert_eq!(perform_on(&app, "list ann").await.unwrap(), "");
        assert_eq!(perform_on(&app, "list ann --json").await.unwrap(), "[]\n");
        let made =
            perform_on(&app, "create ann@example.com --name backup --path /api --method get --method POST --expires 2d").await.unwrap();
        assert!(made.ends_with('\n') && PersonalText::parse(made.trim_end()).is_some(), "{made}");
        let listed = perform_on(&app, "list ANN").await.unwrap();
        assert!(listed.ends_with("  GET,POST */api  until 2023-11-16T22:13:20Z  never used  backup\n"), "{listed}");
        assert!(!listed.contains("pat_"));
        perform_on(&app, "create ann --name wide").await.unwrap();
        let rows: serde_json::Value = serde_json::from_str(&perform_on(&app, "list ann --json").await.unwrap()).unwrap();
        let backup = rows.as_array().unwrap().iter().find(|row| row["name"] == "backup").unwrap();
        assert_eq!((&backup["host"], &backup["methods"]), (&serde_json::Value::Null, &serde_json::json!(["GET", "POST"])));
        assert_eq!(perform_on(&app, &format!("revoke ann {}", backup["id"].as_str().unwrap())).await.unwrap(), "revoked\n");
        assert_eq!(perform_on(&app, "revoke ann wide").await.unwrap(), "revoked\n");
        assert!(perform_on(&app, "revoke ann wide").await.unwrap_err().contains("no token of this id or name"));
    }

    #[tokio::test]
    async fn what_cannot_be_taken_is_told_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let app = with_ann(&folder).await;
        let said = perform_on(&app, "create ann --name x --path api --method TRACE").await.unwrap_err();
        assert!(said.starts_with("path: write the beginning of a path") && said.contains("; method: "), "{said}");
        assert!(perform_on(&app, "create nobody --name x").await.is_err());
        let without_limit = ["create ann --name x --host=", "create ann --name x --path=", "create ann --name x --method GET --method="];
        let wrong = ["create ann", "create ann --name x --expires soon", "create ann --name x --expires 0", "revoke ann"];
        for line in wrong.into_iter().chain(without_limit) {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
        for _ in 0..2 {
            perform_on(&app, "create ann --name twin").await.unwrap();
        }
        assert!(perform_on(&app, "revoke ann twin").await.unwrap_err().contains("several tokens of this name"));
    }

    #[tokio::test]
    async fn an_account_has_no_more_than_it_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let app = with_ann(&folder).await;
        for _ in 0..crate::token::MOST {
            perform_on(&app, "create ann --name x").await.unwrap();
        }
        assert!(perform_on(&app, "create ann --name x").await.unwrap_err().contains("50 tokens, the most there can be"));
    }
}
