//! `portcullis invite …`: who may register where registration is not open to all, on the configured store.

use super::user::rfc3339;
use crate::account::{Email, Group};
use crate::app::App;
use crate::audit::Party;
use crate::client::Client;
use crate::clock::{SystemClock, Timestamp};
use crate::config::{Settings, read_duration};
use crate::invitation::{Invitation, InvitationError, Invitations, Invited, LIFETIME, NewInvitation};
use clap::Subcommand;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What is to be done.
#[derive(Clone, Debug, Subcommand)]
pub enum InviteCommand {
    /// Make an invitation and print its link, which works for one account
    Create {
        /// The only address that may register with it; the link is mailed to it where there is mail
        #[arg(long)]
        email: Option<String>,
        /// Group that the account gets, any number of times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// How long it works, for example 12h [default: 7d]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<Duration>,
    },
    /// Print all invitations, newest first
    List {
        /// As one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Take an invitation back
    Revoke {
        /// Which one, as `invite list` prints it
        id: Uuid,
    },
}

/// What a command says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// For standard output.
    pub out: String,
    /// For standard error; empty: nothing.
    pub note: String,
}

/// Invitations read together.
const PAGE: usize = 500;

/// Opens the configured stores and runs the command.
///
/// # Errors
/// One sentence for standard error.
pub fn run(command: InviteCommand, settings: Settings) -> Result<Said, String> {
    let app = App::open_for_command(Arc::new(settings), Arc::new(SystemClock)).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|error| error.to_string())?;
    runtime.block_on(perform(command, &app.invitations))
}

async fn perform(command: InviteCommand, invitations: &Invitations) -> Result<Said, String> {
    match command {
        InviteCommand::Create { email, groups, expires } => {
            let base = invitations.settings.origin();
            let new = NewInvitation { email: email.unwrap_or_default(), groups, lifetime: expires.unwrap_or(LIFETIME), base: base.clone() };
            let invited = invitations.create(new, Party::operator(), &Client::default()).await;
            invited.map(|invited| announce(&invited, base.is_some())).map_err(|error: InvitationError| error.to_string())
        }
        InviteCommand::List { json } => {
            let (all, now) = (all(invitations).await?, invitations.clock.now());
            let out = if json { as_json(&all, now)? } else { as_table(&all, now) };
            Ok(Said { out, ..Said::default() })
        }
        InviteCommand::Revoke { id } => match invitations.revoke(id, Party::operator(), &Client::default()).await {
            Ok(true) => Ok(Said { out: "revoked\n".to_owned(), ..Said::default() }),
            Ok(false) => Err("there is no invitation of this id, `invite list` prints them".to_owned()),
            Err(error) => Err(error.0),
        },
    }
}

fn announce(invited: &Invited, is_whole: bool) -> Said {
    let note = if !is_whole {
        "this is the path on any host of the gateway; with portal.url it would be a whole address\n".to_owned()
    } else if invited.mailed {
        "a running gateway mails the link, too\n".to_owned()
    } else {
        String::new()
    };
    Said { out: format!("{}\n", invited.link), note }
}

