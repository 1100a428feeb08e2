//! `{prefix}/admin/…`: pages for members of `accounts.admin_group`. Every handler takes an [`Admin`], so that none can be
//! reached by anybody else (ASVS V8.2.1, V8.2.2).

pub(in crate::portal) mod activity;
pub(in crate::portal) mod explain;
pub(in crate::portal) mod invitations;
pub(in crate::portal) mod sessions;
pub(in crate::portal) mod user;
pub(in crate::portal) mod users;

use super::nav::{Here, Nav};
use super::own::{Own, way_back};
use super::{Problems, busy, unavailable as outage};
use crate::account::Account;
use crate::administration::{Actor, Administration, AdministrationError};
use crate::audit::Party;
use crate::portal::Portal;
use crate::portal::call::{Call, rd_query};
use crate::portal::error_page::Fault;
use axum::extract::FromRequestParts;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use std::sync::Arc;

/// A request by an administrator.
pub(in crate::portal) struct Admin {
    call: Call,
    /// Their account as it is stored now: what a session remembers of it would not do here.
    account: Account,
    /// Acts in their name.
    administration: Administration,
}

impl FromRequestParts<Arc<Portal>> for Admin {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Arc<Portal>) -> Result<Self, Response> {
        let Own { call, account, .. } = Own::from_request_parts(parts, portal).await?;
        if !portal.app.administration.is_administrator(&account) {
            let prefix = &portal.look.prefix;
            let (_, page) = way_back(parts);
            let switch_url = format!("{prefix}/login?switch{}", rd_query('&', Some(&format!("{prefix}{page}"))));
            return Err(call.fault(&Fault::Forbidden { switch_url }));
        }
        let actor = Actor { party: Party::from(&account), client: call.client() };
        let administration = portal.app.administration.acting_as(actor);
        Ok(Self { call, account, administration })
    }
}

impl Admin {
    fn nav(&self, here: Here) -> Nav {
        Nav::of(&self.call.portal, &self.account, here)
    }

    /// Notes what failed; the answer where there is no page to show again.
    fn fault(&self, error: &AdministrationError) -> Response {
        match error {
            AdministrationError::NotFound => self.call.fault(&Fault::NotFound),
            AdministrationError::Unavailable(error) => {
                self.call.note(error);
                self.call.fault(&Call::outage())
            }
            _ => self.call.fault(&Call::outage()),
        }
    }
}

/// `GET {prefix}/admin`: leads to the first page.
pub(in crate::portal) async fn show(admin: Admin) -> Response {
    admin.call.to_page(StatusCode::FOUND, "/admin/users")
}

/// What a page says of an act that was not done, and with which status.
fn refusal(error: AdministrationError) -> (StatusCode, Problems) {
    let told = |status, code, message: &str| (status, Problems::general(code, message));
    match error {
        AdministrationError::Invalid(problems) => (StatusCode::BAD_REQUEST, problems.into()),
        AdministrationError::NotFound => told(StatusCode::NOT_FOUND, "not_found", "There is no such account any more."),
        AdministrationError::NoAdministrator => {
            told(StatusCode::FORBIDDEN, "no_administrator", "You are no administrator any more. Nothing was done.")
        }
        AdministrationError::Oneself => {
            told(StatusCode::FORBIDDEN, "oneself", "You cannot do this to your own account. Ask another administrator.")
        }
        AdministrationError::Locked => told(StatusCode::CONFLICT, "locked", "The account is locked. Unlock it first."),
        AdministrationError::Taken(_) | AdministrationError::Conflict => {
            told(StatusCode::CONFLICT, "conflict", "The account was changed elsewhere at the same time. Please try again.")
        }
        AdministrationError::Busy => (StatusCode::SERVICE_UNAVAILABLE, busy()),
        AdministrationError::OutOfReach | AdministrationError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, outage()),
    }
}

/// Groups as typed: separated by commas or blanks.
fn groups(typed: &str) -> Vec<String> {
    typed
        .split(|character: char| character == ',' || character.is_whitespace())
        .filter(|group| !group.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_separated_by_commas_or_blanks() {
        assert_eq!(groups(" staff, wiki:editors\tops,,"), ["staff", "wiki:editors", "ops"]);
        assert!(groups(" , ").is_empty());
    }
}
