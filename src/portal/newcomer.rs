//! `{username?, email, password, invite?}`: what programs send to make an account, at the page's address and at the API.

use super::problem::Problem;
use super::refusal::{invalid, missing};
use super::submission::json;
use crate::account::Password;
use crate::client::Client;
use crate::registration::NewAccount;

/// Who wants an account.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[schema(as = Registration)]
#[serde(deny_unknown_fields)]
pub(super) struct Newcomer {
    /// Made from the address where it is absent.
    username: Option<String>,
    /// May be left to an invitation that names one.
    email: Option<String>,
    #[schema(required, format = Password)]
    password: Option<String>,
    /// Token of an invitation.
    invite: Option<String>,
}

/// What may be sent.
pub(super) const FIELDS: &str = "username, email, password and invite";

/// The account that the body asks for, if nothing needed is missing. `base` is where links in mails begin.
pub(super) fn read(body: &[u8], base: Option<String>, client: Client) -> Result<NewAccount, Box<Problem>> {
    let Newcomer { username, email, password, invite } = json(body, FIELDS)?;
    // Who is invited may leave the address to the invitation.
    match (email.or_else(|| invite.is_some().then(String::new)), password) {
        (Some(email), Some(password)) => {
            Ok(NewAccount { username, email, password: Password::new(password), invite: invite.unwrap_or_default(), base, client })
        }
        (email, password) => {
            let absent = [email.is_none().then(|| missing("email")), password.is_none().then(|| missing("password"))];
            Err(Box::new(invalid(absent.into_iter().flatten().collect())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_every_field_that_is_missing() {
        let problem = read(b"{}", None, Client::default()).err().unwrap();
        let body: serde_json::Value = serde_json::from_slice(problem.response().body()).unwrap();
        assert_eq!(body["errors"][0]["field"], "email");
        assert_eq!(body["errors"][1], serde_json::json!({ "field": "password", "code": "required", "message": "Send password." }));
    }
}
