//! Mails in the log: for development on one's own machine. Links in them let whoever reads the log in; therefore the
//! configuration takes this transport only where nobody but this machine can reach the gateway.

use super::{SendError, Transport, Way};
use crate::mail::Mail;
use async_trait::async_trait;
use lettre::Message;

/// Writes mails to the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogTransport;

#[async_trait]
impl Transport for LogTransport {
    async fn open(&self) -> Result<Box<dyn Way>, SendError> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Way for LogTransport {
    async fn send(self: Box<Self>, mail: &Mail, _message: &Message) -> Result<(), SendError> {
        let text = mail.wording.as_text().map_err(|error| SendError::Refused(error.to_string()))?;
        tracing::info!(event = "mail_logged", to = mail.to.as_str(), subject = mail.wording.subject(), text, "mail");
        Ok(())
    }
}