async fn all(invitations: &Invitations) -> Result<Vec<Invitation>, String> {
    let mut all: Vec<Invitation> = Vec::new();
    loop {
        let page = invitations.list(all.last().map(|last| last.id), PAGE).await.map_err(|error| error.0)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn as_json(invitations: &[Invitation], now: Timestamp) -> Result<String, String> {
    let row = |invitation: &Invitation| {
        serde_json::json!({
            "id": invitation.id,
            "state": invitation.state(now).as_str(),
            "email": invitation.email.as_ref().map(Email::as_str),
            "groups": group_names(invitation),
            "invitedBy": invitation.invited_by,
            "createdAt": rfc3339(invitation.created_at),
            "expiresAt": rfc3339(invitation.expires_at),
            "usedBy": invitation.used.map(|(account, _)| account),
            "usedAt": invitation.used.map(|(_, at)| rfc3339(at)),
        })
    };
    let rows: Vec<_> = invitations.iter().map(row).collect();
    serde_json::to_string_pretty(&rows).map(|text| text + "\n").map_err(|error| error.to_string())
}

fn as_table(invitations: &[Invitation], now: Timestamp) -> String {
    let mut text = String::new();
    for invitation in invitations {
        let (state, until) = (invitation.state(now).as_str(), rfc3339(invitation.expires_at));
        let email = invitation.email.as_ref().map_or("-", Email::as_str);
        let groups = group_names(invitation).join(",");
        let groups = if groups.is_empty() { "-" } else { &groups };
        let _ = writeln!(text, "{}  {state:7}  until {until}  {email}  {groups}  by {}", invitation.id, invitation.invited_by);
    }
    text
}

fn group_names(invitation: &Invitation) -> Vec<&str> {
    invitation.groups.iter().map(Group::as_str).collect()
}

fn duration(text: &str) -> Result<Duration, String> {
    let read = read_duration(text).filter(|duration| !duration.is_zero());
    read.ok_or_else(|| "not a duration, write for example 12h or 7d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: InviteCommand,
    }

    fn parse(line: &str) -> Result<InviteCommand, clap::Error> {
        Line::try_parse_from(std::iter::once("invite").chain(line.split_whitespace())).map(|line| line.command)
    }

    async fn perform_on(fixture: &Fixture, line: &str) -> Result<Said, String> {
        perform(parse(line).unwrap(), &fixture.invitations).await
    }

    /// contract 1
    #[tokio::test]
    async fn invitations_are_made_listed_and_revoked() {
        let fixture = Fixture::new();
        assert_eq!(perform_on(&fixture, "list").await.unwrap(), Said::default());
        assert_eq!(perform_on(&fixture, "list --json").await.unwrap().out, "[]\n");
        let said = perform_on(&fixture, "create").await.unwrap();
        assert!(said.out.starts_with("/auth/register?invite=") && said.out.lines().count() == 1, "{said:?}");
        assert!(said.note.contains("portal.url"), "{said:?}");
        fixture.clock.advance(Duration::from_secs(1));
        perform_on(&fixture, "create --email zoe@example.com --group staff --group ops --expires 2d").await.unwrap();
        let listed = perform_on(&fixture, "list").await.unwrap().out;
        let newest = listed.lines().next().unwrap();
        assert!(newest.contains("  open     until 2023-11-16T22:13:21Z  zoe@example.com  staff,ops  by operator"), "{listed}");
        let rows: serde_json::Value = serde_json::from_str(&perform_on(&fixture, "list --json").await.unwrap().out).unwrap();
        assert_eq!(rows[0]["groups"], serde_json::json!(["staff", "ops"]));
        assert_eq!(
            (&rows[1]["email"], &rows[1]["usedBy"], rows[1]["state"].as_str()),
            (&rows[1]["usedAt"], &serde_json::Value::Null, Some("open"))
        );
        let id = rows[0]["id"].as_str().unwrap();
        assert_eq!(perform_on(&fixture, &format!("revoke {id}")).await.unwrap().out, "revoked\n");
        assert!(perform_on(&fixture, &format!("revoke {id}")).await.unwrap_err().contains("no invitation of this id"));
        assert_eq!(perform_on(&fixture, "list").await.unwrap().out.lines().count(), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_taken_is_told_in_one_sentence() {
        let fixture = Fixture::new();
        fixture.add("alice").await;
        let said = perform_on(&fixture, "create --email ALICE@example.com --group a,b").await.unwrap_err();
        assert!(said.starts_with("email: there is an account with this address; groups: "), "{said}");
        let said = perform_on(&fixture, "create --expires 1000d").await.unwrap_err();
        assert!(said.contains("at most 366 days"), "{said}");
        for line in ["create --expires soon", "create --expires 0", "revoke x"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
