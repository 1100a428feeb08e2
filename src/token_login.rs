//! Signing in and out of programs: what a session is to a browser, a pair of tokens is to a program. How tokens are made and
//! checked is [`token`](crate::token)'s; no HTTP here.

use crate::account::{Account, AccountId, AccountStore};
use crate::audit::{Action, Audit, Event, Outcome, Party};
use crate::client::Client;
use crate::login::{Credentials, Login, LoginError};
use crate::metrics::{Metrics, RefreshResult};
use crate::store::StoreError;
use crate::token::{AccessClaims, AccessError, AccessToken, AccessTokens, RefreshError, RefreshTokens, Renewed};
use std::sync::Arc;

/// The use case: turns a name and a password into tokens, and those into newer ones.
pub struct TokenLogin {
    pub(crate) login: Arc<Login>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) access: Arc<AccessTokens>,
    pub(crate) refresh: Arc<RefreshTokens>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) metrics: Arc<Metrics>,
}

/// What a program is given, and the only copies of it.
pub struct IssuedTokens {
    /// Whose they are.
    pub account: Account,
    /// What it presents.
    pub access: AccessToken,
    /// What it renews that by. Never logged.
    pub refresh: String,
}

/// How sign-ins of programs stand in the audit log.
pub(crate) const BY_TOKEN: &str = "token";

impl TokenLogin {
    /// Checks the credentials and issues tokens.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn sign_in(&self, credentials: Credentials<'_>) -> Result<IssuedTokens, LoginError> {
        let account = self.login.verify(credentials).await?;
        let party = Party::from(&account);
        let issued = self.issue(account, credentials.client).await;
        match &issued {
            Ok(tokens) => self.login.welcome(&tokens.account, credentials.client, Some(BY_TOKEN)).await,
            Err(LoginError::Invalid) => self.login.overtaken(party, credentials.client),
            Err(_) => {}
        }
        issued
    }

    /// Issues tokens to who has just made the account.
    ///
    /// # Errors
    /// See [`LoginError`]; the account is there all the same.
    pub async fn admit(&self, account: Account, client: &Client) -> Result<IssuedTokens, LoginError> {
        let tokens = self.issue(account, client).await?;
        self.record(Party::from(&tokens.account), Action::Login, client);
        Ok(tokens)
    }

    /// The next pair of tokens, with the account as stored now.
    ///
    /// # Errors
    /// See [`RefreshError`].
    pub async fn renew(&self, refresh_token: &str, client: &Client) -> Result<IssuedTokens, RefreshError> {
        let renewed = self.refresh.renew(refresh_token, client).await;
        self.count(&renewed);
        let renewed = renewed?;
        let access = self.access.issue(&renewed.account).await.map_err(RefreshError::Unavailable)?;
        Ok(IssuedTokens { account: renewed.account, access, refresh: renewed.token })
    }

    /// What a store's failure prevented is counted as that.
    fn count(&self, renewed: &Result<Renewed, RefreshError>) {
        let result = match renewed {
            Ok(Renewed { repeated: true, .. }) => RefreshResult::Repeated,
            Ok(_) => RefreshResult::Success,
            Err(RefreshError::Reused) => RefreshResult::Reused,
            Err(RefreshError::Invalid) => RefreshResult::Invalid,
            Err(RefreshError::Unavailable(_)) => return,
        };
        self.metrics.token_refreshed(result);
    }

    /// Ends the access token, and with it the line of the refresh token where one is given. Then the access token may have expired:
    /// a program that was asleep must be able to sign out.
    ///
    /// # Errors
    /// See [`AccessError`]; what was unavailable may have ended one of them, and can be asked again.
    pub async fn sign_out(&self, access_token: &str, refresh_token: Option<&str>, client: &Client) -> Result<(), AccessError> {
        let claims = match self.access.authenticate(access_token).await {
            Ok((_, claims)) => claims,
            Err(AccessError::Invalid) if refresh_token.is_some() => self.access.read_expired(access_token).await?,
            Err(error) => return Err(error),
        };
        let party = party(&claims)?;
        self.access.revoke(&claims).await.map_err(AccessError::Unavailable)?;
        if let (Some(refresh_token), Some(account)) = (refresh_token, party.account) {
            self.refresh.end_by(account, refresh_token).await.map_err(AccessError::Unavailable)?;
        }
        self.record(party, Action::Logout, client);
        Ok(())
    }

    /// Looks again at the account once its tokens are stored: a lock or a password change that came in between has ended the
    /// tokens that it saw, and may not have seen these.
    async fn issue(&self, account: Account, client: &Client) -> Result<IssuedTokens, LoginError> {
        let access = self.access.issue(&account).await?;
        let refresh = self.refresh.issue(&account, client).await?;
        let standing = self.stands(&account).await;
        if !matches!(standing, Ok(true)) {
            let ended = self.refresh.end_by(account.id, &refresh).await;
            standing.and(ended)?;
            return Err(LoginError::Invalid);
        }
        Ok(IssuedTokens { account, access, refresh })
    }

    async fn stands(&self, account: &Account) -> Result<bool, StoreError> {
        let current = self.accounts.find(account.id).await?;
        Ok(current.is_some_and(|current| !current.locked && current.generation == account.generation))
    }

    fn record(&self, who: Party, action: Action, client: &Client) {
        self.audit.record(Event::by(who, action, Outcome::Success, client).because(BY_TOKEN));
    }
}

/// Whom the claims of a token name; we signed them, so they do.
fn party(claims: &AccessClaims) -> Result<Party, AccessError> {
    let id = claims.sub.parse().map_err(|_| AccessError::Invalid)?;
    Ok(Party { account: Some(AccountId(id)), name: claims.username.clone() })
}
