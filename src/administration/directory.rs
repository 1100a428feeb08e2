//! Looking accounts up.

use super::{Administration, AdministrationError};
use crate::account::{Account, AccountId, Email, Username};
use uuid::Uuid;

/// Accounts that were found, and where to go on.
#[derive(Debug)]
pub struct Found {
    /// In the order of their canonical names.
    pub accounts: Vec<Account>,
    /// Whether there are more after the last.
    pub more: bool,
}

/// Accounts read together.
const PAGE: usize = 500;

/// Characters of an id; without its dashes it might be a name.
const ID_LENGTH: usize = 36;

impl Administration {
    /// The account with this name, address or id.
    ///
    /// # Errors
    /// See [`AdministrationError`].
    pub async fn find(&self, user: &str) -> Result<Account, AdministrationError> {
        let found = match (id(user), Username::parse(user), Email::parse(user)) {
            (Some(id), ..) => self.accounts.find(id).await?,
            (_, Ok(username), _) => self.accounts.find_by_username(&username).await?,
            (.., Ok(email)) => self.accounts.find_by_email(&email).await?,
            _ => None,
        };
        found.filter(|account| !account.is_deleted()).ok_or(AdministrationError::NotFound)
    }

    /// All accounts, in the order of their canonical names.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn list(&self) -> Result<Vec<Account>, AdministrationError> {
        let mut all: Vec<Account> = Vec::new();
        let mut after = None;
        loop {
            let page = self.accounts.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.username.clone());
            all.extend(page.into_iter().filter(|account| !account.is_deleted()));
        }
        Ok(all)
    }

    /// Up to `limit` accounts whose name or address begins with `text`, from the first after the name `after`.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn search(&self, text: &str, after: Option<&Username>, limit: usize) -> Result<Found, AdministrationError> {
        let wanted = limit.saturating_add(1);
        let mut accounts = if text.trim().is_empty() {
            self.accounts.list(after, wanted).await?
        } else {
            self.accounts.search(text, after, wanted).await?
        };
        let more = accounts.len() > limit;
        accounts.truncate(limit);
        accounts.retain(|account| !account.is_deleted());
        Ok(Found { accounts, more })
    }
}

fn id(text: &str) -> Option<AccountId> {
    (text.len() == ID_LENGTH).then(|| Uuid::try_parse(text).ok()).flatten().map(AccountId)
}

#[cfg(test)]
mod tests {
    use crate::fixture::Fixture;

    #[tokio::test]
    async fn an_account_is_found_by_its_id() {
        let fixture = Fixture::new();
        let alice = fixture.add("alice").await;
        assert_eq!(fixture.administration.find(&alice.id.to_string()).await.unwrap().username.as_str(), "alice");
        for unknown in ["00000000-0000-0000-0000-000000000000", &alice.id.0.simple().to_string(), ""] {
            assert!(fixture.administration.find(unknown).await.is_err(), "{unknown}");
        }
    }

    #[tokio::test]
    async fn a_page_tells_whether_there_are_more() {
        let fixture = Fixture::new();
        for name in ["anna", "annabel", "bert"] {
            fixture.add(name).await;
        }
        for (text, limit, expected, more) in [("ann", 1, 1, true), ("ann", 2, 2, false), ("", 2, 2, true), (" ", 3, 3, false)] {
            let found = fixture.administration.search(text, None, limit).await.unwrap();
            assert_eq!((found.accounts.len(), found.more), (expected, more), "{text:?} {limit}");
        }
    }
}
