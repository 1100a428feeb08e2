//! Counts what is recorded: an event that the audit is told of is counted here, and nowhere else.

use super::{LoginMethod, LoginResult, Metrics, RegistrationResult, ResetResult, ResetStage, SessionEnd};
use crate::audit::{Action, Event, Outcome};
use crate::token_login;

impl Metrics {
    /// Counts an event.
    pub(crate) fn record(&self, event: &Event) {
        let reason = event.reason.unwrap_or_default();
        match (event.action, event.outcome) {
            (Action::Login, Outcome::Success) if reason == token_login::BY_TOKEN => {
                self.logins_total[(LoginMethod::Token, LoginResult::Success)].inc();
            }
            (Action::Login, outcome) => self.logins_total[(LoginMethod::Password, login(outcome, reason))].inc(),
            (Action::Logout, Outcome::Success) => self.sessions_ended(SessionEnd::Logout, 1),
            (Action::Registration, outcome) => self.registrations_total[registration(outcome, reason)].inc(),
            (Action::PasswordResetRequest, outcome) => {
                let stage = if reason == "link_sent" { ResetStage::Link } else { ResetStage::Request };
                self.password_resets_total[(stage, reset(outcome, reason))].inc();
            }
            (Action::PasswordReset, outcome) => self.password_resets_total[(ResetStage::Confirm, reset(outcome, reason))].inc(),
            (Action::Lockout, _) => self.lockouts_total.inc(),
            _ => {}
        }
    }
}

fn login(outcome: Outcome, reason: &str) -> LoginResult {
    match (outcome, reason) {
        (Outcome::Success, _) => LoginResult::Success,
        (Outcome::Failure, "locked" | "locked_out") => LoginResult::Locked,
        (Outcome::Failure, "rate_limited") => LoginResult::RateLimited,
        (Outcome::Failure, _) => LoginResult::Invalid,
    }
}

fn registration(outcome: Outcome, reason: &str) -> RegistrationResult {
    match (outcome, reason) {
        (Outcome::Success, _) => RegistrationResult::Success,
        (Outcome::Failure, "username_taken") => RegistrationResult::UsernameTaken,
        (Outcome::Failure, "email_taken") => RegistrationResult::EmailTaken,
        (Outcome::Failure, "rate_limited") => RegistrationResult::RateLimited,
        (Outcome::Failure, _) => RegistrationResult::InviteInvalid,
    }
}

fn reset(outcome: Outcome, reason: &str) -> ResetResult {
    match (outcome, reason) {
        (Outcome::Success, _) => ResetResult::Success,
        (Outcome::Failure, "rate_limited") => ResetResult::RateLimited,
        (Outcome::Failure, _) => ResetResult::Invalid,
    }
}
