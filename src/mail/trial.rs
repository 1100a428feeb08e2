//! Sending a test by hand: at once, past the outbox, and with no store open.

use super::mime::Letterhead;
use super::writer::phrases;
use super::{Mail, SendError, Transport};
use crate::account::Email;
use crate::clock::Timestamp;
use crate::config::Settings;

/// Sends a test mail to this address and returns when the transport has taken it.
///
/// # Errors
/// Why it was not taken; in the server's words where it said so.
pub async fn send_test(settings: &Settings, transport: &dyn Transport, to: Email, now: Timestamp) -> Result<(), SendError> {
    let mail = Mail { account: None, to, wording: phrases(settings).test() };
    let message = Letterhead::new(settings).message(&mail, now).map_err(SendError::Refused)?;
    transport.open().await?.send(&mail, &message).await
}
