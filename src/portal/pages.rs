//! The pages: one file a group. What they share is here.

pub(super) mod account;
pub(super) mod activity;
pub(super) mod admin;
mod circle;
pub(super) mod confirm;
pub mod demo_mail;
pub(super) mod email;
pub(super) mod forgot;
pub(super) mod login;
pub(super) mod logout;
mod nav;
mod own;
pub(super) mod parked;
pub(super) mod password;
mod record;
pub(super) mod register;
pub(super) mod reset;
pub(super) mod sessions;
pub(super) mod tokens;
pub(super) mod verify_email;

use super::limited;
use crate::account::PasswordProfile;
use crate::registration::FieldProblem;
use crate::throttle::TooMany;
use std::time::Duration;

/// What is wrong with what was typed, for the summary and beside the fields.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<FieldProblem>);

impl Problems {
    /// One that is about no field in particular.
    fn general(code: &'static str, message: &str) -> Self {
        Self::of_field("", code, message)
    }

    /// One about a field.
    fn of_field(field: &'static str, code: &'static str, message: &str) -> Self {
        Self(vec![FieldProblem { field, code, message: message.to_owned() }])
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = &FieldProblem> {
        self.0.iter()
    }

    fn of(&self, field: &str) -> Option<&FieldProblem> {
        self.0.iter().find(|problem| problem.field == field)
    }

    fn has(&self, field: &str) -> bool {
        self.of(field).is_some()
    }
}

impl From<Vec<FieldProblem>> for Problems {
    /// In the order of the fields on our pages, each as a sentence.
    fn from(mut problems: Vec<FieldProblem>) -> Self {
        problems.sort_by_key(|problem| FIELDS.iter().position(|field| *field == problem.field));
        for problem in &mut problems {
            problem.message = sentence(&problem.message);
        }
        Self(problems)
    }
}

/// Fields, as they follow each other on every page.
const FIELDS: [&str; 12] =
    ["username", "name", "email", "avatar_url", "current_password", "password", "groups", "host", "path", "method", "expires", "confirm"];

/// With a capital and a full stop, since messages for logs and programs have neither.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    let capital = letters.next().map(char::to_uppercase).into_iter().flatten();
    let stop = if message.ends_with(char::is_alphanumeric) { "." } else { "" };
    capital.chain(letters).chain(stop.chars()).collect()
}

/// A form whose token is missing, old or of another browser.
fn forged() -> Problems {
    Problems::general("csrf", "This form was too old, or your browser does not keep cookies. Please send it again.")
}

/// A store failed.
fn unavailable() -> Problems {
    Problems::general("unavailable", "This does not work right now. Please try again in a moment.")
}

/// Too many passwords are being checked.
fn busy() -> Problems {
    Problems::general("busy", "Too many people are signing in at once. Please try again in a moment.")
}

/// Too many attempts.
fn too_many(limit: TooMany) -> Problems {
    Problems::general("too_many_attempts", &limited::sentence(&limit))
}

fn name_taken() -> Problems {
    Problems::of_field("username", "taken", "Someone else has this name, choose another.")
}

/// What a new password must be like.
fn password_hint(profile: PasswordProfile) -> &'static str {
    match profile {
        PasswordProfile::Classic => "At least 8 characters, with upper case, lower case and a digit. A few random words are best.",
        PasswordProfile::Nist => "At least 15 characters of any kind; a few random words will do.",
    }
}

/// A duration in the largest unit that it fills at least once, rounded down.
pub(super) fn spelled_out(time: Duration) -> String {
    let seconds = time.as_secs();
    let (count, unit) = match seconds {
        86_400.. => (seconds / 86_400, "day"),
        3_600.. => (seconds / 3_600, "hour"),
        _ => ((seconds / 60).max(1), "minute"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_stand_in_the_order_of_the_fields_as_sentences() {
        let problem = |field, message: &str| FieldProblem { field, code: "x", message: message.into() };
        let problems = Problems::from(vec![problem("password", "use at least 8 characters"), problem("username", "élan: . _ -")]);
        let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(messages, ["Élan: . _ -", "Use at least 8 characters."]);
    }

    #[test]
    fn durations_are_spelled_out() {
        let spelled = |seconds| spelled_out(Duration::from_secs(seconds));
        assert_eq!([spelled(30 * 86_400), spelled(86_400), spelled(7_300), spelled(20)], ["30 days", "1 day", "2 hours", "1 minute"]);
    }
}
