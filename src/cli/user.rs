//! `portcullis user …`: accounts, on the configured store. Passwords are read by the caller's reader, never from an
//! argument.

use crate::account::{Account, Group, Password};
use crate::administration::{AddedAccount, Administration, AdministrationError};
use crate::app::App;
use crate::clock::{SystemClock, Timestamp};
use crate::config::Settings;
use crate::session_marks::Carried;
use clap::Subcommand;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;

/// What is to be done. USER is a name or an email.
#[derive(Clone, Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account and print its id
    Add {
        /// Sign-in name
        name: String,
        /// Address; counts as verified
        #[arg(long)]
        email: String,
        /// Group, any number of times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Print all accounts
    List {
        /// As one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print an account
    Show {
        /// Name or email
        user: String,
        /// As one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Give an account these groups in place of those it has
    SetGroups {
        /// Name or email
        user: String,
        /// Groups; none takes all away
        #[arg(value_name = "GROUP")]
        groups: Vec<String>,
    },
    /// Give an account another password and end its sessions
    SetPassword {
        /// Name or email
        user: String,
    },
    /// Keep an account from signing in and end its sessions
    Lock {
        /// Name or email
        user: String,
    },
    /// Let an account sign in again
    Unlock {
        /// Name or email
        user: String,
    },
    /// Remove an account for good
    Delete {
        /// Name or email
        user: String,
        /// Do not ask; needed off a terminal
        #[arg(long)]
        yes: bool,
    },
}

/// Reads a new password: prompted for twice on a terminal, else one line of standard input.
pub type ReadPassword = fn() -> Result<Password, String>;

/// Opens the configured stores and runs the command; what it returns goes to standard output.
///
/// # Errors
/// One sentence for standard error.
pub fn run(command: UserCommand, settings: Settings, read_password: ReadPassword) -> Result<String, String> {
    let app = App::open_for_command(Arc::new(settings), Arc::new(SystemClock)).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
    runtime.block_on(perform(command, &app.administration, read_password))
}

/// Runs the command.
///
/// # Errors
/// One sentence for standard error.
pub async fn perform(command: UserCommand, administration: &Administration, read_password: ReadPassword) -> Result<String, String> {
    let say = |error: AdministrationError| error.to_string();
    match command {
        UserCommand::Add { name, email, groups } => {
            let added = AddedAccount { username: name, email, groups, password: read_password()? };
            administration.add(added).await.map(|account| format!("{}\n", account.id)).map_err(say)
        }
        UserCommand::List { json } => {
            let accounts = administration.list().await.map_err(say)?;
            if json { as_json(&accounts) } else { Ok(as_table(&accounts)) }
        }
        UserCommand::Show { user, json } => {
            let account = administration.find(&user).await.map_err(say)?;
            if json { to_json(&json_row(&account)) } else { Ok(as_lines(&account)) }
        }
        UserCommand::SetGroups { user, groups } => {
            administration.set_groups(&user, &groups).await.map(|carried| note(carried, "groups set")).map_err(say)
        }
        UserCommand::SetPassword { user } => {
            administration.find(&user).await.map_err(say)?;
            administration.set_password(&user, &read_password()?).await.map(|carried| note(carried, "password set")).map_err(say)
        }
        UserCommand::Lock { user } => administration.lock(&user).await.map(|carried| note(carried, "locked")).map_err(say),
        UserCommand::Unlock { user } => administration.unlock(&user).await.map(|carried| note(carried, "unlocked")).map_err(say),
        UserCommand::Delete { user, yes } => {
            let account = administration.find(&user).await.map_err(say)?;
            if !yes {
                confirm(&account)?;
            }
            administration.delete(&user).await.map(|carried| note(carried, "deleted")).map_err(say)
        }
    }
}

fn note(carried: Carried, done: &str) -> String {
    match carried {
        Carried::Out => format!("{done}\n"),
        Carried::LeftToGateway => format!("{done}; a running gateway applies this to its sessions within a second\n"),
    }
}

fn confirm(account: &Account) -> Result<(), String> {
    if !std::io::stdin().is_terminal() {
        return Err("this removes the account for good, repeat it with --yes".to_owned());
    }
    let name = account.username.as_str();
    let mut terminal = std::io::stderr();
    let asked = write!(terminal, "Remove {name} for good? Type the name to confirm: ").and_then(|()| terminal.flush());
    asked.map_err(|error| error.to_string())?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|error| error.to_string())?;
    if answer.trim_end() == name { Ok(()) } else { Err("nothing was removed".to_owned()) }
}

fn as_json(accounts: &[Account]) -> Result<String, String> {
    to_json(&accounts.iter().map(json_row).collect())
}

fn to_json(value: &serde_json::Value) -> Result<String, String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn json_row(account: &Account) -> serde_json::Value {
    serde_json::json!({
        "id": account.id,
        "username": account.username.as_str(),
        "email": account.email.as_str(),
        "emailVerified": account.email_verified,
        "name": account.name,
        "avatarUrl": account.avatar_url,
        "groups": group_names(account),
        "locked": account.locked,
        "lockedUntil": account.locked_until.map(rfc3339),
        "resetRequestedAt": account.reset_requested_at.map(rfc3339),
        "resetRequests": account.reset_requests,
        "createdAt": rfc3339(account.created_at),
    })
}

fn as_table(accounts: &[Account]) -> String {
    let width = accounts.iter().map(|account| account.username.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for account in accounts {
        let locked = if account.locked { "  locked" } else { "" };
        let groups = group_names(account).join(",");
        let groups = if groups.is_empty() { "-" } else { &groups };
        let _ = writeln!(text, "{}  {:width$}  {}  {groups}{locked}", account.id, account.username.as_str(), account.email.as_str());
    }
    text
}

fn group_names(account: &Account) -> Vec<&str> {
    account.groups.iter().map(Group::as_str).collect()
}

/// Whole words, each on a line of its own; empty where nothing is known.
fn as_lines(account: &Account) -> String {
    let verified = if account.email_verified { "" } else { " (not verified)" };
    let lines = [
        ("id", account.id.to_string()),
        ("username", account.username.as_str().to_owned()),
        ("email", format!("{}{verified}", account.email.as_str())),
        ("name", account.name.clone()),
        ("groups", group_names(account).join(",")),
        ("locked", if account.locked { "yes" } else { "no" }.to_owned()),
        ("created", rfc3339(account.created_at)),
        ("locked until", account.locked_until.map(rfc3339).unwrap_or_default()),
        ("reset requested", account.reset_requested_at.map(rfc3339).unwrap_or_default()),
        ("reset requests", account.reset_requests.to_string()),
    ];
    lines.iter().fold(String::new(), |text, (name, value)| text + format!("{name}: {value}").trim_end() + "\n")
}

/// RFC 3339, UTC.
pub(super) fn rfc3339(moment: Timestamp) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(moment.0) * 1_000_000).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SessionStoreKind;
    use crate::fixture::settings;
    use clap::Parser;
    use tempfile::TempDir;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: UserCommand,
    }

    struct Terminal(TempDir);

    impl Terminal {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn run(&self, line: &str) -> Result<String, String> {
            let parsed = Line::try_parse_from(std::iter::once("user").chain(line.split_whitespace())).unwrap();
            let sessions = SessionStoreKind::Sqlite(self.0.path().join("portcullis.db"));
            let settings = Settings::clone(&settings(self.0.path(), sessions));
            run(parsed.command, settings, || Ok(Password::new("Tw1light-Kite".to_owned())))
        }
    }

    #[test]
    fn an_account_is_added_listed_locked_and_removed() {
        let terminal = Terminal::new();
        let id = terminal.run("add alice --email alice@example.com --group staff --group ops").unwrap();
        assert_eq!(id.len(), 37);
        let listed = terminal.run("list").unwrap();
        assert_eq!(listed, format!("{}  alice  alice@example.com  staff,ops\n", id.trim()));
        assert_eq!(terminal.run("lock alice@example.com").unwrap(), "locked\n");
        assert!(terminal.run("list").unwrap().ends_with("staff,ops  locked\n"));
        assert_eq!(terminal.run("unlock ALICE").unwrap(), "unlocked\n");
        assert_eq!(terminal.run("set-password alice").unwrap(), "password set\n");
        assert_eq!(terminal.run("delete alice --yes").unwrap(), "deleted\n");
        assert_eq!(terminal.run("list").unwrap(), "");
    }

    #[test]
    fn the_list_is_one_json_array() {
        let terminal = Terminal::new();
        assert_eq!(terminal.run("list --json").unwrap(), "[]\n");
        terminal.run("add alice --email alice@example.com --group staff").unwrap();
        let list: serde_json::Value = serde_json::from_str(&terminal.run("list --json").unwrap()).unwrap();
        assert_eq!(list[0]["username"], "alice");
        assert_eq!(list[0]["groups"], serde_json::json!(["staff"]));
        assert_eq!(list[0]["locked"], false);
        assert!(list[0]["createdAt"].as_str().unwrap().ends_with('Z'));
        assert!(list[0].get("password").is_none());
    }

    /// S2.6
    #[test]
    fn an_account_is_shown_and_its_groups_are_replaced() {
        let terminal = Terminal::new();
        let id = terminal.run("add alice --email alice@example.com --group staff").unwrap();
        let shown = terminal.run("show ALICE@example.com").unwrap();
        let expected = format!("id: {id}username: alice\nemail: alice@example.com\nname:\ngroups: staff\nlocked: no\ncreated: ");
        assert!(shown.starts_with(&expected), "{shown}");
        assert!(shown.ends_with("locked until:\nreset requested:\nreset requests: 0\n"), "{shown}");
        assert_eq!(terminal.run("set-groups alice ops admins ops").unwrap(), "groups set\n");
        let shown: serde_json::Value = serde_json::from_str(&terminal.run("show alice --json").unwrap()).unwrap();
        assert_eq!((&shown["username"], &shown["groups"]), (&serde_json::json!("alice"), &serde_json::json!(["ops", "admins"])));
        assert_eq!(terminal.run("set-groups alice").unwrap(), "groups set\n");
        assert!(terminal.run("show alice").unwrap().contains("groups:\n"));
        assert!(terminal.run("set-groups alice no,comma").unwrap_err().starts_with("groups: "));
        assert_eq!(terminal.run("show nobody").unwrap_err(), "no account has this name or address");
    }

    #[test]
    fn errors_are_one_sentence() {
        let terminal = Terminal::new();
        assert_eq!(terminal.run("lock nobody").unwrap_err(), "no account has this name or address");
        terminal.run("add alice --email alice@example.com").unwrap();
        assert_eq!(terminal.run("add ALICE --email b@example.com").unwrap_err(), "the name is taken, or once was, choose another");
        assert!(terminal.run("add bob --email nowhere").unwrap_err().starts_with("email: this is not an email address"));
    }
}
