//! Mails given to a server (RFC 5321), one connection each, with a bound on how long that may take.
//!
//! Neither the login nor the mail is told to a server that has not proved itself: STARTTLS that is not offered, or a
//! certificate of another name, ends the attempt (RFC 8314, threats: a network that strips STARTTLS).

use super::{SendError, Transport, Way};
use crate::config::{SmtpServer, SmtpTls};
use crate::mail::Mail;
use async_trait::async_trait;
use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

/// Gives mails to a server.
pub struct SmtpTransport {
    server: SmtpServer,
    hello: ClientId,
}

/// Longest until the server is connected to, has proved itself and has let us in.
const OPENING: Duration = Duration::from_secs(10);

/// Longest until it has taken a mail after that.
const SENDING: Duration = Duration::from_secs(20);

/// Replies that speak of our login rather than of the mail (RFC 4954 section 6): mended by the operator, so tried again.
const ABOUT_LOGIN: [u16; 4] = [530, 534, 535, 538];

impl SmtpTransport {
    /// To this server, which is greeted in the name of `host`.
    #[must_use]
    pub fn new(server: SmtpServer, host: String) -> Self {
        let hello = match host.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Err(_) => ClientId::Domain(host),
        };
        Self { server, hello }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let SmtpServer { host, port, tls, login } = &self.server;
        let parameters = || TlsParameters::new_rustls(host.clone()).map_err(|error| explain(&error));
        let implicit = if *tls == SmtpTls::Implicit { Some(parameters()?) } else { None };
        let connected = AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), None, &self.hello, implicit, None);
        let mut connection = connected.await.map_err(|error| explain(&error))?;
        if *tls == SmtpTls::Required {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err("it does not offer STARTTLS; write smtps:// if it expects TLS at once".to_owned());
            }
            connection.starttls(parameters()?, &self.hello).await.map_err(|error| explain(&error))?;
        }
        if let Some((username, password)) = login {
            let credentials = Credentials::new(username.clone(), password.expose().to_owned());
            let signed_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            signed_in.map_err(|error| format!("it did not take email.username and email.password: {}", explain(&error)))?;
        }
        Ok(connection)
    }

    fn failed(&self, reason: &str) -> SendError {
        SendError::Later(format!("the mail server {} cannot be used: {reason}", self.server))
    }
}

#[async_trait]
impl Transport for SmtpTransport {
    async fn open(&self) -> Result<Box<dyn Way>, SendError> {
        let connected = timeout(OPENING, self.connect()).await;
        let connected = connected.unwrap_or_else(|_| Err(format!("it did not answer within {} s", OPENING.as_secs())));
        let connection = connected.map_err(|reason| self.failed(&reason))?;
        Ok(Box::new(Connected { connection, server: self.server.to_string() }))
    }
}

struct Connected {
    connection: AsyncSmtpConnection,
    server: String,
}

#[async_trait]
impl Way for Connected {
    async fn send(mut self: Box<Self>, _mail: &Mail, message: &Message) -> Result<(), SendError> {
        let text = message.formatted();
        match timeout(SENDING, self.connection.send(message.envelope(), &text)).await {
            Err(_) => {
                Err(SendError::Later(format!("the mail server {} did not take the mail within {} s", self.server, SENDING.as_secs())))
            }
            Ok(Err(error)) => Err(refusal(&self.server, &error)),
            Ok(Ok(_)) => {
                // The mail is the server's now, however the goodbye goes.
                let _ = timeout(Duration::from_secs(1), self.connection.quit()).await;
                Ok(())
            }
        }
    }
}

fn refusal(server: &str, error: &Error) -> SendError {
    let reason = format!("the mail server {server} did not take the mail: {}", explain(error));
    let about_login = error.status().is_some_and(|code| ABOUT_LOGIN.contains(&u16::from(code)));
    // An error of the client is that the server lacks what this mail needs, such as SMTPUTF8.
    if (error.is_permanent() && !about_login) || error.is_client() { SendError::Refused(reason) } else { SendError::Later(reason) }
}

/// The error and what caused it, on one line; the server's own words are not to be trusted.
fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let said = deeper.to_string();
        if !text.contains(&said) {
            let _ = write!(text, ": {said}");
        }
        cause = deeper.source();
    }
    text.chars().take(300).flat_map(char::escape_debug).collect()
}
