//! How mails leave: the port, and one file for each way.

mod catcher;
mod file;
mod log;
mod smtp;

pub use catcher::{CatcherTransport, Caught, MailCatcher};
pub use file::FileTransport;
pub use log::LogTransport;
pub use smtp::SmtpTransport;

use super::Mail;
use async_trait::async_trait;
use lettre::Message;

/// A way for mails to leave.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Gets ready to send one mail, with a server connects and signs in. It comes before the mail is written, so that no
    /// token is made, and no older one ended, for a mail that cannot leave.
    ///
    /// # Errors
    /// When it is not possible now.
    async fn open(&self) -> Result<Box<dyn Way>, SendError>;
}

/// A way that is open, for one mail.
#[async_trait]
pub trait Way: Send {
    /// Sends; when it returns, whoever is next has the mail.
    ///
    /// # Errors
    /// When it was not taken.
    async fn send(self: Box<Self>, mail: &Mail, message: &Message) -> Result<(), SendError>;
}

/// Why a mail did not leave, in words for the operator; without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Not now.
    Later(String),
    /// Never: the server refused it for good.
    Refused(String),
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Later(reason) | Self::Refused(reason)) = self;
        f.write_str(reason)
    }
}

impl std::error::Error for SendError {}
