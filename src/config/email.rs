//! `email`: how mails leave and whom they are from. Addresses of servers hold no passwords, so that they can be shown.

use super::field::Field;
use super::section::Section;
use super::{EmailSettings, MailTransport, Secret, Sender, SmtpServer, SmtpTls};
use crate::account::Email;
use crate::host::Host;
use std::net::IpAddr;

impl SmtpServer {
    /// Whether what is said there leaves the machine.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        self.host != "localhost" && !self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// The address without the login.
impl std::fmt::Display for SmtpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

const DEFAULT_SENDER: &str = "Portcullis <no-reply@localhost>";

pub(super) fn email(root: &mut Section<'_>) -> Option<EmailSettings> {
    let mut section = root.section("email");
    let from = section.take("from").map_or_else(|| read_sender(DEFAULT_SENDER), |field| sender(&field));
    let transport = section.optional("transport", transport);
    let username = section.optional("username", Field::text);
    let password = section.optional("password", Field::text).map(Secret::new);
    section.finish();
    let login = match (username, password) {
        (Some(username), Some(password)) => Some((username, password)),
        (None, None) => None,
        (Some(_), None) => {
            section.error("username", "stands here without email.password, write both or none");
            None
        }
        (None, Some(_)) => {
            section.error("password", "stands here without email.username, write both or none");
            None
        }
    };
    let transport = match transport {
        Some(MailTransport::Smtp(server)) => Some(MailTransport::Smtp(SmtpServer { login, ..server })),
        other => {
            if login.is_some() {
                section.findings().warn(
                    section.place_of("username"),
                    &section.path_of("username"),
                    "has no effect: email.transport is no mail server",
                );
            }
            other
        }
    };
    Some(EmailSettings { from: from?, transport })
}

fn sender(field: &Field<'_>) -> Option<Sender> {
    field.parse("a sender", "write for example Portcullis <no-reply@example.com>, or an address alone", read_sender)
}

fn read_sender(text: &str) -> Option<Sender> {
    let Some((name, address)) = text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) else {
        return Email::parse(text).ok().map(|address| Sender { name: None, address });
    };
    let name = name.trim().trim_matches('"');
    // Nothing that could end a header, or be taken for another address.
    let good = name.chars().all(|letter| !letter.is_control() && !"<>\"@".contains(letter)) && name.chars().count() <= 64;
    let name = (!name.is_empty()).then(|| name.to_owned());
    Email::parse(address).ok().filter(|_| good).map(|address| Sender { name, address })
}

const ALLOWED: &str = "write null, file:FOLDER, log, smtp://host:587 or smtps://host:465";

/// Messages never repeat the value: people write passwords into such addresses.
fn transport(field: &Field<'_>) -> Option<MailTransport> {
    let text = &field.scalar(ALLOWED)?.text;
    if text == "log" {
        return Some(MailTransport::Log);
    }
    if let Some(folder) = text.strip_prefix("file:") {
        let names_none = folder.is_empty() || folder.starts_with("//") || folder.contains('\0');
        if names_none {
            return field.error("names no folder, write for example file:mails");
        }
        return Some(MailTransport::File(field.findings().resolve(folder)));
    }
    match read_server(text) {
        Ok(server) => Some(MailTransport::Smtp(server)),
        Err(fault) => field.error(format!("{fault}; {ALLOWED}")),
    }
}

fn read_server(text: &str) -> Result<SmtpServer, &'static str> {
    let (tls, port, rest) = if let Some(rest) = text.strip_prefix("smtp://") {
        (SmtpTls::Required, 587, rest)
    } else if let Some(rest) = text.strip_prefix("smtps://") {
        (SmtpTls::Implicit, 465, rest)
    } else {
        return Err("is no way for mails that is known here");
    };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    if authority.contains('@') {
        return Err("holds a login, which belongs into email.username and email.password");
    }
    let tls = match (query, tls) {
        ("", tls) => tls,
        ("tls=none", SmtpTls::Required) => SmtpTls::None,
        _ => return Err("takes nothing after the host but ?tls=none with smtp://"),
    };
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let (host, given) = Host::parse_authority(authority).ok_or("names no server")?;
    Ok(SmtpServer { host: host.as_str().trim_matches(['[', ']']).to_owned(), port: given.unwrap_or(port), tls, login: None })
}
