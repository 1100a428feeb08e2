//! From a mail to a message as it goes over the wire (RFC 5322, MIME): text and HTML side by side.

use super::Mail;
use crate::clock::Timestamp;
use crate::config::{Sender, Settings};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use std::time::{Duration, UNIX_EPOCH};

/// What all messages of this site have in common.
pub(super) struct Letterhead {
    from: Sender,
    /// Behind the `@` of message ids, and in the greeting of mail servers.
    host: String,
}

impl Letterhead {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { from: settings.email.from.clone(), host: settings.mail_host() }
    }

    /// The message, with an id of its own: a server or a mail program that knows the id may drop the message, and when
    /// an attempt is repeated it is the later one whose link works.
    pub(super) fn message(&self, mail: &Mail, now: Timestamp) -> Result<Message, String> {
        let unwritable = |error: &dyn std::fmt::Display| format!("the mail cannot be written: {error}");
        let from = Mailbox::new(self.from.name.clone(), address(self.from.address.as_str(), self.from.address.canonical())?);
        // Without a display name: it is user-chosen text, and not all of it can stand in a header.
        let to = Mailbox::new(None, address(mail.to.as_str(), mail.to.canonical())?);
        let text = mail.wording.as_text().map_err(|error| unwritable(&error))?;
        let html = mail.wording.as_html().map_err(|error| unwritable(&error))?;
        let id = uuid::Builder::from_random_bytes(crate::entropy::random_bytes()).into_uuid();
        Message::builder()
            .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).unwrap_or(0)))
            .message_id(Some(format!("<{id}@{}>", self.host)))
            .from(from)
            .to(to)
            .subject(mail.wording.subject())
            // RFC 3834: no holiday notices in answer, please; the second is Exchange's word for it.
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Auto-Response-Suppress", "All"))
            .multipart(MultiPart::alternative_plain_html(text, html))
            .map_err(|error| unwritable(&error))
    }
}

/// The local part as it is written, the domain as DNS has it, so that only a local part in another script asks for
/// servers that know SMTPUTF8 (RFC 6531).
fn address(written: &str, canonical: &str) -> Result<Address, String> {
    let local = written.rsplit_once('@').map_or(written, |(local, _)| local);
    let domain = canonical.rsplit_once('@').map_or("", |(_, domain)| domain);
    Address::new(local, domain).map_err(|error| format!("the address cannot be written to: {error}"))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
