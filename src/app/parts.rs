//! What the use cases are made of, and how each is put together from it.

use crate::account::{AccountStore, Hasher};
use crate::administration::{Actor, Administration};
use crate::audit::Audit;
use crate::clock::SharedClock;
use crate::config::{Secret, Settings};
use crate::email_confirmation::EmailConfirmation;
use crate::invitation::{InvitationStore, Invitations};
use crate::link_token::LinkTokens;
use crate::lockout::Lockout;
use crate::login::Login;
use crate::mail::Outbox;
use crate::metrics::Metrics;
use crate::profile::Profile;
use crate::recovery::Recovery;
use crate::registration::Registration;
use crate::sealing::Sealer;
use crate::session::SessionStore;
use crate::session_marks::SessionMarks;
use crate::store::OneTimeStore;
use crate::throttle::Throttle;
use crate::token::{
    AccessTokens, Assertions, PersonalKeys, PersonalTokenStore, PersonalTokens, PersonalUses, RefreshTokens, SigningKeyStore, SigningKeys,
};
use crate::token_login::TokenLogin;
use std::sync::Arc;

/// What several use cases need.
pub(super) struct Parts {
    pub(super) settings: Arc<Settings>,
    pub(super) clock: SharedClock,
    pub(super) accounts: Arc<dyn AccountStore>,
    pub(super) sessions: Arc<dyn SessionStore>,
    pub(super) marks: SessionMarks,
    pub(super) hasher: Hasher,
    pub(super) tokens: LinkTokens,
    pub(super) outbox: Arc<Outbox>,
    pub(super) audit: Arc<Audit>,
    pub(super) lockout: Arc<Lockout>,
    pub(super) throttle: Arc<Throttle>,
    pub(super) metrics: Arc<Metrics>,
}

impl Parts {
    pub(super) fn login(&self) -> Arc<Login> {
        Arc::new(Login {
            accounts: Arc::clone(&self.accounts),
            sessions: Arc::clone(&self.sessions),
            hasher: self.hasher.clone(),
            clock: Arc::clone(&self.clock),
            throttle: Arc::clone(&self.throttle),
            outbox: Arc::clone(&self.outbox),
            audit: Arc::clone(&self.audit),
            metrics: Arc::clone(&self.metrics),
            settings: self.settings.sessions,
            verify_email: self.settings.accounts.verify_email,
        })
    }

    pub(super) fn email_confirmation(&self) -> Arc<EmailConfirmation> {
        Arc::new(EmailConfirmation {
            accounts: Arc::clone(&self.accounts),
            tokens: self.tokens.clone(),
            outbox: Arc::clone(&self.outbox),
            throttle: Arc::clone(&self.throttle),
            audit: Arc::clone(&self.audit),
            hasher: self.hasher.clone(),
            clock: Arc::clone(&self.clock),
            marks: self.marks.clone(),
            prefix: self.settings.server.prefix.clone(),
            sends_mail: self.settings.email.transport.is_some(),
        })
    }

    pub(super) fn invitations(&self, store: Arc<dyn InvitationStore>) -> Arc<Invitations> {
        Arc::new(Invitations {
            store,
            accounts: Arc::clone(&self.accounts),
            outbox: Arc::clone(&self.outbox),
            audit: Arc::clone(&self.audit),
            clock: Arc::clone(&self.clock),
            settings: Arc::clone(&self.settings),
        })
    }

    pub(super) fn recovery(&self, login: &Arc<Login>) -> Arc<Recovery> {
        Arc::new(Recovery {
            accounts: Arc::clone(&self.accounts),
            hasher: self.hasher.clone(),
            clock: Arc::clone(&self.clock),
            tokens: self.tokens.clone(),
            outbox: Arc::clone(&self.outbox),
            throttle: Arc::clone(&self.throttle),
            audit: Arc::clone(&self.audit),
            marks: self.marks.clone(),
            login: Arc::clone(login),
            settings: self.settings.accounts.clone(),
            prefix: self.settings.server.prefix.clone(),
            sends_mail: self.settings.email.transport.is_some(),
        })
    }

