//! Audit records in plain words, for the activity pages.

use crate::account::AccountId;
use crate::audit::{Action, Outcome, Party, Record};
use crate::client::browser;
use crate::portal::moment::Moment;

/// A record, as a page shows it.
#[derive(Debug)]
pub(super) struct Entry {
    /// What happened, and why not where it failed.
    pub(super) what: String,
    /// To whom and by whom, where that is not plain.
    pub(super) whom: Option<String>,
    pub(super) at: Moment,
    /// Address and browser.
    pub(super) from: Option<String>,
    pub(super) failed: bool,
}

impl Entry {
    /// For the owner of `account`: from where an operator worked is not theirs to know.
    pub(super) fn for_owner(record: &Record, account: AccountId) -> Self {
        let subject = record.subject.as_ref().map(|subject| subject.name.clone());
        let (whom, from) = match record.actor.account {
            Some(actor) if actor == account => (subject, from(record)),
            Some(_) => (Some("by an administrator".to_owned()), None),
            None if is_by_command(record) => (Some("by the operator".to_owned()), None),
            None => (None, from(record)),
        };
        Self { whom, from, ..Self::of(record) }
    }

    /// For administrators.
    pub(super) fn for_administrator(record: &Record) -> Self {
        let subject = record.subject.as_ref().map(|subject| subject.name.clone()).filter(|name| !name.is_empty());
        let whom = match (subject, actor(record)) {
            (Some(subject), Some(actor)) => Some(format!("{subject}, by {actor}")),
            (Some(name), None) | (None, Some(name)) => Some(name),
            (None, None) => None,
        };
        Self { whom, from: from(record), ..Self::of(record) }
    }

    fn of(record: &Record) -> Self {
        let failed = record.outcome == Outcome::Failure;
        let done = in_words(record.action);
        let what = match (failed, &record.reason) {
            (false, _) => capitalized(done),
            (true, None) => format!("Failed: {done}"),
            (true, Some(reason)) => format!("Failed: {done} ({})", why(reason, record.action)),
        };
        Self { what, whom: None, at: Moment::of(record.at), from: None, failed }
    }
}

/// Who did it, if that is known. The name of somebody without an account is what they typed.
fn actor(record: &Record) -> Option<String> {
    let name = &record.actor.name;
    match record.actor.account {
        _ if name.is_empty() => None,
        None if !is_by_command(record) => Some(format!("“{name}”, as typed")),
        _ => Some(name.clone()),
    }
}

/// Whether it was done on the machine: anybody may type the operator's name, but then a request came with it.
fn is_by_command(record: &Record) -> bool {
    record.actor == Party::operator() && record.client.is_none() && record.request_id.is_empty()
}

fn from(record: &Record) -> Option<String> {
    let address = record.client?;
    Some(format!("{address}, {}", browser::in_words(&record.user_agent)))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn in_words(action: Action) -> &'static str {
    match action {
        Action::Login => "sign-in",
        Action::Logout => "sign-out",
        Action::Registration => "registration",
        Action::PasswordResetRequest => "request for a password link",
        Action::PasswordReset => "new password by link",
        Action::PasswordChange => "password change",
        Action::ProfileChange => "profile changed",
        Action::EmailChangeRequest => "request for another email",
        Action::EmailConfirmation => "email confirmation",
        Action::Confirmation => "password confirmation",
        Action::Lockout => "locked for a time after too many failures",
        Action::SessionRevocation => "session ended",
        Action::AccountCreation => "account made",
        Action::AccountLock => "account locked",
        Action::AccountUnlock => "account unlocked",
        Action::AccountDeletion => "account deleted",
        Action::PasswordSet => "password set",
        Action::GroupChange => "groups changed",
        Action::InvitationCreation => "invitation made",
        Action::InvitationRevocation => "invitation taken back",
        Action::RefreshTokenReuse => "an app used an old token again, and was signed out",
        Action::TokenCreation => "personal token made",
        Action::TokenRevocation => "personal token revoked",
        Action::Unknown => "something that a newer version recorded",
    }
}

/// The stable words of records, for people.
fn why(reason: &str, action: Action) -> String {
    match reason {
        "invalid_credentials" if action == Action::Login => "wrong name or password".to_owned(),
        "invalid_credentials" => "wrong password".to_owned(),
        "rate_limited" => "too many attempts".to_owned(),
        other => other.replace('_', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use uuid::Uuid;

    fn party(name: &str) -> Party {
        Party { account: Some(AccountId::new(Timestamp(1))), name: name.to_owned() }
    }

    fn record(actor: Party, subject: Option<Party>) -> Record {
        Record {
            id: Uuid::nil(),
            at: Timestamp(1_700_000_000_000),
            action: Action::AccountLock,
            outcome: Outcome::Success,
            reason: None,
            actor,
            subject,
            client: Some([192, 0, 2, 1].into()),
            user_agent: "curl/8".to_owned(),
            request_id: "r1".to_owned(),
        }
    }

    #[test]
    fn what_one_did_oneself_says_from_where_and_what_others_did_does_not() {
        let (alice, root) = (party("alice"), party("root"));
        let id = alice.account.unwrap();
        let own = Entry::for_owner(&record(alice.clone(), None), id);
        assert_eq!((own.whom, own.from.as_deref()), (None, Some("192.0.2.1, curl")));
        let done_to = Entry::for_owner(&record(root.clone(), Some(alice.clone())), id);
        assert_eq!((done_to.whom.as_deref(), done_to.from), (Some("by an administrator"), None));
        let done_by = Entry::for_owner(&record(alice.clone(), Some(root)), id);
        assert_eq!(done_by.whom.as_deref(), Some("root"));
        let command = |subject| Record { request_id: String::new(), client: None, ..record(Party::operator(), subject) };
        assert_eq!(Entry::for_owner(&command(Some(alice.clone())), id).whom.as_deref(), Some("by the operator"));
        let by_somebody = Entry::for_owner(&record(Party::operator(), Some(alice)), id);
        assert_eq!((by_somebody.whom, by_somebody.from.as_deref()), (None, Some("192.0.2.1, curl")), "anybody can type that name");
    }

    #[test]
    fn administrators_see_who_did_what_to_whom_and_why_it_failed() {
        let entry = Entry::for_administrator(&record(party("root"), Some(party("alice"))));
        assert_eq!((&*entry.what, entry.whom.as_deref()), ("Account locked", Some("alice, by root")));
        let failed = Record {
            action: Action::Login,
            outcome: Outcome::Failure,
            reason: Some("invalid_credentials".to_owned()),
            ..record(Party::unknown("mallory"), None)
        };
        let entry = Entry::for_administrator(&failed);
        assert_eq!(entry.what, "Failed: sign-in (wrong name or password)");
        assert_eq!((entry.whom.as_deref(), entry.failed), (Some("“mallory”, as typed"), true));
        let operator = Record { request_id: String::new(), client: None, ..record(Party::operator(), Some(party("alice"))) };
        assert_eq!(Entry::for_administrator(&operator).whom.as_deref(), Some("alice, by operator"));
        let lockout = record(Party::default(), Some(party("alice")));
        assert_eq!(Entry::for_administrator(&lockout).whom.as_deref(), Some("alice"));
    }
}
