//! Mail: letters are put into a durable outbox by whoever has something to say, and written and sent in the background.
//!
//! A [`Letter`] says what is to be told to whom, not the text: it is written at the moment of sending, and the token of a link
//! is made then, so that the outbox holds none and a letter that waited for a mail server has a link that works. A
//! letter to an address that nobody has is posted like any other and dropped when it is written, so that asking for
//! one takes the same time whoever it is for.

mod delivery;
mod mime;
mod outbox;
mod samples;
mod store;
mod transport;
mod trial;
mod wording;
mod writer;

pub use delivery::Delivery;
pub use outbox::Outbox;
pub use samples::samples;
pub(crate) use store::full;
pub use store::{MOST_LETTERS, OutboxStore, Queued};
pub use transport::{CatcherTransport, Caught, FileTransport, LogTransport, MailCatcher, SendError, SmtpTransport, Transport};
pub use trial::send_test;
pub use wording::Wording;
pub use writer::{Mail, Writer};

use crate::account::AccountId;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::metrics::label;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Something to tell someone by mail. `base` is the origin that links begin with, for example `https://auth.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// A link to set a new password, to whoever has this address.
    PasswordReset {
        /// Canonical form of the address that was typed; the mail goes to the address that is stored.
        address: String,
        /// Origin of the link.
        base: String,
        /// Who asked.
        asked: Asked,
    },
    /// The password was changed, or reset.
    PasswordChanged {
        /// Whose.
        account: AccountId,
        /// Who did it.
        asked: Asked,
    },
    /// The gateway has locked the account for a time. Without an account (nobody has the name) it is dropped.
    AccountLocked {
        /// Whose.
        account: Option<AccountId>,
        /// Until when.
        until: Timestamp,
        /// Who tried last.
        asked: Asked,
    },
    /// Somebody signed in with a browser that has not been seen before.
    NewSignIn {
        /// Whose account.
        account: AccountId,
        /// Who signed in.
        asked: Asked,
    },
    /// A link that shows an address to be one's own, after registering or when changing the address.
    ConfirmEmail {
        /// Whose account.
        account: AccountId,
        /// The address to be confirmed, and to be written to.
        address: String,
        /// Origin of the link.
        base: String,
        /// Who asked.
        asked: Asked,
    },
    /// The account has another address now; goes to the former one.
    EmailChanged {
        /// Whose account.
        account: AccountId,
        /// The former address.
        former: String,
        /// Who did it.
        asked: Asked,
    },
    /// Somebody wanted an account, or to change theirs, with an address that belongs to an account already.
    AddressTaken {
        /// Canonical form of the address that was typed.
        address: String,
        /// Origin of the link to the login.
        base: Option<String>,
        /// Who asked.
        asked: Asked,
    },
    /// An invitation to register.
    Invitation {
        /// To whom.
        address: String,
        /// The whole link.
        link: String,
        /// When it ends.
        until: Timestamp,
    },
    /// A test of the transport.
    Test {
        /// To whom.
        address: String,
    },
}

label! {
    /// The kinds of letters: stable names for logs, metrics and files.
    pub enum Template as "template" {
        /// [`Letter::PasswordReset`]
        PasswordReset = "password_reset",
        /// [`Letter::PasswordChanged`]
        PasswordChanged = "password_changed",
        /// [`Letter::AccountLocked`]
        AccountLocked = "account_locked",
        /// [`Letter::NewSignIn`]
        NewSignIn = "new_sign_in",
        /// [`Letter::ConfirmEmail`]
        ConfirmEmail = "confirm_email",
        /// [`Letter::EmailChanged`]
        EmailChanged = "email_changed",
        /// [`Letter::AddressTaken`]
        AddressTaken = "address_taken",
        /// [`Letter::Invitation`]
        Invitation = "invitation",
        /// [`Letter::Test`]
        Test = "test",
        /// A letter that cannot be decrypted.
        Unknown = "unknown",
    }
}

impl Letter {
    /// Which kind it is.
    #[must_use]
    pub const fn template(&self) -> Template {
        match self {
            Self::PasswordReset { .. } => Template::PasswordReset,
            Self::PasswordChanged { .. } => Template::PasswordChanged,
            Self::AccountLocked { .. } => Template::AccountLocked,
            Self::NewSignIn { .. } => Template::NewSignIn,
            Self::ConfirmEmail { .. } => Template::ConfirmEmail,
            Self::EmailChanged { .. } => Template::EmailChanged,
            Self::AddressTaken { .. } => Template::AddressTaken,
            Self::Invitation { .. } => Template::Invitation,
            Self::Test { .. } => Template::Test,
        }
    }
}

/// Who caused a letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// From which address.
    pub client: Option<IpAddr>,
    /// With which browser: untrusted text.
    pub user_agent: String,
}

impl Asked {
    /// By this client, at `now`.
    #[must_use]
    pub fn by(client: &Client, now: Timestamp) -> Self {
        Self { at: now, client: client.address, user_agent: client.user_agent.clone() }
    }
}