    pub(super) fn registration(&self, invitations: &Arc<Invitations>, email_confirmation: &Arc<EmailConfirmation>) -> Arc<Registration> {
        Arc::new(Registration {
            accounts: Arc::clone(&self.accounts),
            hasher: self.hasher.clone(),
            clock: Arc::clone(&self.clock),
            invitations: Arc::clone(invitations),
            email_confirmation: Arc::clone(email_confirmation),
            throttle: Arc::clone(&self.throttle),
            audit: Arc::clone(&self.audit),
            settings: self.settings.accounts.clone(),
        })
    }

    pub(super) fn profile(&self) -> Arc<Profile> {
        Arc::new(Profile {
            accounts: Arc::clone(&self.accounts),
            sessions: Arc::clone(&self.sessions),
            hasher: self.hasher.clone(),
            throttle: Arc::clone(&self.throttle),
            audit: Arc::clone(&self.audit),
            outbox: Arc::clone(&self.outbox),
            clock: Arc::clone(&self.clock),
            marks: self.marks.clone(),
            accounts_settings: self.settings.accounts.clone(),
            session_settings: self.settings.sessions,
        })
    }

    pub(super) fn administration(&self) -> Arc<Administration> {
        Arc::new(Administration {
            accounts: Arc::clone(&self.accounts),
            hasher: self.hasher.clone(),
            clock: Arc::clone(&self.clock),
            settings: self.settings.accounts.clone(),
            marks: self.marks.clone(),
            audit: Arc::clone(&self.audit),
            outbox: Arc::clone(&self.outbox),
            lockout: Arc::clone(&self.lockout),
            actor: Actor::operator(),
        })
    }

    pub(super) fn signing_keys(&self, store: Arc<dyn SigningKeyStore>, sealer: Sealer) -> Arc<SigningKeys> {
        Arc::new(SigningKeys::new(store, sealer, Arc::clone(&self.clock), self.settings.tokens.clone()))
    }

    pub(super) fn access_tokens(&self, keys: &Arc<SigningKeys>, revoked: &Arc<dyn OneTimeStore>) -> Arc<AccessTokens> {
        Arc::new(AccessTokens {
            keys: Arc::clone(keys),
            accounts: Arc::clone(&self.accounts),
            revoked: Arc::clone(revoked),
            clock: Arc::clone(&self.clock),
            settings: self.settings.tokens.clone(),
        })
    }

    pub(super) fn refresh_tokens(&self, keys: &Arc<SigningKeys>) -> Arc<RefreshTokens> {
        Arc::new(RefreshTokens {
            store: Arc::clone(&self.marks.refresh_tokens),
            keys: Arc::clone(keys),
            accounts: Arc::clone(&self.accounts),
            audit: Arc::clone(&self.audit),
            clock: Arc::clone(&self.clock),
            settings: self.settings.tokens.clone(),
            max_families: self.settings.sessions.max_per_user,
            verify_email: self.settings.accounts.verify_email,
        })
    }

    pub(super) fn personal_tokens(&self, store: Arc<dyn PersonalTokenStore>, secret: &Secret) -> Arc<PersonalTokens> {
        Arc::new(PersonalTokens {
            store,
            audit: Arc::clone(&self.audit),
            clock: Arc::clone(&self.clock),
            keys: PersonalKeys::derive(secret, self.settings.secret_previous.as_ref()),
            uses: PersonalUses::default(),
            settings: Arc::clone(&self.settings),
        })
    }

    pub(super) fn token_login(&self, login: &Arc<Login>, access: &Arc<AccessTokens>, refresh: &Arc<RefreshTokens>) -> Arc<TokenLogin> {
        Arc::new(TokenLogin {
            login: Arc::clone(login),
            accounts: Arc::clone(&self.accounts),
            access: Arc::clone(access),
            refresh: Arc::clone(refresh),
            audit: Arc::clone(&self.audit),
            metrics: Arc::clone(&self.metrics),
        })
    }

    pub(super) fn assertions(&self, keys: &Arc<SigningKeys>) -> Arc<Assertions> {
        Arc::new(Assertions::new(Arc::clone(keys), Arc::clone(&self.clock), self.settings.tokens.issuer.clone()))
    }
}
