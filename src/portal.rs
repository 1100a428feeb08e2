//! Our own pages and API: an axum router that the gateway calls for everything under `server.prefix`.

pub mod error_page;

use crate::account::AccountId;
use crate::host::Host;
use crate::session::{Session, SessionKey};
use std::net::IpAddr;
use std::sync::Arc;

/// What the gateway knows of a request before a page sees it; stands in the request's extensions.
#[derive(Clone, Debug)]
pub struct Visit {
    /// Whether the effective scheme is `https`.
    pub https: bool,
    /// Host asked for.
    pub host: Host,
    /// The `Host` header's text (canonical host, and the port where it named one).
    pub authority: String,
    /// Address of the client, if the network tells.
    pub client: Option<IpAddr>,
    /// Id of the request, also in the log and on error pages.
    pub request_id: String,
    /// The session that the cookie opened.
    pub session: Presence,
}

/// What the session cookie led to.
#[derive(Clone, Debug)]
pub enum Presence {
    /// No usable cookie, or its session has ended.
    Nobody,
    /// Somebody is signed in.
    Somebody {
        /// Stored under.
        key: SessionKey,
        /// What is stored.
        session: Arc<Session>,
    },
    /// The store did not answer.
    Unknown,
}

impl Presence {
    /// The account that is signed in.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Somebody { session, .. } => Some(session.user.id),
            Self::Nobody | Self::Unknown => None,
        }
    }
}
