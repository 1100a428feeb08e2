//! Audit records in plain words, for the activity pages.

use crate::account::AccountId;
use crate::audit::{Action, Outcome, Record};
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
    /// For the owner of `account`: from where an administrator worked is not theirs to know.
    pub(super) fn for_owner(record: &Record, account: AccountId) -> Self {
        let own = record.actor.account == Some(account);
        let subject = record.subject.as_ref().map(|subject| subject.name.clone());
        let by_another = || if record.actor.account.is_some() { "by an administrator" } else { "by the operator" };
        let whom = if own { subject } else { Some(by_another().to_owned()) };
        Self { whom, from: own.then(|| from(record)).flatten(), ..Self::of(record) }
    }

    /// For administrators.
    pub(super) fn for_administrator(record: &Record) -> Self {
        let actor = actor(record);
        let whom = match &record.subject {
            Some(subject) if subject.name.is_empty() => format!("by {actor}"),
            Some(subject) => format!("{}, by {actor}", subject.name),
            None => actor,
        };
        Self { whom: Some(whom), from: from(record), ..Self::of(record) }
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

/// Who did it. A name that belongs to no account is what somebody typed, unless no request came with it.
fn actor(record: &Record) -> String {
    let name = &record.actor.name;
    if record.actor.account.is_some() || record.request_id.is_empty() { name.clone() } else { format!("“{name}”, who is not known") }
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
    use crate::audit::Party;
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
        let by_operator = Entry::for_owner(&record(Party::operator(), Some(alice)), id);
        assert_eq!(by_operator.whom.as_deref(), Some("by the operator"));
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
        assert_eq!((entry.whom.as_deref(), entry.failed), (Some("“mallory”, who is not known"), true));
        let operator = Record { request_id: String::new(), client: None, ..record(Party::operator(), Some(party("alice"))) };
        assert_eq!(Entry::for_administrator(&operator).whom.as_deref(), Some("alice, by operator"));
    }
}
